"""The page: what it holds, that it is safe, and that it isn't large."""

import base64
import hashlib
import json
import re
import zlib

import numpy as np
from explain.conftest import HOSTILE


def read(page):
    """Returns what the page's script reads."""
    (text,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', page
    )
    data = json.loads(text)
    blob = zlib.decompress(base64.b64decode(data.pop("bytes")))
    for name, where in data.pop("arrays").items():
        count = int(np.prod(where["shape"]))
        data[name] = np.frombuffer(
            blob, where["type"], count, where["at"]
        ).reshape(where["shape"])
    return data


def test_numbers(explained):
    data = read(explained.to_html())
    (layer,) = explained.layers
    for name in ("band", "to_globals", "offsets", "from_globals"):
        found = data[f"layer0.{name}"]
        scale = data[f"layer0.{name}.scale"]
        scale = scale.reshape(-1, *[1] * (found.ndim - 1))
        expected = getattr(layer, name)
        # Half a step.
        assert (np.abs(found * scale - expected) <= 0.51 * scale).all()
    assert data["globals"].tolist() == [0]
    # All links of this small document are there.
    assert data["meanLinks"] == 4
    kept = np.rint(63 * layer.link_weights[0]) >= 1
    assert data["layer0.links.columns"].tolist() == (
        layer.link_columns[0][kept].tolist()
    )
    effects = data["prediction"]["effects"]
    for found, effect in zip(
        effects, explained.prediction.effects, strict=True
    ):
        assert found["gradient"] == effect.gradient
        assert found["tokens"] == list(effect.tokens)


def text_of(data):
    return (
        data["text"]
        .astype("<u2")
        .tobytes()
        .decode("utf-16-le", "surrogatepass")
    )


def test_places_are_those_of_javascript(invent):
    explained = invent("a \U0001f600 b \U0001f600\U0001f600 § c")
    data = read(explained.to_html())
    units = data["text"]
    starts = np.cumsum(data["tokenSteps"])
    for place, (start, length) in enumerate(
        zip(starts, data["tokenLengths"], strict=True)
    ):
        if str(place) in data["outside"]:
            continue
        piece = units[start : start + length].astype("<u2").tobytes()
        assert piece.decode("utf-16-le") == explained.tokens[place]


def test_hostile_text(invent):
    page = invent(HOSTILE, title=HOSTILE).to_html()
    # Nothing of it stands in the page as it is.
    assert not set(HOSTILE) & set("\u202e\x00\x07\ufeff\ud83d") & set(page)
    assert page.count("<script") == page.count("</script>") == 2
    assert "alert(1)" not in re.sub(r'id="data">.*?</script>', "", page)
    assert "<!--" not in page
    page.encode()  # lone surrogates are escaped
    data = read(page)
    assert data["title"] == HOSTILE
    # Whatever lies outside of the tokens isn't shown.
    assert text_of(data) in HOSTILE
    assert len(text_of(data)) > len(HOSTILE) - 3


def test_the_policy_allows_what_is_there_and_no_more(explained):
    page = explained.to_html()
    (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)"', page)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    for tag in ("style", "script"):
        (body,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest())
        assert rules[f"{tag}-src"] == f"'sha256-{digest.decode()}'"
    assert set(rules) == {
        *("default-src", "script-src", "style-src"),
        *("base-uri", "form-action"),
    }
    # Neither addresses nor styles and handlers within tags.
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert not re.findall(r"<[^>]*\s(?:style|on\w+|src)=", page)


def test_size(invent):
    explained = invent("the dog § saw. A red fox! " * 60)
    large = explained.to_html()
    assert read(large)["meanLinks"] == 4
    without = explained.to_html(1)
    data = read(without)
    assert data["meanLinks"] == len(data["layer0.links.columns"]) == 0
    most = (2 * len(large) + len(without)) // 3000
    between = explained.to_html(most)
    assert len(without) < len(between) <= most * 1000
    # The strongest are those that stay.
    kept, all_ = (read(x)["layer0.links.weights"] for x in (between, large))
    assert 0 < kept.size < all_.size
    assert kept.min() >= np.sort(all_)[-kept.size]


def test_save(explained, tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    explained.save(path)
    assert path.read_text("utf-8") == explained.to_html()
    assert [one.name for one in tmp_path.iterdir()] == ["page.html"]

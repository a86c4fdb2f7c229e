"""Makes one page of HTML of an explanation, with all that it needs in it.

Numbers go into the page as bytes, compressed, in base64, and texts as JSON of
ASCII characters alone, so that no text can end the script that it stands in.
The page's policy allows its own script and style, told by their hashes, and
nothing else: nothing is loaded, nothing is sent.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import json
import zlib
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from tf_longformer import __version__
from tf_longformer.explain.attention_summary import LayerSummary

if TYPE_CHECKING:
    from tf_longformer.explain.explanation import Explanation
    from tf_longformer.explain.explanation import Prediction

# Characters of a link in the page, before it is known how well they are
# compressed; each attempt has fewer links than the one before.
_CHARACTERS_OF_LINK = 1.5
# Of the mean over a layer's heads, links of each token; heads get the rest.
_LINKS_OF_MEAN = 4
_ATTEMPTS = 20
# Most of what a link of a head or a cell of a map can be. There are millions,
# and nobody sees more.
_LEVELS = 63


def make_page(explanation: Explanation, most: int) -> str:
    """Returns the page.

    The strongest links between tokens are in it, as many as fit into `most`
    characters: of the means of layers' heads as many for each token, of heads
    those above a weight, in each layer another one.

    Args:
        explanation: `Explanation`.
        most: int, most characters.
    """
    fixed = _pack(explanation)
    links = max(0, most - len(_render(fixed))) / _CHARACTERS_OF_LINK
    for _ in range(_ATTEMPTS):
        parts = {**fixed, **_links(explanation, int(links))}
        page = _render(parts)
        if len(page) <= most or links < 1:
            break
        links *= 0.9
    return page


def _render(parts: dict[str, Any]) -> str:
    """Fills the template in."""
    data, blob = dict(parts), []
    arrays, place = {}, 0
    for name, value in parts.items():
        if isinstance(value, np.ndarray):
            del data[name]
            raw = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
            # Typed arrays begin at multiples of their size.
            place += -place % 8
            arrays[name] = {
                "type": value.dtype.name,
                "shape": value.shape,
                "at": place,
            }
            blob.append((place, raw.tobytes()))
            place += raw.nbytes
    buffer = bytearray(place)
    for begin, raw in blob:
        buffer[begin : begin + len(raw)] = raw
    data["arrays"] = arrays
    data["bytes"] = base64.b64encode(zlib.compress(buffer, 9)).decode("ascii")
    files = importlib.resources.files("tf_longformer.explain")
    template, style, script = (
        files.joinpath(f"page.{kind}").read_text("utf-8")
        for kind in ("html", "css", "js")
    )
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    fillings = {
        "{{style-hash}}": _hash(style),
        "{{script-hash}}": _hash(script),
        "{{style}}": style,
        "{{script}}": script,
        "{{data}}": text,
    }
    for name, filling in fillings.items():
        before, after = template.split(name)
        template = before + filling + after
    return template


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _pack(explanation: Explanation) -> dict[str, Any]:
    """Returns all but the links: what JSON can hold, and arrays."""
    layers = explanation.layers
    is_global = np.flatnonzero(explanation.is_global)
    packed: dict[str, Any] = {
        "version": __version__,
        "title": explanation.title,
        "model": explanation.model,
        "head": explanation.head,
        "totalTokens": explanation.total_tokens,
        "documentTokens": int(explanation.window.inside.sum()),
        "firstToken": explanation.window.first,
        "passage": explanation.passage,
        "heads": len(layers[0].band),
        "windows": [layer.window for layer in layers],
        "globals": is_global.astype("uint32"),
        "whyGlobal": explanation.why_global,
        **_pack_tokens(explanation),
    }
    for number, layer in enumerate(layers):
        packed |= _pack_layer(layer, f"layer{number}.")
    if explanation.prediction is not None:
        packed |= _pack_prediction(explanation, explanation.prediction)
    return packed


def _pack_tokens(explanation: Explanation) -> dict[str, Any]:
    """Returns the text and where its tokens are, in units of UTF-16."""
    inside = explanation.window.inside
    offsets = explanation.window.offsets
    begin = int(offsets[inside, 0].min(initial=0)) if inside.any() else 0
    end = int(offsets[inside, 1].max()) if inside.any() else 0
    text = explanation.text[begin:end]
    units = _utf16_places(text)
    starts, ends = (
        units[np.where(inside, offsets[:, i] - begin, 0)] for i in (0, 1)
    )
    # Those outside of the text stand where it goes on.
    starts = np.maximum.accumulate(np.where(inside, starts, 0))
    lengths = np.where(inside, ends - starts, 0).clip(0)
    outside = {
        str(place): explanation.tokens[place]
        for place in np.flatnonzero(~inside).tolist()
    }
    return {
        "text": np.frombuffer(text.encode("utf-16-le", "surrogatepass"), "<u2"),
        "outside": outside,
        "tokenSteps": np.diff(starts, prepend=0).astype("uint32"),
        "tokenLengths": lengths.astype("uint32"),
        "textBegin": begin,
    }


def _utf16_places(text: str) -> np.ndarray:
    """Returns where each character begins in JavaScript's strings."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    return np.concatenate([[0], np.cumsum(1 + (codes > 0xFFFF))])


def _pack_layer(layer: LayerSummary, prefix: str) -> dict[str, Any]:
    packed: dict[str, Any] = {}
    for name in ("band", "to_globals", "offsets", "mean_to_globals"):
        levels = 255 if name == "offsets" else _LEVELS
        packed |= _quantize(prefix + name, getattr(layer, name), levels)
    if layer.from_globals is None:
        return packed
    for name in (
        *("from_globals", "global_key_weights"),
        *("each_global", "each_global_key_weights"),
    ):
        packed |= _quantize(prefix + name, getattr(layer, name))
    for name in ("global_keys", "each_global_keys"):
        packed[prefix + name] = getattr(layer, name).astype("uint32")
    return packed


def _quantize(name: str, values: Any, levels: int = 255) -> dict[str, Any]:
    """Returns numbers as bytes, `levels` for the largest of each row.

    The scale is what 1 stands for.
    """
    values = np.asarray(values, "float32")
    rows = values.reshape(len(values), -1) if values.ndim > 1 else values[None]
    scale = rows.max(axis=1, initial=0) / levels
    scaled = rows / np.where(scale > 0, scale, 1)[:, None]
    return {
        name: np.rint(scaled).astype("uint8").reshape(values.shape),
        f"{name}.scale": scale.astype("float32"),
    }


def _pack_prediction(
    explanation: Explanation, prediction: Prediction
) -> dict[str, Any]:
    begin = explanation.window.offsets[explanation.window.inside, 0].min()
    largest = float(np.abs(prediction.gradient).max(initial=0)) or 1.0
    text = explanation.text[begin:]
    units = _utf16_places(text)
    span = prediction.span
    if span is not None:
        span = [int(units[max(0, place - begin)]) for place in span]
    return {
        "prediction": {
            "title": prediction.title,
            "name": prediction.name,
            "score": prediction.score,
            "unit": prediction.unit,
            "candidates": prediction.candidates,
            "span": span,
            "effects": [
                {
                    "tokens": effect.tokens,
                    "gradient": effect.gradient,
                    "occlusion": effect.occlusion,
                    "without": effect.score_without,
                }
                for effect in prediction.effects
            ],
            "gradientScale": largest,
        },
        "gradient": np.rint(127 * prediction.gradient / largest).astype("int8"),
    }


def _links(explanation: Explanation, most: int) -> dict[str, Any]:
    """Returns the strongest links, so many at most.

    Of the mean over heads, `meanLinks` of each token: all first ones, all
    second ones and so on. Of heads, for each token a number of links in
    `counts`, and then the links one after the other.
    """
    layers = explanation.layers
    of_all = len(layers) * len(explanation.window.ids)
    of_means = min(most // of_all, _LINKS_OF_MEAN)
    of_heads = (most - of_means * of_all) // len(layers)
    packed: dict[str, Any] = {"meanLinks": of_means, "thresholds": []}
    for number, layer in enumerate(layers):
        columns = layer.link_columns
        columns = columns.astype(np.min_scalar_type(columns.max(initial=0)))
        means, weights = layer.link_weights[-1], layer.link_weights[:-1]
        name = f"layer{number}.links."
        packed[f"{name}mean_columns"] = columns[-1, :, :of_means].T
        packed[f"{name}mean_weights"] = (
            np.rint(255 * means[:, :of_means]).astype("uint8").T
        )
        weights = np.rint(_LEVELS * weights).astype("uint8")
        columns = columns[:-1]
        threshold = _threshold(weights, of_heads)
        kept = weights >= threshold
        packed["thresholds"].append(threshold / _LEVELS)
        packed[f"{name}counts"] = kept.sum(axis=2).astype("uint8")
        packed[f"{name}columns"] = columns[kept]
        packed[f"{name}weights"] = weights[kept]
    packed["linkLevels"] = _LEVELS
    return packed


def _threshold(weights: np.ndarray, most: int) -> int:
    """Returns the least weight, 1 or more, that at most `most` links have."""
    counts = np.bincount(weights.ravel(), minlength=257)
    above = np.cumsum(counts[::-1])[::-1]
    return 1 + int(np.argmax(above[1:] <= most))

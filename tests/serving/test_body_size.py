"""What is counted in a body, against what JSON reads there."""

from __future__ import annotations

import json
import random

import pytest

pytest.importorskip("orjson")

from tf_longformer.serving import body_size

LETTERS = [*'"\\[{,éux😀', '\\"', "\ud800"]


def draw(rng, depth=0):
    kind = rng.choice("sssnlo" if depth < 4 else "sn")
    if kind == "s":
        return "".join(rng.choices(LETTERS, k=rng.randrange(6)))
    if kind == "n":
        return rng.choice([1, 2.5, True, None])
    children = [draw(rng, depth + 1) for _ in range(rng.randrange(5))]
    if kind == "l":
        return children
    return {f"{index},[": child for index, child in enumerate(children)}


def count(value):
    """Returns containers, values, and bytes of texts."""
    if isinstance(value, str):
        return 0, 0, len(value.encode("utf-8", "surrogatepass"))
    if not isinstance(value, (list, dict)):
        return 0, 0, 0
    keys = list(value) if isinstance(value, dict) else []
    inner = [*map(count, value.values() if keys else value), *map(count, keys)]
    containers, values, text = map(sum, zip((0, 0, 0), *inner, strict=True))
    return containers + 1, values + max(len(value), 1), text


@pytest.mark.parametrize("piece", [1, 7, 2**18])
@pytest.mark.parametrize("ascii", [True, False])
def test_counts_are_those_of_json(monkeypatch, piece, ascii):
    monkeypatch.setattr(body_size, "_PIECE", piece)
    rng = random.Random(piece)
    for _ in range(200):
        document = draw(rng)
        body = json.dumps(document, ensure_ascii=ascii)
        body = body.encode("utf-8", "surrogatepass")
        found = body_size.count_body(bytearray(body))
        containers, values, text_bytes = count(document)
        assert found[:2] == (containers, values)
        assert found.text_bytes <= text_bytes
        if b"\\u" not in body:
            assert found.text_bytes == text_bytes


def test_what_is_no_json():
    for body in (b"", b'"', b"\\", b'"\\', b'\\"[', b"\xff[", b'["' * 9):
        body_size.count_body(body)

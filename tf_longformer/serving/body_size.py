"""Counts what is in a body of JSON, before it is read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_PIECE = 2**18
_QUOTE, _COMMA, _LIST, _OBJECT = b'",[{'


class BodySize(NamedTuple):
    """How much is in a body.

    Attributes:
        containers: int, lists and objects.
        values: int, of all lists and objects together, and these themselves.
        text_bytes: int, no more than strings have when they are read.
    """

    containers: int
    values: int
    text_bytes: int


def count_body(body: bytes | bytearray) -> BodySize:
    """Counts a body, which needn't be JSON.

    By pieces, as each call holds Python's lock.
    """
    containers = commas = quotes = text_bytes = 0
    inside, rest = False, b""
    for start in range(0, len(body), _PIECE):
        piece = rest + body[start : start + _PIECE]
        # Half of an escape belongs to the next piece.
        rest = b""
        if b"\\" in piece:
            # Each is read as one byte; `\\u0041` as one or more.
            for escape in (b"\\\\", b'\\"'):
                text_bytes += piece.count(escape)
                piece = piece.replace(escape, b"")
            if piece.endswith(b"\\"):
                piece, rest = piece[:-1], b"\\"
            text_bytes -= piece.count(b"\\") + 4 * piece.count(b"\\u")
        letters = np.frombuffer(piece, np.uint8)
        is_quote = letters == _QUOTE
        # From a quote that opens on, before one that closes.
        quoted = np.logical_xor.accumulate(is_quote) ^ inside
        outside = letters[~quoted]
        quotes += np.count_nonzero(is_quote)
        text_bytes += len(piece) - len(outside)
        containers += np.count_nonzero(outside == _LIST)
        containers += np.count_nonzero(outside == _OBJECT)
        commas += np.count_nonzero(outside == _COMMA)
        inside = bool(quoted[-1]) if len(quoted) else inside
    text_bytes -= (quotes + 1) // 2
    return BodySize(int(containers), int(containers + commas), int(text_bytes))

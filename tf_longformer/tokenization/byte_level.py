"""Bytes as letters: how byte-level BPE spells them in its vocabulary."""

from __future__ import annotations

from collections.abc import Iterable

# Bytes that are visible characters of Latin-1 stand for themselves; the
# others take the characters from 256 on. So no token of a vocabulary holds a
# space or a control character. The idea is GPT-2's.
_VISIBLE = {*range(33, 127), *range(161, 173), *range(174, 256)}
_OTHERS = [byte for byte in range(256) if byte not in _VISIBLE]
LETTERS: list[str] = [
    chr(byte) if byte in _VISIBLE else chr(256 + _OTHERS.index(byte))
    for byte in range(256)
]
BYTES: dict[str, int] = {letter: byte for byte, letter in enumerate(LETTERS)}


def join_bytes(tokens: Iterable[str], errors: str) -> str:
    """Returns the text of tokens.

    Args:
        tokens: strings of `LETTERS`. A token that has other characters, as
            an added one may, stands for itself.
        errors: str, as of `bytes.decode`.

    Returns:
        str.

    Raises:
        UnicodeDecodeError: if the bytes aren't UTF-8 and `errors` is
            `"strict"`.
    """
    joined = bytearray()
    for token in tokens:
        try:
            joined += bytes([BYTES[letter] for letter in token])
        except KeyError:
            joined += token.encode("utf-8", "replace")
    return joined.decode("utf-8", errors)

"""Finds added tokens in a text, before it is cut into words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping
from typing import NamedTuple

from tokenizers import AddedToken

from tf_longformer.tokenization import characters


class Piece(NamedTuple):
    """Characters `start` up to but without `end`, and whose they are.

    Args:
        start: int.
        end: int.
        token_id: int, of the added token, or `None` for text.
    """

    start: int
    end: int
    token_id: int | None


class AddedTokenFinder:
    """Cuts texts at added tokens.

    Those that aren't `normalized` come first, as the reference has it; at
    each place the longest one counts.

    Args:
        added: dict of ids to `AddedToken`.
    """

    def __init__(self, added: Mapping[int, AddedToken]) -> None:
        self._groups = []
        for normalized in (False, True):
            tokens = {
                token.content: (index, token)
                for index, token in added.items()
                if token.normalized == normalized and token.content
            }
            if tokens:
                longest = sorted(tokens, key=len, reverse=True)
                pattern = re.compile("|".join(map(re.escape, longest)))
                self._groups.append((pattern, tokens))

    def find(self, text: str) -> list[Piece]:
        """Returns the pieces of a text, none of them empty.

        Args:
            text: str.

        Returns:
            List of `Piece`, in order.
        """
        pieces = [Piece(0, len(text), None)] if text else []
        for pattern, tokens in self._groups:
            # Most texts have none: then nothing is copied.
            if pattern.search(text) is None:
                continue
            pieces = [
                part
                for piece in pieces
                for part in (
                    _cut(text, piece, pattern, tokens)
                    if piece.token_id is None
                    else (piece,)
                )
            ]
        return pieces


def _cut(
    text: str,
    piece: Piece,
    pattern: re.Pattern[str],
    tokens: Mapping[str, tuple[int, AddedToken]],
) -> Iterator[Piece]:
    """Cuts one piece of text."""
    done = piece.start
    for match in pattern.finditer(text, piece.start, piece.end):
        index, token = tokens[match.group()]
        start, end = match.span()
        if token.single_word and (
            (start > piece.start and text[start - 1] in _word())
            or (end < piece.end and text[end] in _word())
        ):
            continue
        if token.lstrip:
            # The token before may have taken the spaces already.
            while start > done and text[start - 1] in _spaces():
                start -= 1
        if token.rstrip:
            while end < piece.end and text[end] in _spaces():
                end += 1
        if done < start:
            yield Piece(done, start, None)
        yield Piece(start, end, index)
        done = end
    if done < piece.end:
        yield Piece(done, piece.end, None)


_word = characters.word_characters
_spaces = characters.stripped

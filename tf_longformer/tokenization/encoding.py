"""A row of tokens that knows where in the text they come from."""

from __future__ import annotations

import dataclasses
from typing import Any

Span = tuple[int, int]


@dataclasses.dataclass(eq=False)
class Encoding:
    """What `tokenizers.Encoding` is, in Python.

    Args:
        ids: list of ints.
        tokens: list of strings.
        offsets: list of pairs, each token's characters in its text.
        word_ids: list, each token's word, `None` for special tokens.
        special_tokens_mask: list of 0 and 1.
        attention_mask: list of 0 and 1.
        overflowing: list of `Encoding`, the pieces that were cut off.
        ranges: dict of 0 and 1 to the tokens of the first and second text.
    """

    ids: list[int]
    tokens: list[str]
    offsets: list[Span]
    word_ids: list[int | None]
    special_tokens_mask: list[int] = dataclasses.field(default_factory=list)
    attention_mask: list[int] = dataclasses.field(default_factory=list)
    overflowing: list[Encoding] = dataclasses.field(default_factory=list)
    ranges: dict[int, Span] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.attention_mask) != len(self.ids):
            self.attention_mask = [1] * len(self.ids)
        if len(self.special_tokens_mask) != len(self.ids):
            self.special_tokens_mask = [0] * len(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def type_ids(self) -> list[int]:
        """Zeros: RoBERTa has one type."""
        return [0] * len(self.ids)

    @property
    def words(self) -> list[int | None]:
        """Another name of `word_ids`."""
        return self.word_ids

    @property
    def n_sequences(self) -> int:
        """Texts in the row, 1 or 2."""
        return len(self.ranges) or 1

    @property
    def sequence_ids(self) -> list[int | None]:
        """Each token's text, `None` for special tokens."""
        found: list[int | None] = [None] * len(self.ids)
        for index in range(self.n_sequences):
            start, end = self._range(index)
            found[start:end] = [index] * (end - start)
        return found

    def token_to_sequence(self, token_index: int) -> int | None:
        """Returns the text of a token."""
        if not self.ranges:
            return 0 if token_index <= len(self.ids) else None
        for index, (start, end) in self.ranges.items():
            if start <= token_index < end:
                return index
        return None

    def token_to_word(self, token_index: int) -> int | None:
        """Returns the word of a token within its text."""
        if self.token_to_sequence(token_index) is None:
            return None
        return _at(self.word_ids, token_index)

    def token_to_chars(self, token_index: int) -> Span | None:
        """Returns the characters of a token."""
        if self.token_to_sequence(token_index) is None:
            return None
        return _at(self.offsets, token_index)

    def word_to_tokens(
        self, word_index: int, sequence_index: int = 0
    ) -> Span | None:
        """Returns the tokens of a word."""
        start, end = self._range(sequence_index)
        found = [
            token
            for token in range(start, end)
            if self.word_ids[token] == word_index
        ]
        return (found[0], found[-1] + 1) if found else None

    def word_to_chars(
        self, word_index: int, sequence_index: int = 0
    ) -> Span | None:
        """Returns the characters of a word."""
        found = self.word_to_tokens(word_index, sequence_index)
        if found is None:
            return None
        first, last = found
        return self.offsets[first][0], self.offsets[last - 1][1]

    def char_to_token(
        self, char_pos: int, sequence_index: int = 0
    ) -> int | None:
        """Returns the token of a character."""
        start, end = self._range(sequence_index)
        for token in range(start, end):
            first, last = self.offsets[token]
            if first <= char_pos < last:
                return token
        return None

    def char_to_word(
        self, char_pos: int, sequence_index: int = 0
    ) -> int | None:
        """Returns the word of a character."""
        token = self.char_to_token(char_pos, sequence_index)
        return None if token is None else self.token_to_word(token)

    def _range(self, sequence_index: int) -> Span:
        return self.ranges.get(sequence_index, (0, len(self.ids)))

    def part(self, start: int, end: int) -> Encoding:
        """Returns some of the tokens, without what was cut off."""
        return Encoding(
            self.ids[start:end],
            self.tokens[start:end],
            self.offsets[start:end],
            self.word_ids[start:end],
            self.special_tokens_mask[start:end],
            self.attention_mask[start:end],
        )

    def surrounded(
        self, before: tuple[str, int], after: tuple[str, int], index: int
    ) -> Encoding:
        """Returns the tokens, as text `index`, between two special ones."""
        return Encoding(
            [before[1], *self.ids, after[1]],
            [before[0], *self.tokens, after[0]],
            [(0, 0), *self.offsets, (0, 0)],
            [None, *self.word_ids, None],
            [1, *self.special_tokens_mask, 1],
            [1, *self.attention_mask, 1],
            [one.surrounded(before, after, index) for one in self.overflowing],
            {index: (1, len(self.ids) + 1)},
        )

    def joined(self, other: Encoding) -> Encoding:
        """Returns the tokens of both.

        The pieces of both that were cut off are joined each with each, in
        the order of the reference.
        """
        length = len(self.ids)
        pieces = [
            left.joined(right)
            for left in self.overflowing
            for right in (other, *other.overflowing)
        ]
        pieces += [self.joined(right) for right in other.overflowing]
        return Encoding(
            self.ids + other.ids,
            self.tokens + other.tokens,
            self.offsets + other.offsets,
            self.word_ids + other.word_ids,
            self.special_tokens_mask + other.special_tokens_mask,
            self.attention_mask + other.attention_mask,
            pieces,
            self.ranges
            | {
                index: (start + length, end + length)
                for index, (start, end) in other.ranges.items()
            },
        )

    def fill(self, length: int, pad: tuple[str, int], side: str) -> None:
        """Fills the row up in place, and the pieces that were cut off.

        Args:
            length: int.
            pad: the token and its id.
            side: `"left"` or `"right"`.
        """
        for piece in self.overflowing:
            piece.fill(length, pad, side)
        count = length - len(self.ids)
        if count <= 0:
            return
        for values, value in (
            (self.ids, pad[1]),
            (self.tokens, pad[0]),
            (self.offsets, (0, 0)),
            (self.word_ids, None),
            (self.special_tokens_mask, 1),
            (self.attention_mask, 0),
        ):
            more: list[Any] = [value] * count
            place = 0 if side == "left" else len(values)
            values[place:place] = more
        if side == "left":
            self.ranges = {
                index: (start + count, end + count)
                for index, (start, end) in self.ranges.items()
            }


def _at(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else None

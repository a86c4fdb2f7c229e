"""The tokenizer in Python."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from tokenizers import AddedToken

from tf_longformer.tokenization import characters
from tf_longformer.tokenization import truncation
from tf_longformer.tokenization.added_tokens import AddedTokenFinder
from tf_longformer.tokenization.arguments import Layout
from tf_longformer.tokenization.base import BaseLongformerTokenizer
from tf_longformer.tokenization.byte_level import LETTERS
from tf_longformer.tokenization.byte_level import join_bytes
from tf_longformer.tokenization.characters import word_pattern
from tf_longformer.tokenization.encoding import Encoding
from tf_longformer.tokenization.merging import Merger
from tf_longformer.tokenization.padding import row_length

_SPACE = LETTERS[ord(" ")]


class LongformerTokenizer(BaseLongformerTokenizer):
    __doc__ = (BaseLongformerTokenizer.__doc__ or "").replace(
        "What `LongformerTokenizer` and `LongformerTokenizerFast` share.",
        "A Longformer's tokenizer in Python, to be read and changed.",
    )

    is_fast = False

    def _build(self) -> None:
        self._merger = Merger(self._vocab, self._merges, LETTERS)
        self._added_changed({})
        self._roles_changed()

    def _roles_changed(self) -> None:
        self._around = self._frame_tokens()

    def _added_changed(self, new: dict[int, AddedToken]) -> None:
        self._finder = AddedTokenFinder(self._added)

    def _join(self, tokens: Sequence[str]) -> str:
        return join_bytes(tokens, self.errors)

    def _encode_rows(
        self,
        rows: Sequence[Any],
        add_special_tokens: bool,
        layout: Layout,
        is_split_into_words: bool,
    ) -> list[Any]:
        encode = self._encode_words if is_split_into_words else self._encode
        encodings = []
        for row in rows:
            texts = row if isinstance(row, tuple) else (row,)
            parts = self._cut(
                [encode(text) for text in texts], layout, add_special_tokens
            )
            encodings.append(self._assemble(parts, add_special_tokens))
        length = row_length([len(one) for one in encodings], layout)
        if length is not None:
            pad = (self._roles["pad_token"] or "", self.pad_token_id or 0)
            for one in encodings:
                one.fill(length, pad, layout.padding_side)
        return encodings

    def _encode(self, text: str) -> Encoding:
        """Cuts a text into tokens, without special tokens around."""
        ids: list[int] = []
        tokens: list[str] = []
        offsets: list[tuple[int, int]] = []
        word_ids: list[int | None] = []
        word = -1
        merge, find_words = self._merger.merge, word_pattern().finditer
        spelling = self._tokens
        for start, end, index in self._finder.find(text):
            if index is not None:
                word += 1
                ids.append(index)
                tokens.append(text[start:end])
                offsets.append((start, end))
                word_ids.append(word)
                continue
            part = text[start:end]
            # The space that is put before has the first character's place.
            added = self.add_prefix_space and part[0] != " "
            for match in find_words(f" {part}" if added else part):
                word += 1
                found = match.group()
                new, starts = merge(found.encode("utf-8", "replace"))
                ids += new
                tokens += [spelling[index] for index in new]
                word_ids += [word] * len(new)
                spans = char_spans(found, starts)
                first = start + match.start() - added
                offsets += [(first + a, first + b) for a, b in spans]
                if added and match.start() == 0:
                    place = len(offsets) - len(new)
                    offsets[place:] = [
                        (max(a, start), max(b, start + 1))
                        for a, b in offsets[place:]
                    ]
        return Encoding(ids, tokens, offsets, word_ids)

    def _encode_words(self, words: Sequence[str]) -> Encoding:
        """Cuts words into tokens; offsets are within the words."""
        whole = Encoding([], [], [], [])
        for number, word in enumerate(words):
            part = self._encode(word)
            whole.ids += part.ids
            whole.tokens += part.tokens
            whole.offsets += part.offsets
            whole.word_ids += [number] * len(part)
        return whole.part(0, len(whole))

    def _cut(
        self,
        parts: list[Encoding],
        layout: Layout,
        add_special_tokens: bool,
    ) -> list[Encoding]:
        """Cuts the texts of a row to its length."""
        if layout.truncation is None or layout.max_length is None:
            return parts
        pair = len(parts) == 2
        room = layout.max_length
        if add_special_tokens:
            room -= self.num_special_tokens_to_add(pair)
        lengths = truncation.choose_lengths(
            layout.truncation,
            room,
            len(parts[0]),
            len(parts[1]) if pair else None,
        )
        return [
            truncation.cut(part, length, layout.stride, layout.truncation_side)
            for part, length in zip(parts, lengths, strict=False)
        ]

    def _assemble(
        self, parts: list[Encoding], add_special_tokens: bool
    ) -> Encoding:
        """Joins the texts of a row, with special tokens around them."""
        cls, sep = self._around
        rows = []
        for number, part in enumerate(parts):
            for piece in (part, *part.overflowing):
                if self.trim_offsets:
                    trim(piece, self.add_prefix_space)
                piece.ranges = {number: (0, len(piece))}
            if add_special_tokens:
                before = sep if number else cls
                part = part.surrounded(before, sep, number)
            rows.append(part)
        return rows[0] if len(rows) == 1 else rows[0].joined(rows[1])


def char_spans(word: str, starts: Sequence[int]) -> Iterable[tuple[int, int]]:
    """Returns each token's characters of a word.

    Args:
        word: str.
        starts: the byte that each token begins with, and the word's end.

    Returns:
        Pairs of ints. A character whose bytes are in several tokens belongs
        to each of them.
    """
    if word.isascii():
        return zip(starts[:-1], starts[1:], strict=True)
    owners = [
        place
        for place, character in enumerate(word)
        for _ in character.encode("utf-8", "replace")
    ]
    return (
        (owners[a], owners[b - 1] + 1)
        for a, b in zip(starts[:-1], starts[1:], strict=True)
    )


def trim(encoding: Encoding, add_prefix_space: bool) -> None:
    """Takes spaces at either end of tokens out of their offsets, in place.

    Args:
        encoding: `Encoding`.
        add_prefix_space: bool, whether a single space before the first token
            may have been put there, which then isn't in the text.
    """
    spaces = characters.stripped() | {_SPACE}
    offsets = encoding.offsets
    for place, token in enumerate(encoding.tokens):
        if token[0] not in spaces and token[-1] not in spaces:
            continue
        leading = len(list(takewhile(spaces.__contains__, token)))
        trailing = len(list(takewhile(spaces.__contains__, reversed(token))))
        start, end = offsets[place]
        first = place == 0 or start == 0
        if not (leading == 1 and first and add_prefix_space):
            start = min(start + leading, end)
        if end >= trailing:
            end = max(end - trailing, start)
        offsets[place] = (start, end)

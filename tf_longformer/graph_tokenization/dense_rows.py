"""Tokens to dense rows: truncated, with special tokens, padded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_longformer.graph_tokenization.graph_tokenizer import Tokens
from tf_longformer.tokenization.layout import Layout
from tf_longformer.tokenization.layout import kept_lengths


def truncate(parts: list[Tokens], layout: Layout, room: int) -> list[Tokens]:
    """Cuts the texts of rows (one or two `parts`) to `room` tokens.

    The room is without special tokens. When it runs, a text that is to be cut
    and is too short for that is an `InvalidArgumentError`.
    """
    first = parts[0].counts
    if len(parts) == 1:
        kept = [tf.minimum(first, room)]
    else:
        second = parts[1].counts
        kept = kept_lengths(layout.truncation or "", room, first, second, tf)
        if layout.truncation != "longest_first" and room:
            kept = _check_kept(kept, (first, second), layout.truncation, room)
    return [
        _cut(part, lengths, layout.truncation_side)
        for part, lengths in zip(parts, kept, strict=True)
    ]


def _check_kept(
    kept: Any, lengths: Any, strategy: str | None, room: int
) -> Any:
    """Returns the kept lengths, behind an assertion that they are possible."""
    enough = [
        (now > 0) | (now == before)
        for now, before in zip(kept, lengths, strict=True)
    ]
    check = tf.debugging.Assert(
        tf.reduce_all(enough),
        [
            "The text that is to be cut must be longer than what has to go. "
            f"Received: truncation={strategy!r} and a row whose other text "
            f"is too long for {room} tokens. Use "
            "truncation='longest_first'."
        ],
    )
    # Outside a graph the assertion has run already and is `None`.
    with tf.control_dependencies([check] if check is not None else []):
        return [tf.identity(now) for now in kept]


def _cut(tokens: Tokens, lengths: Any, side: str) -> Tokens:
    """Keeps as many tokens of each row as `lengths`, int32 `[rows]`, say."""
    limit = tf.gather(lengths, tokens.rows)
    places = tokens.places
    if side == "left":
        # The tokens before the kept ones get places below 0.
        places -= tf.gather(tokens.counts, tokens.rows) - limit
    kept = tf.where((places >= 0) & (places < limit))[:, 0]
    tokens = tokens._replace(places=places, counts=lengths)
    return Tokens(
        *(
            array
            if array is None or name == "counts"
            else tf.gather(array, kept)
            for name, array in tokens._asdict().items()
        )
    )


class Rows:
    """Dense rows: texts with special tokens around them, filled up.

    Args:
        parts: list of one or two `Tokens`.
        frame: pairs, for each place of a row the special token's id,
            `None` for a text, and the token type.
        length: int, tokens of each row, or `None` for the longest one.
        multiple: int, of which the length becomes a multiple.
        side: `"right"` or `"left"`, where rows are filled up.
    """

    def __init__(
        self,
        parts: list[Tokens],
        frame: Sequence[tuple[int | None, int]],
        length: int | None,
        multiple: int,
        side: str,
    ) -> None:
        self._parts = parts
        # Where in a row each text begins, and where the row's padding does.
        self._begins: list[Any] = []
        # The same of special tokens, by their ids, and of token types.
        self._special: list[tuple[int, Any]] = []
        self._types: list[tuple[int, Any]] = []
        self._end = tf.zeros_like(parts[0].counts)
        rest = iter(parts)
        for index, kind in frame:
            self._types.append((kind, self._end))
            if index is None:
                self._begins.append(self._end)
                self._end += next(rest).counts
            else:
                self._special.append((index, self._end))
                self._end += 1
        if length is None:
            longest = tf.reduce_max(tf.concat([self._end, [0]], 0))
        else:
            longest = tf.constant(length)
        self._length = -(-longest // multiple) * multiple
        # Padding on the left moves everything to the right.
        self._shift = tf.zeros_like(self._end)
        if side == "left":
            self._shift = self._length - self._end
        self._place = tf.range(self._length)[None, :] - self._shift[:, None]

    def ids(self, pad: int) -> Any:
        """Returns int32 `[rows, length]`."""
        ids = tf.fill(tf.shape(self._place), pad)
        for index, place in self._special:
            ids = tf.where(self._place == place[:, None], index, ids)
        return self._put(ids, [part.ids for part in self._parts])

    def token_type_ids(self) -> Any:
        """Returns int32 `[rows, length]`, 0 for padding."""
        types, last = tf.zeros_like(self._place), 0
        for kind, place in self._types:
            if kind != last:
                types = tf.where(self._place >= place[:, None], kind, types)
                last = kind
        return types * self.attention_mask()

    def attention_mask(self) -> Any:
        """Returns int32 `[rows, length]`."""
        inside = (self._place >= 0) & (self._place < self._end[:, None])
        return tf.cast(inside, tf.int32)

    def global_attention_mask(self, where: str) -> Any:
        """Returns int32 `[rows, length]`.

        Args:
            where: `"none"`, `"cls"`, `"question"` (all before the end of the
                first text) or `"choices"` (the second text and its end), as
                of `tf_longformer.global_attention_mask`.
        """
        if where == "none" or (where == "choices" and len(self._parts) < 2):
            return tf.zeros_like(self._place)
        if where == "cls":
            chosen = self._place == 0
        elif where == "question":
            first = self._parts[0].counts
            # Of an empty question the first token is left.
            behind = tf.where(first > 0, self._begins[0] + first, 1)
            chosen = self._place < behind[:, None]
        else:
            chosen = self._place >= self._begins[1][:, None]
        return tf.cast(chosen, tf.int32) * self.attention_mask()

    def sequence_ids(self) -> Any:
        """Returns int32 `[rows, length]`: 0, 1, and -1 for special tokens."""
        empty = tf.fill(tf.shape(self._place), -1)
        values = [
            tf.fill(tf.shape(part.ids), number)
            for number, part in enumerate(self._parts)
        ]
        return self._put(empty, values)

    def word_ids(self) -> Any:
        """Returns int32 `[rows, length]`, -1 for special tokens."""
        empty = tf.fill(tf.shape(self._place), -1)
        return self._put(empty, [part.words for part in self._parts])

    def offsets(self, spans: list[Any]) -> Any:
        """Returns int32 `[rows, length, 2]`, 0 for special tokens.

        Args:
            spans: list of int32 `[tokens, 2]`, one for each text.
        """
        shape = tf.concat([tf.shape(self._place), [2]], 0)
        return self._put(tf.zeros(shape, tf.int32), spans)

    def _put(self, dense: Any, values: list[Any]) -> Any:
        """Returns `dense` with each text's values at their places."""
        for part, begin, new in zip(
            self._parts, self._begins, values, strict=True
        ):
            first = tf.gather(begin + self._shift, part.rows)
            places = tf.stack([part.rows, first + part.places], 1)
            dense = tf.tensor_scatter_nd_update(dense, places, new)
        return dense

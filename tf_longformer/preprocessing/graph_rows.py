"""Tokens to rows: cut, with special tokens around them, filled up."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_longformer.preprocessing.graph_tokenizer import Tokens


def choose_lengths(
    strategy: str, max_length: int, first: Any, second: Any
) -> tuple[Any, Any]:
    """Decides how many tokens of each text stay, as the tokenizers do.

    Args:
        strategy: `"longest_first"`, `"only_first"` or `"only_second"`.
        max_length: int, tokens of both together.
        first: int32 `[rows]`, tokens of the first texts.
        second: int32 `[rows]`, tokens of the second, or `None`.

    Returns:
        Two int32 `[rows]`, the second `None` without second texts.

    Raises:
        InvalidArgumentError: when it runs, if a text that is to be cut is
            too short for it.
    """
    if second is None:
        return tf.minimum(first, max_length), None
    excess = tf.maximum(first + second - max_length, 0)
    if strategy == "longest_first":
        short, long = tf.minimum(first, second), tf.maximum(first, second)
        long = tf.where(
            short > max_length, short, tf.maximum(short, max_length - short)
        )
        both = short + long > max_length
        short = tf.where(both, max_length // 2, short)
        long = tf.where(both, max_length // 2 + max_length % 2, long)
        swapped = first > second
        cut_first = tf.where(swapped, long, short)
        cut_second = tf.where(swapped, short, long)
        cut = excess > 0
        return (
            tf.where(cut, cut_first, first),
            tf.where(cut, cut_second, second),
        )
    length = first if strategy == "only_first" else second
    if max_length == 0:
        return tf.zeros_like(first), tf.zeros_like(second)
    check = tf.debugging.Assert(
        tf.reduce_all((excess == 0) | (length > excess)),
        [
            "The text that is to be cut must be longer than what has to go. "
            f"Received: truncation={strategy!r} and a row whose other text "
            f"is too long for {max_length} tokens. Use "
            "truncation='longest_first'."
        ],
    )
    with tf.control_dependencies([check] if check is not None else []):
        cut_length = length - excess
    if strategy == "only_first":
        return cut_length, second
    return first, cut_length


def cut(tokens: Tokens, lengths: Any, side: str) -> Tokens:
    """Leaves out what is beyond the rows' lengths.

    Args:
        tokens: `Tokens`.
        lengths: int32 `[rows]`.
        side: `"right"` cuts the end off, `"left"` the beginning.

    Returns:
        `Tokens`.
    """
    limit = tf.gather(lengths, tokens.rows)
    places = tokens.places
    if side == "left":
        places -= tf.gather(tokens.counts, tokens.rows) - limit
        limit = tf.fill(tf.shape(places), places.dtype.max)
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
    """Dense rows `<s> A </s>` or `<s> A </s></s> B </s>`.

    Args:
        parts: list of one or two `Tokens`.
        length: int, tokens of each row, or `None` for the longest one.
        multiple: int, of which the length becomes a multiple.
        side: `"right"` or `"left"`, where rows are filled up.
    """

    def __init__(
        self,
        parts: list[Tokens],
        length: int | None,
        multiple: int,
        side: str,
    ) -> None:
        self._parts = parts
        first = parts[0].counts
        self._number = tf.size(first)
        # Places of the first text, of the second, and behind everything.
        self._begins = [tf.ones_like(first)]
        self._end = first + 2
        if len(parts) == 2:
            self._begins.append(first + 3)
            self._end = first + parts[1].counts + 4
        if length is None:
            longest = tf.reduce_max(tf.concat([self._end, [0]], 0))
        else:
            longest = tf.constant(length)
        self._length = -(-longest // multiple) * multiple
        self._shift = tf.zeros_like(first)
        if side == "left":
            self._shift = self._length - self._end
        self._place = tf.range(self._length)[None, :] - self._shift[:, None]

    def ids(self, cls: int, sep: int, pad: int) -> Any:
        """Returns int32 `[rows, length]`."""
        ids = tf.where(self.attention_mask() > 0, sep, pad)
        ids = tf.where(self._place == 0, cls, ids)
        return self._scattered(ids, [part.ids for part in self._parts])

    def attention_mask(self) -> Any:
        """Returns int32 `[rows, length]`."""
        inside = (self._place >= 0) & (self._place < self._end[:, None])
        return tf.cast(inside, tf.int32)

    def global_attention_mask(self, where: str) -> Any:
        """Returns int32 `[rows, length]`.

        Args:
            where: `"none"`, `"cls"`, `"question"` (all before the end of the
                first text) or `"choices"` (the second text and its end).
        """
        if where == "none" or (where == "choices" and len(self._parts) < 2):
            return tf.zeros_like(self._place)
        if where == "cls":
            return tf.cast(self._place == 0, tf.int32)
        if where == "question":
            limit = 1 + self._parts[0].counts[:, None]
            chosen = (self._place >= 0) & (self._place < limit)
        else:
            chosen = self._place >= self._begins[-1][:, None]
        return tf.cast(chosen, tf.int32) * self.attention_mask()

    def sequence_ids(self) -> Any:
        """Returns int32 `[rows, length]`: 0, 1, and -1 for special tokens."""
        empty = tf.fill(tf.shape(self._place), -1)
        values = [
            tf.fill(tf.shape(part.ids), number)
            for number, part in enumerate(self._parts)
        ]
        return self._scattered(empty, values)

    def word_ids(self) -> Any:
        """Returns int32 `[rows, length]`, -1 for special tokens."""
        empty = tf.fill(tf.shape(self._place), -1)
        return self._scattered(empty, [part.words for part in self._parts])

    def offsets(self, spans: list[Any]) -> Any:
        """Returns int32 `[rows, length, 2]`, 0 for special tokens.

        Args:
            spans: list of int32 `[tokens, 2]`, one for each text.
        """
        shape = tf.concat([tf.shape(self._place), [2]], 0)
        return self._scattered(tf.zeros(shape, tf.int32), spans)

    def _scattered(self, dense: Any, values: list[Any]) -> Any:
        """Puts each text's values to their places."""
        for part, begin, new in zip(
            self._parts, self._begins, values, strict=True
        ):
            first = tf.gather(begin + self._shift, part.rows)
            places = tf.stack([part.rows, first + part.places], 1)
            dense = tf.tensor_scatter_nd_update(dense, places, new)
        return dense

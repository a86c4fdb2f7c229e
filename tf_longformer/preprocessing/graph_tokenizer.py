"""Texts to tokens, in TensorFlow's graph, without special tokens around."""

from __future__ import annotations

from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_longformer.preprocessing import graph_tables
from tf_longformer.preprocessing import graph_words
from tf_longformer.preprocessing.graph_merges import merge_words
from tf_longformer.preprocessing.graph_words import Characters
from tf_longformer.tokenization.base import BaseLongformerTokenizer
from tf_longformer.tokenization.byte_level import LETTERS


class Tokens(NamedTuple):
    """The tokens of several texts, one after the other.

    Args:
        ids: int32 `[tokens]`.
        rows: int32 `[tokens]`, the text of each.
        places: int32 `[tokens]`, its place in its text.
        counts: int32 `[rows]`, tokens of each text.
        words: int32 `[tokens]`, the word of each in its text.
        spans: int32 `[tokens, 2]`, its characters in its text; `None` if
            they aren't wanted.
        spaces: int32 `[tokens, 2]`, the spaces that it begins and ends with;
            `None` with `spans`.
    """

    ids: Any
    rows: Any
    places: Any
    counts: Any
    words: Any
    spans: Any
    spaces: Any


class GraphTokenizer:
    """A tokenizer as a function of string tensors.

    It has no variables and no resources: what it knows are constants.

    Args:
        tokenizer: `LongformerTokenizer` or `LongformerTokenizerFast`.
        with_offsets: bool, whether characters are wanted.

    Raises:
        ValueError: for added tokens that a graph can't tell apart.
    """

    def __init__(
        self, tokenizer: BaseLongformerTokenizer, with_offsets: bool
    ) -> None:
        self._with_offsets = with_offsets
        self._add_prefix_space = tokenizer.add_prefix_space
        self._characters = graph_tables.build_character_table()
        known = tokenizer.vocabulary
        self._merges = graph_tables.build_merge_table(known.vocab, known.merges)
        self._groups = graph_tables.build_added_groups(known.added)
        tokens = {i: token for token, i in tokenizer.get_vocab().items()}
        self._spaces = graph_tables.build_space_counts(tokens)

    def __call__(self, texts: Any) -> Tokens:
        """Cuts texts into tokens.

        Args:
            texts: string tensor `[rows]`.

        Returns:
            `Tokens`.
        """
        chars = graph_words.read_characters(texts, self._characters)
        row_starts = tf.math.unsorted_segment_min(
            chars.origins, chars.rows, tf.size(texts)
        )
        for group in self._groups:
            chars = graph_words.mark_added_tokens(chars, group)
        if self._add_prefix_space:
            chars = graph_words.put_spaces(chars, self._characters)
        starts = tf.cast(
            tf.where(graph_words.find_word_starts(chars))[:, 0], tf.int32
        )
        words, which = tf.unique(
            tf.strings.unicode_encode(
                tf.RaggedTensor.from_row_starts(
                    chars.codes, starts, validate=False
                ),
                "UTF-8",
            )
        )
        merged = merge_words(words, self._merges)
        added = tf.gather(chars.added, starts)
        is_added = added >= 0
        counts = tf.where(is_added, 1, tf.gather(merged.counts, which))
        # For each token its word, and its place among `merged`.
        word = tf.repeat(tf.range(tf.size(starts)), counts)
        first = tf.gather(tf.cumsum(merged.counts, exclusive=True), which)
        begin = tf.cumsum(counts, exclusive=True)
        source = tf.range(tf.size(word)) + tf.gather(first - begin, word)
        special = tf.gather(is_added, word)
        ids = tf.where(
            special, tf.gather(added, word), _take(merged.ids, source)
        )
        word_rows = tf.gather(chars.rows, starts)
        rows = tf.gather(word_rows, word)
        number = tf.size(texts)
        row_counts = tf.math.unsorted_segment_sum(
            tf.ones_like(rows), rows, number
        )
        row_words = tf.math.unsorted_segment_sum(
            tf.ones_like(word_rows), word_rows, number
        )
        spans = spaces = None
        if self._with_offsets:
            spans, spaces = self._locate(
                chars, starts, word, special, source, merged, ids
            )
            spans -= tf.gather(row_starts, rows)[:, None]
        return Tokens(
            ids,
            rows,
            tf.range(tf.size(rows)) - _before(row_counts, rows),
            row_counts,
            word - _before(row_words, rows),
            spans,
            spaces,
        )

    def _locate(
        self,
        chars: Characters,
        starts: Any,
        word: Any,
        special: Any,
        source: Any,
        merged: Any,
        ids: Any,
    ) -> tuple[Any, Any]:
        """Returns each token's characters among all, and its spaces."""
        size = tf.size(chars.codes)
        stops = tf.concat([starts[1:], [size]], 0)[: tf.size(starts)]
        # Bytes to characters: each character's UTF-8 length.
        lengths = 1 + tf.add_n(
            [
                tf.cast(chars.codes >= least, tf.int32)
                for least in (0x80, 0x800, 0x10000)
            ]
        )
        owners = tf.repeat(tf.range(size), lengths)
        first_byte = tf.gather(tf.cumsum(lengths, exclusive=True), starts)
        first_byte = tf.gather(first_byte, word)
        begin = _take(owners, first_byte + _take(merged.begins, source))
        end = _take(owners, first_byte + _take(merged.ends, source) - 1)
        begin = tf.where(special, tf.gather(starts, word), begin)
        end = tf.where(special, tf.gather(stops, word) - 1, end)
        # Of an added token spaces are characters, of others bytes.
        soft = (chars.flags & graph_tables.STRIPPED_BIT > 0) | (
            chars.codes == ord(LETTERS[ord(" ")])
        )
        low, high = tf.gather(starts, word), tf.gather(stops, word)
        leading, trailing = _count_soft(soft, low, high)
        spaces = tf.where(
            special[:, None],
            tf.stack([leading, trailing], 1),
            tf.gather(self._spaces, ids),
        )
        spans = tf.stack(
            [_take(chars.origins, begin), _take(chars.origins, end) + 1], 1
        )
        return spans, spaces


def trim_spans(tokens: Tokens, add_prefix_space: bool) -> Any:
    """Takes spaces at either end of tokens out of their characters.

    Args:
        tokens: `Tokens` with spans.
        add_prefix_space: bool, whether a single space before the first token
            may not be in the text.

    Returns:
        int32 `[tokens, 2]`.
    """
    start, end = tokens.spans[:, 0], tokens.spans[:, 1]
    leading, trailing = tokens.spaces[:, 0], tokens.spaces[:, 1]
    if add_prefix_space:
        first = (tokens.places == 0) | (start == 0)
        leading = tf.where(first & (leading == 1), 0, leading)
    start = tf.minimum(start + leading, end)
    end = tf.where(end >= trailing, tf.maximum(end - trailing, start), end)
    return tf.stack([start, end], 1)


def _count_soft(soft: Any, low: Any, high: Any) -> tuple[Any, Any]:
    """Soft characters that spans from `low` to `high` begin and end with."""
    hard = tf.cast(tf.where(~soft)[:, 0], tf.int32)
    hard = tf.concat([[-1], hard, [tf.size(soft)]], 0)
    behind = tf.gather(hard, tf.searchsorted(hard, low, "left"))
    before = tf.gather(hard, tf.searchsorted(hard, high, "left") - 1)
    return (
        tf.minimum(behind, high) - low,
        high - tf.maximum(before + 1, low),
    )


def _before(counts: Any, rows: Any) -> Any:
    """How many there are in the rows before that of each."""
    return tf.gather(tf.cumsum(counts, exclusive=True), rows)


def _take(values: Any, places: Any) -> Any:
    """Gathers; what isn't there is 0, for places that don't count."""
    padded = tf.concat([values, tf.zeros([1], values.dtype)], 0)
    last = tf.size(values)
    inside = (places >= 0) & (places < last)
    return tf.gather(padded, tf.where(inside, places, last))

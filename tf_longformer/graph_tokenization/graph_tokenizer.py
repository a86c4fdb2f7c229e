"""Texts to tokens, in TensorFlow's graph, without special tokens around."""

from __future__ import annotations

from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_longformer.graph_tokenization.added_tokens import build_added_group
from tf_longformer.graph_tokenization.added_tokens import mark_added_tokens
from tf_longformer.graph_tokenization.byte_pairs import BytePairs
from tf_longformer.graph_tokenization.word_pieces import WordPieces
from tf_longformer.graph_tokenization.words import read_characters
from tf_longformer.graph_tokenization.words import repeat_places
from tf_longformer.graph_tokenization.words import take
from tf_longformer.tokenization import LongformerTokenizer
from tf_longformer.tokenization.kinds import BYTE_LEVEL
from tf_longformer.tokenization.kinds import WORDPIECE


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
        spaces: int32 `[tokens, 2]`, how many spaces it begins and ends with;
            `None` if they aren't left out of `spans`.
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
        tokenizer: `LongformerTokenizer`.
        with_offsets: bool, whether characters are wanted.

    Raises:
        ValueError: for a pipeline that `BytePairs` and `WordPieces` don't
            have, and for added tokens that a graph can't tell apart.
    """

    def __init__(
        self, tokenizer: LongformerTokenizer, with_offsets: bool
    ) -> None:
        self._with_offsets = with_offsets
        pipeline = tokenizer.pipeline
        if pipeline.kind == BYTE_LEVEL:
            self._words: BytePairs | WordPieces = BytePairs(tokenizer)
        elif pipeline.kind == WORDPIECE:
            self._words = WordPieces(tokenizer)
        else:
            raise ValueError(
                "In a graph, a tokenizer must be byte-level BPE or WordPiece. "
                f"Received: {pipeline.kind.name}. Tokenize outside of the "
                "graph, and pass ids (--no-text)."
            )
        splits = tokenizer.split_special_tokens
        found_whole = {
            index: token
            for index, token in pipeline.added.items()
            if not (splits and token.special)
        }
        # Those that aren't normalized are looked for in the text as it is.
        self._groups = [
            build_added_group(
                {
                    index: token
                    for index, token in found_whole.items()
                    if token.normalized == normalized
                },
                pipeline.library.normalizer if normalized else None,
                self._words.characters,
            )
            for normalized in (False, True)
        ]

    def __call__(self, texts: Any) -> Tokens:
        """Cuts texts into tokens.

        Args:
            texts: string tensor `[rows]`.

        Returns:
            `Tokens`.
        """
        chars = read_characters(texts, self._words.characters)
        row_starts = tf.math.unsorted_segment_min(
            chars.origins, chars.rows, tf.size(texts)
        )
        before, behind = self._groups
        if before is not None:
            chars = mark_added_tokens(chars, before)
        chars = self._words.normalize(chars)
        if behind is not None:
            chars = mark_added_tokens(chars, behind)
        chars, is_start = self._words.split(chars)
        starts = tf.cast(tf.where(is_start)[:, 0], tf.int32)
        words, which = tf.unique(
            tf.strings.unicode_encode(
                tf.RaggedTensor.from_row_starts(
                    chars.codes, starts, validate=False
                ),
                "UTF-8",
            )
        )
        of_words = self._words.encode(words)
        added = tf.gather(chars.added, starts)
        is_added = added >= 0
        counts = tf.where(is_added, 1, tf.gather(of_words.counts, which))
        # For each token its word, and its place among the tokens of `of_words`.
        # An added token isn't there: what `_take` gives for it isn't used.
        word = repeat_places(counts)
        first = tf.gather(tf.cumsum(of_words.counts, exclusive=True), which)
        begin = tf.cumsum(counts, exclusive=True)
        source = tf.range(tf.size(word)) + tf.gather(first - begin, word)
        from_added = tf.gather(is_added, word)
        ids = tf.where(
            from_added, tf.gather(added, word), take(of_words.ids, source)
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
            low = tf.gather(starts, word)
            high = tf.concat([starts[1:], [tf.size(chars.codes)]], 0)
            high = tf.gather(high, word)
            begin, end = self._words.find_characters(
                chars,
                low,
                take(of_words.begins, source),
                take(of_words.ends, source),
            )
            begin = tf.where(from_added, low, begin)
            end = tf.where(from_added, high, end)
            spans = tf.stack(
                [take(chars.origins, begin), take(chars.origins, end - 1) + 1],
                1,
            )
            spans -= tf.gather(row_starts, rows)[:, None]
            spaces = self._words.count_spaces(chars, ids, from_added, low, high)
        return Tokens(
            ids,
            rows,
            tf.range(tf.size(rows)) - _count_before(row_counts, rows),
            row_counts,
            word - _count_before(row_words, rows),
            spans,
            spaces,
        )


def trim_spans(tokens: Tokens, add_prefix_space: bool) -> Any:
    """Returns the tokens' spans, int32 `[tokens, 2]`, without outer spaces."""
    if tokens.spaces is None:
        return tokens.spans
    start, end = tokens.spans[:, 0], tokens.spans[:, 1]
    leading, trailing = tokens.spaces[:, 0], tokens.spaces[:, 1]
    if add_prefix_space:
        # A single space of the first token may have been put there by the
        # tokenizer; then it isn't in the text.
        first = (tokens.places == 0) | (start == 0)
        leading = tf.where(first & (leading == 1), 0, leading)
    start = tf.minimum(start + leading, end)
    end = tf.where(end >= trailing, tf.maximum(end - trailing, start), end)
    return tf.stack([start, end], 1)


def _count_before(counts: Any, rows: Any) -> Any:
    """For each of `rows`: how many there are in all rows before it."""
    return tf.gather(tf.cumsum(counts, exclusive=True), rows)

"""Byte-pair encoding of many words at once, in TensorFlow's graph."""

from __future__ import annotations

from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_longformer.preprocessing.graph_tables import MergeTable


class MergedWords(NamedTuple):
    """The tokens of words, one after the other.

    Args:
        ids: int32 `[tokens]`.
        begins: int32 `[tokens]`, the byte of its word that each begins with.
        ends: int32 `[tokens]`, the byte behind it.
        counts: int32 `[words]`, tokens of each word.
    """

    ids: Any
    begins: Any
    ends: Any
    counts: Any


def merge_words(words: Any, table: MergeTable) -> MergedWords:
    """Joins the bytes of words to tokens.

    Pairs are merged in the order of their ranks, many at a time. A pair is
    merged when there is no pair of lower rank near it: so near that a token
    could grow from there to it, which no token can from further away than
    the longest one is long. So a round costs as much as there are tokens
    left, and their number doesn't grow with a word's length: a word of 100
    thousand letters takes about as many as one of a thousand.

    Args:
        words: string tensor `[words]`.
        table: `MergeTable`.

    Returns:
        `MergedWords`.
    """
    lengths = tf.strings.length(words)
    count = tf.size(words)
    data = tf.cast(
        tf.io.decode_raw(tf.strings.reduce_join(words), tf.uint8), tf.int32
    )
    word = tf.repeat(tf.range(count), lengths)
    begin = tf.range(tf.size(data)) - tf.repeat(
        tf.cumsum(lengths, exclusive=True), lengths
    )
    ids = tf.gather(table.byte_ids, data)
    if np.any(table.byte_ids < 0):
        known = tf.where(ids >= 0)[:, 0]
        ids, word, begin = (tf.gather(a, known) for a in (ids, word, begin))
    none = len(table.left) - 1

    def find_ranks(ids: Any, word: Any) -> Any:
        """The rank of each token's pair with the next one."""
        right = tf.concat([ids[1:], ids[:1]], 0)
        rank = tf.gather(table.entries, tf.gather(table.moved, ids) + right)
        same = tf.concat([word[1:] == word[:-1], [False]], 0)[: tf.size(ids)]
        own = tf.gather(table.left, rank) == ids
        return tf.where(same & own, rank, none)

    def more(ids: Any, word: Any, begin: Any, rank: Any) -> Any:
        return tf.reduce_any(rank < none)

    def round_(ids: Any, word: Any, begin: Any, rank: Any) -> Any:
        chosen = _choose(rank, word, none, table)
        ids = tf.where(chosen, tf.gather(table.joined, rank), ids)
        # The right part of each pair goes.
        kept = tf.where(~_after(chosen))[:, 0]
        ids, word, begin = (tf.gather(a, kept) for a in (ids, word, begin))
        return ids, word, begin, find_ranks(ids, word)

    ids, word, begin, _ = tf.while_loop(
        more,
        round_,
        (ids, word, begin, find_ranks(ids, word)),
        shape_invariants=(tf.TensorShape([None]),) * 4,
    )
    last = tf.concat([word[1:] != word[:-1], [True]], 0)[: tf.size(ids)]
    following = tf.concat([begin[1:], begin[:1]], 0)
    end = tf.where(last, tf.gather(lengths, word), following)
    counts = tf.math.unsorted_segment_sum(tf.ones_like(ids), word, count)
    return MergedWords(ids, begin, end, counts)


def _choose(rank: Any, word: Any, none: int, table: MergeTable) -> Any:
    """Which pairs can be merged now, without changing the result."""
    place = tf.range(tf.size(rank))
    key = rank
    if np.any(table.waits):
        # Of these only the first one nearby, as it may make a lower rank.
        size = tf.cast(tf.size(rank), tf.int64)
        first = tf.where(tf.gather(table.waits, rank), place, 0)
        key = tf.cast(rank, tf.int64) * size + tf.cast(first, tf.int64)
    valid = rank < none
    # Words in blocks as long as the longest token; what is nearby is in the
    # same block or in one beside it.
    starts = tf.concat([[True], word[1:] != word[:-1]], 0)
    first_place = tf.gather(
        tf.where(starts)[:, 0], tf.cumsum(tf.cast(starts, tf.int32)) - 1
    )
    within = place - tf.cast(first_place, tf.int32)
    cuts = starts | (within % table.longest == 0)
    block = tf.cumsum(tf.cast(cuts, tf.int32)) - 1
    lowest = tf.math.segment_min(key, block)
    owner = tf.gather(word, tf.where(cuts)[:, 0])
    beside = owner[1:] == owner[:-1]
    most = key.dtype.max
    before = tf.concat([[most], tf.where(beside, lowest[:-1], most)], 0)
    behind = tf.concat([tf.where(beside, lowest[1:], most), [most]], 0)
    lowest = tf.minimum(lowest, tf.minimum(before, behind))
    candidate = valid & (key == tf.gather(lowest, block))
    # Candidates that touch are of one rank, as in "aaaa": every second one
    # is merged, counted from the left end, which must be a candidate too.
    begins = candidate & ~_after(candidate)
    before_equal = _after(valid) & (tf.concat([rank[:1], rank[:-1]], 0) == rank)
    run = tf.maximum(tf.cumsum(tf.cast(begins, tf.int32)) - 1, 0)
    run_place = tf.cast(tf.where(begins)[:, 0], tf.int32)
    run_whole = ~tf.gather(before_equal, run_place)
    return (
        candidate
        & tf.gather(run_whole, run)
        & ((place - tf.gather(run_place, run)) % 2 == 0)
    )


def _after(flags: Any) -> Any:
    """Whether the flag of the place before is set."""
    return tf.concat([[False], flags[:-1]], 0)

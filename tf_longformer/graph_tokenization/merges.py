"""Byte-pair encoding of many words at once, in TensorFlow's graph."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_longformer.graph_tokenization.sparse_rows import overlay_rows
from tf_longformer.graph_tokenization.words import WordTokens
from tf_longformer.graph_tokenization.words import repeat_places
from tf_longformer.tokenization.byte_level import BYTE_LETTERS


@dataclasses.dataclass(frozen=True)
class MergeTable:
    """Finds the rank of a pair's merge with three gathers.

    The ranks are a sparse matrix: a row for each left token, a column for each
    right one. An entry is a pair's own if the merge's left token is the pair's
    (see `overlay_rows`).

    Args:
        shifts: int32 `[vocabulary]`, how far each token's row is shifted.
        entries: int32, ranks of merges; `len(left) - 1` where there is none.
        left: int32 `[merges + 1]`, the left token of each; -1 at the end.
        joined: int32 `[merges + 1]`, the token that it makes.
        waits: bool `[merges + 1]`, whether the token it makes is in a pair of
            lower rank, which must be merged before the next pair of this rank.
        byte_ids: int32 `[256]`, tokens of single bytes; -1 for none.
        longest: int, bytes of the longest token that a merge makes.
    """

    shifts: np.ndarray
    entries: np.ndarray
    left: np.ndarray
    joined: np.ndarray
    waits: np.ndarray
    byte_ids: np.ndarray
    longest: int


def build_merge_table(
    vocab: Mapping[str, int], merges: list[tuple[str, str]]
) -> MergeTable:
    """Returns the table of `merges`, pairs of tokens in the order of ranks."""
    size = max(vocab.values(), default=0) + 1
    # As in the library: of a merge that is listed twice the last one counts.
    ranks = {
        (vocab[left], vocab[right]): rank
        for rank, (left, right) in enumerate(merges)
    }
    rows: dict[int, dict[int, int]] = {}
    for (left, right), rank in ranks.items():
        rows.setdefault(left, {})[right] = rank
    shifts, entries = overlay_rows(rows, (size, size), empty=len(merges))
    lefts = [vocab[left] for left, _ in merges]
    joined = [vocab[left + right] for left, right in merges]
    return MergeTable(
        shifts=shifts,
        entries=entries,
        left=np.array([*lefts, -1], "int32"),
        joined=np.array([*joined, 0], "int32"),
        waits=_find_waiting(ranks, joined),
        byte_ids=np.array(
            [vocab.get(letter, -1) for letter in BYTE_LETTERS], "int32"
        ),
        longest=max((len(a + b) for a, b in merges), default=1),
    )


def _find_waiting(
    ranks: Mapping[tuple[int, int], int], joined: list[int]
) -> np.ndarray:
    """Returns which merges make a token that is in a pair of lower rank."""
    lowest: dict[int, int] = {}
    for pair, rank in ranks.items():
        for token in pair:
            lowest[token] = min(rank, lowest.get(token, rank))
    waits = [lowest.get(new, rank) < rank for rank, new in enumerate(joined)]
    return np.array([*waits, False])


def merge_words(words: Any, table: MergeTable) -> WordTokens:
    """Joins the bytes of words, a string tensor `[words]`, to tokens.

    Where these begin and end is counted in bytes.

    Pairs are merged in the order of their ranks, many in each round: every
    pair that has no pair of lower rank nearby. Nearby means within the length
    of the longest token, as no merge further away can change the neighbours of
    a pair. A round costs as much as there are tokens left, and the number of
    rounds doesn't grow with a word's length: a word of 100 thousand letters
    takes about as many as one of a thousand.
    """
    lengths = tf.strings.length(words)
    count = tf.size(words)
    data = tf.cast(
        tf.io.decode_raw(tf.strings.reduce_join(words), tf.uint8), tf.int32
    )
    word = repeat_places(lengths)
    begin = tf.range(tf.size(data)) - tf.gather(
        tf.cumsum(lengths, exclusive=True), word
    )
    ids = tf.gather(table.byte_ids, data)
    if np.any(table.byte_ids < 0):
        # Bytes that the vocabulary lacks are left out.
        known = tf.where(ids >= 0)[:, 0]
        ids, word, begin = (tf.gather(a, known) for a in (ids, word, begin))
    no_merge = len(table.left) - 1

    def find_ranks(ids: Any, word: Any) -> Any:
        """The rank of each token's pair with the next one."""
        right = tf.concat([ids[1:], ids[:1]], 0)
        rank = tf.gather(table.entries, tf.gather(table.shifts, ids) + right)
        same = tf.concat([word[1:] == word[:-1], [False]], 0)[: tf.size(ids)]
        own = tf.gather(table.left, rank) == ids
        return tf.where(same & own, rank, no_merge)

    def any_left(ids: Any, word: Any, begin: Any, rank: Any) -> Any:
        return tf.reduce_any(rank < no_merge)

    def merge_round(ids: Any, word: Any, begin: Any, rank: Any) -> Any:
        chosen = _choose(rank, word, no_merge, table)
        ids = tf.where(chosen, tf.gather(table.joined, rank), ids)
        # The right part of each pair goes.
        kept = tf.where(~_previous(chosen))[:, 0]
        ids, word, begin = (tf.gather(a, kept) for a in (ids, word, begin))
        return ids, word, begin, find_ranks(ids, word)

    ids, word, begin, _ = tf.while_loop(
        any_left,
        merge_round,
        (ids, word, begin, find_ranks(ids, word)),
        shape_invariants=(tf.TensorShape([None]),) * 4,
    )
    last = tf.concat([word[1:] != word[:-1], [True]], 0)[: tf.size(ids)]
    following = tf.concat([begin[1:], begin[:1]], 0)
    end = tf.where(last, tf.gather(lengths, word), following)
    counts = tf.math.unsorted_segment_sum(tf.ones_like(ids), word, count)
    return WordTokens(ids, begin, end, counts)


def _choose(rank: Any, word: Any, no_merge: int, table: MergeTable) -> Any:
    """Returns which pairs can be merged now, without changing the result."""
    place = tf.range(tf.size(rank))
    # Of the pairs nearby, those with the lowest key are merged.
    key = rank
    if np.any(table.waits):
        # Of equal merges that wait only the leftmost one nearby is merged: it
        # may make a pair of lower rank, which goes before the others.
        size = tf.cast(tf.size(rank), tf.int64)
        first = tf.where(tf.gather(table.waits, rank), place, 0)
        key = tf.cast(rank, tf.int64) * size + tf.cast(first, tf.int64)
    valid = rank < no_merge
    # Words are cut into blocks as long as the longest token, so that all that
    # is nearby lies in the same block or in one beside it.
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
    no_key = key.dtype.max
    before = tf.concat([[no_key], tf.where(beside, lowest[:-1], no_key)], 0)
    behind = tf.concat([tf.where(beside, lowest[1:], no_key), [no_key]], 0)
    lowest = tf.minimum(lowest, tf.minimum(before, behind))
    candidate = valid & (key == tf.gather(lowest, block))
    # Candidates that touch are of one rank, as in "aaaa": every second one
    # is merged, counted from the left end, which must be a candidate too.
    begins = candidate & ~_previous(candidate)
    before_equal = _previous(valid) & (
        tf.concat([rank[:1], rank[:-1]], 0) == rank
    )
    run = tf.maximum(tf.cumsum(tf.cast(begins, tf.int32)) - 1, 0)
    run_place = tf.cast(tf.where(begins)[:, 0], tf.int32)
    run_whole = ~tf.gather(before_equal, run_place)
    return (
        candidate
        & tf.gather(run_whole, run)
        & ((place - tf.gather(run_place, run)) % 2 == 0)
    )


def _previous(flags: Any) -> Any:
    """For each place the flag of the place before it."""
    return tf.concat([[False], flags[:-1]], 0)

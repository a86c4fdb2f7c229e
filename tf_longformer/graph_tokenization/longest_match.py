"""WordPiece's longest matches for many words at once, in TensorFlow's graph."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_longformer.graph_tokenization.code_points import COUNT
from tf_longformer.graph_tokenization.code_points import CodePointTable
from tf_longformer.graph_tokenization.sparse_rows import overlay_rows
from tf_longformer.graph_tokenization.words import WordTokens
from tf_longformer.graph_tokenization.words import repeat_places


@dataclasses.dataclass(frozen=True)
class PieceTable:
    """A vocabulary as a tree whose edges are letters.

    The root is node 0. An edge is found as an entry of `overlay_rows`, which
    is its child; it is the node's own if the child's parent is the node.

    Args:
        letters: `CodePointTable`, numbers of the characters that tokens are
            made of; 0 for others.
        shifts: int32 `[nodes]`.
        children: int32; 0 where there is none.
        parents: int32 `[nodes]`; -1 for the root.
        ids: int32 `[nodes]`, the token that a node stands for; -1 for none.
        depths: int32 `[nodes]`, characters from the root.
        inside: int, the node of the prefix, from which tokens inside of words
            begin; without such tokens one without edges.
    """

    letters: CodePointTable
    shifts: np.ndarray
    children: np.ndarray
    parents: np.ndarray
    ids: np.ndarray
    depths: np.ndarray
    inside: int


def build_piece_table(vocab: Mapping[str, int], prefix: str) -> PieceTable:
    """Returns the tree of a vocabulary.

    `prefix` is what tokens inside of words begin with.
    """
    numbers = {
        letter: number
        for number, letter in enumerate(sorted({*prefix, *"".join(vocab)}), 1)
    }
    letters = np.zeros(COUNT, "int32")
    for letter, number in numbers.items():
        letters[ord(letter)] = number
    edges: list[dict[int, int]] = [{}]
    parents, depths, ids = [-1], [0], [-1]

    def walk(text: str) -> int:
        """Returns the node of a text, which is made if it is missing."""
        node = 0
        for letter in text:
            following = edges[node].setdefault(numbers[letter], len(edges))
            if following == len(edges):
                edges.append({})
                parents.append(node)
                depths.append(depths[node] + 1)
                ids.append(-1)
            node = following
        return node

    for token, index in vocab.items():
        ids[walk(token)] = index
    inside = walk(prefix)
    shifts, children = overlay_rows(
        {node: row for node, row in enumerate(edges) if row},
        (len(edges), len(numbers) + 1),
        empty=0,
    )
    return PieceTable(
        CodePointTable.of_values(letters),
        shifts,
        children,
        np.array(parents, "int32"),
        np.array(ids, "int32"),
        np.array(depths, "int32"),
        inside,
    )


def match_words(
    words: Any, table: PieceTable, longest_word: int, unknown: int
) -> WordTokens:
    """Cuts words, a string tensor `[words]`, into the tokens of a vocabulary.

    From the left, each token is the longest one that fits. A word that has
    more than `longest_word` characters, or a place where none fits, is the
    token `unknown`. Where tokens begin and end is counted in characters.

    The longest token is found for every character of all words at once, one
    letter further in each round; then it is followed which of them a word's
    tokens begin with, twice as many in each round.
    """
    decoded = tf.strings.unicode_decode(words, "UTF-8")
    letters = table.letters.gather(decoded.values)
    lengths = tf.cast(decoded.row_lengths(), tf.int32)
    word = repeat_places(lengths)
    begins = tf.cumsum(lengths, exclusive=True)
    size = tf.size(letters)
    place = tf.range(size)
    is_first = place == tf.gather(begins, word)
    # The node of the longest token that begins at each character; 0 for none.
    best = _find_longest(
        letters,
        tf.gather(begins + lengths, word),
        tf.where(is_first, 0, table.inside),
        tf.gather(lengths <= longest_word, word),
        table,
    )
    depth = tf.gather(table.depths, best)
    depth -= tf.where(is_first, 0, table.depths[table.inside])
    end = tf.where(best > 0, place + depth, size)
    reached = _follow(is_first, tf.where(_at_end(end, is_first), size, end))
    fails = tf.cast(reached & (best == 0), tf.int32)
    failed = tf.math.unsorted_segment_max(fails, word, tf.size(words)) > 0
    failed = tf.gather(failed, word)
    chosen = tf.where(reached & (is_first | ~failed))[:, 0]
    ids = tf.where(failed, unknown, tf.gather(table.ids, best))
    end = tf.where(failed, tf.gather(begins + lengths, word), end)
    ids, word, place, end = (
        tf.gather(a, chosen) for a in (ids, word, place, end)
    )
    first = tf.gather(begins, word)
    counts = tf.math.unsorted_segment_sum(
        tf.ones_like(ids), word, tf.size(words)
    )
    return WordTokens(ids, place - first, end - first, counts)


def _at_end(ends: Any, is_first: Any) -> Any:
    """Whether each of `ends` is the place behind a word."""
    return tf.gather(tf.concat([is_first, [True]], 0), ends)


def _find_longest(
    letters: Any, stops: Any, nodes: Any, wanted: Any, table: PieceTable
) -> Any:
    """Returns the node of the longest token that begins at each letter.

    `stops` are the ends of the letters' words, `nodes` where a token begins.
    """
    last = tf.size(letters) - 1
    place = tf.cast(tf.where(wanted)[:, 0], tf.int32)

    def any_left(place: Any, node: Any, depth: Any, best: Any) -> Any:
        return tf.size(place) > 0

    def step(place: Any, node: Any, depth: Any, best: Any) -> Any:
        at = place + depth
        letter = tf.gather(letters, tf.minimum(at, last))
        child = tf.gather(
            table.children, tf.gather(table.shifts, node) + letter
        )
        own = (tf.gather(table.parents, child) == node) & (
            at < tf.gather(stops, place)
        )
        place, child = tf.boolean_mask(place, own), tf.boolean_mask(child, own)
        is_token = tf.gather(table.ids, child) >= 0
        best = tf.tensor_scatter_nd_update(
            best,
            tf.boolean_mask(place, is_token)[:, None],
            tf.boolean_mask(child, is_token),
        )
        return place, child, depth + 1, best

    *_, best = tf.while_loop(
        any_left,
        step,
        (place, tf.gather(nodes, place), 0, tf.zeros_like(letters)),
        shape_invariants=(
            tf.TensorShape([None]),
            tf.TensorShape([None]),
            tf.TensorShape([]),
            tf.TensorShape([None]),
        ),
    )
    return best


def _follow(first: Any, following: Any) -> Any:
    """Returns which places are reached from the `first` ones, bool.

    `following` is the next place of each, or how many there are for none.
    """
    size = tf.size(following)
    following = tf.concat([following, [size]], 0)
    reached = tf.concat([first, [False]], 0)

    def any_left(reached: Any, following: Any) -> Any:
        return tf.reduce_any(following < size)

    def step(reached: Any, following: Any) -> Any:
        found = tf.boolean_mask(following, reached)
        reached = tf.tensor_scatter_nd_update(
            reached, found[:, None], tf.ones_like(found, tf.bool)
        )
        return reached, tf.gather(following, following)

    reached, _ = tf.while_loop(
        any_left,
        step,
        (reached, following),
        shape_invariants=(tf.TensorShape([None]),) * 2,
    )
    return reached[:-1]

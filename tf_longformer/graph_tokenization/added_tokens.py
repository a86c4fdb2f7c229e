"""Finds added tokens in texts, in TensorFlow's graph."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tokenizers import AddedToken
from tokenizers.normalizers import Normalizer

from tf_longformer.errors import shown
from tf_longformer.graph_tokenization.code_points import CodePointTable
from tf_longformer.graph_tokenization.words import STRIPPED_BIT
from tf_longformer.graph_tokenization.words import WORD_BIT
from tf_longformer.graph_tokenization.words import Characters
from tf_longformer.graph_tokenization.words import repeat_places


@dataclasses.dataclass(frozen=True)
class AddedGroup:
    """Added tokens that are looked for in one pass.

    Args:
        codes: int32 `[tokens, longest]`, code points, -1 behind the end.
        lengths: int32 `[tokens]`, code points of each token.
        ids: int32 `[tokens]`.
        lstrip: bool `[tokens]`, flags as of `AddedToken`.
        rstrip: bool `[tokens]`.
        single_word: bool `[tokens]`.
        first: list of ints, the code points that a token can begin with.
        can_overlap: bool, whether two matches may share characters.
    """

    codes: np.ndarray
    lengths: np.ndarray
    ids: np.ndarray
    lstrip: np.ndarray
    rstrip: np.ndarray
    single_word: np.ndarray
    first: list[int]
    can_overlap: bool


def build_added_group(
    added: Mapping[int, AddedToken],
    normalizer: Normalizer | None,
    table: CodePointTable,
) -> AddedGroup | None:
    """Returns added tokens as a group, `None` where there are none.

    With a normalizer they are looked for as it spells them.
    Raises a `ValueError` if a token takes the spaces behind it and another
    begins with a space: whether the second is found would then depend on the
    first.
    """
    spelled = {
        index: normalizer.normalize_str(token.content)
        if normalizer
        else token.content
        for index, token in added.items()
    }
    tokens = [(index, added[index]) for index, text in spelled.items() if text]
    if not tokens:
        return None
    texts = [spelled[index] for index, _ in tokens]
    strips = [token.content for _, token in tokens if token.rstrip]
    begins = [text for text in texts if table.look_up(text[0]) & STRIPPED_BIT]
    if strips and begins:
        raise ValueError(
            "In a graph, a token that takes the spaces behind it can't be "
            "beside one that begins with a space. Received: "
            f"{shown(strips[0])} with `rstrip` and {shown(begins[0])}. Leave "
            "out the flag or the space."
        )
    longest = max(map(len, texts))
    rows = [[*map(ord, text), *[-1] * (longest - len(text))] for text in texts]
    return AddedGroup(
        codes=np.array(rows, "int32"),
        lengths=np.array([len(text) for text in texts], "int32"),
        ids=np.array([index for index, _ in tokens], "int32"),
        lstrip=np.array([token.lstrip for _, token in tokens]),
        rstrip=np.array([token.rstrip for _, token in tokens]),
        single_word=np.array([token.single_word for _, token in tokens]),
        first=sorted({ord(text[0]) for text in texts}),
        can_overlap=_can_overlap(texts),
    )


def _can_overlap(texts: list[str]) -> bool:
    """Whether one text can begin inside another, or inside itself."""
    return any(
        first[place:].startswith(second) or second.startswith(first[place:])
        for first in texts
        for second in texts
        for place in range(1, len(first))
    )


def mark_added_tokens(chars: Characters, group: AddedGroup) -> Characters:
    """Sets `cuts` and `added` where a group's tokens are found in the text."""
    size = tf.size(chars.codes)
    # Where each piece begins, and where the last one ends.
    bounds = tf.concat(
        [tf.cast(tf.where(chars.cuts)[:, 0], tf.int32), [size]], 0
    )
    piece = tf.cumsum(tf.cast(chars.cuts, tf.int32)) - 1
    possible = tf.zeros_like(chars.cuts)
    for code in group.first:
        possible |= chars.codes == code
    start = tf.cast(tf.where(possible & (chars.added < 0))[:, 0], tf.int32)
    # The piece that each candidate lies in: from `low` up to `high`.
    low = tf.gather(bounds, tf.gather(piece, start))
    high = tf.gather(bounds, tf.gather(piece, start) + 1)
    # [candidates, longest]
    window = start[:, None] + tf.range(group.codes.shape[1])
    found = tf.gather(chars.codes, tf.minimum(window, size - 1))
    # [candidates, tokens, longest], then [candidates, tokens]. Of the tokens
    # that fit at a place the longest one counts.
    equal = (found[:, None, :] == group.codes) | (group.codes < 0)
    fits = tf.reduce_all(equal, 2) & (
        start[:, None] + group.lengths <= high[:, None]
    )
    length = tf.where(fits, group.lengths, 0)
    token = tf.argmax(length, 1, tf.int32)
    stop = start + tf.reduce_max(length, 1)
    kept = stop > start
    if group.can_overlap:
        kept = _leave_out_overlaps(start, stop, kept)
    start, stop, token, low, high = (
        tf.boolean_mask(a, kept) for a in (start, stop, token, low, high)
    )
    if np.any(group.single_word):
        is_word = chars.flags & WORD_BIT > 0
        touches_word = ((start > low) & _at(is_word, start - 1)) | (
            (stop < high) & _at(is_word, stop)
        )
        kept = ~(touches_word & tf.gather(group.single_word, token))
        start, stop, token, low, high = (
            tf.boolean_mask(a, kept) for a in (start, stop, token, low, high)
        )
    if np.any(group.lstrip) or np.any(group.rstrip):
        is_space = chars.flags & STRIPPED_BIT > 0
        first, last = _widen_over_spaces(is_space, start, stop)
        stop = tf.where(
            tf.gather(group.rstrip, token), tf.minimum(last, high), stop
        )
        # The token before may have taken the spaces already.
        low = tf.maximum(low, tf.concat([[0], stop[:-1]], 0)[: tf.size(stop)])
        start = tf.where(
            tf.gather(group.lstrip, token), tf.maximum(first, low), start
        )
    return _mark(chars, start, stop, tf.gather(group.ids, token))


def _mark(chars: Characters, start: Any, stop: Any, ids: Any) -> Characters:
    """Sets `cuts` and `added` for tokens from `start` to `stop`."""
    size = tf.size(chars.codes)
    places = tf.ragged.range(start, stop)
    added = tf.tensor_scatter_nd_update(
        chars.added,
        places.values[:, None],
        tf.gather(ids, repeat_places(places.row_lengths())),
    )
    ends = tf.concat([start, tf.boolean_mask(stop, stop < size)], 0)
    cuts = tf.tensor_scatter_nd_update(
        chars.cuts, ends[:, None], tf.ones_like(ends, tf.bool)
    )
    return chars._replace(cuts=cuts, added=added)


def _widen_over_spaces(is_space: Any, start: Any, stop: Any) -> tuple[Any, Any]:
    """Returns where spans begin and end with the spaces on both sides."""
    places = tf.cast(tf.where(~is_space)[:, 0], tf.int32)
    places = tf.concat([[-1], places, [tf.size(is_space)]], 0)
    before = tf.searchsorted(places, start, "left")
    behind = tf.searchsorted(places, stop, "left")
    return tf.gather(places, before - 1) + 1, tf.gather(places, behind)


def _leave_out_overlaps(start: Any, stop: Any, kept: Any) -> Any:
    """Keeps, of matches that share characters, the leftmost ones."""

    def step(index: Any, done: Any, flags: Any) -> Any:
        take = kept[index] & (start[index] >= done)
        return (
            index + 1,
            tf.where(take, stop[index], done),
            flags.write(index, take),
        )

    flags = tf.TensorArray(tf.bool, tf.size(start))
    _, _, flags = tf.while_loop(
        lambda index, *_: index < tf.size(start), step, (0, 0, flags)
    )
    return flags.stack()


def _at(values: Any, place: Any) -> Any:
    """Gathers; a place out of range gives the first or the last value."""
    return tf.gather(values, tf.clip_by_value(place, 0, tf.size(values) - 1))

"""Texts to words, in TensorFlow's graph."""

from __future__ import annotations

from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_longformer.preprocessing import graph_tables
from tf_longformer.preprocessing.graph_tables import AddedGroup
from tf_longformer.preprocessing.graph_tables import CharacterTable


class Characters(NamedTuple):
    """The characters of all texts, one after the other.

    Args:
        codes: int32 `[characters]`, code points.
        flags: int32 `[characters]`, of `CharacterTable`.
        rows: int32 `[characters]`, the text that each belongs to.
        origins: int32 `[characters]`, its place among those that were given.
        cuts: bool `[characters]`, whether a piece begins: a text, an added
            token, or what follows one.
        added: int32 `[characters]`, id of the added token, -1 for text.
    """

    codes: Any
    flags: Any
    rows: Any
    origins: Any
    cuts: Any
    added: Any


def read_characters(texts: Any, table: CharacterTable) -> Characters:
    """Decodes texts.

    Args:
        texts: string tensor `[rows]`; bytes that aren't UTF-8 become U+FFFD
            as with Python's `errors="replace"`.
        table: `CharacterTable`.

    Returns:
        `Characters`, without added tokens.
    """
    decoded = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
    codes = decoded.values
    rows = tf.cast(decoded.value_rowids(), tf.int32)
    page = tf.gather(table.pages, codes // 256)
    return Characters(
        codes,
        tf.gather(table.classes, page * 256 + codes % 256),
        rows,
        tf.range(tf.size(codes)),
        tf.concat([[True], rows[1:] != rows[:-1]], 0)[: tf.size(codes)],
        tf.fill([tf.size(codes)], -1),
    )


def mark_added_tokens(chars: Characters, group: AddedGroup) -> Characters:
    """Finds the added tokens of a group in what is still text.

    Args:
        chars: `Characters`.
        group: `AddedGroup`.

    Returns:
        `Characters` with `cuts` and `added` set.
    """
    size = tf.size(chars.codes)
    # The bounds of each piece, with one behind the last.
    bounds = tf.concat(
        [tf.cast(tf.where(chars.cuts)[:, 0], tf.int32), [size]], 0
    )
    piece = tf.cumsum(tf.cast(chars.cuts, tf.int32)) - 1
    possible = tf.zeros_like(chars.cuts)
    for code in group.first:
        possible |= chars.codes == code
    start = tf.cast(tf.where(possible & (chars.added < 0))[:, 0], tf.int32)
    low = tf.gather(bounds, tf.gather(piece, start))
    high = tf.gather(bounds, tf.gather(piece, start) + 1)
    # [candidates, longest], then [candidates, tokens].
    window = start[:, None] + tf.range(group.codes.shape[1])
    found = tf.gather(chars.codes, tf.minimum(window, size - 1))
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
        is_word = chars.flags & graph_tables.WORD_BIT > 0
        joined = ((start > low) & _at(is_word, start - 1)) | (
            (stop < high) & _at(is_word, stop)
        )
        kept = ~(joined & tf.gather(group.single_word, token))
        start, stop, token, low, high = (
            tf.boolean_mask(a, kept) for a in (start, stop, token, low, high)
        )
    if np.any(group.lstrip) or np.any(group.rstrip):
        hard = chars.flags & graph_tables.STRIPPED_BIT == 0
        first, last = _neighbours(hard, start, stop)
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
        tf.repeat(ids, places.row_lengths()),
    )
    ends = tf.concat([start, tf.boolean_mask(stop, stop < size)], 0)
    cuts = tf.tensor_scatter_nd_update(
        chars.cuts, ends[:, None], tf.ones_like(ends, tf.bool)
    )
    return chars._replace(cuts=cuts, added=added)


def _neighbours(hard: Any, start: Any, stop: Any) -> tuple[Any, Any]:
    """Where the runs of soft characters around a span begin and end."""
    places = tf.cast(tf.where(hard)[:, 0], tf.int32)
    places = tf.concat([[-1], places, [tf.size(hard)]], 0)
    before = tf.searchsorted(places, start, "left")
    behind = tf.searchsorted(places, stop, "left")
    return tf.gather(places, before - 1) + 1, tf.gather(places, behind)


def _leave_out_overlaps(start: Any, stop: Any, kept: Any) -> Any:
    """Keeps the leftmost of matches that share characters."""

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
    """Gathers, with places out of range moved to the next one in it."""
    return tf.gather(values, tf.clip_by_value(place, 0, tf.size(values) - 1))


def put_spaces(chars: Characters, table: CharacterTable) -> Characters:
    """Puts a space before each piece of text that doesn't begin with one.

    Args:
        chars: `Characters`.
        table: `CharacterTable`.

    Returns:
        `Characters` with more of them. A space has the origin of what
        follows.
    """
    needs = chars.cuts & (chars.added < 0) & (chars.codes != ord(" "))
    places = tf.repeat(tf.range(tf.size(needs)), 1 + tf.cast(needs, tf.int32))
    again = tf.concat([[False], places[1:] == places[:-1]], 0)
    again = again[: tf.size(places)]
    is_space = tf.gather(needs, places) & ~again
    more = Characters(*(tf.gather(array, places) for array in chars))
    page = table.pages[0] * 256
    return more._replace(
        codes=tf.where(is_space, ord(" "), more.codes),
        flags=tf.where(
            is_space, int(table.classes[page + ord(" ")]), more.flags
        ),
        cuts=more.cuts & ~again,
    )


def find_word_starts(chars: Characters) -> Any:
    """Returns which characters begin a word.

    The words of `word_pattern`, without a regular expression: a word ends
    where the class changes; the last of several spaces belongs to what
    follows if it is U+0020, else it stands alone; `'s` and the like are
    words of their own where nothing but a letter, a number or a space that
    stands alone is before them.

    Args:
        chars: `Characters`.

    Returns:
        bool `[characters]`.
    """
    size = tf.size(chars.codes)
    kind = chars.flags & graph_tables.CLASS_BITS
    text = chars.added < 0
    space = kind == graph_tables.SPACE
    blank = chars.codes == ord(" ")
    # What is before and behind, in the same piece.
    changed = _shifted(kind, 1) != kind
    after_space, after_blank = _shifted(space, 1), _shifted(blank, 1)
    last = tf.concat([chars.cuts[1:], [True]], 0)[:size]
    before_word = ~last & ~_shifted(space, -1)
    inside = tf.where(
        space,
        ~after_space | before_word,
        tf.where(after_space, ~after_blank, changed),
    )
    starts = chars.cuts | (text & inside)
    letter = chars.codes
    second = tf.where(last, -1, _shifted(letter, -1))
    third = tf.where(last | _shifted(last, -1), -1, _shifted(letter, -2))
    apostrophe = starts & text & (letter == ord("'"))
    two, three = tf.zeros_like(starts), tf.zeros_like(starts)
    for ending in "stmd":
        two |= second == ord(ending)
    for ending in ("re", "ve", "ll"):
        three |= (second == ord(ending[0])) & (third == ord(ending[1]))
    two, three = apostrophe & two, apostrophe & three
    return (starts & ~_shifted(two | three, 1)) | (
        _shifted(two, 2) | _shifted(three, 3)
    )


def _shifted(values: Any, by: int) -> Any:
    """`values[place - by]`, with zeros where there is nothing."""
    size = tf.size(values)
    empty = tf.zeros([tf.minimum(abs(by), size)], values.dtype)
    if by > 0:
        return tf.concat([empty, values[: tf.maximum(size - by, 0)]], 0)
    return tf.concat([values[-by:], empty], 0)

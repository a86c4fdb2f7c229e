"""Texts to characters and to words, in TensorFlow's graph."""

from __future__ import annotations

from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_longformer.graph_tokenization import unicode_ranges
from tf_longformer.graph_tokenization.code_points import COUNT
from tf_longformer.graph_tokenization.code_points import CodePointTable
from tf_longformer.graph_tokenization.code_points import parse_ranges

# A character's flags: in the two lowest bits its class, for cutting words.
# GPT-2's regular expression has classes of its own, other pre-tokenizers those
# of `pre_tokenization` ...
_OTHER, _LETTER, _NUMBER, _SPACE = range(4)
CLASS_BITS = 3
# ... and what it is to added tokens: a space that tokens with `lstrip` or
# `rstrip` take with them; a part of a word, which tokens with `single_word`
# mustn't touch.
STRIPPED_BIT = 4
WORD_BIT = 8


def build_character_table(classes: np.ndarray) -> CodePointTable:
    """Returns the flags of all code points.

    `classes` is int32 `[0x110000]`, what the lowest bits hold.
    """
    flags = classes.copy()
    for ranges, bit in (
        (unicode_ranges.STRIPPED, STRIPPED_BIT),
        (unicode_ranges.WORD, WORD_BIT),
    ):
        for first, last in parse_ranges(ranges):
            flags[first : last + 1] |= bit
    return CodePointTable.of_values(flags)


def find_regex_classes() -> np.ndarray:
    """Returns the classes of GPT-2's regular expression."""
    classes = np.zeros(COUNT, "int32")
    for ranges, kind in (
        (unicode_ranges.LETTERS, _LETTER),
        (unicode_ranges.NUMBERS, _NUMBER),
        (unicode_ranges.SPACES, _SPACE),
    ):
        for first, last in parse_ranges(ranges):
            classes[first : last + 1] = kind
    return classes


class Characters(NamedTuple):
    """The characters of all texts, one after the other.

    Args:
        codes: int32 `[characters]`, code points.
        flags: int32 `[characters]`, of `build_character_table`.
        rows: int32 `[characters]`, the text that each belongs to.
        origins: int32 `[characters]`, its place in the texts as they were
            given, counted through all of them.
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


def read_characters(texts: Any, table: CodePointTable) -> Characters:
    """Decodes texts, a string tensor `[rows]`.

    Bytes that aren't UTF-8 become U+FFFD as with Python's `errors="replace"`.
    """
    decoded = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
    codes = decoded.values
    rows = repeat_places(tf.cast(decoded.row_lengths(), tf.int32))
    return Characters(
        codes,
        table.gather(codes),
        rows,
        tf.range(tf.size(codes)),
        tf.concat([[True], rows[1:] != rows[:-1]], 0)[: tf.size(codes)],
        tf.fill([tf.size(codes)], -1),
    )


class WordTokens(NamedTuple):
    """The tokens of words, one after the other.

    Args:
        ids: int32 `[tokens]`.
        begins: int32 `[tokens]`, where in its word each begins.
        ends: int32 `[tokens]`, where it ends.
        counts: int32 `[words]`, tokens of each word.
    """

    ids: Any
    begins: Any
    ends: Any
    counts: Any


def repeat_places(counts: Any) -> Any:
    """Returns each place of int32 `counts` as often as the count there says.

    TensorFlow's `tf.repeat` takes memory for as many numbers as there would be
    if each count were the largest one.
    """
    ends = tf.cumsum(counts)
    total = tf.concat([[0], ends], 0)[-1]
    # A place is how many counts have ended before it.
    ended = tf.scatter_nd(ends[:, None], tf.ones_like(ends), [total + 1])
    return tf.cumsum(ended)[:-1]


def take(values: Any, places: Any) -> Any:
    """Gathers; 0 where a place is out of range."""
    padded = tf.concat([values, tf.zeros([1], values.dtype)], 0)
    last = tf.size(values)
    inside = (places >= 0) & (places < last)
    return tf.gather(padded, tf.where(inside, places, last))


def put_spaces(chars: Characters, table: CodePointTable) -> Characters:
    """Puts a space before each piece of text that doesn't begin with one.

    The space has the origin of the character that follows.
    """
    needs = chars.cuts & (chars.added < 0) & (chars.codes != ord(" "))
    # A character that needs a space is there twice; the first one becomes it.
    places = repeat_places(1 + tf.cast(needs, tf.int32))
    again = tf.concat([[False], places[1:] == places[:-1]], 0)
    again = again[: tf.size(places)]
    is_space = tf.gather(needs, places) & ~again
    more = Characters(*(tf.gather(array, places) for array in chars))
    return more._replace(
        codes=tf.where(is_space, ord(" "), more.codes),
        flags=tf.where(is_space, table.look_up(" "), more.flags),
        cuts=more.cuts & ~again,
    )


def find_word_starts(chars: Characters) -> Any:
    r"""Returns which characters begin a word, bool `[characters]`.

    Words are what GPT-2's regular expression finds, `'(?:[stmd]|re|ve|ll)|
    ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`. Here without one: a
    word ends where the class changes. The last of several spaces belongs to
    what follows if it is U+0020, else it stands alone. `'s` and the like are
    words of their own where a word could begin: behind a letter, a number, or
    a space that stands alone, but not behind other signs.
    """
    size = tf.size(chars.codes)
    kind = chars.flags & CLASS_BITS
    text = chars.added < 0
    space = kind == _SPACE
    blank = chars.codes == ord(" ")
    # Compared with the neighbours; a piece's first character always begins a
    # word, whatever stands before it.
    changed = shifted(kind, 1) != kind
    after_space, after_blank = shifted(space, 1), shifted(blank, 1)
    last = tf.concat([chars.cuts[1:], [True]], 0)[:size]
    before_word = ~last & ~shifted(space, -1)
    inside = tf.where(
        space,
        ~after_space | before_word,
        tf.where(after_space, ~after_blank, changed),
    )
    starts = chars.cuts | (text & inside)
    letter = chars.codes
    second = tf.where(last, -1, shifted(letter, -1))
    third = tf.where(last | shifted(last, -1), -1, shifted(letter, -2))
    apostrophe = starts & text & (letter == ord("'"))
    two, three = tf.zeros_like(starts), tf.zeros_like(starts)
    for ending in "stmd":
        two |= second == ord(ending)
    for ending in ("re", "ve", "ll"):
        three |= (second == ord(ending[0])) & (third == ord(ending[1]))
    two, three = apostrophe & two, apostrophe & three
    return (starts & ~shifted(two | three, 1)) | (
        shifted(two, 2) | shifted(three, 3)
    )


def shifted(values: Any, by: int) -> Any:
    """`values[place - by]`, with zeros where there is nothing."""
    size = tf.size(values)
    empty = tf.zeros([tf.minimum(abs(by), size)], values.dtype)
    if by > 0:
        return tf.concat([empty, values[: tf.maximum(size - by, 0)]], 0)
    return tf.concat([values[-by:], empty], 0)

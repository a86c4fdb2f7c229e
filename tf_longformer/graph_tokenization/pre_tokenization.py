"""Pre-tokenizers that look at single characters, in TensorFlow's graph."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tokenizers import pre_tokenizers

from tf_longformer.graph_tokenization.code_points import COUNT
from tf_longformer.graph_tokenization.words import CLASS_BITS
from tf_longformer.graph_tokenization.words import Characters
from tf_longformer.graph_tokenization.words import shifted

# What each of these does to a character depends on its class alone. They cut
# where it changes, and around each character of `_ALONE`; they leave out
# spaces. Of two pre-tokenizers the larger class holds.
_LETTER, _SIGN, _ALONE, _SPACE = range(4)
TYPES = {
    "BertPreTokenizer": pre_tokenizers.BertPreTokenizer(),
    "Whitespace": pre_tokenizers.Whitespace(),
    "WhitespaceSplit": pre_tokenizers.WhitespaceSplit(),
    "Punctuation": pre_tokenizers.Punctuation("isolated"),
}
_PAGE = 256


def can_split(steps: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a pre-tokenizer's steps are such, and cut at spaces."""
    return any(step["type"] != "Punctuation" for step in steps) and all(
        step["type"] in TYPES and step.get("behavior", "Isolated") == "Isolated"
        for step in steps
    )


def find_classes(steps: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Returns the class of each code point, int32 `[0x110000]`."""
    return np.maximum.reduce([_ask(step["type"]) for step in steps])


@functools.cache
def _ask(name: str) -> np.ndarray:
    """Returns the class of each code point to one pre-tokenizer."""
    cut = TYPES[name].pre_tokenize_str
    classes = np.zeros(COUNT, "int32")
    for start in range(0, COUNT, _PAGE):
        if 0xD800 <= start < 0xE000:
            continue
        page = list(map(chr, range(start, start + _PAGE)))
        # Most pages are all letters, or all signs.
        spans = [span for _, span in cut("a" + "".join(page))]
        if len(spans) == 1:
            continue
        if spans == [(0, 1), (1, _PAGE + 1)]:
            classes[start : start + _PAGE] = _SIGN
            continue
        # Each twice between letters: where do pieces begin and end?
        text = "a" + "".join(f"{letter}{letter}a" for letter in page)
        ends = dict(span for _, span in cut(text))
        for code, place in enumerate(range(1, len(text), 3), start):
            if place in ends:
                together = ends[place] == place + 2
                classes[code] = _SIGN if together else _ALONE
            elif place + 2 in ends:
                classes[code] = _SPACE
    return classes


def split(chars: Characters) -> tuple[Characters, Any]:
    """Returns the characters without spaces, and which of them begin words.

    The latter is bool `[characters]`. An added token is a word.
    """
    kind = chars.flags & CLASS_BITS
    text = chars.added < 0
    changed = (kind != shifted(kind, 1)) | (kind == _ALONE)
    starts = chars.cuts | (text & changed)
    kept = tf.where((kind != _SPACE) | ~text)[:, 0]
    return (
        Characters(*(tf.gather(array, kept) for array in chars)),
        tf.gather(starts, kept),
    )

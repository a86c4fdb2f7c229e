"""How many tokens texts have at least, in TensorFlow's graph.

To cut a text takes long, where to see that it is far too long doesn't.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tf_longformer.graph_tokenization import unicode_ranges
from tf_longformer.graph_tokenization.words import parse_ranges
from tf_longformer.tokenization import LongformerTokenizer
from tf_longformer.tokenization.byte_level import BYTE_LETTERS
from tf_longformer.tokenization.kinds import BYTE_LEVEL


class FewestTokens:
    """Counts tokens of texts without cutting them, and never too many.

    It knows byte-level BPE as RoBERTa's. Any other kind may leave out what a
    text has, or make one token of it, however long it is: of such it counts
    none.

    Args:
        tokenizer: `LongformerTokenizer`.
    """

    def __init__(self, tokenizer: LongformerTokenizer) -> None:
        # One part of the longest token that has a byte in it: whatever bytes a
        # token has, these together are no more than 1.
        self._parts = np.zeros(256)
        # Whether a word begins with a space and this byte.
        self._begins_word = np.zeros(256, bool)
        pipeline = tokenizer.pipeline
        content = pipeline.describe()
        if pipeline.kind != BYTE_LEVEL or not pipeline.is_standard(content):
            return
        vocab = content["model"]["vocab"]
        added = list(pipeline.added.values())
        byte_of = {letter: byte for byte, letter in enumerate(BYTE_LETTERS)}
        tokens = [np.array([*token.content.encode()], int) for token in added]
        tokens += [
            np.array([byte_of[letter] for letter in token], int)
            for token in vocab
            if byte_of.keys() >= set(token)
        ]
        lengths = [len(token) for token in tokens]
        longest = np.zeros(256)
        np.maximum.at(
            longest, np.concatenate(tokens), np.repeat(lengths, lengths)
        )
        # Bytes that the vocabulary lacks are left out of texts.
        known = np.array([letter in vocab for letter in BYTE_LETTERS])
        np.divide(1, longest, out=self._parts, where=known & (longest > 0))
        spaces = [
            list(chr(code).encode())
            for ranges in (unicode_ranges.SPACES, unicode_ranges.STRIPPED)
            for first, last in parse_ranges(ranges)
            for code in range(first, last + 1)
        ]
        if any(token.lstrip or token.rstrip for token in added):
            # Such a token takes any number of spaces with it.
            for space in spaces:
                self._parts[space] = 0
        if not any(" " in token.content for token in added):
            self._begins_word = known
            self._begins_word[[space[0] for space in spaces]] = False

    def __call__(self, texts: Any) -> Any:
        """Counts the tokens of each text.

        Args:
            texts: string tensor `[rows]`.

        Returns:
            int32 `[rows]`.
        """
        rows = tf.size(texts)
        row = tf.repeat(tf.range(rows), tf.strings.length(texts))
        data = tf.io.decode_raw(tf.strings.reduce_join(texts), tf.uint8)
        data = tf.cast(data, tf.int32)
        begins = (data[:-1] == ord(" ")) & (row[:-1] == row[1:])
        begins &= tf.gather(self._begins_word, data[1:])
        counts = [
            tf.math.unsorted_segment_sum(tf.cast(what, tf.float64), row, rows)
            for what, row in (
                (tf.gather(self._parts, data), row),
                # Each word has a token.
                (begins, row[1:]),
            )
        ]
        return tf.cast(tf.maximum(*counts), tf.int32)

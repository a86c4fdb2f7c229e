"""Byte-level BPE, in TensorFlow's graph."""

from __future__ import annotations

from collections.abc import Container
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

import numpy as np
import tensorflow as tf
from tokenizers import models

from tf_longformer.graph_tokenization import words as graph_words
from tf_longformer.graph_tokenization.merges import build_merge_table
from tf_longformer.graph_tokenization.merges import merge_words
from tf_longformer.graph_tokenization.words import Characters
from tf_longformer.graph_tokenization.words import WordTokens
from tf_longformer.graph_tokenization.words import repeat_places
from tf_longformer.graph_tokenization.words import take
from tf_longformer.tokenization import LongformerTokenizer
from tf_longformer.tokenization.byte_level import BYTE_LETTERS
from tf_longformer.tokenization.byte_level import merges_of


class BytePairs:
    """What RoBERTa's pipeline does with a text.

    Args:
        tokenizer: `LongformerTokenizer` of byte-level BPE.

    Attributes:
        characters: `CodePointTable` of characters' flags.

    Raises:
        ValueError: for a pipeline that isn't RoBERTa's, and for tokens that
            no merges make (`ignore_merges`).
    """

    def __init__(self, tokenizer: LongformerTokenizer) -> None:
        pipeline = tokenizer.pipeline
        content = pipeline.describe()
        if not pipeline.is_standard(content):
            raise ValueError(
                "In a graph, byte-level BPE must be as RoBERTa's. Received: "
                "another pipeline. Tokenize outside of the graph, and pass ids "
                "(--no-text)."
            )
        model = content["model"]
        vocab, merges = model["vocab"], merges_of(model)
        if model.get("ignore_merges"):
            _check_merges_make_all(vocab, merges, pipeline.added)
        self._merges = build_merge_table(vocab, merges)
        self._add_prefix_space = tokenizer.add_prefix_space
        self._trims = tokenizer.trim_offsets
        self._spaces_of_ids = _count_spaces_of_ids(
            {index: token for token, index in tokenizer.get_vocab().items()}
        )
        self.characters = graph_words.build_character_table(
            graph_words.find_regex_classes()
        )

    def normalize(self, chars: Characters) -> Characters:
        """Returns the characters as they are."""
        return chars

    def split(self, chars: Characters) -> tuple[Characters, Any]:
        """Returns the characters of words, and which of them begin one."""
        if self._add_prefix_space:
            chars = graph_words.put_spaces(chars, self.characters)
        return chars, graph_words.find_word_starts(chars)

    def encode(self, words: Any) -> WordTokens:
        """Returns the tokens of words, a string tensor; in bytes."""
        return merge_words(words, self._merges)

    def find_characters(
        self, chars: Characters, low: Any, begins: Any, ends: Any
    ) -> tuple[Any, Any]:
        """Returns where tokens begin and end, among all characters.

        `low` is where their words begin, `begins` and `ends` are in these.
        """
        # Bytes to characters: each character's UTF-8 length.
        lengths = 1 + tf.add_n(
            [
                tf.cast(chars.codes >= least, tf.int32)
                for least in (0x80, 0x800, 0x10000)
            ]
        )
        owners = repeat_places(lengths)
        first = tf.gather(tf.cumsum(lengths, exclusive=True), low)
        return take(owners, first + begins), take(owners, first + ends - 1) + 1

    def count_spaces(
        self, chars: Characters, ids: Any, from_added: Any, low: Any, high: Any
    ) -> Any:
        """Returns how many spaces tokens begin and end with, `[tokens, 2]`.

        `None` where offsets aren't trimmed. `from_added` says which are added
        tokens, `low` and `high` where their words begin and end.
        """
        if not self._trims:
            return None
        # As in the library, an added token's spaces are counted in the text,
        # any other token's in its spelling.
        is_space = (chars.flags & graph_words.STRIPPED_BIT > 0) | (
            chars.codes == ord(BYTE_LETTERS[ord(" ")])
        )
        leading, trailing = _count_spaces_around(is_space, low, high)
        return tf.where(
            from_added[:, None],
            tf.stack([leading, trailing], 1),
            tf.gather(self._spaces_of_ids, ids),
        )


def _check_merges_make_all(
    vocab: Mapping[str, int],
    merges: list[tuple[str, str]],
    added: Container[int],
) -> None:
    """Raises a `ValueError` if a token isn't what merges make of its bytes."""
    model = models.BPE(vocab=dict(vocab), merges=merges)
    unmade = [
        token
        for token, index in vocab.items()
        if index not in added and len(model.tokenize(token)) > 1
    ]
    if unmade:
        raise ValueError(
            "In a graph, merges must make all tokens of the vocabulary. "
            f"Received: `ignore_merges`, and {unmade[:3]} that they don't. "
            "Tokenize outside of the graph."
        )


def _count_spaces_around(is_space: Any, low: Any, high: Any) -> tuple[Any, Any]:
    """Returns how many spaces spans `[low, high)` begin and end with."""
    others = tf.cast(tf.where(~is_space)[:, 0], tf.int32)
    others = tf.concat([[-1], others, [tf.size(is_space)]], 0)
    first = tf.gather(others, tf.searchsorted(others, low, "left"))
    last = tf.gather(others, tf.searchsorted(others, high, "left") - 1)
    return (
        tf.minimum(first, high) - low,
        high - tf.maximum(last + 1, low),
    )


def _count_spaces_of_ids(tokens: Mapping[int, str]) -> np.ndarray:
    """Returns how many spaces tokens begin and end with, int32 `[ids, 2]`."""
    space = BYTE_LETTERS[ord(" ")]
    counts = np.zeros((max(tokens, default=0) + 1, 2), "int32")
    for index, token in tokens.items():
        if token[:1] == space or token[-1:] == space:
            counts[index] = [
                len(list(takewhile(space.__eq__, letters)))
                for letters in (token, reversed(token))
            ]
    return counts

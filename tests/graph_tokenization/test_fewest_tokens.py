"""`FewestTokens` against the tokenizer itself."""

from __future__ import annotations

import random

import numpy as np
import pytest
import tensorflow as tf
from helpers import small_exports as small

from tf_longformer.graph_tokenization.fewest_tokens import FewestTokens
from tf_longformer.tokenization import LongformerTokenizerFast


@pytest.fixture(scope="module", params=["plain", "added"])
def tokenizer(request):
    tokenizer = LongformerTokenizerFast.from_pretrained(small.VOCABULARY)
    if request.param == "added":
        # With a space inside, and longer than any other.
        tokenizer.add_tokens(["two words", "x" * 40])
    return tokenizer


def test_never_too_many(tokenizer):
    rng = random.Random(0)
    vocabulary = sorted(tokenizer.get_vocab())
    pieces = [tokenizer.convert_tokens_to_string([t]) for t in vocabulary]
    pieces += [
        *small.HOSTILE,
        " ",
        "\u3000",
        "\x85",
        "é",
        "two words",
        "x" * 40,
    ]
    texts = [piece * 30 for piece in pieces]
    texts += [" ".join(rng.choices(pieces, k=20)) for _ in range(100)]
    texts += ["".join(rng.choices(pieces, k=20)) for _ in range(100)]
    encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
    fewest = FewestTokens(tokenizer)(tf.constant(texts)).numpy()
    assert np.all(fewest <= [len(ids) for ids in encoded])


@pytest.mark.parametrize(
    ("text", "most_of_token"), [("x" * 4000, 40), ("a " * 2000, 11)]
)
def test_far_too_long(tokenizer, text, most_of_token):
    (fewest,) = FewestTokens(tokenizer)(tf.constant([text])).numpy()
    assert fewest >= len(text) // 2 // most_of_token


def test_words(tokenizer):
    """Each begins a token, where no token is more than a word."""
    fewest = FewestTokens(tokenizer)(tf.constant(["a bc def", "", "a b"]))
    expected = [2, 0, 1] if len(tokenizer) == 700 else [0, 0, 0]
    assert fewest.numpy().tolist() == expected

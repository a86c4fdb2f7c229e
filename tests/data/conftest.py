"""A small tokenizer to test with."""

import pytest
from helpers.small_tokenizer import FOLDER as SMALL
from tokenization.conftest import data

from tf_longformer import LongformerTokenizer

__all__ = ["SMALL", "data", "tokenizer"]


@pytest.fixture
def tokenizer():
    return LongformerTokenizer.from_pretrained(SMALL, add_prefix_space=True)

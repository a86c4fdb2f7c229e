"""A tokenizer of the small texts."""

import pytest
from tasks.small_texts import LONG
from tasks.small_texts import WORDS

from tf_longformer import LongformerTokenizerFast


@pytest.fixture(scope="module")
def tokenizer():
    made = LongformerTokenizerFast.train_from_iterator(
        [LONG, " ".join(WORDS)], vocab_size=320
    )
    made.model_max_length = 10**9
    return made

"""A small tokenizer to test with."""

from pathlib import Path

import pytest
from tokenization.conftest import data

from tf_longformer import LongformerTokenizer
from tf_longformer import LongformerTokenizerFast

__all__ = ["SMALL", "data", "tokenizer"]
SMALL = Path(__file__).parents[1] / "golden/tokenizer/small"


@pytest.fixture(params=[LongformerTokenizerFast, LongformerTokenizer])
def tokenizer(request):
    return request.param.from_pretrained(SMALL, add_prefix_space=True)

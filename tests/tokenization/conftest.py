"""Tokenizers to test with."""

import os
from pathlib import Path

import pytest

from tf_longformer import LongformerTokenizer
from tf_longformer import LongformerTokenizerFast

SMALL = Path(__file__).parents[1] / "golden/tokenizer/small"
DATA = Path(
    os.environ.get(
        "TF_LONGFORMER_TEST_DATA", Path(__file__).parents[3] / "shared/data"
    )
)


@pytest.fixture(params=[LongformerTokenizerFast, LongformerTokenizer])
def kind(request):
    """Each class, for what both must do."""
    return request.param


@pytest.fixture
def tokenizer(kind):
    return kind.from_pretrained(SMALL)


@pytest.fixture(scope="session")
def data():
    """The folder with RoBERTa's vocabulary and with real texts."""
    if not (DATA / "vocab/vocab.json").is_file():
        pytest.skip(
            f"there is no RoBERTa vocabulary in {DATA}; name the folder in "
            "TF_LONGFORMER_TEST_DATA"
        )
    return DATA

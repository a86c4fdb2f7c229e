"""A tokenizer to test with."""

import os
from pathlib import Path

import pytest
from helpers.small_tokenizer import FOLDER as SMALL

from tf_longformer import LongformerTokenizer

DATA = Path(
    os.environ.get(
        "TF_LONGFORMER_TEST_DATA", Path(__file__).parents[3] / "shared/data"
    )
)


@pytest.fixture
def tokenizer():
    return LongformerTokenizer.from_pretrained(SMALL)


@pytest.fixture(scope="session")
def data():
    """The folder with RoBERTa's vocabulary and with real texts."""
    if not (DATA / "vocab/vocab.json").is_file():
        pytest.skip(
            f"there is no RoBERTa vocabulary in {DATA}; name the folder in "
            "TF_LONGFORMER_TEST_DATA"
        )
    return DATA

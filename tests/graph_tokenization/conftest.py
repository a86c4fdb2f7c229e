"""A small tokenizer to test with."""

import numpy as np
import pytest
from helpers.small_tokenizer import FOLDER as SMALL
from tokenization.conftest import data

from tf_longformer import LongformerTokenizer
from tf_longformer import global_attention_mask

__all__ = ["SMALL", "data", "tokenizer"]

EVERYTHING = {
    "return_offsets": True,
    "return_word_ids": True,
    "return_sequence_ids": True,
}


def expected(tokenizer, texts, pairs, where, **call):
    """What the layer's outputs must be."""
    encoding = tokenizer(
        texts, pairs, padding=True, return_offsets_mapping=True,
        return_tensors="np", **call,
    )  # fmt: skip
    count = len(texts)
    ids = [
        [[-1 if n is None else n for n in row(i)] for i in range(count)]
        for row in (encoding.word_ids, encoding.sequence_ids)
    ]
    types = {
        name: array
        for name, array in encoding.items()
        if name == "token_type_ids"
    }
    return {
        **types,
        "input_ids": encoding["input_ids"],
        "attention_mask": encoding["attention_mask"],
        "global_attention_mask": global_attention_mask(encoding, where),
        "offset_mapping": encoding["offset_mapping"],
        "word_ids": np.array(ids[0]),
        "sequence_ids": np.array(ids[1]),
    }


@pytest.fixture
def tokenizer():
    return LongformerTokenizer.from_pretrained(SMALL, add_prefix_space=True)

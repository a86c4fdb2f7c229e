"""The table of names against the models, and the names of one another."""

from __future__ import annotations

import pytest
from checkpoints import files

import tf_longformer
from tf_longformer import LongformerConfig
from tf_longformer.checkpoints import names
from tf_longformer.heads import BARE
from tf_longformer.heads import HEADS

CONFIG = {
    "attention_window": 4,
    "num_hidden_layers": 3,
    "num_attention_heads": 1,
    "hidden_size": 3,
    "intermediate_size": 5,
    "vocab_size": 7,
    "max_position_embeddings": 11,
    "type_vocab_size": 2,
    "num_labels": 4,
}


@pytest.mark.parametrize("head", [*files.HEADS, "untied"])
def test_table_has_the_model_and_no_more(head):
    tied = head != "untied"
    head = head if tied else "ForMaskedLM"
    config = LongformerConfig(**CONFIG, tie_word_embeddings=tied)
    if head == "ForQuestionAnswering":
        config.num_labels = 2
    model = getattr(tf_longformer, f"TFLongformer{head}")(config)
    ours = {
        weight.path.partition("/")[2]: tuple(weight.shape)
        for weight in model.weights
        if "seed_generator" not in weight.path
    }
    table = names.weights(config, HEADS[f"Longformer{head}"])
    assert ours == {path: weight.shape for path, weight in table.items()}
    for attribute in ("torch", "tensorflow", "keras"):
        found = [getattr(weight, attribute) for weight in table.values()]
        if tied:
            assert None not in found
        assert len(set(found)) == len(found)


def test_published_sizes():
    """Numbers of the base model and the large one."""
    base = {
        "vocab_size": 50265,
        "max_position_embeddings": 4098,
        "type_vocab_size": 1,
    }
    large = {
        **base,
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
    }
    for fields, count in ((base, 148_659_456), (large, 434_600_960)):
        config = LongformerConfig(**fields)
        total = 0
        for weight in names.weights(config, HEADS[BARE]).values():
            size = 1
            for length in weight.shape:
                size *= length
            total += size
        assert total == count

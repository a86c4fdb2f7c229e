import numpy as np
import pytest

from tf_longformer.configuration import LongformerConfig
from tf_longformer.quickstart.classifier import Stage
from tf_longformer.quickstart.classifier import batch_size_for
from tf_longformer.quickstart.classifier import make_config
from tf_longformer.quickstart.classifier import plan_stages
from tf_longformer.quickstart.classifier import predict_logits
from tf_longformer.quickstart.classifier import train


@pytest.mark.parametrize(
    ("max_length", "steps", "expected"),
    [
        (2048, 100, [(256, 32, 60), (2048, 4, 40)]),
        (128, 100, [(128, 32, 100)]),
        (256, 3, [(256, 32, 3)]),
        (16384, 1, [(16384, 1, 1)]),
        (300, 2, [(256, 32, 1), (300, 27, 1)]),
    ],
)
def test_stages_end_at_the_full_length(max_length, steps, expected):
    assert plan_stages(max_length, steps) == expected


def test_a_step_has_about_as_many_tokens_at_any_length():
    for length in (256, 300, 1000, 2048, 8192):
        assert 4096 <= length * batch_size_for(length) <= 8192


def test_config():
    config = make_config(300, ["a", "b", "c"], 64)
    assert config.num_labels == 3
    assert config.id2label == {0: "a", 1: "b", 2: "c"}
    # RoBERTa's positions start at pad_token_id + 1.
    assert config.max_position_embeddings == 66


def test_training_in_two_stages_learns_a_token():
    """The label is the commonest token; its document has no other sign."""
    rng = np.random.default_rng(0)
    stages = [Stage(12, 16, 40), Stage(20, 8, 20)]
    examples = []
    for length, batch_size, steps in stages:
        labels = rng.integers(0, 2, steps * batch_size).astype("int32")
        ids = rng.integers(7, 20, (len(labels), length)).astype("int32")
        signs = rng.random(ids.shape) < 0.5
        ids = np.where(signs, 5 + labels[:, None], ids).astype("int32")
        ids[:, 0] = 0
        examples.append(
            {
                "input_ids": ids,
                "attention_mask": np.ones_like(ids),
                "labels": labels,
            }
        )
    config = LongformerConfig(
        vocab_size=20,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        attention_window=8,
        max_position_embeddings=22,
        pad_token_id=1,
        initializer_range=0.2,
        num_labels=2,
    )
    model = train(config, stages, examples)
    inputs = dict(examples[1])
    labels = inputs.pop("labels")
    logits = predict_logits(model, inputs, 8)
    assert np.mean(logits.argmax(axis=-1) == labels) > 0.9

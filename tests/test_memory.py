"""The estimate of memory, against counts and a measured process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tf_longformer import LongformerConfig
from tf_longformer import TFLongformerModel
from tf_longformer.memory import count_parameters
from tf_longformer.memory import estimate_memory


def test_parameters_are_the_models():
    config = LongformerConfig(
        vocab_size=53,
        hidden_size=12,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=29,
        attention_window=4,
        max_position_embeddings=17,
    )
    pooler = 12 * 13
    assert (
        count_parameters(config) + pooler
        == TFLongformerModel(config).num_parameters()
    )


def test_what_costs_more():
    config = LongformerConfig()
    forward = estimate_memory(config, 2, 4096)
    training = estimate_memory(config, 2, 4096, training=True)
    assert training.total > 2 * forward.total
    assert training.total == sum(
        (training.runtime, training.weights, training.kept, training.working)
    )
    checkpointed = estimate_memory(
        config, 2, 4096, training=True, checkpointing=True
    )
    assert checkpointed.total < training.total
    mixed = estimate_memory(config, 2, 4096, True, "mixed_bfloat16")
    assert mixed.total < training.total
    assert mixed.weights == training.weights


@pytest.mark.parametrize("field", ["vocab_size", "intermediate_size"])
def test_a_model_larger_than_the_machine(field):
    config = LongformerConfig(**{field: 10**10})
    with pytest.raises(ValueError, match=rf"GiB\. Check.* {field}=10"):
        TFLongformerModel(config)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"batch": 0}, "batch=0"),
        ({"length": -1}, "length=-1"),
        ({"policy": "int8"}, "policy='int8'"),
    ],
)
def test_errors_name_the_argument(change, named):
    with pytest.raises(ValueError, match=named):
        estimate_memory(LongformerConfig(), **change)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["--length", "4096"],
        ["--length", "4096", "--training"],
        ["--length", "1024", "--training"],
    ],
)
def test_within_a_fifth_of_what_is_measured(options):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tf_longformer", "bench", "--json"),
            *("--layers", "2", "--repeat", "1", *options),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    row = json.loads(done.stdout)
    assert abs(row["estimated_bytes"] / row["peak_bytes"] - 1) < 0.2

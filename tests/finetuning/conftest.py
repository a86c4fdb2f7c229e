"""A tiny model with its tokenizer, and the arguments of runs."""

import pytest
import tensorflow as tf
from helpers import small_tasks

from tf_longformer.finetuning.arguments import Arguments


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    return small_tasks.write_model(tmp_path_factory.mktemp("source"))


@pytest.fixture
def eagerly():
    """Tiny models cost more to trace than to train."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def arguments(source, tmp_path):
    """Makes the arguments of a run on one of the small tasks."""

    def make(task, count=96, dev=32, seed=0, **given):
        train = small_tasks.write(tmp_path / "train.jsonl", task, count, seed)
        held_out = small_tasks.write(tmp_path / "dev.jsonl", task, dev, 1000)
        defaults = {
            "model": str(source),
            "train": train,
            "eval": held_out,
            "output": tmp_path / "output",
            "batch_size": 16,
            "learning_rate": 5e-3,
            "seed": seed,
        }
        return Arguments(task=task, **{**defaults, **given})

    return make

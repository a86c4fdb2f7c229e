"""Callbacks of a run."""

import math

import keras
import pytest

from tf_longformer.finetuning.callbacks import KeepBest


@pytest.mark.parametrize(
    ("metric", "values", "saved"),
    [
        ("f1", [0.2, 0.1, 0.3], [0.2, 0.3]),
        ("loss", [0.2, 0.1, 0.3], [0.2, 0.1]),
        # What is not a number is no hurdle for what follows.
        ("f1", [math.nan, 0.2, math.nan, 0.3], [math.nan, 0.2, 0.3]),
        ("loss", [math.nan, 0.2, math.nan, 0.1], [math.nan, 0.2, 0.1]),
    ],
)
def test_what_is_best(metric, values, saved):
    found = []
    kept = KeepBest(lambda: found.append(value), metric, patience=3)
    kept.set_model(keras.Model())
    for epoch, value in enumerate(values):
        kept.on_epoch_end(epoch, {metric: value})
    assert found == pytest.approx(saved, nan_ok=True)
    assert kept.best == saved[-1]
    assert not kept.is_over

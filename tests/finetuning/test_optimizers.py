"""Rates over the steps, and what decays."""

import keras
import numpy as np
import pytest
from helpers import tiny

from tf_longformer import WarmUpSchedule
from tf_longformer import make_optimizer

# By `transformers.get_scheduler`, version 4.57: the rates of steps 0 to 9 with
# a learning rate of 1, 3 steps of warm-up and 9 in all.
RISING = [0.0, 1 / 3, 2 / 3]
EXPECTED = {
    "linear": [*RISING, 1.0, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6, 0.0],
    "cosine": [*RISING, 1.0, 0.9330127, 0.75, 0.5, 0.25, 0.0669873, 0.0],
    "constant": [*RISING, *[1.0] * 7],
}


@pytest.mark.parametrize("schedule", EXPECTED)
def test_rates_are_those_of_transformers(schedule):
    rates = WarmUpSchedule(1.0, 9, 3, schedule)
    found = [float(rates(step)) for step in range(10)]
    np.testing.assert_allclose(found, EXPECTED[schedule], atol=1e-6)
    # An optimizer that accumulates counts batches.
    slow = WarmUpSchedule(1.0, 9, 3, schedule, accumulate=4)
    assert [float(slow(4 * step + 3)) for step in range(10)] == found
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(slow)
    )
    assert copy.get_config() == slow.get_config()


def test_bad_numbers():
    for wrong in (
        {"schedule": "square"},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"steps": 0},
        {"warmup_steps": 10},
    ):
        with pytest.raises(ValueError, match="Received: "):
            WarmUpSchedule(**{"learning_rate": 1.0, "steps": 9, **wrong})
    with pytest.raises(ValueError, match="`warmup`"):
        make_optimizer(1.0, 9, warmup=-1)


def test_kernels_alone_decay():
    model = tiny.make_model("ForSequenceClassification")
    # Without gradients all that a step does is to decay.
    optimizer = make_optimizer(
        0.5, 10, warmup=0, schedule="constant", weight_decay=0.1
    )
    before = [np.array(v.value) for v in model.trainable_variables]
    zeros = [np.zeros_like(value) for value in before]
    optimizer.apply(zeros, model.trainable_variables)
    for variable, old in zip(model.trainable_variables, before, strict=True):
        decays = variable.path.endswith("kernel")
        expected = old * (0.95 if decays else 1)
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-6)


def test_a_saved_model_decays_as_before(tmp_path):
    model = tiny.make_model("ForSequenceClassification")
    model.compile(make_optimizer(0.5, 10))
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    names = {
        variable.path
        for variable in loaded.trainable_variables
        if loaded.optimizer._use_weight_decay(variable.value)
    }
    assert names
    assert all(name.endswith("kernel") for name in names)


def test_options():
    optimizer = make_optimizer(
        1.0, 100, warmup=0.25, clip_norm=None, accumulate=2, beta_2=0.98
    )
    schedule = optimizer._learning_rate
    assert (schedule.warmup_steps, schedule.accumulate) == (25, 2)
    assert optimizer.gradient_accumulation_steps == 2
    assert (optimizer.global_clipnorm, optimizer.beta_2) == (None, 0.98)
    many = make_optimizer(1.0, 100, warmup=500)._learning_rate
    assert many.warmup_steps == 100

"""Training makes Adam's updates as Keras's own operations do."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import checks
from helpers import tiny

from tf_longformer import make_optimizer
from tf_longformer.training import compiled_adam

HEAD = "ForSequenceClassification"
COMPILED = {
    "adam": lambda: keras.optimizers.Adam(1e-2),
    "adamw": lambda: keras.optimizers.AdamW(1e-2, weight_decay=0.1),
    "recipe": lambda: make_optimizer(1e-2, 6, accumulate=2, beta_2=0.98),
    "averages": lambda: keras.optimizers.AdamW(
        1e-2, use_ema=True, ema_overwrite_frequency=2, clipnorm=0.1
    ),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.AdamW(1e-2, epsilon=1e-4), initial_scale=8.0
    ),
}


class OwnAdam(keras.optimizers.Adam):
    """A user's, which updates as it likes."""

    def update_step(self, *given):
        super().update_step(*given)


OTHERS = {
    "amsgrad": lambda: keras.optimizers.Adam(1e-2, amsgrad=True),
    "another": lambda: keras.optimizers.Nadam(1e-2),
    "a subclass": lambda: OwnAdam(1e-2),
}


@pytest.fixture
def calls(monkeypatch):
    """Collects the weights whose update is compiled."""
    found = []
    update = compiled_adam._update

    def counted(optimizer, gradient, variable, learning_rate):
        done = update(optimizer, gradient, variable, learning_rate)
        found.extend([variable.name] * done)
        return done

    monkeypatch.setattr(compiled_adam, "_update", counted)
    return found


def train(optimizer, **options):
    model = checks.seeded(tiny.make_model, HEAD)
    inputs = tiny.make_inputs(HEAD)
    labels = np.arange(len(inputs["input_ids"])) % 2
    model.compile(optimizer, **options)
    for _ in range(3):
        model.train_on_batch(inputs, labels)
    return model


def apply(optimizer, eagerly):
    """Applies the same gradients in each run, so that no error grows."""
    model = checks.seeded(tiny.make_model, HEAD)
    model.compile(optimizer)
    optimizer.build(model.trainable_variables)
    step = optimizer.apply if eagerly else tf.function(optimizer.apply)
    rng = np.random.default_rng(0)
    for _ in range(4):
        gradients = [
            tf.constant(rng.normal(size=weight.shape), "float32")
            for weight in model.trainable_variables
        ]
        with compiled_adam.compiled_adam(model):
            step(gradients)
    return model


@pytest.mark.parametrize(
    ("name", "eagerly"),
    [*((name, False) for name in COMPILED), ("recipe", True)],
)
def test_numbers_are_those_of_keras(name, eagerly, calls, monkeypatch):
    found = apply(COMPILED[name](), eagerly)
    assert len(set(calls)) == len(found.trainable_variables)
    calls.clear()
    monkeypatch.setattr(compiled_adam, "_CLASSES", ())
    expected = apply(COMPILED[name](), eagerly)
    assert not calls
    start = checks.seeded(tiny.make_model, HEAD)
    for one, other, before in zip(
        found.trainable_variables,
        expected.trainable_variables,
        start.trainable_variables,
        strict=True,
    ):
        # Not by standing still.
        assert not np.array_equal(other, before), other.path
        checks.assert_equal(one, other, 1e-6)
    # Moments, averages, accumulators and counts.
    for one, other in zip(
        found.optimizer.variables, expected.optimizer.variables, strict=True
    ):
        checks.assert_equal(
            tf.cast(one.value, "float32"), tf.cast(other.value, "float32"), 1e-6
        )


def test_training_uses_it(calls, monkeypatch):
    found = train(COMPILED["recipe"]())
    assert len(set(calls)) == len(found.trainable_variables)
    monkeypatch.setattr(compiled_adam, "_CLASSES", ())
    expected = train(COMPILED["recipe"]())
    for one, other in zip(
        found.trainable_variables, expected.trainable_variables, strict=True
    ):
        checks.assert_equal(one, other, 1e-4)


@pytest.mark.parametrize(
    ("name", "value", "is_compiled"),
    [
        ("weight_decay", np.float32(0.1), True),
        ("weight_decay", 0, True),
        ("beta_1", np.float64(0.8), True),
        ("epsilon", np.float64(1e-5), True),
        # What a user changes between steps is left to Keras.
        ("weight_decay", tf.constant(0.1), False),
        ("beta_2", keras.Variable(0.9), False),
    ],
)
def test_kinds_of_numbers(name, value, is_compiled, calls, monkeypatch):
    found = apply(keras.optimizers.AdamW(1e-2, **{name: value}), True)
    assert bool(calls) == is_compiled
    monkeypatch.setattr(compiled_adam, "_CLASSES", ())
    expected = apply(keras.optimizers.AdamW(1e-2, **{name: value}), True)
    for one, other in zip(
        found.trainable_variables, expected.trainable_variables, strict=True
    ):
        checks.assert_equal(one, other, 1e-6)


@pytest.mark.parametrize("name", OTHERS)
def test_other_optimizers_are_left_to_keras(name, calls):
    apply(OTHERS[name](), eagerly=True)
    assert not calls


@pytest.mark.parametrize("how", ["jit_compile", "run_eagerly"])
def test_other_modes_are_left_to_keras(how, calls):
    train(COMPILED["adamw"](), **{how: True})
    assert not calls


def test_several_devices_are_left_to_keras(calls, monkeypatch):
    """XLA's call fails where weights are on the second one."""
    devices = tf.config.list_logical_devices()
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda: devices * 2)
    train(COMPILED["adamw"]())
    assert not calls


def test_many_shapes_are_no_cause_to_warn(caplog):
    """TensorFlow warns of a function that is traced again and again."""
    with caplog.at_level("WARNING", "tensorflow"):
        apply(keras.optimizers.Adam(1.25e-2, beta_1=0.875), eagerly=True)
    assert "retracing" not in caplog.text


def test_methods_of_a_user_are_called(calls):
    optimizer = COMPILED["adamw"]()
    updated = []
    optimizer.update_step = lambda *given: updated.append(given)
    apply(optimizer, eagerly=True)
    assert updated
    assert not calls
    assert "update_step" in vars(optimizer)


def test_optimizers_are_as_before():
    """Also when a step fails."""
    optimizer = COMPILED["adamw"]()
    model = apply(optimizer, eagerly=True)
    names = set(vars(optimizer))
    with contextlib.suppress(RuntimeError):
        with compiled_adam.compiled_adam(model):
            assert "update_step" in vars(optimizer)
            raise RuntimeError
    assert set(vars(optimizer)) == names

"""The shortcut for few global tokens, when projections aren't plain."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from attention.dense_checks import gap
from attention.dense_checks import layer_for
from oracles.problems import make_problem

from tf_longformer.layers import self_attention


@pytest.fixture
def both(monkeypatch):
    """Returns a function that calls a layer with and without it."""

    def call(layer, problem):
        inputs = (
            problem.x.astype("float32"),
            problem.attended,
            problem.is_global,
        )
        short = np.asarray(layer(*inputs))
        monkeypatch.setattr(self_attention, "has_kernel", lambda _: False)
        return short, np.asarray(layer(*inputs))

    return call


def fresh_layer(problem):
    plain = layer_for(problem, "float32")
    layer = type(plain).from_config(plain.get_config())
    layer.build((None, None, problem.x.shape[-1]))
    layer.set_weights(plain.get_weights())
    return layer


def test_lora_counts(both):
    problem = make_problem(5, 3, 30, "right", "two")
    layer = fresh_layer(problem)
    plain = np.asarray(
        layer(problem.x.astype("f4"), problem.attended, problem.is_global)
    )
    rng = np.random.default_rng(0)
    for name in ("query_global", "key_global", "value_global"):
        projection = getattr(layer, name)
        projection.enable_lora(2)
        projection.lora_kernel_b.assign(
            rng.standard_normal(projection.lora_kernel_b.shape)
        )
    short, called = both(layer, problem)
    assert gap(short, called) < 1e-5
    assert gap(short, plain) > 1e-2


@pytest.mark.parametrize("name", ["query_global", "key_global", "value_global"])
def test_quantized_projections_are_called(both, name):
    problem = make_problem(6, 3, 30, "right", "two")
    layer = fresh_layer(problem)
    getattr(layer, name).quantize("int8")
    short, called = both(layer, problem)
    np.testing.assert_array_equal(short, called)


def test_only_plain_layers_have_a_kernel():
    class Doubled(keras.layers.Dense):
        def call(self, x):
            return 2 * super().call(x)

    assert self_attention.has_kernel(keras.layers.Dense(3))
    assert not self_attention.has_kernel(Doubled(3))

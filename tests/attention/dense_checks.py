"""The layer with a problem's weights, and its checks against the oracle."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import tensorflow as tf
from oracles import dense_reference as reference
from oracles.problems import PROJECTIONS
from oracles.problems import Problem

from tf_longformer import TFLongformerSelfAttention
from tf_longformer import to_dense_attention

TOLERANCE = {"float64": 1e-11, "float32": 1e-5}


@functools.cache
def make_layer(
    hidden: int,
    heads: int,
    radius: int,
    dtype: str,
    attention_slots: int | None,
) -> Any:
    layer = TFLongformerSelfAttention(
        num_heads=heads,
        attention_window=2 * radius,
        dropout=0.0,
        attention_slots=attention_slots,
        dtype=dtype,
    )
    layer.build((None, None, hidden))
    return layer


def layer_for(problem: Problem, dtype: str, slots: int | None = None) -> Any:
    """Returns the layer with the problem's weights."""
    layer = make_layer(
        problem.x.shape[-1], problem.heads, problem.radius, dtype, slots
    )
    for name in PROJECTIONS:
        projection = getattr(layer, name)
        projection.kernel.assign(problem.weights[f"{name}.weight"].T)
        projection.bias.assign(problem.weights[f"{name}.bias"])
    return layer


def gap(ours: Any, expected: np.ndarray) -> float:
    ours = np.asarray(ours)
    assert ours.shape == expected.shape
    assert np.isfinite(ours).all()
    largest = np.abs(expected).max(initial=1)
    return float(np.abs(ours - expected).max(initial=0) / largest)


def check_outputs(
    problem: Problem, dtype: str, call: Any, slots: int | None = None
) -> None:
    """Compares context, probabilities and their dense map."""
    context, local, far = call(
        tf.constant(problem.x, dtype),
        tf.constant(problem.attended),
        tf.constant(problem.is_global),
    )
    expected, dense = problem.expected()
    tolerance = TOLERANCE[dtype]
    assert gap(context, expected) < tolerance
    assert not np.asarray(context)[problem.attended == 0].any()
    expected_local, expected_far = reference.hf_layout(
        dense,
        problem.attended,
        problem.is_global,
        problem.radius,
        problem.slots if slots is None else slots,
    )
    assert gap(local, expected_local) < tolerance
    assert gap(far, expected_far) < tolerance
    dense_map = to_dense_attention(
        local, far, problem.is_global, problem.attended
    )
    assert gap(dense_map, dense) < tolerance


def gradients_of(layer: Any) -> Any:
    """Returns a function that gives the gradients by the reference's names."""

    def call(x: Any, attended: Any, is_global: Any, upstream: Any) -> dict:
        weights = {}
        for name in PROJECTIONS:
            projection = getattr(layer, name)
            weights[f"{name}.weight"] = projection.kernel.value
            weights[f"{name}.bias"] = projection.bias.value
        with tf.GradientTape() as tape:
            tape.watch(x)
            score = tf.reduce_sum(layer(x, attended, is_global) * upstream)
        return tape.gradient(
            score, {"x": x, **weights}, unconnected_gradients="zero"
        )

    return call


def check_gradients(problem: Problem, call: Any) -> None:
    """Compares each gradient along a direction with finite differences."""
    rng = np.random.default_rng(0)
    upstream = rng.standard_normal(problem.x.shape)
    gradients = call(
        tf.constant(problem.x),
        tf.constant(problem.attended),
        tf.constant(problem.is_global),
        tf.constant(upstream),
    )
    step = 1e-5
    for name, gradient in gradients.items():
        value = problem.x if name == "x" else problem.weights[name]
        direction = rng.standard_normal(value.shape)
        scores = []
        for sign in (1, -1):
            moved = value + sign * step * direction
            if name == "x":
                context, _ = problem.expected(x=moved)
            else:
                weights = {**problem.weights, name: moved}
                context, _ = problem.expected(weights=weights)
            scores.append((context * upstream).sum())
        expected = (scores[0] - scores[1]) / (2 * step)
        gradient = np.asarray(gradient)
        if name.endswith(".weight"):
            gradient = gradient.T
        assert np.isfinite(gradient).all()
        ours = (gradient * direction).sum()
        # The score is about as large as what it sums, and so is rounding.
        slack = 1e-9 * (1 + np.abs(upstream).sum())
        assert abs(ours - expected) < 1e-6 * abs(expected) + slack, name

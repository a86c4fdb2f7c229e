"""Self-attention against the dense reference in float64.

The reference agrees with HF PyTorch (tests/oracles/test_models_live.py); it
takes every window, length, mask and set of global tokens.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from oracles import dense_reference as reference
from oracles.problems import GLOBALS
from oracles.problems import MASKS
from oracles.problems import PROJECTIONS
from oracles.problems import Problem
from oracles.problems import make_problem
from oracles.problems import problems

from tf_longformer import TFLongformerSelfAttention
from tf_longformer.ops import to_dense_attention

TOLERANCE = {"float64": 1e-11, "float32": 1e-5}
# Drawn alike in every run: a failure is a bug and not bad luck.
quick = functools.partial(
    settings,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


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


def asking(layer: Any) -> Any:
    """Returns a function of the inputs that asks for attentions."""

    def call(x: Any, attended: Any, is_global: Any) -> Any:
        return layer(x, attended, is_global, output_attentions=True)

    return call


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_eager(dtype):
    @quick(max_examples=60)
    @given(problems())
    def check(problem: Problem) -> None:
        check_outputs(problem, dtype, asking(layer_for(problem, dtype)))

    check()


@pytest.mark.parametrize("radius", [1, 5, 33])
def test_graph_of_unknown_shapes(radius):
    layer = make_layer(6, 3, radius, "float64", None)
    mask = tf.TensorSpec([None, None], "int32")
    call = tf.function(
        asking(layer),
        input_signature=[tf.TensorSpec([None, None, 6], "float64"), mask, mask],
    )

    @quick(max_examples=25)
    @given(problems(radius))
    def check(problem: Problem) -> None:
        layer_for(problem, "float64")
        check_outputs(problem, "float64", call)

    check()
    assert call.experimental_get_tracing_count() == 1


# Lengths off the block, one beyond the window and one within it.
XLA_SHAPES = [(3, 70), (40, 37)]


@pytest.mark.parametrize(("radius", "seq"), XLA_SHAPES)
def test_xla(radius, seq):
    """One program for all numbers of global tokens."""
    layer = make_layer(6, 3, radius, "float64", seq)
    call = tf.function(asking(layer), jit_compile=True)
    for number, globals_ in enumerate(GLOBALS):
        masks = MASKS[number % len(MASKS)]
        problem = make_problem(number, radius, seq, masks, globals_, batch=3)
        layer_for(problem, "float64", seq)
        check_outputs(problem, "float64", call, seq)
    assert call.experimental_get_tracing_count() == 1


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


@quick(max_examples=40)
@given(problems())
def test_gradients(problem: Problem):
    check_gradients(problem, gradients_of(layer_for(problem, "float64")))


@pytest.mark.parametrize(("radius", "seq"), XLA_SHAPES)
def test_xla_gradients(radius, seq):
    layer = make_layer(6, 3, radius, "float64", None)
    call = tf.function(gradients_of(layer), jit_compile=True)
    for number, globals_ in enumerate(GLOBALS):
        masks = MASKS[number % len(MASKS)]
        problem = make_problem(number, radius, seq, masks, globals_, batch=3)
        layer_for(problem, "float64")
        check_gradients(problem, call)
    assert call.experimental_get_tracing_count() == 1


@pytest.mark.slow
def test_xla_compiles_once_for_a_shape(tmp_path):
    """Whatever the masks hold, in a model with gradients."""
    tests = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, tests / "oracles/count_compilations.py", tmp_path],
        env={
            **os.environ,
            "PYTHONPATH": str(tests.parent),
            "XLA_FLAGS": f"--xla_dump_to={tmp_path} --xla_dump_hlo_as_text",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout.splitlines()[-1])
    # The counter does count: shapes that follow values compile anew.
    assert counts["control"] == 3
    shapes = []
    for shape, _, programs, gap in counts["steps"]:
        if shape not in shapes:
            shapes.append(shape)
        assert programs == len(shapes)
        assert gap < 1e-4
    assert len(shapes) == 2
    # Nor for what a step changes: weights and the seeds of dropout.
    assert len(counts["training"]) == 4
    for name, programs in counts["training"].items():
        assert programs == [1, 1, 1, 1], name

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

import pytest
import tensorflow as tf
from attention.dense_checks import check_gradients
from attention.dense_checks import check_outputs
from attention.dense_checks import gradients_of
from attention.dense_checks import layer_for
from attention.dense_checks import make_layer
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from oracles.problems import GLOBALS
from oracles.problems import MASKS
from oracles.problems import Problem
from oracles.problems import make_problem
from oracles.problems import problems

from tf_longformer.attention import blocking

# Drawn alike in every run: a failure is a bug and not bad luck.
quick = functools.partial(
    settings,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def asking(layer: Any) -> Any:
    """Returns a function of the inputs that asks for attentions."""

    def call(x: Any, attended: Any, is_global: Any) -> Any:
        return layer(x, attended, is_global, output_attentions=True)

    return call


@pytest.mark.parametrize(
    ("dtype", "count"),
    [
        ("float64", 25),
        ("float32", 10),
        pytest.param("float64", 100, marks=pytest.mark.slow),
    ],
)
def test_eager(dtype, count):
    @quick(max_examples=count)
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

    @quick(max_examples=15)
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


@quick(max_examples=20)
@given(problems())
def test_gradients(problem: Problem):
    check_gradients(problem, gradients_of(layer_for(problem, "float64")))


@pytest.mark.parametrize(
    ("radius", "widest"), [(3, 2**13), (3, 1), (33, 2**13), (2**30, 2**13)]
)
def test_graph_gradients_of_unknown_shapes(radius, widest, monkeypatch):
    monkeypatch.setattr(blocking, "WIDEST_RADIUS", widest)
    layer = make_layer(6, 3, radius, "float64", None)
    mask = tf.TensorSpec([None, None], "int32")
    x = tf.TensorSpec([None, None, 6], "float64")
    call = tf.function(gradients_of(layer), input_signature=[x, mask, mask, x])

    @quick(max_examples=10)
    @given(problems(radius))
    def check(problem: Problem) -> None:
        layer_for(problem, "float64")
        check_gradients(problem, call)

    check()
    assert call.experimental_get_tracing_count() == 1


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
    tests = Path(__file__).parents[1]
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

"""Attention over several blocks, against the dense reference."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from attention.dense_checks import check_gradients
from attention.dense_checks import gap
from attention.dense_checks import gradients_of
from attention.dense_checks import layer_for
from oracles.problems import MASKS
from oracles.problems import make_problem

from tf_longformer.attention import blocking

# Around the borders of blocks of 8: the last block full, short, or one token.
LENGTHS = [23, 24, 25, 57]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocking, "BLOCK", 8)


@pytest.mark.parametrize("seq", LENGTHS)
@pytest.mark.parametrize("globals_", ["none", "one", "17", "all", "uneven"])
def test_blocks(seq, globals_):
    problem = make_problem(seq, 3, seq, MASKS[seq % 5], globals_, batch=3)
    expected, _ = problem.expected()
    for dtype, tolerance in (("float64", 1e-11), ("float32", 1e-5)):
        layer = layer_for(problem, dtype)
        masks = (problem.attended, problem.is_global)
        ours = layer(tf.constant(problem.x, dtype), *masks)
        assert gap(ours, expected) < tolerance
    check_gradients(problem, gradients_of(layer_for(problem, "float64")))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("globals_", ["two", "half"])
def test_graph(dtype, globals_):
    """Grappler fuses products, masks and softmax of a batch of rows."""
    problem = make_problem(7, 3, 61, "holes", globals_, batch=3, head_dim=5)
    layer = layer_for(problem, dtype)
    expected, _ = problem.expected()
    ours = tf.function(layer)(
        tf.constant(problem.x, dtype),
        tf.constant(problem.attended),
        tf.constant(problem.is_global),
    )
    assert gap(ours, expected) < {"float64": 1e-11, "float32": 1e-5}[dtype]


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_finite_and_near(policy):
    problem = make_problem(3, 3, 61, "right", "two", batch=2, head_dim=4)
    problem.x *= 0.3
    layer = layer_for(problem, policy)
    ours = layer(
        tf.constant(problem.x, layer.compute_dtype),
        problem.attended,
        problem.is_global,
    )
    assert ours.dtype == layer.compute_dtype
    expected, _ = problem.expected()
    assert gap(np.asarray(ours, "float64"), expected) < 0.03


def test_scores_are_float32_in_mixed_precision():
    """Scores of 100 that differ by a tenth, below bfloat16's resolution."""
    from tf_longformer.attention import assign_roles
    from tf_longformer.attention import windowed_attention

    query = np.zeros((1, 1, 2, 4))
    query[..., 0] = 16
    key = np.zeros((1, 1, 2, 4))
    key[..., 0] = 12.5
    key[0, 0, 1, 1:] = 0.5
    query[..., 1:] = 0.25
    value = np.reshape([0.0, 0, 0, 0, 1, 1, 1, 1], (1, 1, 2, 4))
    mixed = windowed_attention(
        *(tf.constant(x, "bfloat16") for x in (query, key, value)),
        assign_roles(np.ones((1, 2)), None),
        radius=1,
    )
    expected = 1 / (1 + np.exp(-3 * 0.25 * 0.5 / 2))
    np.testing.assert_allclose(np.asarray(mixed, "f4"), expected, rtol=4e-3)

"""What keeps less for the backward pass gives what Keras's own gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from tf_longformer.ops import ReplayableDropout
from tf_longformer.ops import add_and_normalize
from tf_longformer.ops import gelu
from tf_longformer.ops import gelu_dense

TOKENS, INNER, HIDDEN = 7, 5, 3
RNG = np.random.default_rng(3)
EPSILON = 0.25


def draw(*shape):
    return tf.constant(2 * RNG.standard_normal(shape))


def with_gradients(function, arguments, upstream, compiled):
    """Returns a function's value and gradients, in one list."""

    @tf.function(jit_compile=compiled)
    def run(*arguments):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            output = function(*arguments)
        return [output, *tape.gradient(output, arguments, upstream)]

    return run(*arguments)


def assert_close(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("compiled", [False, True])
def test_gelu_dense(compiled):
    arguments = (draw(TOKENS, INNER), draw(INNER, HIDDEN), draw(HIDDEN))
    upstream = draw(TOKENS, HIDDEN)
    ours = with_gradients(gelu_dense, arguments, upstream, compiled)
    theirs = with_gradients(
        lambda x, kernel, bias: gelu(x) @ kernel + bias,
        arguments,
        upstream,
        compiled,
    )
    assert_close(ours, theirs)


def normalized(x, gamma, beta, epsilon):
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, epsilon)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("rate", [0, 0.4])
def test_add_and_normalize(compiled, rate):
    arguments = (*(draw(2, TOKENS, HIDDEN) for _ in range(2)),)
    arguments += (draw(HIDDEN), draw(HIDDEN))
    upstream = draw(2, TOKENS, HIDDEN)
    dropout = ReplayableDropout(rate, tf.constant([4, 9])) if rate else None
    kept = 1.0
    if rate:
        kept = dropout.kept((2, TOKENS, HIDDEN), 1, "float64")
        np.testing.assert_allclose(np.unique(kept), [0, 1 / (1 - rate)])

    def expected(update, residual, gamma, beta):
        return normalized(update * kept + residual, gamma, beta, EPSILON)

    ours = with_gradients(
        lambda *x: add_and_normalize(*x, EPSILON, dropout, 1),
        arguments,
        upstream,
        compiled,
    )
    assert_close(ours, with_gradients(expected, arguments, upstream, compiled))


def test_half_precision_is_normalised_in_float32():
    """A sum of squares beyond the range of float16."""
    update = tf.cast(300 * RNG.standard_normal((TOKENS, 64)), "float16")
    ours, *gradients = with_gradients(
        lambda x: add_and_normalize(
            x, tf.zeros_like(x), tf.ones(64), tf.zeros(64), 1e-5
        ),
        (update,),
        tf.ones_like(update),
        False,
    )
    assert ours.dtype == tf.float16
    assert gradients[0].dtype == tf.float16
    exact = normalized(tf.cast(update, "float64"), 1.0, 0.0, 1e-5)
    np.testing.assert_allclose(ours, exact, atol=4e-3)


def test_gelu_is_exact():
    x = np.linspace(-6, 6, 50)
    expected = [0.5 * y * (1 + math.erf(y / math.sqrt(2))) for y in x]
    np.testing.assert_allclose(gelu(x), expected, rtol=1e-12, atol=1e-14)


def test_masks_wait():
    """A mask needs nothing but a seed, and a graph would draw it at once."""

    def graph(dropout):
        @tf.function
        def run(x, seed):
            found = dropout(ReplayableDropout(0.5, seed), x)
            return found(x, 0)

        return run.get_concrete_function(
            tf.TensorSpec((3, 4)), tf.TensorSpec(2, tf.int32)
        ).graph

    def waits(graph):
        return any(op.control_inputs for op in graph.get_operations())

    assert waits(graph(lambda dropout, x: dropout.after(x)))
    assert not waits(graph(lambda dropout, x: dropout))

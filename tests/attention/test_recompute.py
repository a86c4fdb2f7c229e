"""What the backward pass does again: dropout, GELU, add and normalise."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_longformer import TFLongformerSelfAttention
from tf_longformer.attention import ReplayableDropout
from tf_longformer.attention import add_and_normalize
from tf_longformer.attention import gelu
from tf_longformer.attention import gelu_dense

TOKENS, INNER, HIDDEN = 7, 5, 3
RNG = np.random.default_rng(3)
EPSILON = 0.25


def drawn(stream, seed=(3, 5), rate=0.4):
    dropout = ReplayableDropout(rate, tf.constant(seed, "uint32"))
    return np.asarray(dropout(tf.ones((50, 40)), stream))


def test_equal_streams_give_equal_masks():
    np.testing.assert_array_equal(drawn(2), drawn(2))
    np.testing.assert_array_equal(drawn(2), drawn(tf.constant(2)))


def test_other_streams_and_seeds_give_other_masks():
    for other in (drawn(3), drawn(2, seed=(4, 5))):
        assert 0.3 < np.mean((drawn(2) == 0) == (other == 0)) < 0.7


def test_rate_and_scale():
    mask = drawn(0)
    assert abs(np.mean(mask == 0) - 0.4) < 0.05
    np.testing.assert_allclose(mask[mask != 0], 1 / 0.6, rtol=1e-6)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_elements_are_as_good_as_independent(rate):
    """Of rows, of columns, and of one mask and the next."""
    before = None
    for stream in range(8):
        dropout = ReplayableDropout(rate, tf.constant([3, 5], "uint32"))
        mask = np.asarray(dropout(tf.ones((500, 400)), stream)) > 0
        # Mean 0 and variance 1.
        mask = (mask - (1 - rate)) / np.sqrt(rate * (1 - rate))
        for rows in (mask, mask.T):
            count, length = rows.shape
            pairs = (rows @ rows.T)[np.triu_indices(count, 1)] / length**0.5
            # Normal variates, were they independent.
            assert abs(np.mean(pairs)) < 0.02
            assert abs(np.mean(pairs**2) - 1) < 0.05
            assert np.abs(pairs).max() < 8
        if before is not None:
            assert abs(np.mean(mask * before)) * mask.size**0.5 < 4
        before = mask


# In one frame, and in several blocks whose frames reach out of the sequence;
# without global tokens, with some in the columns beside the window, and with
# more than these hold; where the length isn't known when the graph is made,
# also with a window wider than any sequence.
@pytest.mark.parametrize(
    ("seq", "window", "numbers", "length", "jit_compile"),
    [
        pytest.param(11, 4, [2], 11, False, marks=pytest.mark.slow),
        (11, 4, [2], 11, True),
        pytest.param(300, 32, [0, 2], 300, False, marks=pytest.mark.slow),
        pytest.param(300, 32, [20], 300, True, marks=pytest.mark.slow),
        (300, 32, [2, 20], None, False),
        (300, 2**31, [2, 20], None, False),
    ],
)
def test_gradient_sees_the_mask_of_the_forward_pass(
    seq, window, numbers, length, jit_compile
):
    """Finite differences under one fixed mask."""
    layer = TFLongformerSelfAttention(
        num_heads=3,
        attention_window=window,
        dropout=0.5,
        dtype="float64",
        seed=1,
    )
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, seq, 6))
    upstream = tf.constant(rng.standard_normal(x.shape))
    layer.build(x.shape)
    for weight in layer.trainable_weights:
        weight.assign(rng.standard_normal(weight.shape))
    state = layer.seed_generator.state
    start = keras.ops.convert_to_numpy(state)
    specs = [
        tf.TensorSpec((2, length, 6), "float64"),
        tf.TensorSpec((2, length), "int32"),
    ]

    # XLA draws other numbers from a seed, so that both are compiled or none.
    @tf.function(jit_compile=jit_compile, input_signature=specs)
    def score(x, is_global):
        state.assign(start)
        out = layer(x, global_attention_mask=is_global, training=True)
        return tf.reduce_sum(out * upstream)

    @tf.function(jit_compile=jit_compile, input_signature=specs)
    def gradient(x, is_global):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = score(x, is_global)
        return value, tape.gradient(value, x)

    for number in numbers:
        is_global = np.zeros((2, seq), "int32")
        is_global[0, rng.permutation(seq)[:number]] = 1
        value, found = gradient(x, is_global)
        assert np.isclose(value, score(x, is_global))
        state.assign(start + 7)
        # One token after another: the first and the last have other frames.
        step = 1e-6
        for place in (0, seq // 2, seq - 1):
            direction = np.zeros_like(x)
            direction[:, place] = rng.standard_normal((2, 6))
            ahead, behind = (
                float(score(x + sign * step * direction, is_global))
                for sign in (1, -1)
            )
            expected = (ahead - behind) / (2 * step)
            assert np.isclose(
                (found.numpy() * direction).sum(),
                expected,
                rtol=1e-5,
                atol=1e-6,
            )


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
    mask = 1.0
    if rate:
        mask = dropout.mask((2, TOKENS, HIDDEN), 1, "float64")
        np.testing.assert_allclose(np.unique(mask), [0, 1 / (1 - rate)])

    def expected(update, residual, gamma, beta):
        return normalized(update * mask + residual, gamma, beta, EPSILON)

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

    assert waits(graph(lambda dropout, x: dropout.wait_for(x)))
    assert not waits(graph(lambda dropout, x: dropout))

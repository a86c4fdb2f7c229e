"""Dropout that a backward pass can draw again."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_longformer import TFLongformerSelfAttention
from tf_longformer.ops import ReplayableDropout


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
# more than these hold; where the length isn't known when the graph is made.
@pytest.mark.parametrize(
    ("seq", "window", "number", "length", "jit_compile"),
    [
        (11, 4, 2, 11, False),
        (11, 4, 2, 11, True),
        (300, 32, 0, 300, False),
        (300, 32, 2, 300, False),
        (300, 32, 20, 300, True),
        (300, 32, 2, None, False),
        (300, 32, 20, None, False),
    ],
)
def test_gradient_sees_the_mask_of_the_forward_pass(
    seq, window, number, length, jit_compile
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
    is_global = np.zeros((2, seq), "int32")
    is_global[0, rng.permutation(seq)[:number]] = 1
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
            (found.numpy() * direction).sum(), expected, rtol=1e-5, atol=1e-6
        )

"""`frame` against TensorFlow's, and its adjoint."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from tf_longformer.ops import frame
from tf_longformer.ops import overlap_add

MODES = ["eager", "graph", "unknown length", "xla"]


def in_mode(function, mode, x):
    if mode == "eager":
        return function(x)
    if mode == "unknown length":
        spec = tf.TensorSpec([None] * len(x.shape), x.dtype)
        return tf.function(function, input_signature=[spec])(x)
    return tf.function(function, jit_compile=mode == "xla")(x)


def test_the_docstring():
    x = np.arange(7)
    np.testing.assert_array_equal(frame(x, 4, 2), [[0, 1, 2, 3], [2, 3, 4, 5]])
    np.testing.assert_array_equal(
        frame(x, 4, 2, pad_end=True),
        [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 0], [6, 0, 0, 0]],
    )


@given(
    samples=st.integers(0, 40),
    length=st.integers(1, 13),
    step=st.integers(1, 13),
    pad_end=st.booleans(),
    pad_value=st.sampled_from([0, -1.5]),
    axis=st.integers(-3, 2),
    mode=st.sampled_from(["eager", "unknown length"]),
)
@settings(max_examples=120, deadline=None)
def test_frame_is_tensorflows(
    samples, length, step, pad_end, pad_value, axis, mode
):
    shape = [2, 3, 5]
    shape[axis] = samples
    x = tf.constant(
        np.random.default_rng(samples).standard_normal(shape).astype("float32")
    )
    expected = tf.signal.frame(x, length, step, pad_end, pad_value, axis)
    found = in_mode(
        lambda x: frame(x, length, step, pad_end, pad_value, axis), mode, x
    )
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["int32", "bool", "float64"])
def test_modes_and_dtypes(mode, dtype):
    x = tf.constant((np.arange(2 * 23 * 3) % 5).reshape(2, 23, 3).astype(dtype))
    # TensorFlow's pads no booleans.
    numbers = tf.cast(x, "int32") if dtype == "bool" else x
    expected = tf.signal.frame(numbers, 8, 3, pad_end=True, axis=1)
    found = in_mode(lambda x: frame(x, 8, 3, True, axis=1), mode, x)
    assert found.dtype == x.dtype
    np.testing.assert_array_equal(found, expected)


@given(
    frames=st.integers(1, 7), length=st.integers(1, 13), step=st.integers(1, 9)
)
@settings(max_examples=60, deadline=None)
def test_overlap_add_is_the_adjoint(frames, length, step):
    """<frame(x), y> = <x, overlap_add(y)>, and TensorFlow agrees."""
    rng = np.random.default_rng(frames * length * step)
    samples = (frames - 1) * step + length
    x = rng.standard_normal((2, samples, 3))
    y = rng.standard_normal((2, frames, length, 3))
    added = np.asarray(overlap_add(tf.constant(y), step, axis=1))
    assert added.shape == x.shape
    framed = np.asarray(frame(x, length, step, axis=1))
    assert np.isclose((framed * y).sum(), (x * added).sum())
    last = np.moveaxis(y, 3, 1)
    expected = tf.signal.overlap_and_add(tf.constant(last), step)
    np.testing.assert_allclose(added, np.moveaxis(expected, 1, 2), atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frame_length": 0, "frame_step": 1}, "`frame_length` must be an int"),
        ({"frame_length": 2.0, "frame_step": 1}, "frame_length=2.0"),
        ({"frame_length": 2, "frame_step": -1}, "`frame_step` must be an int"),
        ({"frame_length": 2, "frame_step": True}, "frame_step=True"),
        ({"frame_length": 2, "frame_step": 1, "axis": 2}, r"in \[-2, 2\)"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        frame(np.zeros((2, 5)), **arguments)

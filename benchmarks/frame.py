"""Framing by a gather against slices and `keras.ops.extract_sequences`.

Usage: python benchmarks/frame.py

Prints the time of the frames, and of the frames with a gradient.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from keras import ops

from tf_longformer.ops import frame

LENGTH, STEP = 640, 128


def sliced(x: tf.Tensor) -> tf.Tensor:
    """Frames by consecutive steps, shifted against themselves."""
    parts = LENGTH // STEP
    steps = tf.reshape(x, (*x.shape[:2], -1, STEP, x.shape[3]))
    frames = steps.shape[2] - parts + 1
    return ops.concatenate(
        [steps[:, :, part : part + frames] for part in range(parts)], axis=3
    )


def extracted(x: tf.Tensor) -> tf.Tensor:
    """Frames by Keras, which takes the last axis."""
    frames = ops.extract_sequences(ops.swapaxes(x, 2, 3), LENGTH, STEP)
    return ops.transpose(frames, (0, 1, 3, 4, 2))


def milliseconds(call: Callable, x: tf.Tensor) -> float:
    """The median of nine calls."""
    seconds = []
    for _ in range(11):
        start = time.perf_counter()
        call(x)
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds[2:])


def with_gradient(way: Callable) -> Callable:
    """Returns a function that gives the gradient of a sum of squares."""

    def call(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(way(x) ** 2)
        return tape.gradient(total, x)

    return call


def main() -> None:
    """Prints a table."""
    x = tf.random.normal((1, 12, 4608, 64))
    ways = {
        "gather": lambda x: frame(x, LENGTH, STEP, axis=2),
        "slices": sliced,
        "extract_sequences": extracted,
    }
    expected = ways["gather"](x)
    for name, way in ways.items():
        for jit in (False, True):
            call = tf.function(way, jit_compile=jit)
            if not np.array_equal(call(x), expected):
                raise RuntimeError(f"{name} gives other frames")
            forward = milliseconds(call, x)
            call = tf.function(with_gradient(way), jit_compile=jit)
            both = milliseconds(call, x)
            mode = "XLA" if jit else "graph"
            print(f"{name:18} {mode:6} {forward:7.1f} ms, {both:7.1f} ms")


if __name__ == "__main__":
    main()

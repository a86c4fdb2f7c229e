"""Framing by slices against gathers and `keras.ops.extract_sequences`.

Usage: python benchmarks/frame.py
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


def gathered(x: tf.Tensor) -> tf.Tensor:
    """Frames by one gather of positions."""
    frames = 1 + (x.shape[2] - LENGTH) // STEP
    index = np.arange(frames)[:, None] * STEP + np.arange(LENGTH)
    return ops.take(x, index, axis=2)


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


def main() -> None:
    """Prints a table."""
    x = tf.random.normal((1, 12, 4608, 64))
    ways = {
        "slices": lambda x: frame(x, LENGTH, STEP, axis=2),
        "gather": gathered,
        "extract_sequences": extracted,
    }
    expected = ways["slices"](x)
    for name, way in ways.items():
        for jit in (False, True):
            call = tf.function(way, jit_compile=jit)
            if not np.array_equal(call(x), expected):
                raise RuntimeError(f"{name} gives other frames")
            took = milliseconds(call, x)
            print(f"{name:18} {'XLA' if jit else 'graph':6} {took:7.1f} ms")


if __name__ == "__main__":
    main()

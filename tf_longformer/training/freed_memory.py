"""Memory that TensorFlow frees, and that the next operation wants again.

The first generator of batches has TensorFlow (2.21, on Linux) call
`mallopt(M_TRIM_THRESHOLD, 128 KiB)`, against a leak. It holds for the whole
process, and ends what glibc did till then: to keep blocks of up to 32 MiB that
are freed. Each operation maps its memory anew, page by page. A training step
of two layers and 4096 tokens took two thirds longer (benchmarks/feeding.py).
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from types import GeneratorType
from typing import Any

import keras

from tf_longformer.backend import is_dataset

# Numbers and largest values of glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_MMAP_THRESHOLD = 32 * 2**20


def keep_freed_memory(x: Any) -> None:
    """Has glibc keep freed memory again, where batches come of a generator.

    It sets what glibc comes to by itself in a process that frees large
    blocks. Who sets malloc's variables of the environment has decided, and
    nothing is done.

    Args:
        x: what `fit`, `evaluate` or `predict` gets. A `tf.data.Dataset` may
            have a generator somewhere.
    """
    if keras.backend.backend() == "tensorflow" and (
        is_dataset(x) or isinstance(x, keras.utils.PyDataset | GeneratorType)
    ):
        _keep()


@functools.cache
def _keep() -> bool:
    """Sets glibc's thresholds, once; returns whether it did."""
    decided = any(
        name.startswith("MALLOC_") and name.endswith("_THRESHOLD_")
        for name in os.environ
    )
    if decided or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    mallopt = None
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    import tensorflow as tf

    # TensorFlow does it but once, so that it has to be done first.
    first = tf.data.Dataset.from_generator(
        lambda: iter([0]), output_signature=tf.TensorSpec((), "int32")
    )
    for _ in first:
        pass
    mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD)
    mallopt(_M_TRIM_THRESHOLD, 2 * _MMAP_THRESHOLD)
    return True

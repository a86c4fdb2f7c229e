"""A model's weights as a SavedModel stores them: full, half, or int8."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

WEIGHTS = ("float32", "bfloat16", "int8")
_LARGEST = 127


class StoredWeights:
    """The variables to store, and how a model computes with them.

    Args:
        model: a Longformer model.
        kind: `"float32"` stores them as they are. `"bfloat16"` stores all,
            and `"int8"` the matrices, with a scale for each row of an
            embedding and each column of a kernel; they become float32 again
            at every call.

    Attributes:
        variables: list of `tf.Variable`.
    """

    def __init__(self, model: Any, kind: str) -> None:
        self.variables: list[tf.Variable] = []
        self._readers: list[tuple[Any, Callable[[], Any]]] = []
        for weight in model.weights:
            is_float = "float" in keras.backend.standardize_dtype(weight.dtype)
            if kind == "float32" or not is_float:
                self.variables.append(weight.value)
            elif kind == "bfloat16":
                stored = self._store(tf.cast(weight.value, tf.bfloat16))
                self._read(weight, lambda stored=stored: stored)
            elif len(weight.shape) == 2:
                self._read(weight, self._quantized(weight))
            else:
                stored = self._store(weight.value)
                self._read(weight, lambda stored=stored: stored)

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Lets a model that is called inside read the stored variables."""
        if not self._readers:
            yield
            return
        mapping = [
            (weight, tf.cast(read(), weight.dtype))
            for weight, read in self._readers
        ]
        with keras.StatelessScope(state_mapping=mapping):
            yield

    def _store(self, value: Any) -> tf.Variable:
        self.variables.append(tf.Variable(value, trainable=False))
        return self.variables[-1]

    def _read(self, weight: Any, reader: Callable[[], Any]) -> None:
        self._readers.append((weight, reader))

    def _quantized(self, weight: Any) -> Callable[[], Any]:
        """Stores a matrix as int8; returns what reads it as floats."""
        matrix = keras.ops.convert_to_numpy(weight).astype("float32")
        axis = 1 if weight.path.endswith("embeddings") else 0
        scale = np.abs(matrix).max(axis, keepdims=True, initial=0) / _LARGEST
        scale = np.where(scale > 0, scale, 1).astype("float32")
        stored = self._store(np.rint(matrix / scale).astype("int8"))
        scales = self._store(scale)
        return lambda: tf.cast(stored, tf.float32) * scales

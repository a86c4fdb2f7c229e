"""Weights of layers, for calculations that go round the layers' own call."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def has_kernel(projection: Any) -> bool:
    """Returns whether a projection is `x kernel + bias`.

    A quantized layer also rounds `x`; whatever else has taken its place does
    what it likes.
    """
    return (
        type(projection) is keras.layers.Dense
        and projection.quantization_mode is None
    )


def value_of(weight: Any) -> Any:
    """Returns a weight's value as a tensor, for functions with a gradient of
    their own: TensorFlow lets them have no variables.
    """
    return ops.copy(weight)

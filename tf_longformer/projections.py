"""Layers that pooled vectors go through before they get the length 1.

They are the `Dense` modules of sentence-transformers. Here they are plain
arrays; `decoding.project_vectors` computes with them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_longformer.errors import shown

# As `keras.activations` calls them.
ACTIVATIONS = ("linear", "relu", "tanh", "sigmoid", "silu", "gelu")


# Arrays have no equality that is true or false.
@dataclasses.dataclass(frozen=True, eq=False)
class Projection:
    """One dense layer.

    Attributes:
        kernel: float32 array `[in, out]`; whatever makes one.
        bias: float32 array `[out]`, or `None` for none. Defaults to `None`.
        activation: `"linear"`, `"relu"`, `"tanh"`, `"sigmoid"`, `"silu"` or
            `"gelu"` (the exact one). Defaults to `"linear"`.

    Raises:
        ValueError: for arrays of other shapes, or another activation.
    """

    kernel: np.ndarray
    bias: np.ndarray | None = None
    activation: str = "linear"

    def __post_init__(self) -> None:
        kernel = np.asarray(self.kernel, "float32")
        bias = None if self.bias is None else np.asarray(self.bias, "float32")
        if kernel.ndim != 2 or (
            bias is not None and bias.shape != kernel.shape[1:]
        ):
            biases = "no bias" if bias is None else f"a bias {bias.shape}"
            raise ValueError(
                "A projection must have a kernel (in, out) and a bias (out,) "
                f"or none. Received: a kernel {kernel.shape} and {biases}. A "
                "weight of PyTorch's has to be transposed."
            )
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"`activation` must be one of {', '.join(ACTIVATIONS)}. "
                f"Received: {shown(self.activation)}."
            )
        object.__setattr__(self, "kernel", kernel)
        object.__setattr__(self, "bias", bias)


def projected_width(projections: Sequence[Projection], width: int) -> int:
    """Returns how many numbers a vector has behind all projections.

    Args:
        projections: `Projection`s, in the order in which they are applied.
        width: int, how many it has before.

    Raises:
        TypeError: if one is something else.
        ValueError: if one takes vectors of another size than it gets.
    """
    for number, one in enumerate(projections):
        if not isinstance(one, Projection):
            raise TypeError(
                "`projections` must be `Projection`s. Received: "
                f"{type(one).__name__}. Take what "
                "`sentence_transformer_options(folder)` returns."
            )
        check_width(number, one.kernel.shape[0], width)
        width = one.kernel.shape[1]
    return width


def check_width(number: int, takes: int, width: int) -> None:
    """Raises if a projection takes vectors of another size than it gets.

    Args:
        number: int, which one it is, from 0.
        takes: int, how many numbers a vector must have for it.
        width: int, how many it has.

    Raises:
        ValueError: with both.
    """
    if takes != width:
        raise ValueError(
            "A projection must take vectors as they come. Received: "
            f"projection {number}, which takes {takes} numbers, for vectors "
            f"of {width}. Take those of the model's own folder."
        )

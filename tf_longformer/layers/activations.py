"""Activation functions by the names that `config.json` uses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from keras import ops

from tf_longformer.attention import gelu
from tf_longformer.errors import shown


def gelu_tanh(x: Any) -> Any:
    """GELU by its tanh approximation."""
    return ops.gelu(x, approximate=True)


def quick_gelu(x: Any) -> Any:
    """GELU approximated by `x * sigmoid(1.702 * x)`."""
    return x * ops.sigmoid(1.702 * x)


def laplace(x: Any) -> Any:
    """Normal distribution of mean and deviation of MEGA (arXiv 2209.10655)."""
    return 0.5 + 0.5 * ops.erf((x - 0.707107) / (0.282095 * math.sqrt(2)))


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "gelu": gelu,
    "gelu_python": gelu,
    "gelu_10": lambda x: ops.clip(gelu(x), -10.0, 10.0),
    "gelu_accurate": gelu_tanh,
    "gelu_new": gelu_tanh,
    "gelu_fast": gelu_tanh,
    "gelu_pytorch_tanh": gelu_tanh,
    "gelu_python_tanh": gelu_tanh,
    "quick_gelu": quick_gelu,
    "laplace": laplace,
    "relu": ops.relu,
    "relu2": lambda x: ops.square(ops.relu(x)),
    "relu6": ops.relu6,
    "leaky_relu": lambda x: ops.leaky_relu(x, negative_slope=0.01),
    "sigmoid": ops.sigmoid,
    "silu": ops.silu,
    "swish": ops.silu,
    "mish": lambda x: x * ops.tanh(ops.softplus(x)),
    "tanh": ops.tanh,
    "linear": lambda x: x,
}


def get_activation(name: str) -> Callable[[Any], Any]:
    """Returns the function that `hidden_act` names.

    Args:
        name: one of the keys of `ACTIVATIONS`.

    Returns:
        Callable from a tensor to a tensor of the same shape.

    Raises:
        ValueError: if there is no such activation.
    """
    if name not in ACTIVATIONS:
        raise ValueError(
            "`hidden_act` must name a known activation. Received: "
            f"hidden_act={shown(name)}. Use one of {sorted(ACTIVATIONS)}."
        )
    return ACTIVATIONS[name]

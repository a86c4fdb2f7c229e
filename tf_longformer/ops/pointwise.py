"""Activation and normalisation that keep only what goes into them.

Left to itself, the gradient of GELU keeps six tensors of the width of the
feed-forward part, and that of a layer norm six of the hidden width. In
training that is most of the memory that a layer takes.
"""

from __future__ import annotations

import math
from typing import Any

from keras import ops

from tf_longformer.compat import after
from tf_longformer.compat import custom_gradient
from tf_longformer.ops.dropout import ReplayableDropout
from tf_longformer.ops.tokens import score_dtype


def gelu(x: Any) -> Any:
    """Exact GELU, `x * Phi(x)` (arXiv 1606.08415), by `erf`.

    Keras's own lowers to `Erfc`, which ONNX runtimes do not have.
    """
    return 0.5 * x * (1.0 + ops.erf(x * math.sqrt(0.5)))


def gelu_dense(x: Any, kernel: Any, bias: Any) -> Any:
    """`gelu(x) kernel + bias`, for training: `gelu(x)` isn't kept.

    Args:
        x: float tensor `[tokens, inner]`.
        kernel: tensor `[inner, hidden]`.
        bias: tensor `[hidden]`.

    Returns:
        Tensor `[tokens, hidden]`.
    """

    @custom_gradient
    def project(x: Any, kernel: Any, bias: Any) -> tuple:
        def grad(upstream: Any) -> tuple:
            kernel_gradient = ops.matmul(
                ops.transpose(gelu(after(x, upstream))), upstream
            )
            # One thing after the other: each is as wide as the inner part.
            again = after(x, kernel_gradient)
            slope = again * ops.exp(-0.5 * ops.square(again))
            slope = slope * (2 * math.pi) ** -0.5
            again = after(again, slope)
            slope = slope + (0.5 + 0.5 * ops.erf(again * math.sqrt(0.5)))
            inner = ops.matmul(after(upstream, slope), ops.transpose(kernel))
            return inner * slope, kernel_gradient, ops.sum(upstream, axis=0)

        return ops.matmul(gelu(x), kernel) + bias, grad

    return project(x, kernel, bias)


def add_and_normalize(
    update: Any,
    residual: Any,
    gamma: Any,
    beta: Any,
    epsilon: float,
    dropout: ReplayableDropout | None = None,
    stream: int = 0,
) -> Any:
    """Layer norm of a residual and what is added to it, for training.

    The backward pass keeps the sum, and drops the same elements again.

    Args:
        update: float tensor `[..., hidden]`.
        residual: tensor alike.
        gamma: float tensor `[hidden]`, the gain.
        beta: tensor alike, the offset.
        epsilon: float, added to the variance.
        dropout: `ReplayableDropout` of `update`, or `None`.
        stream: int, the dropout's stream. Defaults to `0`.

    Returns:
        Tensor like `residual`.
    """
    dtype = score_dtype(residual.dtype)

    def dropped(x: Any) -> Any:
        if dropout is None:
            return x
        return dropout.after(x)(x, stream)

    @custom_gradient
    def normalize(update: Any, residual: Any, gamma: Any, beta: Any) -> tuple:
        total = dropped(update) + residual
        wide = ops.cast(total, dtype)
        mean, variance = ops.moments(wide, axes=-1, keepdims=True)
        scale = ops.rsqrt(variance + epsilon)

        def grad(upstream: Any) -> tuple:
            upstream = ops.cast(upstream, dtype)
            normal = (ops.cast(after(total, upstream), dtype) - mean) * scale
            product = upstream * normal
            inner = upstream * gamma
            inner = inner - ops.mean(inner, axis=-1, keepdims=True)
            inner = inner - normal * ops.mean(
                product * gamma, axis=-1, keepdims=True
            )
            inner = ops.cast(inner * scale, residual.dtype)
            rows = tuple(range(len(inner.shape) - 1))
            return (
                dropped(inner),
                inner,
                ops.sum(product, axis=rows),
                ops.sum(upstream, axis=rows),
            )

        inverse = scale * gamma
        output = wide * inverse + (beta - mean * inverse)
        return ops.cast(output, residual.dtype), grad

    return normalize(
        update, residual, ops.cast(gamma, dtype), ops.cast(beta, dtype)
    )

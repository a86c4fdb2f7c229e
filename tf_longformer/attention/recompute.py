"""What the backward pass computes again, so that it need not be kept.

Automatic gradients keep six tensors of the feed-forward part's width for GELU,
six of the hidden width for a layer norm, and the masks of dropout. In training
that is most of the memory that a layer takes.
"""

from __future__ import annotations

import math
from typing import Any

from keras import ops

from tf_longformer.attention.scores import score_dtype
from tf_longformer.backend import custom_gradient
from tf_longformer.backend import wait_for

# From Chris Wellons's hash prospector ("lowbias32").
_MULTIPLIER = 0x846CA68B


class ReplayableDropout:
    """Dropout that gives the same mask whenever a stream is named again.

    The seed is drawn once, before the forward pass. Each block of work then
    uses a stream of its own, a number, and the backward pass replays the mask
    by naming it again. Whether an element is dropped follows from a hash of
    its position, the stream and the seed. Keras's generator could do the same,
    but inside a loop that XLA compiles it takes ten times as long as attention
    itself.

    Args:
        rate: float in [0, 1), the share of elements set to zero.
        seed: integer tensor `[2]`, as `SeedGenerator.next()` returns it.
    """

    def __init__(self, rate: float, seed: Any):
        self.rate = rate
        self._seed = ops.cast(seed, "uint32")

    def __call__(self, x: Any, stream: Any) -> Any:
        """Drops elements of `x`, scaling the others by `1 / (1 - rate)`.

        Args:
            x: float tensor of rank 1 or more.
            stream: int or integer scalar tensor; equal streams (and shapes)
                give equal masks.

        Returns:
            Tensor like `x`.
        """
        return x * self.mask(ops.shape(x), stream, x.dtype)

    def wait_for(self, x: Any) -> ReplayableDropout:
        """Returns the same dropout, whose masks are made only after `x`.

        A mask depends on no other tensor. A graph would make those of all
        layers at its start, and keep them.
        """
        return ReplayableDropout(self.rate, wait_for(self._seed, x))

    def mask(self, shape: tuple, stream: Any, dtype: Any) -> Any:
        """Returns the mask: what a tensor of that shape is multiplied by.

        Args:
            shape: tuple of ints or scalar tensors.
            stream: as above.
            dtype: dtype of the result.

        Returns:
            Tensor of 0 and `1 / (1 - rate)`.
        """
        rows = math.prod(shape[:-1])
        stream = _mix(ops.cast(stream, "uint32") + self._seed[0])
        row = _mix(_mix(_count(rows) + stream))
        column = _mix(_mix(_count(shape[-1]) + _mix(stream + self._seed[1])))
        # Rows and columns are hashed well. An element, of which there are many
        # more, takes only their product. The factors are odd, as an even one
        # would lose a bit.
        bits = ops.bitwise_or(ops.reshape(row, (*shape[:-1], 1)), _uint32(1))
        bits = bits * ops.bitwise_or(column, _uint32(1))
        threshold = _uint32(min(round(self.rate * 2**32), 2**32 - 1))
        scale = ops.cast(1 / (1 - self.rate), dtype)
        return ops.where(bits >= threshold, scale, ops.cast(0, dtype))


def _mix(x: Any) -> Any:
    """One round of the hash of uint32. Its upper bits are mixed well."""
    return ops.bitwise_xor(x, ops.right_shift(x, _uint32(16))) * _uint32(
        _MULTIPLIER
    )


def _count(size: Any) -> Any:
    return ops.cast(ops.arange(size, dtype="int32"), "uint32")


def _uint32(x: int) -> Any:
    return ops.convert_to_tensor(x, dtype="uint32")


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
                ops.transpose(gelu(wait_for(x, upstream))), upstream
            )
            # In this order, as each tensor here is as wide as the inner part:
            # computed at once, they would take more memory.
            again = wait_for(x, kernel_gradient)
            slope = again * ops.exp(-0.5 * ops.square(again))
            slope = slope * (2 * math.pi) ** -0.5
            again = wait_for(again, slope)
            slope = slope + (0.5 + 0.5 * ops.erf(again * math.sqrt(0.5)))
            inner = ops.matmul(wait_for(upstream, slope), ops.transpose(kernel))
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
        return dropout.wait_for(x)(x, stream)

    @custom_gradient
    def normalize(update: Any, residual: Any, gamma: Any, beta: Any) -> tuple:
        total = dropped(update) + residual
        wide = ops.cast(total, dtype)
        mean, variance = ops.moments(wide, axes=-1, keepdims=True)
        scale = ops.rsqrt(variance + epsilon)

        def grad(upstream: Any) -> tuple:
            upstream = ops.cast(upstream, dtype)
            normal = (ops.cast(wait_for(total, upstream), dtype) - mean) * scale
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

"""Cutting and joining: padding, slices, heads, tokens. No arithmetic."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def ceil_div(numerator: Any, denominator: Any) -> Any:
    """Returns `numerator / denominator` rounded up, of ints or tensors."""
    return (numerator + denominator - 1) // denominator


def pad_axis(x: Any, before: Any, after: Any, axis: int, value: Any = 0) -> Any:
    """Pads one axis of `x` with `value`, by ints or scalar tensors."""
    rank = len(x.shape)
    paddings = [(0, 0)] * rank
    paddings[axis % rank] = (before, after)
    if value == 0 and x.dtype != "bool":
        return ops.pad(x, paddings)
    return ops.pad(x, paddings, constant_values=value)


def slice_axis(x: Any, start: Any, stop: Any, axis: int) -> Any:
    """Returns `x[..., start:stop, ...]` along `axis`."""
    leading = (slice(None),) * (axis % len(x.shape))
    return x[leading + (slice(start, stop),)]


def split_heads(x: Any, heads: int) -> Any:
    """`[batch, seq, heads * head_dim]` to `[batch, heads, seq, head_dim]`."""
    batch, seq, hidden = ops.shape(x)
    x = ops.reshape(x, (batch, seq, heads, hidden // heads))
    return ops.transpose(x, (0, 2, 1, 3))


def join_heads(x: Any) -> Any:
    """`[batch, heads, seq, head_dim]` to `[batch, seq, heads * head_dim]`."""
    batch, heads, seq, head_dim = ops.shape(x)
    return ops.reshape(
        ops.transpose(x, (0, 2, 1, 3)), (batch, seq, heads * head_dim)
    )


def per_token(flags: Any, dtype: str) -> Any:
    """`[batch, seq]` to `[batch, 1, seq, 1]` of another dtype."""
    return ops.expand_dims(ops.expand_dims(ops.cast(flags, dtype), 1), 3)


def per_key(x: Any) -> Any:
    """`[batch, keys]` to `[batch, 1, 1, keys]`."""
    return ops.expand_dims(ops.expand_dims(x, 1), 1)


def take_tokens(x: Any, index: Any) -> Any:
    """Gathers tokens, each row of the batch its own.

    Args:
        x: tensor `[batch, heads, seq, d]`.
        index: int32 `[batch, tokens]`, positions in `seq`.

    Returns:
        Tensor `[batch, heads, tokens, d]`.
    """
    batch, heads, seq, depth = ops.shape(x)
    # One flat gather of rows: the element-wise `take_along_axis` is slower.
    row = ops.reshape(
        ops.arange(batch * heads, dtype="int32") * seq, (batch, heads, 1)
    )
    flat = row + ops.expand_dims(index, 1)
    return take_rows(ops.reshape(x, (-1, depth)), flat)


def take_rows(x: Any, index: Any) -> Any:
    """Gathers rows `[..., d]` of `x`, `[rows, d]`, by int32 `[...]`."""
    taken = ops.take(x, index, axis=0)
    if 0 in x.shape:
        # Of no rows JAX forgets the axes of the index.
        taken = ops.reshape(taken, (*ops.shape(index), x.shape[1]))
    return taken


def write_tokens(x: Any, start: Any, update: Any) -> Any:
    """Replaces consecutive tokens of `x` by those of `update`.

    Args:
        x: tensor `[batch, heads, seq, d]`.
        start: int32 scalar, the position of the first one.
        update: tensor `[batch, heads, tokens, d]`.

    Returns:
        Tensor like `x`.
    """
    if keras.backend.backend() == "jax":
        return ops.slice_update(x, (0, 0, start, 0), update)
    # In TensorFlow `slice_update` is an operation of XLA's, which those who
    # read a SavedModel don't know; a scatter is as fast.
    batch, heads, seq, depth = ops.shape(x)
    row = ops.expand_dims(ops.arange(batch * heads, dtype="int32") * seq, 1)
    token = ops.arange(ops.shape(update)[2], dtype="int32") + start
    flat = ops.reshape(row + token, (-1, 1))
    x, update = (ops.reshape(part, (-1, depth)) for part in (x, update))
    x = ops.scatter_update(x, flat, update)
    return ops.reshape(x, (batch, heads, seq, depth))

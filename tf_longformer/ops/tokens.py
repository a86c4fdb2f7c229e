"""Picking tokens out of `[batch, heads, seq, head_dim]` tensors."""

from __future__ import annotations

from typing import Any

from keras import ops

from tf_longformer.compat import compiling_with_xla
from tf_longformer.ops.plan import MASKED_SCORE
from tf_longformer.ops.plan import AttentionPlan


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


def take_tokens(x: Any, index: Any) -> Any:
    """Gathers tokens, each row of the batch its own.

    Args:
        x: tensor `[batch, heads, seq, head_dim]`.
        index: int32 `[batch, tokens]`, positions in `seq`.

    Returns:
        Tensor `[batch, heads, tokens, head_dim]`.
    """
    batch, heads, seq, head_dim = ops.shape(x)
    # One flat gather of rows: the element-wise `take_along_axis` is slower.
    row = ops.reshape(
        ops.arange(batch * heads, dtype="int32") * seq, (batch, heads, 1)
    )
    flat = row + ops.expand_dims(index, 1)
    return ops.take(ops.reshape(x, (-1, head_dim)), flat, axis=0)


def place_tokens(slots: Any, plan: AttentionPlan, first: int = 0) -> Any:
    """Puts what global tokens have in their slots at their positions.

    Args:
        slots: tensor `[batch, heads, slots, d]`, consecutive slots of
            `plan.order`.
        plan: `AttentionPlan` with global tokens.
        first: int, the first of them. Defaults to `0`.

    Returns:
        Tensor `[batch, heads, seq, d]`, zero at all other tokens.
    """
    last = ops.shape(slots)[2] - 1
    rank = plan.rank - first
    inside = ops.maximum(ops.minimum(rank, last), 0)
    placed = take_tokens(slots, inside)
    here = ops.logical_and(plan.is_global, ops.equal(rank, inside))
    return placed * per_token(here, slots.dtype)


def write_tokens(x: Any, start: Any, update: Any) -> Any:
    """Replaces consecutive tokens.

    Args:
        x: tensor `[batch, heads, seq, d]`.
        start: int32 scalar, the position of the first one.
        update: tensor `[batch, heads, tokens, d]`.

    Returns:
        Tensor like `x`.
    """
    if compiling_with_xla():
        return ops.slice_update(x, (0, 0, start, 0), update)
    # As fast outside of XLA, and known to those who read a SavedModel.
    batch, heads, seq, depth = ops.shape(x)
    row = ops.expand_dims(ops.arange(batch * heads, dtype="int32") * seq, 1)
    token = ops.arange(ops.shape(update)[2], dtype="int32") + start
    flat = ops.reshape(row + token, (-1, 1))
    x, update = (ops.reshape(part, (-1, depth)) for part in (x, update))
    x = ops.scatter_update(x, flat, update)
    return ops.reshape(x, (batch, heads, seq, depth))


def per_token(flags: Any, dtype: str) -> Any:
    """Reshapes `[batch, seq]` to `[batch, 1, seq, 1]` of another dtype."""
    return ops.expand_dims(ops.expand_dims(ops.cast(flags, dtype), 1), 3)


def score_dtype(dtype: str) -> str:
    """Returns the dtype of scores and softmax: float32, or float64's own."""
    return "float64" if dtype == "float64" else "float32"


def softmax(scores: Any, axis: int) -> Any:
    """Softmax of masked scores, over an axis of any length.

    Unlike Keras's it has no opinion on an axis of one element, and takes
    tensors without elements: one token, or no slot, is a legitimate input.
    """
    if scores.shape[axis] not in (0, 1):
        return ops.softmax(scores, axis=axis)
    # No score is below `MASKED_SCORE`, which makes it a neutral start.
    peak = ops.max(scores, axis=axis, keepdims=True, initial=MASKED_SCORE)
    weights = ops.exp(scores - peak)
    return weights / ops.sum(weights, axis=axis, keepdims=True)

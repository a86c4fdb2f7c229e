"""Attention in operations that every runtime has.

LiteRT and ONNX know no loops whose parts have another shape at every run, no
branches over such parts, and no updates of slices; but their shapes may
follow from values, which XLA forbids. So all blocks are worked off at once,
beside as many columns as the row with most global tokens needs. It takes
more memory than `local_attention`, still linear in the length, and knows no
dropout.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import numpy as np
from keras import ops

from tf_longformer.ops.blocks import ceil_div
from tf_longformer.ops.blocks import pad_axis
from tf_longformer.ops.blocks import slice_axis
from tf_longformer.ops.plan import MASKED_SCORE
from tf_longformer.ops.plan import AttentionPlan
from tf_longformer.ops.tokens import join_heads
from tf_longformer.ops.tokens import per_token
from tf_longformer.ops.tokens import place_tokens
from tf_longformer.ops.tokens import score_dtype
from tf_longformer.ops.tokens import softmax
from tf_longformer.ops.tokens import take_tokens

_LEAST_BLOCK = 16
_AS_NEEDED = 0
_slots = contextvars.ContextVar("portable_attention", default=None)


@contextlib.contextmanager
def portable_attention(slots: int | None = None) -> Iterator[None]:
    """Lets what is traced inside attend by `attend_portably`.

    Args:
        slots: int, columns for global tokens, where XLA is to compile the
            graph for one shape: as many as a row can have. Defaults to what
            each run needs.
    """
    token = _slots.set(slots or _AS_NEEDED)
    try:
        yield
    finally:
        _slots.reset(token)


def is_portable() -> bool:
    """Returns whether `portable_attention` is in force."""
    return _slots.get() is not None


def attend_portably(
    query: Any,
    key: Any,
    value: Any,
    global_projections: Callable[[Any], tuple],
    plan: AttentionPlan,
    radius: int,
) -> Any:
    """Does what `local_attention` and `global_attention` do together.

    Args:
        query: float tensor `[batch, heads, seq, head_dim]`.
        key: tensor alike.
        value: tensor alike.
        global_projections: function of int32 `[batch, slots]`, positions of
            tokens. It returns their global queries
            `[batch, heads, slots, head_dim]`, and global keys and values of
            all tokens, like `key`.
        plan: `AttentionPlan`.
        radius: int >= 1, keys on either side.

    Returns:
        Tensor `[batch, seq, heads * head_dim]`, zero at padding.
    """
    dtype = score_dtype(query.dtype)
    scaled = ops.cast(query, dtype) * query.shape[3] ** -0.5
    outer = value.dtype
    key, value = ops.cast(key, dtype), ops.cast(value, dtype)
    if plan.most is None:
        mixed = _local(scaled, key, value, None, plan, radius)
        return join_heads(ops.cast(mixed, outer))
    # At least one slot, as some runtimes have no empty tensors.
    slots = _slots.get() or ops.maximum(plan.most, 1)
    index = slice_axis(plan.order, 0, slots, axis=1)
    lanes = ops.expand_dims(ops.arange(slots, dtype="int32"), 0)
    used = lanes < ops.expand_dims(plan.count, 1)
    columns = (
        take_tokens(key, index),
        take_tokens(value, index),
        ops.where(used, 0.0, MASKED_SCORE),
    )
    mixed = _local(scaled, key, value, columns, plan, radius)
    query, key, value = (ops.cast(x, dtype) for x in global_projections(index))
    added = ops.where(plan.attended, 0.0, MASKED_SCORE)
    scores = ops.matmul(
        query * query.shape[3] ** -0.5, ops.transpose(key, (0, 1, 3, 2))
    )
    scores = scores + ops.expand_dims(ops.expand_dims(added, 1), 1)
    rows = ops.matmul(softmax(scores, axis=-1), value)
    mixed = mixed + place_tokens(rows, plan)
    return join_heads(ops.cast(mixed, outer))


def _local(
    query: Any,
    key: Any,
    value: Any,
    columns: tuple | None,
    plan: AttentionPlan,
    radius: int,
) -> Any:
    """Returns `[batch, heads, seq, head_dim]`, zero at global tokens."""
    batch, _, seq, head_dim = ops.shape(query)
    heads = query.shape[1]
    block = max(radius, _LEAST_BLOCK)
    blocks = ceil_div(seq, block)
    after = blocks * block - seq
    rows = (batch * heads, blocks, block, head_dim)
    query = ops.reshape(pad_axis(query, 0, after, axis=2), rows)
    key, value = (
        _frames(ops.reshape(x, (-1, seq, head_dim)), block, blocks, after)
        for x in (key, value)
    )
    far = pad_axis(
        plan.key_scores, block, after + block, axis=1, value=MASKED_SCORE
    )
    added = ops.minimum(
        _near_scores(radius, block),
        _per_head(_joined(far, block, blocks), heads),
    )
    scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) + added
    if columns is None:
        mixed = ops.matmul(softmax(scores, axis=-1), value)
    else:
        column_key, column_value, used = columns
        slots = ops.shape(used)[1]
        column_key, column_value = (
            ops.reshape(x, (batch * heads, slots, head_dim))
            for x in (column_key, column_value)
        )
        used = _per_head(ops.expand_dims(used, 1), heads)
        more = _times(query, ops.transpose(column_key, (0, 2, 1))) + used
        weights = softmax(ops.concatenate([scores, more], axis=3), axis=-1)
        frame = 3 * block
        mixed = ops.matmul(slice_axis(weights, 0, frame, 3), value) + _times(
            slice_axis(weights, frame, frame + slots, 3), column_value
        )
    mixed = ops.reshape(mixed, (batch, heads, blocks * block, head_dim))
    wanted = ops.logical_and(plan.attended, ops.logical_not(plan.is_global))
    return slice_axis(mixed, 0, seq, axis=2) * per_token(wanted, mixed.dtype)


def _times(blocks: Any, columns: Any) -> Any:
    """Multiplies `[rows, blocks, block, m]` with `[rows, m, n]`."""
    rows, number, block, depth = ops.shape(blocks)
    product = ops.matmul(
        ops.reshape(blocks, (rows, number * block, depth)), columns
    )
    return ops.reshape(product, (rows, number, block, ops.shape(columns)[2]))


def _frames(x: Any, block: int, blocks: Any, after: Any) -> Any:
    """Returns `[rows, blocks, 3 * block, d]` of `[rows, seq, d]`."""
    x = pad_axis(x, block, after + block, axis=1)
    rows, _, depth = ops.shape(x)
    x = ops.reshape(x, (rows, blocks + 2, block, depth))
    parts = [slice_axis(x, i, blocks + i, axis=1) for i in range(3)]
    return ops.concatenate(parts, axis=2)


def _joined(x: Any, block: int, blocks: Any) -> Any:
    """Returns `[batch, blocks, 3 * block]` of `[batch, padded seq]`."""
    x = ops.reshape(x, (-1, blocks + 2, block))
    parts = [slice_axis(x, i, blocks + i, axis=1) for i in range(3)]
    return ops.concatenate(parts, axis=2)


def _per_head(x: Any, heads: int) -> Any:
    """Returns `[batch * heads, n, 1, keys]` of `[batch, n, keys]`."""
    batch, number, keys = ops.shape(x)
    x = ops.tile(ops.expand_dims(x, 1), (1, heads, 1, 1))
    return ops.reshape(x, (batch * heads, number, 1, keys))


def _near_scores(radius: int, block: int) -> np.ndarray:
    """Returns `[block, 3 * block]`: 0 where a key is near enough."""
    offset = np.arange(3 * block) - block - np.arange(block)[:, None]
    near = np.abs(offset) <= radius
    return np.where(near, 0.0, MASKED_SCORE).astype("float32")

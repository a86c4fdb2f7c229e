"""Attention of all blocks at once, in operations that every runtime has.

It has two uses. Exported to LiteRT, ONNX and OpenVINO, a graph can't have
loops and branches over tensors of free shape, nor updates of slices; but there
shapes may follow from values, which XLA forbids. And it has all probabilities
at once, which the fast path never has, to return them. It takes
O(seq * window * heads) of memory, and knows no dropout.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import numpy as np
from keras import ops

from tf_longformer.attention.roles import TokenRoles
from tf_longformer.attention.roles import place_slots
from tf_longformer.attention.roles import take_columns
from tf_longformer.attention.scores import MASKED_SCORE
from tf_longformer.attention.scores import added_scores
from tf_longformer.attention.scores import score_dtype
from tf_longformer.attention.scores import softmax
from tf_longformer.attention.shapes import ceil_div
from tf_longformer.attention.shapes import join_heads
from tf_longformer.attention.shapes import pad_axis
from tf_longformer.attention.shapes import per_key
from tf_longformer.attention.shapes import per_token
from tf_longformer.attention.shapes import slice_axis
from tf_longformer.attention.shapes import take_tokens

_LEAST_BLOCK = 16


def attend_by_reference(
    query: Any,
    key: Any,
    value: Any,
    project_globals: Callable[[Any], Iterator],
    roles: TokenRoles,
    radius: int,
) -> Any:
    """Returns what `windowed_attention` and `global_attention` do together.

    Args:
        query: float tensor `[batch, heads, seq, head_dim]`.
        key: tensor alike.
        value: tensor alike.
        project_globals: generator function of int32 `[batch, columns]`,
            positions of tokens. It yields their global queries
            `[batch, heads, columns, head_dim]`, then global keys and last
            global values of all tokens, like `key`.
        roles: `TokenRoles`.
        radius: int >= 1, keys on either side.

    Returns:
        Tensor `[batch, seq, heads * head_dim]`, zero at padding.
    """
    outer, dtype = value.dtype, score_dtype(query.dtype)
    batch, heads, seq, head_dim = ops.shape(query)
    heads = query.shape[1]
    radius = _reach(radius, seq)
    value = ops.cast(value, dtype)
    # [batch * heads, blocks, block, 3 * block], and columns in their place
    weights, column_weights = _window_weights(query, key, roles, radius)
    block = max(radius, _LEAST_BLOCK)
    blocks = ceil_div(seq, block)
    mixed = ops.matmul(
        weights, _three_blocks(ops.reshape(value, (-1, seq, head_dim)), block)
    )
    if roles.max_globals is not None:
        index, _ = take_columns(roles)
        column_value = ops.reshape(
            take_tokens(value, index),
            (batch * heads, ops.shape(index)[1], head_dim),
        )
        mixed = mixed + _times(column_weights, column_value)
    # To [batch, heads, seq, head_dim]
    mixed = ops.reshape(mixed, (batch, heads, blocks * block, head_dim))
    mixed = slice_axis(mixed, 0, seq, axis=2) * per_token(roles.is_local, dtype)
    if roles.max_globals is not None:
        query, key, value = (ops.cast(x, dtype) for x in project_globals(index))
        rows = ops.matmul(_global_weights(query, key, roles), value)
        mixed = mixed + place_slots(rows, roles)
    return join_heads(ops.cast(mixed, outer))


def attention_probabilities(
    query: Any,
    key: Any,
    project_globals: Callable[[Any], Iterator],
    roles: TokenRoles,
    radius: int,
) -> tuple[Any, Any]:
    """Returns attention probabilities in the layout of Hugging Face.

    Args:
        query: as for `attend_by_reference`, like all else.
        key: the same.
        project_globals: the same; its values aren't asked for.
        roles: the same.
        radius: the same.

    Returns:
        What each token gives to the global tokens and its window,
        `[batch, heads, seq, columns + 2 * radius + 1]`: column `g < columns`
        is the row's g-th global token, column `columns + c` the token at
        offset `c - radius`. Rows of tokens that are masked or global are
        zero, all others sum to one.

        What each global token gives to every token,
        `[batch, heads, seq, columns]`: column `g` is the row's g-th global
        token and sums to one over `seq`; unused columns are zero. `None`
        where no token is global. Both are float32 or wider.
    """
    dtype = score_dtype(query.dtype)
    batch, heads, seq, _ = ops.shape(query)
    beyond = radius - _reach(radius, seq)
    radius -= beyond
    weights, column_weights = _window_weights(query, key, roles, radius)
    block = max(radius, _LEAST_BLOCK)
    blocks, keys = ceil_div(seq, block), 3 * block
    # Query q of a block sees offset c of its window at key q + c + what the
    # block before has left of the window: [block, window].
    window = np.arange(2 * radius + 1)
    diagonals = np.arange(block)[:, None] * (keys + 1) + window + block - radius
    weights = ops.take(
        ops.reshape(weights, (-1, blocks, block * keys)),
        diagonals.astype("int32"),
        axis=2,
    )

    def by_token(x: Any) -> Any:
        """`[batch * heads, blocks, block, n]` to `[batch, heads, seq, n]`."""
        x = ops.reshape(x, (batch, heads, blocks * block, ops.shape(x)[3]))
        return slice_axis(x, 0, seq, axis=2)

    local = by_token(weights)
    if beyond:
        local = pad_axis(local, beyond, beyond, axis=3)
    if column_weights is not None:
        local = ops.concatenate([by_token(column_weights), local], axis=3)
    local = local * per_token(roles.is_local, dtype)
    if roles.max_globals is None:
        return local, None
    index, used = take_columns(roles)
    projected = project_globals(index)
    query, key = (ops.cast(next(projected), dtype) for _ in range(2))
    # [batch, heads, columns, seq] to [batch, heads, seq, columns]
    global_ = ops.swapaxes(_global_weights(query, key, roles), 2, 3)
    return local, global_ * ops.cast(per_key(used), dtype)


def _reach(radius: int, seq: Any) -> int:
    """Returns the radius, no larger than a sequence of known length needs."""
    return min(radius, max(seq, 1)) if isinstance(seq, int) else radius


def _window_weights(
    query: Any, key: Any, roles: TokenRoles, radius: int
) -> tuple[Any, Any]:
    """Returns the softmax over the window and the columns, in two parts.

    Query, key and roles are as above. The parts are
    `[batch * heads, blocks, block, 3 * block]`, for the keys of a query's own
    block and the blocks beside it, and `[..., columns]` or `None`.
    """
    dtype = score_dtype(query.dtype)
    query = ops.cast(query, dtype) * query.shape[3] ** -0.5
    key = ops.cast(key, dtype)
    batch, _, seq, head_dim = ops.shape(query)
    heads = query.shape[1]
    block = max(radius, _LEAST_BLOCK)
    blocks = ceil_div(seq, block)
    missing = blocks * block - seq
    # [batch * heads, blocks, block, head_dim], and 3 * block of keys
    queries = ops.reshape(
        pad_axis(query, 0, missing, axis=2),
        (batch * heads, blocks, block, head_dim),
    )
    keys = _three_blocks(ops.reshape(key, (-1, seq, head_dim)), block)
    # [batch, blocks, 3 * block, 1] to [batch * heads, blocks, 1, 3 * block]
    key_scores = _three_blocks(
        ops.expand_dims(added_scores(roles.is_local), 2), block, MASKED_SCORE
    )
    key_scores = _per_head(key_scores[:, :, :, 0], heads)
    # [block, 3 * block]
    offset = np.arange(3 * block) - block - np.arange(block)[:, None]
    near = np.where(np.abs(offset) <= radius, 0.0, MASKED_SCORE)
    scores = ops.matmul(queries, ops.transpose(keys, (0, 1, 3, 2)))
    scores = scores + ops.cast(
        ops.minimum(near.astype("float32"), key_scores), dtype
    )
    if roles.max_globals is None:
        return softmax(scores, axis=-1), None
    index, used = take_columns(roles)
    columns = ops.shape(index)[1]
    column_key = ops.reshape(
        take_tokens(key, index), (batch * heads, columns, head_dim)
    )
    # [batch * heads, blocks, block, columns]
    column_scores = _times(queries, ops.transpose(column_key, (0, 2, 1)))
    used = _per_head(ops.expand_dims(added_scores(used), 1), heads)
    column_scores = column_scores + ops.cast(used, dtype)
    weights = softmax(ops.concatenate([scores, column_scores], axis=3), axis=-1)
    keys = 3 * block
    return (
        slice_axis(weights, 0, keys, axis=3),
        slice_axis(weights, keys, keys + columns, axis=3),
    )


def _global_weights(query: Any, key: Any, roles: TokenRoles) -> Any:
    """Returns `[batch, heads, columns, seq]` of projected global tokens."""
    scores = ops.matmul(
        query * query.shape[3] ** -0.5, ops.transpose(key, (0, 1, 3, 2))
    )
    added = ops.cast(per_key(added_scores(roles.attended)), scores.dtype)
    return softmax(scores + added, axis=-1)


def _three_blocks(x: Any, block: int, value: float = 0.0) -> Any:
    """Returns each block of a sequence with the ones before and after it.

    `[rows, seq, d]` to `[rows, blocks, 3 * block, d]`, padded with `value`.
    """
    rows, seq, depth = ops.shape(x)
    blocks = ceil_div(seq, block)
    after = (blocks + 1) * block - seq
    x = pad_axis(x, block, after, axis=1, value=value)
    x = ops.reshape(x, (rows, blocks + 2, block, depth))
    parts = [slice_axis(x, i, blocks + i, axis=1) for i in range(3)]
    return ops.concatenate(parts, axis=2)


def _times(blocks: Any, columns: Any) -> Any:
    """Multiplies `[rows, blocks, block, m]` with `[rows, m, n]`."""
    rows, number, block, depth = ops.shape(blocks)
    product = ops.matmul(
        ops.reshape(blocks, (rows, number * block, depth)), columns
    )
    return ops.reshape(product, (rows, number, block, ops.shape(columns)[2]))


def _per_head(x: Any, heads: int) -> Any:
    """`[batch, n, keys]` to `[batch * heads, n, 1, keys]`."""
    batch, number, keys = ops.shape(x)
    x = ops.tile(ops.expand_dims(x, 1), (1, heads, 1, 1))
    return ops.reshape(x, (batch * heads, number, 1, keys))

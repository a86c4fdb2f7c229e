"""Attention probabilities in the layout that Hugging Face returns.

These are for looking at: they cost O(seq * window * heads) of memory, which
`local_attention` and `global_attention` avoid.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from tf_longformer.ops.blocks import ceil_div
from tf_longformer.ops.blocks import frame
from tf_longformer.ops.blocks import pad_axis
from tf_longformer.ops.blocks import slice_axis
from tf_longformer.ops.plan import MASKED_SCORE
from tf_longformer.ops.plan import AttentionPlan
from tf_longformer.ops.tokens import per_token
from tf_longformer.ops.tokens import score_dtype
from tf_longformer.ops.tokens import softmax
from tf_longformer.ops.tokens import take_tokens


def _slot_tokens(plan: AttentionPlan, slots: Any) -> tuple:
    """Positions and use of the first `slots` slots, `[batch, slots]` each."""
    missing = slots - ops.shape(plan.order)[1]
    missing = (
        max(missing, 0) if isinstance(missing, int) else ops.maximum(missing, 0)
    )
    index = slice_axis(pad_axis(plan.order, 0, missing, 1), 0, slots, axis=1)
    lanes = ops.expand_dims(ops.arange(slots, dtype="int32"), 0)
    return index, lanes < ops.expand_dims(plan.count, 1)


def local_probabilities(
    query: Any, key: Any, plan: AttentionPlan, radius: int, slots: Any
) -> Any:
    """Returns what each token gives to the global tokens and its window.

    Args:
        query: queries `[batch, heads, seq, head_dim]`.
        key: keys alike.
        plan: `AttentionPlan`.
        radius: int, keys on either side.
        slots: int, or int32 scalar where it may depend on the input: columns
            for global tokens. None are made where the plan has none.

    Returns:
        Tensor `[batch, heads, seq, slots + 2 * radius + 1]`, float32 or
        wider. Column `g < slots` is the row's g-th global token, column
        `slots + c` the token at offset `c - radius`. Rows of tokens that are
        masked or global are zero, all others sum to one.
    """
    dtype = score_dtype(query.dtype)
    query = ops.cast(query, dtype) * query.shape[3] ** -0.5
    key = ops.cast(key, dtype)
    batch, heads, seq, head_dim = ops.shape(query)
    block = min(128, max(32, radius))
    size = block + 2 * radius
    blocks = ceil_div(seq, block)
    after = blocks * block - seq
    queries = ops.reshape(
        pad_axis(query, 0, after, axis=2),
        (batch, heads, blocks, block, head_dim),
    )
    keys = frame(
        pad_axis(key, radius, radius + after, axis=2), size, block, axis=2
    )
    key_scores = pad_axis(
        plan.key_scores, radius, radius + after, axis=1, value=MASKED_SCORE
    )
    # [batch, 1, blocks, 1, size]
    key_scores = frame(key_scores, size, block, axis=1)
    key_scores = ops.expand_dims(ops.expand_dims(key_scores, 1), 3)
    scores = ops.einsum("bhnqd,bhnkd->bhnqk", queries, keys)
    scores = scores + ops.cast(key_scores, dtype)
    # Query q of a block sees offset c of its window at q + c of its frame.
    diagonals = np.arange(block)[:, None] * (size + 1)
    diagonals = (diagonals + np.arange(2 * radius + 1)).astype("int32")
    scores = ops.reshape(scores, (batch, heads, blocks, block * size))
    # [batch, heads, blocks, block, window] to [batch, heads, seq, window]
    scores = ops.reshape(
        ops.take(scores, diagonals, axis=3),
        (batch, heads, blocks * block, 2 * radius + 1),
    )
    scores = slice_axis(scores, 0, seq, axis=2)
    local = ops.logical_and(plan.attended, ops.logical_not(plan.is_global))
    if plan.most is None:
        return softmax(scores, axis=-1) * per_token(local, dtype)
    index, used = _slot_tokens(plan, slots)
    columns = ops.einsum("bhqd,bhkd->bhqk", query, take_tokens(key, index))
    used = ops.expand_dims(ops.expand_dims(used, 1), 1)
    columns = ops.where(used, columns, ops.cast(MASKED_SCORE, dtype))
    probabilities = softmax(
        ops.concatenate([columns, scores], axis=-1), axis=-1
    )
    return probabilities * per_token(local, dtype)


def global_probabilities(
    query: Any, key: Any, plan: AttentionPlan, slots: Any
) -> Any:
    """Returns what each global token gives to every token.

    Args:
        query: queries of the global projection,
            `[batch, heads, seq, head_dim]`.
        key: its keys alike.
        plan: `AttentionPlan`.
        slots: as for `local_probabilities`.

    Returns:
        Tensor `[batch, heads, seq, slots]`, float32 or wider: column `g` is
        the row's g-th global token and sums to one over `seq`; unused
        columns are zero.
    """
    dtype = score_dtype(query.dtype)
    index, used = _slot_tokens(plan, slots)
    scores = ops.einsum(
        "bhqd,bhkd->bhkq",
        take_tokens(ops.cast(query, dtype), index) * query.shape[3] ** -0.5,
        ops.cast(key, dtype),
    )
    attended = per_token(plan.attended, "bool")
    scores = ops.where(attended, scores, ops.cast(MASKED_SCORE, dtype))
    used = ops.expand_dims(ops.expand_dims(used, 1), 1)
    return softmax(scores, axis=2) * ops.cast(used, dtype)

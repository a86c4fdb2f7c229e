"""Attention of every token to its window and to all global tokens.

Queries attend block by block (`_attend_blocks`): one softmax over the keys of
their windows and the first global keys of the row. If a row has more global
keys, `_merge_chunks` adds them, chunk by chunk, by the log-sum-exp of the
scores. No scores are kept: the backward pass makes them again, so that
training keeps O(seq * hidden) and not O(seq * window * heads). The ideas are
those of FlashAttention (arXiv 2205.14135).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from keras import ops

from tf_longformer.attention.blocking import Blocking
from tf_longformer.attention.blocking import KeyBlocks
from tf_longformer.attention.blocking import cut_into_blocks
from tf_longformer.attention.blocking import for_each_chunk
from tf_longformer.attention.recompute import ReplayableDropout
from tf_longformer.attention.roles import GLOBAL_COLUMNS
from tf_longformer.attention.roles import TokenRoles
from tf_longformer.attention.scores import added_scores
from tf_longformer.attention.scores import score_dtype
from tf_longformer.attention.scores import softmax
from tf_longformer.attention.shapes import join_heads
from tf_longformer.attention.shapes import per_key
from tf_longformer.attention.shapes import split_heads
from tf_longformer.attention.shapes import take_tokens
from tf_longformer.attention.windowed_gradient import windowed_gradients
from tf_longformer.backend import custom_gradient
from tf_longformer.backend import map_blocks
from tf_longformer.backend import matmul_operand
from tf_longformer.backend import wide_matmul


def windowed_attention(
    query: Any,
    key: Any,
    value: Any,
    roles: TokenRoles,
    radius: int,
    dropout: ReplayableDropout | None = None,
) -> Any:
    """Attends within the window and to the global tokens (paper, 3.1).

    Query `i` sees the attended, not global keys `j` with
    `|i - j| <= radius`, and every global key of its row once. Scores are
    scaled by `1 / sqrt(head_dim)`; they and the softmax are float32 (or
    float64), whatever the arguments are.

    Args:
        query: float tensor `[batch, heads, seq, head_dim]`.
        key: tensor alike.
        value: tensor alike.
        roles: `TokenRoles`.
        radius: int >= 1, keys on either side (`attention_window // 2`).
        dropout: `ReplayableDropout` of the probabilities, or `None`.

    Returns:
        Tensor `[batch, seq, heads * head_dim]` of `value`'s dtype. Rows of
        tokens that the mask excludes, and of global tokens (which attend by
        `global_attention`), are zero.
    """

    @custom_gradient
    def attend(query: Any, key: Any, value: Any) -> tuple:
        output, log_sum = _forward(query, key, value, roles, radius, dropout)

        def grad(upstream: Any) -> tuple:
            return windowed_gradients(
                query,
                key,
                value,
                output,
                log_sum,
                upstream,
                roles,
                radius,
                dropout,
            )

        return output, grad

    return attend(query, key, value)


def _forward(
    query: Any,
    key: Any,
    value: Any,
    roles: TokenRoles,
    radius: int,
    dropout: ReplayableDropout | None,
) -> tuple:
    """Returns the output and the log-sum-exp `[batch, heads, seq, 1]`.

    The latter is needed only where there are chunks. It is `None` without
    columns, and zeros of no meaning where these hold all global tokens.
    """
    blocking = cut_into_blocks(
        radius, ops.shape(query)[2], roles, backward=dropout is not None
    )
    if dropout is not None:
        dropout = dropout.wait_for(query)

    attend = partial(_attend_blocks, query, key, value, roles, dropout)
    if not blocking.has_columns:
        return attend(blocking), None

    def few_globals() -> tuple:
        zeros = ops.zeros_like(query[..., :1], dtype=score_dtype(query.dtype))
        # Dropout depends on the blocks, so that with it they must be those of
        # the backward pass.
        if isinstance(blocking.seq, int) or dropout is not None:
            return attend(blocking), zeros
        # The length isn't known before the run, and may turn out to be short.
        output = ops.cond(
            blocking.seq <= blocking.block + 2 * radius,
            lambda: attend(blocking.seeing_all()),
            lambda: attend(blocking),
        )
        return output, zeros

    def many_globals() -> tuple:
        output, log_sum = attend(blocking, with_log_sum=True)
        return _merge_chunks(
            query, key, value, roles, blocking, dropout, output, log_sum
        )

    return ops.cond(
        roles.max_globals > GLOBAL_COLUMNS, many_globals, few_globals
    )


def _attend_blocks(
    query: Any,
    key: Any,
    value: Any,
    roles: TokenRoles,
    dropout: ReplayableDropout | None,
    blocking: Blocking,
    with_log_sum: bool = False,
) -> Any:
    """Attends to the window and the columns.

    Returns:
        Output `[batch, seq, hidden]`; `with_log_sum` a tuple of it and the
        log-sum-exp `[batch, heads, seq, 1]`.
    """
    dtype = score_dtype(query.dtype)
    scale = query.shape[3] ** -0.5
    key_blocks = KeyBlocks(
        blocking,
        roles,
        matmul_operand(key, dtype),
        value,
        # What dropout makes of a weight follows from its place in the block,
        # which must be the same in the backward pass.
        evenly=dropout is not None,
    )
    # [batch, heads, blocks * block, head_dim]
    query = blocking.pad_to_blocks(query, axis=2)
    # [batch, blocks * block, 1]
    is_local = blocking.pad_to_blocks(
        ops.expand_dims(ops.cast(roles.is_local, value.dtype), 2), axis=1
    )
    batch, heads, _, head_dim = ops.shape(query)

    def attend_block(number: Any) -> Any:
        # [batch, heads, keys, head_dim], twice, and [batch, 1, block, keys]
        keys, values, added = key_blocks.take(number)
        start = number * blocking.block
        # [batch, heads, block, head_dim]
        queries = ops.slice(
            query, (0, 0, start, 0), (batch, heads, blocking.block, head_dim)
        )
        # [batch, heads, block, keys]
        scores = wide_matmul(
            matmul_operand(queries, dtype), ops.swapaxes(keys, 2, 3), dtype
        )
        scores = scores * scale + ops.cast(added, dtype)
        weights = softmax(scores, axis=-1)
        dropped = weights if dropout is None else dropout(weights, number)
        # [batch, heads, block, head_dim] to [batch, block, hidden]
        output = join_heads(ops.matmul(ops.cast(dropped, value.dtype), values))
        output = output * ops.slice(
            is_local, (0, start, 0), (batch, blocking.block, 1)
        )
        if not with_log_sum:
            return output
        # [batch, block, heads]; the largest weight is exp(score - log_sum).
        log_sum = ops.max(scores, axis=-1) - ops.log(ops.max(weights, axis=-1))
        return output, ops.transpose(log_sum, (0, 2, 1))

    # [blocks, batch, block, hidden] to [batch, seq, hidden]
    scores_shape = (query.shape[0], heads, blocking.block, blocking.keys)
    outputs = map_blocks(attend_block, blocking.blocks, scores_shape)
    if not with_log_sum:
        return blocking.join_blocks(outputs)
    output, log_sum = (blocking.join_blocks(x) for x in outputs)
    return output, ops.expand_dims(ops.transpose(log_sum, (0, 2, 1)), 3)


def _merge_chunks(
    query: Any,
    key: Any,
    value: Any,
    roles: TokenRoles,
    blocking: Blocking,
    dropout: ReplayableDropout | None,
    output: Any,
    log_sum: Any,
) -> tuple:
    """Adds the global keys that the columns do not hold."""
    dtype = log_sum.dtype
    scale = query.shape[3] ** -0.5

    def merge(
        chunk: Any, index: Any, used: Any, log_sum: Any, mixed: Any
    ) -> tuple:
        # [batch, heads, seq, chunk]
        scores = wide_matmul(
            matmul_operand(query, dtype),
            ops.swapaxes(matmul_operand(take_tokens(key, index), dtype), 2, 3),
            dtype,
        )
        scores = scores * scale + ops.cast(per_key(added_scores(used)), dtype)
        peak = ops.maximum(log_sum, ops.max(scores, axis=-1, keepdims=True))
        weights = ops.exp(scores - peak)
        decay = ops.exp(log_sum - peak)
        total = decay + ops.sum(weights, axis=-1, keepdims=True)
        weights = weights / total
        if dropout is not None:
            # Blocks use the streams of their own numbers; chunks follow.
            weights = dropout(weights, blocking.blocks + chunk)
        mixed = mixed * (decay / total) + ops.matmul(
            weights, ops.cast(take_tokens(value, index), dtype)
        )
        return peak + ops.log(total), mixed

    # [batch, heads, seq, head_dim]
    mixed = ops.cast(split_heads(output, query.shape[1]), dtype)
    log_sum, mixed = for_each_chunk(roles, merge, (log_sum, mixed))
    output = ops.cast(join_heads(mixed), output.dtype)
    is_local = ops.expand_dims(ops.cast(roles.is_local, output.dtype), 2)
    return output * is_local, log_sum

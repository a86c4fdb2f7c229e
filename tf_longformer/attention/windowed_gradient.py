"""The gradient of windowed attention, which makes the scores once more.

In the order of the forward pass: the blocks with their columns, then the
chunks of further global keys.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from tf_longformer.attention.blocking import Blocking
from tf_longformer.attention.blocking import KeyBlocks
from tf_longformer.attention.blocking import cut_into_blocks
from tf_longformer.attention.blocking import for_each_chunk
from tf_longformer.attention.recompute import ReplayableDropout
from tf_longformer.attention.roles import GLOBAL_CHUNK
from tf_longformer.attention.roles import GLOBAL_COLUMNS
from tf_longformer.attention.roles import TokenRoles
from tf_longformer.attention.roles import place_slots
from tf_longformer.attention.scores import added_scores
from tf_longformer.attention.scores import score_dtype
from tf_longformer.attention.scores import softmax
from tf_longformer.attention.shapes import join_heads
from tf_longformer.attention.shapes import pad_axis
from tf_longformer.attention.shapes import per_key
from tf_longformer.attention.shapes import slice_axis
from tf_longformer.attention.shapes import split_heads
from tf_longformer.attention.shapes import take_tokens
from tf_longformer.attention.shapes import write_tokens
from tf_longformer.backend import map_blocks
from tf_longformer.backend import matmul_operand
from tf_longformer.backend import wait_for
from tf_longformer.backend import wide_matmul


def windowed_gradients(
    query: Any,
    key: Any,
    value: Any,
    output: Any,
    log_sum: Any,
    upstream: Any,
    roles: TokenRoles,
    radius: int,
    dropout: ReplayableDropout | None,
) -> tuple:
    """Returns the gradients of query, key and value.

    Args:
        query: as for `windowed_attention`, like all that isn't named here.
        key: the same.
        value: the same.
        output: what it returned, `[batch, seq, hidden]`.
        log_sum: of the scores, `[batch, heads, seq, 1]`, or `None`.
        upstream: gradient of the output.
        roles: the same.
        radius: the same.
        dropout: the same.
    """
    # Worked out again: XLA takes what the forward pass hands over for values,
    # and would compile again for each length.
    blocking = cut_into_blocks(
        radius, ops.shape(query)[2], roles, backward=True
    )
    if dropout is not None:
        dropout = dropout.wait_for(upstream)
    sources = [wait_for(x, upstream) for x in (query, key, value)]
    dtype = score_dtype(query.dtype)
    is_local = ops.expand_dims(ops.cast(roles.is_local, upstream.dtype), 2)
    tensors = [
        matmul_operand(x, dtype) for x in (*sources, upstream * is_local)
    ]

    def by_columns() -> tuple:
        return _block_gradients(
            *tensors, output, None, roles, blocking, dropout
        )

    def by_chunks() -> tuple:
        gradients = _block_gradients(
            *tensors, output, log_sum, roles, blocking, dropout
        )
        return _add_chunk_gradients(
            *tensors, output, log_sum, roles, blocking, dropout, gradients
        )

    if blocking.has_columns:
        gradients = ops.cond(
            roles.max_globals > GLOBAL_COLUMNS, by_chunks, by_columns
        )
    else:
        gradients = by_columns()
    query_gradient, key_gradient, value_gradient = gradients
    # So far of the scores before they were scaled.
    scale = query.shape[3] ** -0.5
    return (
        ops.cast(query_gradient * scale, query.dtype),
        ops.cast(key_gradient * scale, key.dtype),
        ops.cast(value_gradient, value.dtype),
    )


def _softmax_gradients(
    weights: Any,
    dropout_mask: Any,
    query: Any,
    key: Any,
    value: Any,
    upstream: Any,
    delta: Any,
) -> tuple:
    """Returns the gradients of query, key and value by some of the scores.

    Args:
        weights: `[batch, heads, queries, keys]`, before dropout.
        dropout_mask: what dropout multiplies them by, or `None`.
        query: `[batch, heads, queries, head_dim]`.
        key: `[batch, heads, keys, head_dim]`.
        value: tensor like `key`.
        upstream: tensor like `query`.
        delta: `[batch, heads, queries, 1]`, the inner product of output and
            upstream gradient: the mean over keys that a softmax's gradient
            subtracts.
    """
    dtype = weights.dtype
    weights_gradient = wide_matmul(upstream, ops.swapaxes(value, 2, 3), dtype)
    dropped = weights
    if dropout_mask is not None:
        weights_gradient = weights_gradient * dropout_mask
        dropped = weights * dropout_mask
    scores_gradient = ops.cast(
        weights * (weights_gradient - delta), value.dtype
    )
    dropped = ops.cast(dropped, upstream.dtype)
    return (
        wide_matmul(scores_gradient, key, dtype),
        wide_matmul(ops.swapaxes(scores_gradient, 2, 3), query, dtype),
        wide_matmul(ops.swapaxes(dropped, 2, 3), upstream, dtype),
    )


def _inner_products(x: Any, y: Any, dtype: str) -> Any:
    """`[..., d]`, twice, to `[..., 1]`."""
    return ops.sum(
        ops.cast(x, dtype) * ops.cast(y, dtype), axis=-1, keepdims=True
    )


def _block_gradients(
    query: Any,
    key: Any,
    value: Any,
    upstream: Any,
    output: Any,
    log_sum: Any,
    roles: TokenRoles,
    blocking: Blocking,
    dropout: ReplayableDropout | None,
) -> tuple:
    """Returns the gradients by way of the window and the columns.

    With `log_sum` `None` there are no chunks, and the softmax is made from
    these scores alone.
    """
    dtype = score_dtype(query.dtype)
    scale = query.shape[3] ** -0.5
    key_blocks = KeyBlocks(blocking, roles, key, value, evenly=True)
    # [batch, heads, blocks * block, head_dim]
    query = blocking.pad_to_blocks(query, axis=2)
    # [batch, blocks * block, hidden]
    output = blocking.pad_to_blocks(output, axis=1)
    upstream = blocking.pad_to_blocks(upstream, axis=1)
    if log_sum is not None:
        log_sum = blocking.pad_to_blocks(log_sum, axis=2)
    batch, heads, _, head_dim = ops.shape(query)

    def step(number: Any) -> tuple:
        # [batch, heads, keys, head_dim], twice, and [batch, 1, block, keys]
        keys, values, added = key_blocks.take(number)
        start = number * blocking.block
        # [batch, heads, block, head_dim]
        queries = ops.slice(
            query, (0, 0, start, 0), (batch, heads, blocking.block, head_dim)
        )
        shape = (batch, blocking.block, heads * head_dim)
        upstreams, outputs = (
            split_heads(ops.slice(x, (0, start, 0), shape), heads)
            for x in (upstream, output)
        )
        # [batch, heads, block, keys]
        scores = wide_matmul(queries, ops.swapaxes(keys, 2, 3), dtype)
        scores = scores * scale + ops.cast(added, dtype)
        if log_sum is None:
            weights = softmax(scores, axis=-1)
        else:
            sums = ops.slice(
                log_sum, (0, 0, start, 0), (batch, heads, blocking.block, 1)
            )
            weights = ops.exp(scores - sums)
        query_gradient, key_gradient, value_gradient = _softmax_gradients(
            weights,
            _dropout_mask(dropout, weights, number),
            queries,
            keys,
            values,
            upstreams,
            _inner_products(upstreams, outputs, dtype),
        )
        return (
            join_heads(query_gradient),
            _cut_into_pieces(key_gradient, blocking),
            _cut_into_pieces(value_gradient, blocking),
        )

    scores_shape = (query.shape[0], heads, blocking.block, blocking.keys)
    query_gradient, key_pieces, value_pieces = map_blocks(
        step, blocking.blocks, scores_shape
    )
    return (
        split_heads(blocking.join_blocks(query_gradient), heads),
        _add_pieces(key_pieces, blocking, roles),
        _add_pieces(value_pieces, blocking, roles),
    )


def _dropout_mask(
    dropout: ReplayableDropout | None, weights: Any, stream: Any
) -> Any:
    """Returns the mask of the forward pass, made once for both its uses."""
    if dropout is None:
        return None
    return dropout.mask(ops.shape(weights), stream, weights.dtype)


def _cut_into_pieces(gradient: Any, blocking: Blocking) -> list:
    """Cuts the gradient of a block's keys into pieces of `block` keys.

    Args:
        gradient: `[batch, heads, keys, head_dim]`, the columns last.
        blocking: `Blocking`.

    Returns:
        Pieces `[batch, heads, block, head_dim]` in the order of the keys,
        and what the columns get; where all keys are seen, the gradient alone.
    """
    if blocking.sees_all:
        return [gradient]
    size = blocking.block + 2 * blocking.radius
    pieces = []
    for start in range(0, size, blocking.block):
        end = min(start + blocking.block, size)
        piece = slice_axis(gradient, start, end, axis=2)
        pieces.append(pad_axis(piece, 0, start + blocking.block - end, axis=2))
    if blocking.has_columns:
        end = size + GLOBAL_COLUMNS
        pieces.append(slice_axis(gradient, size, end, axis=2))
    return pieces


def _add_pieces(pieces: list, blocking: Blocking, roles: TokenRoles) -> Any:
    """`[blocks, batch, heads, ...]` each to `[batch, heads, seq, head_dim]`."""
    if blocking.sees_all:
        return ops.sum(pieces[0], axis=0)
    columns = pieces.pop() if blocking.has_columns else None
    last = len(pieces) - 1
    # Piece `i` of a block belongs to the same keys as piece 0 of the `i`-th
    # block after it. To join the pieces of each block first, and then add,
    # would take five times as much memory as the sequence.
    total = sum(
        pad_axis(piece, shift, last - shift, axis=0)
        for shift, piece in enumerate(pieces)
    )
    # [blocks + last, batch, heads, block, d] to [batch, heads, seq, d]
    batch, heads, _, depth = ops.shape(total)[1:]
    gradient = slice_axis(
        ops.reshape(
            ops.transpose(total, (1, 2, 0, 3, 4)),
            (batch, heads, (blocking.blocks + last) * blocking.block, depth),
        ),
        blocking.radius,
        blocking.radius + blocking.seq,
        axis=2,
    )
    if columns is None:
        return gradient
    return gradient + place_slots(ops.sum(columns, axis=0), roles)


def _add_chunk_gradients(
    query: Any,
    key: Any,
    value: Any,
    upstream: Any,
    output: Any,
    log_sum: Any,
    roles: TokenRoles,
    blocking: Blocking,
    dropout: ReplayableDropout | None,
    gradients: tuple,
) -> tuple:
    """Adds what comes by way of the chunks to the gradients."""
    dtype = log_sum.dtype
    scale = query.shape[3] ** -0.5
    batch, heads, _, head_dim = ops.shape(query)
    # [batch, heads, seq, head_dim]
    upstream, output = (split_heads(x, heads) for x in (upstream, output))
    delta = _inner_products(upstream, output, dtype)

    def step(
        chunk: Any,
        index: Any,
        used: Any,
        query_gradient: Any,
        key_slots: Any,
        value_slots: Any,
    ) -> tuple:
        # [batch, heads, chunk, head_dim]
        keys, values = take_tokens(key, index), take_tokens(value, index)
        # [batch, heads, seq, chunk]
        scores = wide_matmul(query, ops.swapaxes(keys, 2, 3), dtype)
        scores = scores * scale + ops.cast(per_key(added_scores(used)), dtype)
        weights = ops.exp(scores - log_sum)
        query_update, key_update, value_update = _softmax_gradients(
            weights,
            _dropout_mask(dropout, weights, blocking.blocks + chunk),
            query,
            keys,
            values,
            upstream,
            delta,
        )
        start = GLOBAL_COLUMNS + chunk * GLOBAL_CHUNK
        return (
            query_gradient + query_update,
            write_tokens(key_slots, start, key_update),
            write_tokens(value_slots, start, value_update),
        )

    query_gradient, key_gradient, value_gradient = gradients
    slots = ops.shape(roles.global_first_order)[1]
    zeros = ops.zeros((batch, heads, slots, head_dim), dtype=dtype)
    query_gradient, key_slots, value_slots = for_each_chunk(
        roles, step, (query_gradient, zeros, zeros)
    )
    return (
        query_gradient,
        key_gradient + place_slots(key_slots, roles),
        value_gradient + place_slots(value_slots, roles),
    )

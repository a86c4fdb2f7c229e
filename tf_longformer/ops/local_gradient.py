"""The backward pass of the local attention, which recomputes the scores."""

from __future__ import annotations

from typing import Any

from keras import ops

from tf_longformer.compat import after
from tf_longformer.compat import factor
from tf_longformer.compat import wide_matmul
from tf_longformer.ops.band import frames
from tf_longformer.ops.blocks import pad_axis
from tf_longformer.ops.blocks import slice_axis
from tf_longformer.ops.chunks import empty_slots
from tf_longformer.ops.chunks import for_each_chunk
from tf_longformer.ops.chunks import write_chunk
from tf_longformer.ops.local_work import Work
from tf_longformer.ops.local_work import chunk_scores
from tf_longformer.ops.local_work import chunk_stream
from tf_longformer.ops.plan import GLOBAL_COLUMNS
from tf_longformer.ops.tokens import join_heads
from tf_longformer.ops.tokens import place_tokens
from tf_longformer.ops.tokens import score_dtype
from tf_longformer.ops.tokens import softmax
from tf_longformer.ops.tokens import split_heads
from tf_longformer.ops.tokens import take_tokens


def local_gradients(
    work: Work,
    query: Any,
    key: Any,
    value: Any,
    output: Any,
    log_sum: Any,
    upstream: Any,
) -> tuple:
    """Returns the gradients of query, key and value."""
    work = work.after(upstream)
    query, key, value = (after(x, upstream) for x in (query, key, value))
    upstream = upstream * work.wanted(upstream.dtype)
    arguments = (query, key, value, output, log_sum, upstream)
    if work.has_columns:
        gradients = ops.cond(
            work.plan.most > GLOBAL_COLUMNS,
            lambda: _chunk_gradients(
                work, *arguments, _block_gradients(work, *arguments, True)
            ),
            lambda: _block_gradients(work, *arguments, False),
        )
    else:
        gradients = _block_gradients(work, *arguments, False)
    # Of the scores before they were scaled.
    query_gradient, key_gradient, value_gradient = gradients
    gradients = (
        query_gradient * work.scale,
        key_gradient * work.scale,
        value_gradient,
    )
    return tuple(
        ops.cast(gradient, x.dtype)
        for gradient, x in zip(gradients, (query, key, value), strict=True)
    )


def _score_gradient(
    weights: Any, kept: Any, upstream: Any, value: Any, delta: Any
) -> Any:
    """Gradient of the scores of a softmax whose weights were dropped.

    `kept` is what dropout multiplied by, or `None`; `delta` is the inner
    product of output and upstream gradient, which is the mean over keys that
    the softmax subtracts.
    """
    weights_gradient = wide_matmul(
        upstream, ops.swapaxes(value, 2, 3), weights.dtype
    )
    if kept is not None:
        weights_gradient = weights_gradient * kept
    return ops.cast(weights * (weights_gradient - delta), value.dtype)


def _kept(work: Work, weights: Any, stream: Any) -> Any:
    """Returns what dropout multiplies the weights by, drawn only once."""
    if work.dropout is None:
        return None
    return work.dropout.kept(ops.shape(weights), stream, weights.dtype)


def _inner(x: Any, y: Any, dtype: str) -> Any:
    """Inner products of rows, `[..., 1]`."""
    return ops.sum(
        ops.cast(x, dtype) * ops.cast(y, dtype), axis=-1, keepdims=True
    )


def _dropped(weights: Any, kept: Any) -> Any:
    return weights if kept is None else weights * kept


def _block_gradients(
    work: Work,
    query: Any,
    key: Any,
    value: Any,
    output: Any,
    log_sum: Any,
    upstream: Any,
    with_log_sum: bool,
) -> tuple:
    """Gradients by way of the window and the columns."""
    band = work.band
    plan = work.plan
    dtype = score_dtype(query.dtype)
    query, key, value, upstream = (
        factor(x, dtype) for x in (query, key, value, upstream)
    )
    at = frames(band, plan, key, value, work.columns(key, value), even=True)
    query = work.to_whole_blocks(query, 2)
    output = work.to_whole_blocks(output, 1)
    upstream = work.to_whole_blocks(upstream, 1)
    if with_log_sum:
        log_sum = work.to_whole_blocks(log_sum, 2)
    batch, heads, _, head_dim = ops.shape(query)

    def step(number: Any) -> tuple:
        frame = at(number)
        start = number * band.block
        queries = ops.slice(
            query, (0, 0, start, 0), (batch, heads, band.block, head_dim)
        )
        shape = (batch, band.block, heads * head_dim)
        upstreams, outputs = (
            split_heads(ops.slice(x, (0, start, 0), shape), heads)
            for x in (upstream, output)
        )
        scores = work.scores(queries, frame.key, frame.scores)
        if with_log_sum:
            sums = ops.slice(
                log_sum, (0, 0, start, 0), (batch, heads, band.block, 1)
            )
            weights = ops.exp(scores - sums)
        else:
            weights = softmax(scores, axis=-1)
        kept = _kept(work, weights, number)
        scores_gradient = _score_gradient(
            weights,
            kept,
            upstreams,
            frame.value,
            _inner(upstreams, outputs, dtype),
        )
        dropped = ops.cast(_dropped(weights, kept), upstreams.dtype)
        value_gradient = wide_matmul(
            ops.swapaxes(dropped, 2, 3), upstreams, dtype
        )
        key_gradient = wide_matmul(
            ops.swapaxes(scores_gradient, 2, 3), queries, dtype
        )
        query_gradient = wide_matmul(scores_gradient, frame.key, dtype)
        return (
            join_heads(query_gradient),
            _pieces(work, key_gradient),
            _pieces(work, value_gradient),
        )

    query_gradient, *rest = work.for_each_block(step)
    query_gradient = split_heads(work.join_blocks(query_gradient), work.heads)
    return query_gradient, *(_collect(work, x) for x in rest)


def _pieces(work: Work, gradient: Any) -> list:
    """Cuts what a block gives to its keys, so that it is cheap to add up.

    Returns:
        Pieces of a block's width, `[batch, heads, block, d]`, in the order of
        the keys, and what the columns get; the gradient itself where all
        keys are in the frame.
    """
    band = work.band
    if band.whole:
        return [gradient]
    size = band.block + 2 * band.radius
    pieces = []
    for start in range(0, size, band.block):
        end = min(start + band.block, size)
        piece = slice_axis(gradient, start, end, axis=2)
        pieces.append(pad_axis(piece, 0, start + band.block - end, axis=2))
    if work.has_columns:
        end = size + GLOBAL_COLUMNS
        pieces.append(slice_axis(gradient, size, end, axis=2))
    return pieces


def _collect(work: Work, pieces: list) -> Any:
    """Adds up the pieces of all blocks, `[blocks, batch, heads, ...]`."""
    band = work.band
    if band.whole:
        return ops.sum(pieces[0], axis=0)
    columns = pieces.pop() if work.has_columns else None
    last = len(pieces) - 1
    # Not by way of whole frames: side by side they are five times as wide as
    # the sequence.
    total = sum(
        pad_axis(piece, shift, last - shift, axis=0)
        for shift, piece in enumerate(pieces)
    )
    batch, heads, _, depth = ops.shape(total)[1:]
    gradient = slice_axis(
        ops.reshape(
            ops.transpose(total, (1, 2, 0, 3, 4)),
            (batch, heads, (band.blocks + last) * band.block, depth),
        ),
        band.radius,
        band.radius + band.seq,
        axis=2,
    )
    if columns is None:
        return gradient
    return gradient + place_tokens(ops.sum(columns, axis=0), work.plan)


def _chunk_gradients(
    work: Work,
    query: Any,
    key: Any,
    value: Any,
    output: Any,
    log_sum: Any,
    upstream: Any,
    gradients: tuple,
) -> tuple:
    """Adds what comes by way of the chunks to the gradients."""
    plan = work.plan
    dtype = log_sum.dtype
    query, key, value, upstream = (
        factor(x, dtype) for x in (query, key, value, upstream)
    )
    upstream, output = (split_heads(x, work.heads) for x in (upstream, output))
    delta = _inner(upstream, output, dtype)

    def step(
        chunk: Any,
        index: Any,
        used: Any,
        query_gradient: Any,
        key_slots: Any,
        value_slots: Any,
    ) -> tuple:
        scores = chunk_scores(work, query, key, index, used)
        weights = ops.exp(scores - log_sum)
        kept = _kept(work, weights, chunk_stream(work, chunk))
        scores_gradient = _score_gradient(
            weights, kept, upstream, take_tokens(value, index), delta
        )
        dropped = ops.cast(_dropped(weights, kept), upstream.dtype)
        key_update = wide_matmul(
            ops.swapaxes(scores_gradient, 2, 3), query, dtype
        )
        value_update = wide_matmul(ops.swapaxes(dropped, 2, 3), upstream, dtype)
        query_update = wide_matmul(
            scores_gradient, take_tokens(key, index), dtype
        )
        return (
            query_gradient + query_update,
            write_chunk(key_slots, chunk, key_update),
            write_chunk(value_slots, chunk, value_update),
        )

    query_gradient, key_gradient, value_gradient = gradients
    query_gradient, key_slots, value_slots = for_each_chunk(
        plan,
        step,
        (
            query_gradient,
            empty_slots(plan, key_gradient),
            empty_slots(plan, value_gradient),
        ),
    )
    return (
        query_gradient,
        key_gradient + place_tokens(key_slots, plan),
        value_gradient + place_tokens(value_slots, plan),
    )

"""Attention of every token to its window and to all global tokens.

One softmax spans the window and the first global keys, block by block of
queries. Further global keys follow in chunks that are merged by their
log-sum-exp. The backward pass recomputes the probabilities, so that training
keeps O(seq * hidden) and not O(seq * window * heads): the ideas are those of
FlashAttention (arXiv 2205.14135).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

from keras import ops

from tf_longformer.ops.band import Band
from tf_longformer.ops.band import cut_band
from tf_longformer.ops.band import frames
from tf_longformer.ops.blocks import overlap_add
from tf_longformer.ops.blocks import pad_axis
from tf_longformer.ops.blocks import slice_axis
from tf_longformer.ops.chunks import empty_slots
from tf_longformer.ops.chunks import for_each_chunk
from tf_longformer.ops.chunks import write_chunk
from tf_longformer.ops.plan import GLOBAL_COLUMNS
from tf_longformer.ops.plan import MASKED_SCORE
from tf_longformer.ops.plan import AttentionPlan
from tf_longformer.ops.tokens import join_heads
from tf_longformer.ops.tokens import per_token
from tf_longformer.ops.tokens import place_tokens
from tf_longformer.ops.tokens import score_dtype
from tf_longformer.ops.tokens import softmax
from tf_longformer.ops.tokens import split_heads
from tf_longformer.ops.tokens import take_tokens


def _keep(x: Any, stream: Any) -> Any:
    return x


def local_attention(
    query: Any,
    key: Any,
    value: Any,
    plan: AttentionPlan,
    radius: int,
    dropout: Callable[[Any, Any], Any] | None = None,
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
        plan: `AttentionPlan`.
        radius: int >= 1, keys on either side (`attention_window // 2`).
        dropout: callable `(probabilities, stream) -> probabilities` that
            gives the same result for equal arguments, such as
            `ReplayableDropout`, or `None`.

    Returns:
        Tensor `[batch, seq, heads * head_dim]` of `value`'s dtype. Rows of
        tokens that the mask excludes, and of global tokens (which attend by
        `global_attention`), are zero.
    """
    band = cut_band(radius, ops.shape(query)[2])
    work = _Work(
        band,
        plan,
        query.shape[1],
        query.shape[3] ** -0.5,
        dropout or _keep,
    )

    @ops.custom_gradient
    def attend(query: Any, key: Any, value: Any) -> tuple:
        output, log_sum = _forward(work, query, key, value)

        def grad(*args: Any, upstream: Any = None) -> tuple:
            upstream = args[0] if upstream is None else upstream
            return _backward(
                work, query, key, value, output, log_sum, upstream
            )

        return output, grad

    return attend(query, key, value)


class _Work(NamedTuple):
    """What all steps need to know."""

    band: Band
    plan: AttentionPlan
    heads: int
    scale: float
    dropout: Callable

    @property
    def has_columns(self) -> bool:
        return self.plan.most is not None and not self.band.whole

    def wanted(self, dtype: str) -> Any:
        """1 in the rows of local tokens, `[batch, seq, 1]`."""
        wanted = ops.logical_and(
            self.plan.attended, ops.logical_not(self.plan.is_global)
        )
        return ops.expand_dims(ops.cast(wanted, dtype), 2)

    def columns(self, key: Any, value: Any) -> tuple | None:
        if not self.has_columns:
            return None
        index = slice_axis(self.plan.order, 0, GLOBAL_COLUMNS, axis=1)
        return take_tokens(key, index), take_tokens(value, index)

    def scores(self, query: Any, key: Any, added: Any) -> Any:
        scores = ops.matmul(query, ops.swapaxes(key, 2, 3))
        return scores * self.scale + ops.cast(added, scores.dtype)

    def to_whole_blocks(self, x: Any, axis: int) -> Any:
        band = self.band
        missing = band.blocks * band.block - band.seq
        if isinstance(missing, int) and missing == 0:
            return x
        return pad_axis(x, 0, missing, axis=axis)

    def join_blocks(self, x: Any) -> Any:
        """`[blocks, batch, block, d]` to `[batch, seq, d]`."""
        _, batch, _, depth = ops.shape(x)
        x = ops.reshape(
            ops.transpose(x, (1, 0, 2, 3)),
            (batch, self.band.blocks * self.band.block, depth),
        )
        return slice_axis(x, 0, self.band.seq, axis=1)


def _forward(work: _Work, query: Any, key: Any, value: Any) -> tuple:
    """Returns the output and the log-sum-exp `[batch, heads, seq, 1]`.

    The latter is `None` where there are no columns, and zero as long as the
    columns hold all global tokens.
    """
    if not work.has_columns:
        output, _ = _attend_blocks(work, query, key, value, False)
        return output, None

    def few() -> tuple:
        output, _ = _attend_blocks(work, query, key, value, False)
        zeros = ops.zeros_like(query[..., :1], dtype=score_dtype(query.dtype))
        return output, zeros

    def many() -> tuple:
        output, log_sum = _attend_blocks(work, query, key, value, True)
        return _merge_chunks(work, query, key, value, output, log_sum)

    return ops.cond(work.plan.most > GLOBAL_COLUMNS, many, few)


def _attend_blocks(
    work: _Work, query: Any, key: Any, value: Any, with_log_sum: bool
) -> tuple:
    """Attends to the window and the columns.

    Returns:
        Output `[batch, seq, hidden]`, masked, and the log-sum-exp
        `[batch, heads, seq, 1]` or `None`.
    """
    band = work.band
    dtype = score_dtype(query.dtype)
    at = frames(
        band,
        work.plan,
        ops.cast(key, dtype),
        value,
        work.columns(ops.cast(key, dtype), value),
        even=False,
    )
    query = work.to_whole_blocks(query, 2)
    wanted = work.to_whole_blocks(work.wanted(value.dtype), 1)
    batch, heads, _, head_dim = ops.shape(query)

    def attend(number: Any) -> Any:
        frame = at(number)
        start = number * band.block
        queries = ops.slice(
            query, (0, 0, start, 0), (batch, heads, band.block, head_dim)
        )
        scores = work.scores(
            ops.cast(queries, dtype), frame.key, frame.scores
        )
        weights = softmax(scores, axis=-1)
        mixed = ops.matmul(
            ops.cast(work.dropout(weights, number), value.dtype), frame.value
        )
        rows = ops.slice(wanted, (0, start, 0), (batch, band.block, 1))
        output = join_heads(mixed) * rows
        if not with_log_sum:
            return output
        # The largest weight is known from both sides.
        log_sum = ops.max(scores, axis=-1) - ops.log(ops.max(weights, axis=-1))
        return output, ops.transpose(log_sum, (0, 2, 1))

    numbers = ops.arange(band.blocks, dtype="int32")
    if not with_log_sum:
        return work.join_blocks(ops.map(attend, numbers)), None
    output, log_sum = ops.map(attend, numbers)
    return work.join_blocks(output), ops.expand_dims(
        ops.transpose(work.join_blocks(log_sum), (0, 2, 1)), 3
    )


def _chunk_scores(
    work: _Work, query: Any, key: Any, index: Any, used: Any
) -> Any:
    """Scores `[batch, heads, seq, chunk]` against a chunk of globals."""
    dtype = score_dtype(query.dtype)
    used = ops.where(used, 0.0, MASKED_SCORE)
    return work.scores(
        ops.cast(query, dtype),
        ops.cast(take_tokens(key, index), dtype),
        ops.expand_dims(ops.expand_dims(used, 1), 1),
    )


def _merge_chunks(
    work: _Work, query: Any, key: Any, value: Any, output: Any, log_sum: Any
) -> tuple:
    """Adds the global keys that the columns do not hold."""

    def merge(
        chunk: Any, index: Any, used: Any, log_sum: Any, mixed: Any
    ) -> tuple:
        scores = _chunk_scores(work, query, key, index, used)
        peak = ops.maximum(log_sum, ops.max(scores, axis=-1, keepdims=True))
        weights = ops.exp(scores - peak)
        decay = ops.exp(log_sum - peak)
        total = decay + ops.sum(weights, axis=-1, keepdims=True)
        weights = work.dropout(weights / total, _stream(work, chunk))
        mixed = mixed * (decay / total) + ops.matmul(
            weights, ops.cast(take_tokens(value, index), mixed.dtype)
        )
        return peak + ops.log(total), mixed

    mixed = ops.cast(split_heads(output, work.heads), log_sum.dtype)
    log_sum, mixed = for_each_chunk(work.plan, merge, (log_sum, mixed))
    output = ops.cast(join_heads(mixed), output.dtype)
    return output * work.wanted(output.dtype), log_sum


def _stream(work: _Work, chunk: Any) -> Any:
    """Blocks draw their dropout from the streams of their numbers."""
    return work.band.blocks + chunk


def _score_gradient(
    weights: Any, upstream: Any, value: Any, delta: Any, drop: Callable
) -> Any:
    """Gradient of the scores of a softmax whose weights were dropped.

    `delta` is the inner product of output and upstream gradient, which is
    the mean over keys that the softmax subtracts.
    """
    weights_gradient = drop(ops.matmul(upstream, ops.swapaxes(value, 2, 3)))
    return weights * (ops.cast(weights_gradient, weights.dtype) - delta)


def _backward(
    work: _Work,
    query: Any,
    key: Any,
    value: Any,
    output: Any,
    log_sum: Any,
    upstream: Any,
) -> tuple:
    """Returns the gradients of query, key and value."""
    dtype = score_dtype(query.dtype)
    upstream = upstream * work.wanted(upstream.dtype)
    arguments = (query, key, value, output, log_sum, upstream)
    if work.has_columns:
        gradients = ops.cond(
            work.plan.most > GLOBAL_COLUMNS,
            lambda: _backward_chunks(
                work, *arguments, _backward_blocks(work, *arguments, True)
            ),
            lambda: _backward_blocks(work, *arguments, False),
        )
    else:
        gradients = _backward_blocks(work, *arguments, False)
    return tuple(
        ops.cast(gradient, x.dtype)
        for gradient, x in zip(gradients, (query, key, value), strict=True)
    )


def _backward_blocks(
    work: _Work,
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
    query, key, value, output, upstream = (
        ops.cast(x, dtype) for x in (query, key, value, output, upstream)
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
        scores_gradient = _score_gradient(
            weights,
            upstreams,
            frame.value,
            ops.sum(upstreams * outputs, axis=-1, keepdims=True),
            lambda x: work.dropout(x, number),
        )
        value_gradient = ops.matmul(
            ops.swapaxes(work.dropout(weights, number), 2, 3), upstreams
        )
        key_gradient = ops.matmul(
            ops.swapaxes(scores_gradient, 2, 3), queries * work.scale
        )
        query_gradient = ops.matmul(scores_gradient, frame.key) * work.scale
        return join_heads(query_gradient), key_gradient, value_gradient

    query_gradient, *rest = ops.map(
        step, ops.arange(band.blocks, dtype="int32")
    )
    query_gradient = split_heads(work.join_blocks(query_gradient), work.heads)
    return query_gradient, *(_collect(work, x) for x in rest)


def _collect(work: _Work, frames: Any) -> Any:
    """Adds up gradients of `[blocks, batch, heads, keys, d]` by key."""
    band = work.band
    if band.whole:
        return ops.sum(frames, axis=0)
    frames = ops.transpose(frames, (1, 2, 0, 3, 4))
    size = band.block + 2 * band.radius
    gradient = slice_axis(
        overlap_add(slice_axis(frames, 0, size, 3), band.block, axis=2),
        band.radius,
        band.radius + band.seq,
        axis=2,
    )
    if not work.has_columns:
        return gradient
    columns = ops.sum(
        slice_axis(frames, size, size + GLOBAL_COLUMNS, 3), axis=2
    )
    return gradient + place_tokens(columns, work.plan)


def _backward_chunks(
    work: _Work,
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
    query, key, value = (ops.cast(x, dtype) for x in (query, key, value))
    upstream, output = (
        split_heads(ops.cast(x, dtype), work.heads)
        for x in (upstream, output)
    )
    delta = ops.sum(upstream * output, axis=-1, keepdims=True)

    def step(
        chunk: Any,
        index: Any,
        used: Any,
        query_gradient: Any,
        key_slots: Any,
        value_slots: Any,
    ) -> tuple:
        stream = _stream(work, chunk)
        scores = _chunk_scores(work, query, key, index, used)
        weights = ops.exp(scores - log_sum)
        scores_gradient = _score_gradient(
            weights,
            upstream,
            take_tokens(value, index),
            delta,
            lambda x: work.dropout(x, stream),
        )
        key_update = ops.matmul(
            ops.swapaxes(scores_gradient, 2, 3), query * work.scale
        )
        value_update = ops.matmul(
            ops.swapaxes(work.dropout(weights, stream), 2, 3), upstream
        )
        query_update = ops.matmul(scores_gradient, take_tokens(key, index))
        return (
            query_gradient + query_update * work.scale,
            write_chunk(key_slots, chunk, key_update),
            write_chunk(value_slots, chunk, value_update),
        )

    query_gradient, key_gradient, value_gradient = gradients
    query_gradient, key_slots, value_slots = for_each_chunk(
        plan,
        step,
        (query_gradient, empty_slots(plan, key), empty_slots(plan, value)),
    )
    return (
        query_gradient,
        key_gradient + place_tokens(key_slots, plan),
        value_gradient + place_tokens(value_slots, plan),
    )

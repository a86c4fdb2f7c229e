"""Attention of every token to its window and to all global tokens.

One softmax spans the window and the first global keys, block by block of
queries. Further global keys follow in chunks that are merged by their
log-sum-exp. The backward pass recomputes the probabilities, so that training
keeps O(seq * hidden) and not O(seq * window * heads): the ideas are those of
FlashAttention (arXiv 2205.14135).
"""

from __future__ import annotations

from typing import Any

from keras import ops

from tf_longformer.compat import custom_gradient
from tf_longformer.compat import factor
from tf_longformer.ops.band import Band
from tf_longformer.ops.band import cut_band
from tf_longformer.ops.band import frames
from tf_longformer.ops.chunks import for_each_chunk
from tf_longformer.ops.dropout import ReplayableDropout
from tf_longformer.ops.local_gradient import local_gradients
from tf_longformer.ops.local_work import Work
from tf_longformer.ops.local_work import chunk_scores
from tf_longformer.ops.local_work import chunk_stream
from tf_longformer.ops.plan import GLOBAL_COLUMNS
from tf_longformer.ops.plan import AttentionPlan
from tf_longformer.ops.tokens import join_heads
from tf_longformer.ops.tokens import score_dtype
from tf_longformer.ops.tokens import softmax
from tf_longformer.ops.tokens import split_heads
from tf_longformer.ops.tokens import take_tokens


def local_attention(
    query: Any,
    key: Any,
    value: Any,
    plan: AttentionPlan,
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
        plan: `AttentionPlan`.
        radius: int >= 1, keys on either side (`attention_window // 2`).
        dropout: `ReplayableDropout` of the probabilities, or `None`.

    Returns:
        Tensor `[batch, seq, heads * head_dim]` of `value`'s dtype. Rows of
        tokens that the mask excludes, and of global tokens (which attend by
        `global_attention`), are zero.
    """

    def work_for(query: Any) -> Work:
        return Work(
            cut_band(radius, ops.shape(query)[2]),
            plan,
            query.shape[1],
            query.shape[3] ** -0.5,
            dropout,
        )

    @custom_gradient
    def attend(query: Any, key: Any, value: Any) -> tuple:
        work = work_for(query).after(query)
        output, log_sum = _forward(work, query, key, value)

        def grad(upstream: Any) -> tuple:
            # Cut anew: no shape may go from one pass to the other.
            return local_gradients(
                work_for(query), query, key, value, output, log_sum, upstream
            )

        return output, grad

    return attend(query, key, value)


def _forward(work: Work, query: Any, key: Any, value: Any) -> tuple:
    """Returns the output and the log-sum-exp `[batch, heads, seq, 1]`.

    The latter is `None` where there are no columns, and zero as long as the
    columns hold all global tokens.
    """
    if not work.has_columns:
        output, _ = _attend_blocks(work, query, key, value, False)
        return output, None

    def few() -> tuple:
        output = _attend_to_few(work, query, key, value)
        zeros = ops.zeros_like(query[..., :1], dtype=score_dtype(query.dtype))
        return output, zeros

    def many() -> tuple:
        output, log_sum = _attend_blocks(work, query, key, value, True)
        return _merge_chunks(work, query, key, value, output, log_sum)

    return ops.cond(work.plan.most > GLOBAL_COLUMNS, many, few)


def _attend_to_few(work: Work, query: Any, key: Any, value: Any) -> Any:
    """Returns the output where the columns hold all global tokens."""

    def attend(band: Band) -> Any:
        banded = work._replace(band=band)
        return _attend_blocks(banded, query, key, value, False)[0]

    band = work.band
    if isinstance(band.seq, int) or work.dropout is not None:
        return attend(band)
    # A length that isn't known yet may fit in a frame. (With dropout the
    # frames are those of the backward pass.)
    return ops.cond(
        band.seq <= band.block + 2 * band.radius,
        lambda: attend(band.as_whole()),
        lambda: attend(band),
    )


def _attend_blocks(
    work: Work, query: Any, key: Any, value: Any, with_log_sum: bool
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
        factor(key, dtype),
        value,
        work.columns(factor(key, dtype), value),
        # What dropout makes of a weight follows from its place in the frame,
        # which must be the same in the backward pass.
        even=work.dropout is not None,
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
        scores = work.scores(factor(queries, dtype), frame.key, frame.scores)
        weights = softmax(scores, axis=-1)
        mixed = ops.matmul(
            ops.cast(work.drop(weights, number), value.dtype), frame.value
        )
        rows = ops.slice(wanted, (0, start, 0), (batch, band.block, 1))
        output = join_heads(mixed) * rows
        if not with_log_sum:
            return output
        # The largest weight is known from both sides.
        log_sum = ops.max(scores, axis=-1) - ops.log(ops.max(weights, axis=-1))
        return output, ops.transpose(log_sum, (0, 2, 1))

    if not with_log_sum:
        return work.join_blocks(work.for_each_block(attend)), None
    output, log_sum = work.for_each_block(attend)
    return work.join_blocks(output), ops.expand_dims(
        ops.transpose(work.join_blocks(log_sum), (0, 2, 1)), 3
    )


def _merge_chunks(
    work: Work, query: Any, key: Any, value: Any, output: Any, log_sum: Any
) -> tuple:
    """Adds the global keys that the columns do not hold."""

    def merge(
        chunk: Any, index: Any, used: Any, log_sum: Any, mixed: Any
    ) -> tuple:
        scores = chunk_scores(work, query, key, index, used)
        peak = ops.maximum(log_sum, ops.max(scores, axis=-1, keepdims=True))
        weights = ops.exp(scores - peak)
        decay = ops.exp(log_sum - peak)
        total = decay + ops.sum(weights, axis=-1, keepdims=True)
        weights = work.drop(weights / total, chunk_stream(work, chunk))
        mixed = mixed * (decay / total) + ops.matmul(
            weights, ops.cast(take_tokens(value, index), mixed.dtype)
        )
        return peak + ops.log(total), mixed

    mixed = ops.cast(split_heads(output, work.heads), log_sum.dtype)
    log_sum, mixed = for_each_chunk(work.plan, merge, (log_sum, mixed))
    output = ops.cast(join_heads(mixed), output.dtype)
    return output * work.wanted(output.dtype), log_sum

"""Attention of every token to its window and to all global tokens.

One softmax spans both. The band is worked off block by block; the global
columns follow in chunks that are merged by their log-sum-exp, and the
backward pass recomputes the probabilities from the saved log-sum-exp, so
that training keeps O(seq * hidden) and not O(seq * window * heads): the
ideas are those of FlashAttention (arXiv 2205.14135).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from tf_longformer.ops.blocks import ceil_div
from tf_longformer.ops.blocks import overlap_add
from tf_longformer.ops.blocks import pad_axis
from tf_longformer.ops.blocks import slice_axis
from tf_longformer.ops.chunks import empty_slots
from tf_longformer.ops.chunks import for_each_chunk
from tf_longformer.ops.chunks import write_chunk
from tf_longformer.ops.plan import MASKED_SCORE
from tf_longformer.ops.plan import AttentionPlan
from tf_longformer.ops.plan import block_sizes
from tf_longformer.ops.plan import frame_keys
from tf_longformer.ops.tokens import per_token
from tf_longformer.ops.tokens import score_dtype
from tf_longformer.ops.tokens import take_tokens

# The band draws its dropout from stream 0, chunk c from stream 1 + c.
_BAND_STREAM = 0


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
    `|i - j| <= radius`, and every global key of its row once.

    Args:
        query: float tensor `[batch, heads, seq, head_dim]`, already scaled
            by `1 / sqrt(head_dim)`.
        key: tensor alike.
        value: tensor alike.
        plan: `AttentionPlan` that was made for this radius too.
        radius: int >= 1, keys on either side (`attention_window // 2`).
        dropout: callable `(probabilities, stream) -> probabilities` that
            gives the same result for equal arguments, such as
            `ReplayableDropout`, or `None`.

    Returns:
        Tensor `[batch, heads, seq, head_dim]` of `value`'s dtype. Rows of
        tokens that the mask excludes, and of global tokens (which attend by
        `global_attention`), are zero.
    """
    dropout = dropout or _keep
    result_dtype = value.dtype
    dtype = score_dtype(result_dtype)
    wanted = per_token(
        ops.logical_and(plan.attended, ops.logical_not(plan.is_global)), dtype
    )

    @ops.custom_gradient
    def attend(query: Any, key: Any, value: Any) -> tuple:
        output, log_sum = _forward(query, key, value, plan, radius, dropout)

        def grad(*args: Any, upstream: Any = None) -> tuple:
            upstream = args[0] if upstream is None else upstream
            return _backward(
                query,
                key,
                value,
                output,
                log_sum,
                upstream,
                plan,
                radius,
                dropout,
            )

        return output, grad

    output = attend(
        ops.cast(query, dtype), ops.cast(key, dtype), ops.cast(value, dtype)
    )
    return ops.cast(output * wanted, result_dtype)


def _to_blocks(x: Any, block: int) -> Any:
    """`[batch, heads, seq, d]` to `[batch, heads, blocks, block, d]`."""
    batch, heads, seq, depth = ops.shape(x)
    blocks = ceil_div(seq, block)
    x = pad_axis(x, 0, blocks * block - seq, axis=2)
    return ops.reshape(x, (batch, heads, blocks, block, depth))


def _from_blocks(x: Any, seq: Any) -> Any:
    """`[batch, heads, blocks, block, d]` to `[batch, heads, seq, d]`."""
    batch, heads, blocks, block, depth = ops.shape(x)
    x = ops.reshape(x, (batch, heads, blocks * block, depth))
    return slice_axis(x, 0, seq, axis=2)


def _band_scores(query: Any, key: Any, plan: AttentionPlan, radius: int) -> Any:
    """Scores `[batch, heads, blocks, block, frame]`, masked."""
    scores = ops.einsum("bhnqd,bhnkd->bhnqk", query, key)
    return scores + ops.cast(plan.band_scores[radius], scores.dtype)


def _column_scores(query: Any, key: Any, used: Any) -> Any:
    """Scores `[batch, heads, seq, chunk]` against a chunk of globals."""
    scores = ops.einsum("bhqd,bhkd->bhqk", query, key)
    used = ops.expand_dims(ops.expand_dims(used, 1), 1)
    return ops.where(used, scores, ops.cast(MASKED_SCORE, scores.dtype))


def _forward(
    query: Any,
    key: Any,
    value: Any,
    plan: AttentionPlan,
    radius: int,
    dropout: Callable,
) -> tuple:
    """Returns the output and the log-sum-exp `[batch, heads, seq, 1]`."""
    seq = ops.shape(query)[2]
    block = block_sizes(radius, seq).block
    scores = _band_scores(
        _to_blocks(query, block),
        frame_keys(key, radius, 2, seq),
        plan,
        radius,
    )
    peak = ops.max(scores, axis=-1, keepdims=True)
    weights = ops.exp(scores - peak)
    total = ops.sum(weights, axis=-1, keepdims=True)
    mixed = ops.einsum(
        "bhnqk,bhnkd->bhnqd",
        dropout(weights, _BAND_STREAM),
        frame_keys(value, radius, 2, seq),
    )

    def merge(
        chunk: Any, index: Any, used: Any, peak: Any, total: Any, mixed: Any
    ) -> tuple:
        scores = _column_scores(query, take_tokens(key, index), used)
        new_peak = ops.maximum(peak, ops.max(scores, axis=-1, keepdims=True))
        weights = ops.exp(scores - new_peak)
        decay = ops.exp(peak - new_peak)
        total = total * decay + ops.sum(weights, axis=-1, keepdims=True)
        mixed = mixed * decay + ops.einsum(
            "bhqk,bhkd->bhqd",
            dropout(weights, 1 + chunk),
            take_tokens(value, index),
        )
        return new_peak, total, mixed

    peak, total, mixed = for_each_chunk(
        plan,
        merge,
        tuple(_from_blocks(x, seq) for x in (peak, total, mixed)),
    )
    return mixed / total, peak + ops.log(total)


def _score_gradient(
    weights: Any, upstream: Any, value: Any, delta: Any, drop: Callable
) -> Any:
    """Gradient of the scores of a softmax whose weights were dropped.

    `delta` is the inner product of output and upstream gradient, which is
    the mean over keys that the softmax subtracts.
    """
    weights_gradient = drop(ops.einsum("...qd,...kd->...qk", upstream, value))
    return weights * (weights_gradient - delta)


def _backward(
    query: Any,
    key: Any,
    value: Any,
    output: Any,
    log_sum: Any,
    upstream: Any,
    plan: AttentionPlan,
    radius: int,
    dropout: Callable,
) -> tuple:
    """Returns the gradients of query, key and value."""
    seq = ops.shape(query)[2]
    block = block_sizes(radius, seq).block
    delta = ops.sum(upstream * output, axis=-1, keepdims=True)

    def band() -> tuple:
        queries, sums, upstreams, deltas = (
            _to_blocks(x, block) for x in (query, log_sum, upstream, delta)
        )
        keys = frame_keys(key, radius, 2, seq)
        values = frame_keys(value, radius, 2, seq)
        weights = ops.exp(_band_scores(queries, keys, plan, radius) - sums)
        scores_gradient = _score_gradient(
            weights,
            upstreams,
            values,
            deltas,
            lambda x: dropout(x, _BAND_STREAM),
        )
        query_gradient = ops.einsum("bhnqk,bhnkd->bhnqd", scores_gradient, keys)
        key_gradient = ops.einsum(
            "bhnqk,bhnqd->bhnkd", scores_gradient, queries
        )
        value_gradient = ops.einsum(
            "bhnqk,bhnqd->bhnkd", dropout(weights, _BAND_STREAM), upstreams
        )
        return (
            _from_blocks(query_gradient, seq),
            *(
                slice_axis(
                    overlap_add(x, block, axis=2), radius, radius + seq, 2
                )
                for x in (key_gradient, value_gradient)
            ),
        )

    def columns(
        chunk: Any,
        index: Any,
        used: Any,
        query_gradient: Any,
        key_slots: Any,
        value_slots: Any,
    ) -> tuple:
        keys = take_tokens(key, index)
        weights = ops.exp(_column_scores(query, keys, used) - log_sum)
        scores_gradient = _score_gradient(
            weights,
            upstream,
            take_tokens(value, index),
            delta,
            lambda x: dropout(x, 1 + chunk),
        )
        query_gradient = query_gradient + ops.einsum(
            "bhqk,bhkd->bhqd", scores_gradient, keys
        )
        key_update = ops.einsum("bhqk,bhqd->bhkd", scores_gradient, query)
        value_update = ops.einsum(
            "bhqk,bhqd->bhkd", dropout(weights, 1 + chunk), upstream
        )
        return (
            query_gradient,
            write_chunk(key_slots, chunk, key_update),
            write_chunk(value_slots, chunk, value_update),
        )

    query_gradient, key_gradient, value_gradient = band()
    if plan.most is None:
        return query_gradient, key_gradient, value_gradient
    query_gradient, key_slots, value_slots = for_each_chunk(
        plan,
        columns,
        (query_gradient, empty_slots(plan, key), empty_slots(plan, value)),
    )
    is_global = per_token(plan.is_global, key.dtype)
    return (
        query_gradient,
        key_gradient + take_tokens(key_slots, plan.rank) * is_global,
        value_gradient + take_tokens(value_slots, plan.rank) * is_global,
    )

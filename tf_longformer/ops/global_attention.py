"""Attention of the global tokens to every token of their row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from tf_longformer.ops.chunks import empty_slots
from tf_longformer.ops.chunks import for_each_chunk
from tf_longformer.ops.chunks import write_chunk
from tf_longformer.ops.plan import MASKED_SCORE
from tf_longformer.ops.plan import AttentionPlan
from tf_longformer.ops.tokens import per_token
from tf_longformer.ops.tokens import score_dtype
from tf_longformer.ops.tokens import softmax
from tf_longformer.ops.tokens import take_tokens


def global_attention(
    query: Any,
    key: Any,
    value: Any,
    plan: AttentionPlan,
    dropout: Callable[[Any, Any], Any] | None = None,
) -> Any:
    """Attends from the global tokens to all attended tokens (paper, 3.1).

    The arguments come from the `*_global` projections. Like the local part
    this recomputes in the backward pass.

    Args:
        query: float tensor `[batch, heads, seq, head_dim]`, already scaled
            by `1 / sqrt(head_dim)`; only rows of global tokens are read.
        key: tensor alike.
        value: tensor alike.
        plan: `AttentionPlan`.
        dropout: as for `local_attention`, of another seed.

    Returns:
        Tensor `[batch, heads, seq, head_dim]` of `value`'s dtype, zero in
        the rows of tokens that aren't global.
    """
    dropout = dropout or (lambda x, stream: x)
    result_dtype = value.dtype
    dtype = score_dtype(result_dtype)

    @ops.custom_gradient
    def attend(query: Any, key: Any, value: Any) -> tuple:
        output = _forward(query, key, value, plan, dropout)

        def grad(*args: Any, upstream: Any = None) -> tuple:
            upstream = args[0] if upstream is None else upstream
            return _backward(query, key, value, output, upstream, plan, dropout)

        return output, grad

    output = attend(
        ops.cast(query, dtype), ops.cast(key, dtype), ops.cast(value, dtype)
    )
    return ops.cast(output, result_dtype)


def _probabilities(
    query: Any, key: Any, index: Any, plan: AttentionPlan
) -> Any:
    """Probabilities `[batch, heads, chunk, seq]` of a chunk of queries."""
    scores = ops.einsum("bhqd,bhkd->bhqk", take_tokens(query, index), key)
    attended = ops.expand_dims(ops.expand_dims(plan.attended, 1), 1)
    scores = ops.where(attended, scores, ops.cast(MASKED_SCORE, scores.dtype))
    return softmax(scores, axis=-1)


def _forward(
    query: Any, key: Any, value: Any, plan: AttentionPlan, dropout: Callable
) -> Any:
    def body(chunk: Any, index: Any, used: Any, slots: Any) -> tuple:
        probabilities = _probabilities(query, key, index, plan)
        mixed = ops.einsum(
            "bhqk,bhkd->bhqd", dropout(probabilities, chunk), value
        )
        return (write_chunk(slots, chunk, mixed),)

    (slots,) = for_each_chunk(plan, body, (empty_slots(plan, value),))
    return take_tokens(slots, plan.rank) * per_token(
        plan.is_global, value.dtype
    )


def _backward(
    query: Any,
    key: Any,
    value: Any,
    output: Any,
    upstream: Any,
    plan: AttentionPlan,
    dropout: Callable,
) -> tuple:
    is_global = per_token(plan.is_global, value.dtype)
    upstream = upstream * is_global
    delta = ops.sum(upstream * output, axis=-1, keepdims=True)

    def body(
        chunk: Any,
        index: Any,
        used: Any,
        query_slots: Any,
        key_gradient: Any,
        value_gradient: Any,
    ) -> tuple:
        probabilities = _probabilities(query, key, index, plan)
        # An unused slot may repeat a global token, which counts only once.
        counted = per_token(used, upstream.dtype)
        upstreams = take_tokens(upstream, index) * counted
        probabilities_gradient = dropout(
            ops.einsum("bhqd,bhkd->bhqk", upstreams, value), chunk
        )
        scores_gradient = probabilities * (
            probabilities_gradient - take_tokens(delta, index) * counted
        )
        query_update = ops.einsum("bhqk,bhkd->bhqd", scores_gradient, key)
        key_gradient = key_gradient + ops.einsum(
            "bhqk,bhqd->bhkd", scores_gradient, take_tokens(query, index)
        )
        value_gradient = value_gradient + ops.einsum(
            "bhqk,bhqd->bhkd", dropout(probabilities, chunk), upstreams
        )
        return (
            write_chunk(query_slots, chunk, query_update),
            key_gradient,
            value_gradient,
        )

    query_slots, key_gradient, value_gradient = for_each_chunk(
        plan,
        body,
        (
            empty_slots(plan, query),
            ops.zeros_like(key),
            ops.zeros_like(value),
        ),
    )
    query_gradient = take_tokens(query_slots, plan.rank) * is_global
    return query_gradient, key_gradient, value_gradient

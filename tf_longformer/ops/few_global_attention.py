"""Attention of few global tokens, without keys and values of all tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from tf_longformer.compat import after
from tf_longformer.compat import custom_gradient
from tf_longformer.ops.blocks import ceil_div
from tf_longformer.ops.blocks import pad_axis
from tf_longformer.ops.blocks import slice_axis
from tf_longformer.ops.global_rows import GlobalRows
from tf_longformer.ops.global_rows import added_scores
from tf_longformer.ops.global_rows import keep_all
from tf_longformer.ops.plan import GLOBAL_COLUMNS
from tf_longformer.ops.plan import AttentionPlan
from tf_longformer.ops.tokens import score_dtype

# Global tokens that attend at a time.
_TOKENS = 4


def few_global_attention(
    query: Any,
    hidden_states: Any,
    key_kernel: Any,
    value_kernel: Any,
    value_bias: Any,
    plan: AttentionPlan,
    dropout: Callable[[Any, Any], Any] | None = None,
) -> Any:
    """Does what `global_attention` does for the first `GLOBAL_COLUMNS` tokens.

    Keys and values of all tokens are never made: `q (x Wk)^T` is
    `(q Wk^T) x^T`, and `p (x Wv)` is `(p x) Wv`. The bias of the keys adds
    the same to all scores of a query, and the softmax cancels it.

    Args:
        query: float tensor `[batch, GLOBAL_COLUMNS, heads, head_dim]`,
            queries of the first tokens of `plan.order`.
        hidden_states: tensor `[batch, seq, hidden]`.
        key_kernel: tensor `[hidden, heads * head_dim]`.
        value_kernel: tensor alike.
        value_bias: tensor `[heads * head_dim]`.
        plan: `AttentionPlan` with global tokens.
        dropout: as for `global_attention`.

    Returns:
        Tensor `[batch, GLOBAL_COLUMNS, heads * head_dim]`; rows past the
        count have no meaning.
    """
    batch, tokens, heads, head_dim = ops.shape(query)
    hidden = hidden_states.shape[2]
    per_head = (hidden, heads, head_dim)
    # Products of one batch axis, that of heads: oneDNN's broadcast ones are
    # wrong (TensorFlow 2.21).
    query = ops.reshape(query * head_dim**-0.5, (-1, heads, head_dim))
    query = ops.matmul(
        ops.transpose(query, (1, 0, 2)),
        ops.transpose(ops.reshape(key_kernel, per_head), (1, 2, 0)),
    )
    query = ops.transpose(query, (1, 0, 2))
    everything = ops.expand_dims(hidden_states, 1)
    mixed, total = _attend(
        GlobalRows(
            added_scores(plan, score_dtype(query.dtype)),
            ceil_div(ops.minimum(plan.most, tokens), _TOKENS),
            _TOKENS * heads,
            dropout or keep_all,
        ),
        ops.reshape(query, (batch, 1, tokens * heads, hidden)),
        everything,
    )
    mixed = ops.reshape(
        ops.cast(mixed, value_kernel.dtype), (-1, heads, hidden)
    )
    mixed = ops.matmul(
        ops.transpose(mixed, (1, 0, 2)),
        ops.transpose(ops.reshape(value_kernel, per_head), (1, 0, 2)),
    )
    mixed = ops.reshape(
        ops.transpose(mixed, (1, 0, 2)), (batch, tokens, heads, head_dim)
    )
    # What dropout leaves of the probabilities doesn't sum to one.
    total = ops.reshape(total, (batch, tokens, heads, 1))
    bias = ops.reshape(value_bias, (heads, head_dim))
    return ops.reshape(
        mixed + ops.cast(total, mixed.dtype) * bias,
        (batch, tokens, heads * head_dim),
    )


def put_rows(x: Any, rows: Any, plan: AttentionPlan) -> Any:
    """Replaces the rows of the first global tokens.

    Args:
        x: tensor `[batch, seq, hidden]`.
        rows: tensor `[batch, GLOBAL_COLUMNS, hidden]`.
        plan: `AttentionPlan` with global tokens.

    Returns:
        Tensor like `x`.
    """

    def places(x: Any) -> tuple:
        """Returns `[batch, n, 1]`: rows of `x`, in one axis; their use."""
        batch, seq, _ = ops.shape(x)
        # Past the sequence `order` repeats a position.
        least = min if isinstance(seq, int) else ops.minimum
        most = least(GLOBAL_COLUMNS, seq)
        start = ops.expand_dims(ops.arange(batch, dtype="int32") * seq, 1)
        index = slice_axis(plan.order, 0, most, axis=1) + start
        lanes = ops.expand_dims(ops.arange(most, dtype="int32"), 0)
        used = lanes < ops.expand_dims(plan.count, 1)
        return ops.expand_dims(index, 2), ops.expand_dims(used, 2)

    def put(x: Any, index: Any, rows: Any) -> Any:
        hidden = x.shape[2]
        flat = ops.scatter_update(
            ops.reshape(x, (-1, hidden)),
            ops.reshape(index, (-1, 1)),
            ops.reshape(rows, (-1, hidden)),
        )
        return ops.reshape(flat, ops.shape(x))

    def take(x: Any, index: Any) -> Any:
        return ops.take(
            ops.reshape(x, (-1, x.shape[2])), index[:, :, 0], axis=0
        )

    @custom_gradient
    def replace(x: Any, rows: Any) -> tuple:
        index, used = places(x)
        rows = slice_axis(rows, 0, ops.shape(index)[1], axis=1)

        def grad(upstream: Any) -> tuple:
            index, used = places(upstream)
            given = take(upstream, index)
            nothing = ops.zeros_like(given)
            rows_gradient = ops.where(used, given, nothing)
            missing = GLOBAL_COLUMNS - ops.shape(index)[1]
            return (
                put(upstream, index, ops.where(used, nothing, given)),
                pad_axis(rows_gradient, 0, missing, axis=1),
            )

        return put(x, index, ops.where(used, rows, take(x, index))), grad

    return replace(x, rows)


def _attend(rows: GlobalRows, query: Any, both: Any) -> tuple:
    """Attends to tokens that are keys and values in one.

    Returns:
        The mixed values like `query`, in the scores' dtype, and what they
        were weighted by in total, `[batch, groups, rows of all steps, 1]`.
    """

    @custom_gradient
    def attend(query: Any, both: Any) -> tuple:
        mixed, total = rows.forward(query, both, both)

        def grad(mixed_upstream: Any, total_upstream: Any) -> tuple:
            again = after(both, mixed_upstream)
            query_gradient, *others = rows.backward(
                query,
                again,
                again,
                mixed,
                mixed_upstream,
                total,
                total_upstream,
            )
            return query_gradient, sum(others)

        return (mixed, total), grad

    return attend(ops.cast(query, rows.added.dtype), both)

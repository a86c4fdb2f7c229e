"""Attention of few global tokens, without keys and values of all tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from tf_longformer.compat import after
from tf_longformer.compat import custom_gradient
from tf_longformer.ops.blocks import ceil_div
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
    batch, seq, hidden = ops.shape(x)
    # Past the sequence `order` repeats a position.
    most = GLOBAL_COLUMNS
    most = min(most, seq) if isinstance(seq, int) else ops.minimum(most, seq)
    lanes = ops.expand_dims(ops.arange(most, dtype="int32"), 0)
    used = ops.expand_dims(lanes < ops.expand_dims(plan.count, 1), 2)
    start = ops.expand_dims(ops.arange(batch, dtype="int32") * seq, 1)
    flat = ops.reshape(
        slice_axis(plan.order, 0, most, axis=1) + start, (batch * most, 1)
    )
    x = ops.reshape(x, (batch * seq, hidden))
    rows = ops.reshape(slice_axis(rows, 0, most, axis=1), (-1, hidden))
    used = ops.reshape(used, (-1, 1))
    rows = ops.where(used, rows, ops.take(x, flat[:, 0], axis=0))
    return ops.reshape(ops.scatter_update(x, flat, rows), (batch, seq, hidden))


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

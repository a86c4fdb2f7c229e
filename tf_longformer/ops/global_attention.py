"""Attention of the global tokens to every token of their row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from tf_longformer.ops.blocks import ceil_div
from tf_longformer.ops.blocks import slice_axis
from tf_longformer.ops.plan import GLOBAL_COLUMNS
from tf_longformer.ops.plan import MASKED_SCORE
from tf_longformer.ops.plan import AttentionPlan
from tf_longformer.ops.tokens import join_heads
from tf_longformer.ops.tokens import place_tokens
from tf_longformer.ops.tokens import score_dtype
from tf_longformer.ops.tokens import softmax
from tf_longformer.ops.tokens import take_tokens

# Global tokens that attend at a time: where few of them are expected, and
# where there may be as many as tokens.
_FEW = 4
_MANY = 16


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
        query: float tensor `[batch, heads, seq, head_dim]`; only rows of
            global tokens are read.
        key: tensor alike.
        value: tensor alike.
        plan: `AttentionPlan` with global tokens.
        dropout: as for `local_attention`, of another seed.

    Returns:
        Tensor `[batch, seq, heads * head_dim]` of `value`'s dtype, zero in
        the rows of tokens that aren't global.
    """
    mixed, _ = _attend(
        take_tokens(query, plan.order) * query.shape[3] ** -0.5,
        key,
        value,
        plan.attended,
        ceil_div(plan.most, _MANY),
        _MANY,
        dropout,
    )
    return join_heads(place_tokens(ops.cast(mixed, value.dtype), plan))


def few_global_attention(
    query: Any,
    hidden_states: Any,
    key_kernel: Any,
    value_kernel: Any,
    value_bias: Any,
    plan: AttentionPlan,
    dropout: Callable[[Any, Any], Any] | None = None,
) -> Any:
    """Does what `global_attention` does for at most `GLOBAL_COLUMNS` tokens.

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
        ops.reshape(query, (batch, 1, tokens * heads, hidden)),
        everything,
        everything,
        plan.attended,
        ceil_div(plan.most, _FEW),
        _FEW * heads,
        dropout,
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


def _attend(
    query: Any,
    key: Any,
    value: Any,
    attended: Any,
    steps: Any,
    rows: int,
    dropout: Callable[[Any, Any], Any] | None,
) -> tuple:
    """Attends from rows of queries to all tokens, some rows at a time.

    Args:
        query: scaled queries `[batch, groups, rows of all steps, d]`.
        key: tensor `[batch, groups, seq, d]`.
        value: tensor alike.
        attended: bool `[batch, seq]`.
        steps: int32 scalar; rows that it doesn't reach come out as zero.
        rows: int, queries of a step.
        dropout: callable or `None`.

    Returns:
        The mixed values like `query`, and what they were weighted by in
        total, `[batch, groups, rows of all steps, 1]`.
    """
    dropout = dropout or (lambda x, stream: x)
    dtype = score_dtype(query.dtype)
    attended = ops.expand_dims(ops.expand_dims(attended, 1), 1)
    added = ops.cast(ops.where(attended, 0.0, MASKED_SCORE), dtype)

    def piece(x: Any, step: Any) -> Any:
        batch, groups, _, depth = ops.shape(x)
        return ops.slice(
            x, (0, 0, step * rows, 0), (batch, groups, rows, depth)
        )

    def write(x: Any, step: Any, update: Any) -> Any:
        return ops.slice_update(x, (0, 0, step * rows, 0), update)

    def loop(body: Callable, state: tuple) -> tuple:
        return ops.while_loop(
            lambda step, *_: step < steps,
            lambda step, *state: (step + 1, *body(step, *state)),
            (ops.zeros((), dtype="int32"), *state),
        )[1:]

    def weights_of(query: Any, key: Any, step: Any) -> Any:
        scores = ops.matmul(
            piece(query, step), ops.swapaxes(ops.cast(key, dtype), 2, 3)
        )
        return softmax(scores + added, axis=-1)

    @ops.custom_gradient
    def attend(query: Any, key: Any, value: Any) -> tuple:
        def forward(step: Any, mixed: Any, total: Any) -> tuple:
            weights = dropout(weights_of(query, key, step), step)
            update = ops.matmul(ops.cast(weights, value.dtype), value)
            return (
                write(mixed, step, ops.cast(update, dtype)),
                write(total, step, ops.sum(weights, axis=-1, keepdims=True)),
            )

        zeros = ops.zeros_like(query)
        mixed, total = loop(forward, (zeros, zeros[..., :1]))

        def grad(*args: Any, upstream: Any = None) -> tuple:
            upstreams = args if upstream is None else upstream
            return backward(query, key, value, mixed, total, *upstreams)

        return (mixed, total), grad

    def backward(
        query: Any,
        key: Any,
        value: Any,
        mixed: Any,
        total: Any,
        mixed_upstream: Any,
        total_upstream: Any,
    ) -> tuple:
        delta = total_upstream * total + ops.sum(
            mixed_upstream * mixed, axis=-1, keepdims=True
        )
        wide_key, wide_value = ops.cast(key, dtype), ops.cast(value, dtype)

        def body(
            step: Any, query_gradient: Any, key_gradient: Any, rest: Any
        ) -> tuple:
            weights = weights_of(query, wide_key, step)
            upstream = piece(mixed_upstream, step)
            weights_gradient = ops.matmul(
                upstream, ops.swapaxes(wide_value, 2, 3)
            ) + piece(total_upstream, step)
            scores_gradient = weights * (
                dropout(weights_gradient, step) - piece(delta, step)
            )
            query_update = ops.matmul(scores_gradient, wide_key)
            key_update = ops.matmul(
                ops.swapaxes(scores_gradient, 2, 3), piece(query, step)
            )
            value_update = ops.matmul(
                ops.swapaxes(dropout(weights, step), 2, 3), upstream
            )
            return (
                write(query_gradient, step, query_update),
                key_gradient + key_update,
                rest + value_update,
            )

        query_gradient, key_gradient, value_gradient = loop(
            body,
            (
                ops.zeros_like(query),
                ops.zeros_like(wide_key),
                ops.zeros_like(wide_value),
            ),
        )
        return (
            query_gradient,
            ops.cast(key_gradient, key.dtype),
            ops.cast(value_gradient, value.dtype),
        )

    return attend(ops.cast(query, dtype), key, value)

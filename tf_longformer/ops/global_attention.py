"""Attention of the global tokens to every token of their row."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from keras import ops

from tf_longformer.compat import after
from tf_longformer.compat import custom_gradient
from tf_longformer.ops.blocks import ceil_div
from tf_longformer.ops.blocks import slice_axis
from tf_longformer.ops.global_rows import GlobalRows
from tf_longformer.ops.global_rows import added_scores
from tf_longformer.ops.global_rows import keep_all
from tf_longformer.ops.plan import AttentionPlan
from tf_longformer.ops.tokens import join_heads
from tf_longformer.ops.tokens import per_token
from tf_longformer.ops.tokens import place_tokens
from tf_longformer.ops.tokens import score_dtype
from tf_longformer.ops.tokens import split_heads
from tf_longformer.ops.tokens import take_tokens

# Global tokens that attend at a time.
_TOKENS = 16


def global_attention(
    context: Any,
    query: Any,
    key: Any,
    value: Any,
    plan: AttentionPlan,
    first: int = 0,
    dropout: Callable[[Any, Any], Any] | None = None,
) -> Any:
    """Attends from the global tokens to all attended tokens (paper, 3.1).

    Queries, keys and values come from the `*_global` projections. Like the
    local part this recomputes in the backward pass. Where there are no more
    than `first` global tokens nothing is done, and what query, key and value
    are does not matter.

    Args:
        context: float tensor `[batch, seq, heads * head_dim]`, zero in the
            rows that are to be filled in.
        query: float tensor `[batch, heads, seq, head_dim]`; only rows of
            global tokens are read.
        key: tensor alike.
        value: tensor alike.
        plan: `AttentionPlan` with global tokens.
        first: int, the slot of the first token that attends: those before
            it in `plan.order` are left alone. Defaults to `0`.
        dropout: as for `local_attention`, of another seed.

    Returns:
        Tensor like `context`, its rows of global tokens filled in.
    """
    return _fill_rows(
        context,
        (query, key, value),
        lambda *sources: sources,
        lambda sources, gradients: gradients,
        query.shape[1],
        plan,
        first,
        dropout,
    )


def projected_global_attention(
    context: Any,
    hidden_states: Any,
    kernels: tuple[Any, Any, Any],
    biases: tuple[Any, Any, Any],
    heads: int,
    plan: AttentionPlan,
    first: int = 0,
    dropout: Callable[[Any, Any], Any] | None = None,
) -> Any:
    """Does what `global_attention` does, and projects first.

    The projections are made where they are needed only, in the backward pass
    again, and aren't kept.

    Args:
        context: as for `global_attention`.
        hidden_states: float tensor `[batch, seq, hidden]`.
        kernels: tensors `[hidden, heads * head_dim]` of query, key and value.
        biases: tensors `[heads * head_dim]`.
        heads: int, attention heads.
        plan: `AttentionPlan` with global tokens.
        first: as for `global_attention`.
        dropout: the same.

    Returns:
        Tensor like `context`, its rows of global tokens filled in.
    """
    tokens = (-1, hidden_states.shape[2])

    def project(hidden_states: Any, *weights: Any) -> tuple:
        rows = ops.reshape(hidden_states, tokens)
        products = (
            ops.matmul(rows, kernel) + bias
            for kernel, bias in zip(weights[:3], weights[3:], strict=True)
        )
        shape = ops.shape(hidden_states)[:2]
        return tuple(
            split_heads(ops.reshape(x, (*shape, x.shape[1])), heads)
            for x in products
        )

    def pull_back(sources: Sequence, gradients: tuple) -> tuple:
        hidden_states, *weights = sources
        rows = ops.reshape(hidden_states, tokens)
        width = weights[0].shape[1]
        gradients = [ops.reshape(join_heads(x), (-1, width)) for x in gradients]
        states = sum(
            ops.matmul(x, ops.transpose(kernel))
            for x, kernel in zip(gradients, weights[:3], strict=True)
        )
        return (
            ops.reshape(states, ops.shape(hidden_states)),
            *(ops.matmul(ops.transpose(rows), x) for x in gradients),
            *(ops.sum(x, axis=0) for x in gradients),
        )

    return _fill_rows(
        context,
        (hidden_states, *kernels, *biases),
        project,
        pull_back,
        heads,
        plan,
        first,
        dropout,
    )


def _fill_rows(
    context: Any,
    sources: tuple,
    project: Callable[..., tuple],
    pull_back: Callable[[Sequence, tuple], tuple],
    heads: int,
    plan: AttentionPlan,
    first: int,
    dropout: Callable[[Any, Any], Any] | None,
) -> Any:
    """Attends from the global tokens past the first.

    `project` makes query, key and value from the sources, and `pull_back`
    the gradients of the sources from theirs.
    """
    slots = ops.shape(plan.order)[1]
    if isinstance(slots, int) and slots <= first:
        return context
    index = slice_axis(plan.order, first, slots, axis=1)
    steps = ceil_div(plan.most - first, _TOKENS)
    dtype = score_dtype(context.dtype)
    rows = GlobalRows(
        added_scores(plan, dtype), steps, _TOKENS, dropout or keep_all
    )

    def take(x: Any) -> Any:
        return take_tokens(ops.cast(x, dtype), index)

    def place(x: Any) -> Any:
        return place_tokens(x, plan, first)

    # The branches are within the gradient's own functions: TensorFlow's
    # gradient of a branch hands shapes from one to the other, which XLA then
    # takes for values that it has to compile anew for.
    @custom_gradient
    def attend(context: Any, *sources: Any) -> tuple:
        def filled() -> Any:
            query, key, value = project(*sources)
            scale = query.shape[3] ** -0.5
            mixed, _ = rows.forward(take(query) * scale, key, value)
            return context + join_heads(ops.cast(place(mixed), context.dtype))

        output = ops.cond(steps > 0, filled, lambda: context)

        def grad(upstream: Any) -> tuple:
            again = [after(x, upstream) for x in sources]

            def gradients() -> tuple:
                query, key, value = project(*again)
                scale = query.shape[3] ** -0.5
                mixed, mixed_upstream = (
                    take(split_heads(x, heads)) for x in (output, upstream)
                )
                # Slots past a row's own tokens repeat others. They are
                # counted anew: no shape may go from one pass to the other.
                rest = ops.shape(mixed)[2]
                slot = first + ops.arange(rest, dtype="int32")
                used = ops.expand_dims(slot, 0) < ops.expand_dims(plan.count, 1)
                query_gradient, *others = rows.backward(
                    take(query) * scale,
                    key,
                    value,
                    mixed,
                    mixed_upstream * per_token(used, dtype),
                )
                query_gradient = place(query_gradient * scale)
                return pull_back(
                    again,
                    (ops.cast(query_gradient, query.dtype), *others),
                )

            return (
                upstream,
                *ops.cond(
                    steps > 0,
                    gradients,
                    lambda: tuple(ops.zeros_like(x) for x in again),
                ),
            )

        return output, grad

    return attend(context, *sources)

"""Attention of the global tokens to every token of their row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

from keras import ops

from tf_longformer.ops.blocks import ceil_div
from tf_longformer.ops.blocks import slice_axis
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
from tf_longformer.ops.tokens import write_tokens

# Global tokens that attend at a time: where few of them are expected, and
# where there may be as many as tokens.
_FEW = 4
_MANY = 16


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
    slots = ops.shape(plan.order)[1]
    if isinstance(slots, int) and slots <= first:
        return context
    scale = query.shape[3] ** -0.5
    heads = query.shape[1]
    index = slice_axis(plan.order, first, slots, axis=1)
    steps = ceil_div(plan.most - first, _MANY)
    dtype = score_dtype(query.dtype)
    rows = _Rows(_added_scores(plan, dtype), steps, _MANY, dropout or _keep)

    def take(x: Any) -> Any:
        return take_tokens(ops.cast(x, dtype), index)

    def place(x: Any) -> Any:
        return place_tokens(x, plan, first)

    # The branches are within the gradient's own functions: TensorFlow's
    # gradient of a branch hands shapes from one to the other, which XLA then
    # takes for values that it has to compile anew for.
    @ops.custom_gradient
    def attend(context: Any, query: Any, key: Any, value: Any) -> tuple:
        def filled() -> Any:
            mixed, _ = rows.forward(take(query) * scale, key, value)
            return context + join_heads(ops.cast(place(mixed), context.dtype))

        output = ops.cond(steps > 0, filled, lambda: context)

        def grad(*args: Any, upstream: Any = None) -> tuple:
            upstream = args[0] if upstream is None else upstream

            def gradients() -> tuple:
                mixed, mixed_upstream = (
                    take(split_heads(x, heads)) for x in (output, upstream)
                )
                # Slots past a row's own tokens repeat others.
                slot = first + ops.arange(slots - first, dtype="int32")
                used = ops.expand_dims(slot, 0) < ops.expand_dims(plan.count, 1)
                query_gradient, *others = rows.backward(
                    take(query) * scale,
                    key,
                    value,
                    mixed,
                    mixed_upstream * per_token(used, dtype),
                )
                query_gradient = place(query_gradient * scale)
                return (ops.cast(query_gradient, query.dtype), *others)

            return (
                upstream,
                *ops.cond(
                    steps > 0,
                    gradients,
                    lambda: tuple(
                        ops.zeros_like(x) for x in (query, key, value)
                    ),
                ),
            )

        return output, grad

    return attend(context, query, key, value)


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
        _Rows(
            _added_scores(plan, score_dtype(query.dtype)),
            ceil_div(ops.minimum(plan.most, tokens), _FEW),
            _FEW * heads,
            dropout or _keep,
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


def _keep(x: Any, stream: Any) -> Any:
    return x


def _added_scores(plan: AttentionPlan, dtype: str) -> Any:
    """What is added to the scores of each key, `[batch, 1, 1, seq]`."""
    attended = ops.expand_dims(ops.expand_dims(plan.attended, 1), 1)
    return ops.cast(ops.where(attended, 0.0, MASKED_SCORE), dtype)


def _attend(rows: _Rows, query: Any, both: Any) -> tuple:
    """Attends to tokens that are keys and values in one.

    Returns:
        The mixed values like `query`, in the scores' dtype, and what they
        were weighted by in total, `[batch, groups, rows of all steps, 1]`.
    """

    @ops.custom_gradient
    def attend(query: Any, both: Any) -> tuple:
        mixed, total = rows.forward(query, both, both)

        def grad(*args: Any, upstream: Any = None) -> tuple:
            upstreams = args if upstream is None else upstream
            if len(upstreams) == 1:
                # JAX hands over the tuple that came out.
                (upstreams,) = upstreams
            query_gradient, *others = rows.backward(
                query, both, both, mixed, upstreams[0], total, upstreams[1]
            )
            return query_gradient, sum(others)

        return (mixed, total), grad

    return attend(ops.cast(query, rows.added.dtype), both)


class _Rows(NamedTuple):
    """Attention from rows of queries to all tokens, some rows at a time.

    Queries are `[batch, groups, rows of all steps, d]`, scaled and in the
    scores' dtype, keys and values `[batch, groups, seq, d]`.

    Attributes:
        added: what is added to the scores, `[batch, 1, 1, seq]`.
        steps: int32 scalar; rows that it doesn't reach come out as zero.
        rows: int, queries of a step.
        dropout: callable.
    """

    added: Any
    steps: Any
    rows: int
    dropout: Callable[[Any, Any], Any]

    def forward(self, query: Any, key: Any, value: Any) -> tuple:
        """Returns mixed values like `query`, and their total weights."""

        def body(step: Any, mixed: Any, total: Any) -> tuple:
            weights = self.dropout(self._weights(query, key, step), step)
            update = ops.matmul(ops.cast(weights, value.dtype), value)
            return (
                self._write(mixed, step, ops.cast(update, mixed.dtype)),
                self._write(
                    total, step, ops.sum(weights, axis=-1, keepdims=True)
                ),
            )

        zeros = ops.zeros_like(query)
        return self._loop(body, (zeros, zeros[..., :1]))

    def backward(
        self,
        query: Any,
        key: Any,
        value: Any,
        mixed: Any,
        mixed_upstream: Any,
        total: Any = 0.0,
        total_upstream: Any = None,
    ) -> tuple:
        """Returns the gradients of query, key and value."""
        delta = ops.sum(mixed_upstream * mixed, axis=-1, keepdims=True)
        if total_upstream is None:
            total_upstream = ops.zeros_like(delta)
        delta = delta + total_upstream * total
        dtype = query.dtype
        wide_key, wide_value = ops.cast(key, dtype), ops.cast(value, dtype)

        def body(
            step: Any, query_gradient: Any, key_gradient: Any, rest: Any
        ) -> tuple:
            weights = self._weights(query, wide_key, step)
            upstream = self._piece(mixed_upstream, step)
            weights_gradient = ops.matmul(
                upstream, ops.swapaxes(wide_value, 2, 3)
            ) + self._piece(total_upstream, step)
            scores_gradient = weights * (
                self.dropout(weights_gradient, step) - self._piece(delta, step)
            )
            query_update = ops.matmul(scores_gradient, wide_key)
            key_update = ops.matmul(
                ops.swapaxes(scores_gradient, 2, 3), self._piece(query, step)
            )
            value_update = ops.matmul(
                ops.swapaxes(self.dropout(weights, step), 2, 3), upstream
            )
            return (
                self._write(query_gradient, step, query_update),
                key_gradient + key_update,
                rest + value_update,
            )

        query_gradient, key_gradient, value_gradient = self._loop(
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

    def _weights(self, query: Any, key: Any, step: Any) -> Any:
        scores = ops.matmul(
            self._piece(query, step),
            ops.swapaxes(ops.cast(key, query.dtype), 2, 3),
        )
        return softmax(scores + self.added, axis=-1)

    def _piece(self, x: Any, step: Any) -> Any:
        batch, groups, _, depth = ops.shape(x)
        return ops.slice(
            x, (0, 0, step * self.rows, 0), (batch, groups, self.rows, depth)
        )

    def _write(self, x: Any, step: Any, update: Any) -> Any:
        return write_tokens(x, step * self.rows, update)

    def _loop(self, body: Callable, state: tuple) -> tuple:
        return ops.while_loop(
            lambda step, *_: step < self.steps,
            lambda step, *state: (step + 1, *body(step, *state)),
            (ops.zeros((), dtype="int32"), *state),
        )[1:]

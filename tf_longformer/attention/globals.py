"""Attention of the global tokens to every token of their row.

They attend through projections of their own. For the first `GLOBAL_COLUMNS`
of a row, mostly all there are, keys and values of all tokens are never made
(`globals_without_projection`). Only if a row has more of them, these are made,
and the others attend some at a time (`_fill_rows`).
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from keras import ops

from tf_longformer.attention.recompute import ReplayableDropout
from tf_longformer.attention.roles import GLOBAL_COLUMNS
from tf_longformer.attention.roles import TokenRoles
from tf_longformer.attention.roles import place_slots
from tf_longformer.attention.scores import added_scores
from tf_longformer.attention.scores import score_dtype
from tf_longformer.attention.scores import softmax
from tf_longformer.attention.shapes import ceil_div
from tf_longformer.attention.shapes import join_heads
from tf_longformer.attention.shapes import pad_axis
from tf_longformer.attention.shapes import per_key
from tf_longformer.attention.shapes import per_token
from tf_longformer.attention.shapes import slice_axis
from tf_longformer.attention.shapes import split_heads
from tf_longformer.attention.shapes import take_rows
from tf_longformer.attention.shapes import take_tokens
from tf_longformer.attention.shapes import write_tokens
from tf_longformer.backend import custom_gradient
from tf_longformer.backend import wait_for

# Global tokens that attend in one step of a loop: few without projections,
# where all heads are rows of one product, and more with them.
_FEW_AT_A_TIME = 4
_MANY_AT_A_TIME = 16


def global_attention_by_kernels(
    context: Any,
    hidden_states: Any,
    kernels: tuple[Any, Any, Any],
    biases: tuple[Any, Any, Any],
    heads: int,
    roles: TokenRoles,
    dropout: ReplayableDropout | None = None,
) -> Any:
    """Attends from the global tokens to all attended tokens (paper, 3.1).

    Args:
        context: float tensor `[batch, seq, heads * head_dim]`, zero in the
            rows that are to be filled in.
        hidden_states: float tensor `[batch, seq, hidden]`.
        kernels: tensors `[hidden, heads * head_dim]` of the global query, key
            and value.
        biases: tensors `[heads * head_dim]`.
        heads: int, attention heads.
        roles: `TokenRoles` with global tokens.
        dropout: as for `windowed_attention`, of another seed.

    Returns:
        Tensor like `context`, its rows of global tokens filled in.
    """
    rows = globals_without_projection(
        hidden_states, kernels, biases, heads, roles, dropout
    )
    context = set_global_rows(context, rows, roles)
    tokens = (-1, hidden_states.shape[2])

    # Projections are made only where they are needed. They aren't kept, but
    # made again in the backward pass.
    def project(hidden_states: Any, *weights: Any) -> tuple:
        flat = ops.reshape(hidden_states, tokens)
        products = (
            ops.matmul(flat, kernel) + bias
            for kernel, bias in zip(weights[:3], weights[3:], strict=True)
        )
        shape = ops.shape(hidden_states)[:2]
        return tuple(
            split_heads(ops.reshape(x, (*shape, x.shape[1])), heads)
            for x in products
        )

    def pull_back(sources: Sequence, gradients: tuple) -> tuple:
        hidden_states, *weights = sources
        flat = ops.reshape(hidden_states, tokens)
        width = weights[0].shape[1]
        gradients = [ops.reshape(join_heads(x), (-1, width)) for x in gradients]
        states = sum(
            ops.matmul(x, ops.transpose(kernel))
            for x, kernel in zip(gradients, weights[:3], strict=True)
        )
        return (
            ops.reshape(states, ops.shape(hidden_states)),
            *(ops.matmul(ops.transpose(flat), x) for x in gradients),
            *(ops.sum(x, axis=0) for x in gradients),
        )

    return _fill_rows(
        context,
        (hidden_states, *kernels, *biases),
        project,
        pull_back,
        heads,
        roles,
        GLOBAL_COLUMNS,
        dropout,
    )


def global_attention(
    context: Any,
    query: Any,
    key: Any,
    value: Any,
    roles: TokenRoles,
    dropout: ReplayableDropout | None = None,
) -> Any:
    """Attends from global tokens where projections aren't `x kernel + bias`.

    Args:
        context: as for `global_attention_by_kernels`.
        query: float tensor `[batch, heads, seq, head_dim]`, by the global
            projection; only rows of global tokens are read.
        key: tensor alike.
        value: tensor alike.
        roles: as above.
        dropout: the same.

    Returns:
        Tensor like `context`, its rows of global tokens filled in.
    """
    return _fill_rows(
        context,
        (query, key, value),
        lambda *sources: sources,
        lambda sources, gradients: gradients,
        query.shape[1],
        roles,
        0,
        dropout,
    )


def globals_without_projection(
    hidden_states: Any,
    kernels: tuple[Any, Any, Any],
    biases: tuple[Any, Any, Any],
    heads: int,
    roles: TokenRoles,
    dropout: ReplayableDropout | None,
) -> Any:
    """Attends from the first `GLOBAL_COLUMNS` global tokens of each row.

    Keys and values of all tokens are never made: `q (x Wk)^T` is
    `(q Wk^T) x^T`, and `p (x Wv)` is `(p x) Wv`. The bias of the keys adds
    the same to all scores of a query, and the softmax cancels it.

    Args:
        hidden_states: as for `global_attention_by_kernels`, like all else.
        kernels: the same.
        biases: the same.
        heads: the same.
        roles: the same.
        dropout: the same.

    Returns:
        Tensor `[batch, GLOBAL_COLUMNS, heads * head_dim]`; rows of slots that
        hold no global token have no meaning.
    """
    query_kernel, key_kernel, value_kernel = kernels
    query_bias, key_bias, value_bias = biases
    # Gives the keys' bias a gradient, of zero: Keras warns of a weight without.
    value_bias = value_bias + 0.0 * key_bias
    batch, _, hidden = ops.shape(hidden_states)
    width = query_kernel.shape[1]
    head_dim = width // heads
    per_head = (hidden, heads, head_dim)
    # [batch, columns, hidden] to [batch * columns, heads, head_dim]
    index = slice_axis(roles.global_first_order, 0, GLOBAL_COLUMNS, axis=1)
    rows = take_tokens(ops.expand_dims(hidden_states, 1), index)
    query = ops.matmul(ops.reshape(rows, (-1, hidden)), query_kernel)
    query = (query + query_bias) * head_dim**-0.5
    query = ops.reshape(query, (-1, heads, head_dim))
    # To [heads, batch * columns, hidden]. Products have one batch axis, that
    # of heads: oneDNN's with broadcast axes are wrong (TensorFlow 2.21).
    query = ops.matmul(
        ops.transpose(query, (1, 0, 2)),
        ops.transpose(ops.reshape(key_kernel, per_head), (1, 2, 0)),
    )
    # To [batch, 1, columns * heads, hidden]
    query = ops.reshape(
        ops.transpose(query, (1, 0, 2)),
        (batch, 1, GLOBAL_COLUMNS * heads, hidden),
    )
    columns_used = ops.minimum(roles.max_globals, GLOBAL_COLUMNS)
    added = per_key(added_scores(roles.attended))
    streamed = _StreamedRows(
        ops.cast(added, score_dtype(query.dtype)),
        ceil_div(columns_used, _FEW_AT_A_TIME),
        _FEW_AT_A_TIME * heads,
        dropout,
    )
    # [batch, 1, columns * heads, hidden], and the same with one in its place
    mixed, total = _attend_to_states(
        streamed, query, ops.expand_dims(hidden_states, 1)
    )
    # To [heads, batch * columns, head_dim]
    mixed = ops.reshape(
        ops.cast(mixed, value_kernel.dtype), (-1, heads, hidden)
    )
    mixed = ops.matmul(
        ops.transpose(mixed, (1, 0, 2)),
        ops.transpose(ops.reshape(value_kernel, per_head), (1, 0, 2)),
    )
    mixed = ops.reshape(
        ops.transpose(mixed, (1, 0, 2)),
        (batch, GLOBAL_COLUMNS, heads, head_dim),
    )
    # What dropout leaves of the probabilities doesn't sum to one.
    total = ops.reshape(total, (batch, GLOBAL_COLUMNS, heads, 1))
    bias = ops.reshape(value_bias, (heads, head_dim))
    return ops.reshape(
        mixed + ops.cast(total, mixed.dtype) * bias,
        (batch, GLOBAL_COLUMNS, width),
    )


def _attend_to_states(
    streamed: _StreamedRows, query: Any, states: Any
) -> tuple:
    """Attends to hidden states, which are keys and values in one."""

    @custom_gradient
    def attend(query: Any, states: Any) -> tuple:
        mixed, total = streamed.forward(query, states, states)

        def grad(mixed_upstream: Any, total_upstream: Any) -> tuple:
            again = wait_for(states, mixed_upstream)
            query_gradient, *others = streamed.backward(
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

    return attend(ops.cast(query, streamed.added.dtype), states)


def set_global_rows(x: Any, rows: Any, roles: TokenRoles) -> Any:
    """Replaces the rows of the first global tokens.

    Args:
        x: tensor `[batch, seq, hidden]`.
        rows: tensor `[batch, GLOBAL_COLUMNS, hidden]`.
        roles: `TokenRoles` with global tokens.

    Returns:
        Tensor like `x`.
    """

    def places(x: Any) -> tuple:
        """Returns `[batch, n, 1]`: rows of flat `x`, and their use."""
        batch, seq, _ = ops.shape(x)
        # Past the sequence the order repeats a position.
        least = min if isinstance(seq, int) else ops.minimum
        slots = least(GLOBAL_COLUMNS, seq)
        start = ops.expand_dims(ops.arange(batch, dtype="int32") * seq, 1)
        index = slice_axis(roles.global_first_order, 0, slots, axis=1) + start
        used = slice_axis(roles.slot_used, 0, slots, axis=1)
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
        return take_rows(ops.reshape(x, (-1, x.shape[2])), index[:, :, 0])

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


def _fill_rows(
    context: Any,
    sources: tuple,
    project: Callable[..., tuple],
    pull_back: Callable[[Sequence, tuple], tuple],
    heads: int,
    roles: TokenRoles,
    first: int,
    dropout: ReplayableDropout | None,
) -> Any:
    """Attends from the global tokens whose slot is `first` or a later one.

    `project` makes query, key and value from the sources, and `pull_back`
    the gradients of the sources from theirs. Where no row has so many global
    tokens nothing is done.
    """
    slots = ops.shape(roles.global_first_order)[1]
    if isinstance(slots, int) and slots <= first:
        return context
    # [batch, slots past the first]
    index = slice_axis(roles.global_first_order, first, slots, axis=1)
    used = slice_axis(roles.slot_used, first, slots, axis=1)
    steps = ceil_div(roles.max_globals - first, _MANY_AT_A_TIME)
    dtype = score_dtype(context.dtype)
    streamed = _StreamedRows(
        ops.cast(per_key(added_scores(roles.attended)), dtype),
        steps,
        _MANY_AT_A_TIME,
        dropout,
    )

    def take(x: Any) -> Any:
        return take_tokens(ops.cast(x, dtype), index)

    # Forward and backward pass have a branch each. TensorFlow's own gradient
    # of a branch would hand shapes from one pass to the other, which XLA takes
    # for values, and compiles again for each of them.
    @custom_gradient
    def attend(context: Any, *sources: Any) -> tuple:
        def filled() -> Any:
            query, key, value = project(*sources)
            scale = query.shape[3] ** -0.5
            mixed, _ = streamed.forward(take(query) * scale, key, value)
            mixed = place_slots(mixed, roles, first)
            return context + join_heads(ops.cast(mixed, context.dtype))

        output = ops.cond(steps > 0, filled, lambda: context)

        def grad(upstream: Any) -> tuple:
            again = [wait_for(x, upstream) for x in sources]

            def gradients() -> tuple:
                query, key, value = project(*again)
                scale = query.shape[3] ** -0.5
                mixed, mixed_upstream = (
                    take(split_heads(x, heads)) for x in (output, upstream)
                )
                query_gradient, *others = streamed.backward(
                    take(query) * scale,
                    key,
                    value,
                    mixed,
                    # Slots past a row's own global tokens repeat others.
                    mixed_upstream * per_token(used, dtype),
                )
                query_gradient = place_slots(
                    query_gradient * scale, roles, first
                )
                return pull_back(
                    again, (ops.cast(query_gradient, query.dtype), *others)
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


class _StreamedRows(NamedTuple):
    """Attention from rows of queries to all tokens, some rows at a time.

    Queries are `[batch, groups, rows, d]`, scaled and in the scores' dtype,
    keys and values `[batch, groups, seq, d]`, where a group is a head, or all
    heads together as rows.

    Attributes:
        added: what is added to the scores, `[batch, 1, 1, seq]`.
        steps: int32 scalar; rows that they don't reach come out as zero.
        rows: int, queries of a step.
        dropout: `ReplayableDropout` or `None`; each step has its stream.
    """

    added: Any
    steps: Any
    rows: int
    dropout: ReplayableDropout | None

    def forward(self, query: Any, key: Any, value: Any) -> tuple:
        """Returns mixed values like `query`, and their total weights."""

        def body(step: Any, mixed: Any, total: Any) -> tuple:
            weights = self._drop(self._weights(query, key, step), step)
            update = ops.matmul(ops.cast(weights, value.dtype), value)
            return (
                self._write(mixed, step, ops.cast(update, mixed.dtype)),
                self._write(
                    total, step, ops.sum(weights, axis=-1, keepdims=True)
                ),
            )

        zeros = ops.zeros_like(query)
        return self._for_each_step(body, (zeros, zeros[..., :1]))

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
        # [batch, groups, rows, 1], what a softmax's gradient subtracts
        delta = ops.sum(mixed_upstream * mixed, axis=-1, keepdims=True)
        if total_upstream is None:
            total_upstream = ops.zeros_like(delta)
        delta = delta + total_upstream * total
        dtype = query.dtype
        wide_key, wide_value = ops.cast(key, dtype), ops.cast(value, dtype)

        def body(
            step: Any,
            query_gradient: Any,
            key_gradient: Any,
            value_gradient: Any,
        ) -> tuple:
            weights = self._weights(query, wide_key, step)
            upstream = self._take(mixed_upstream, step)
            weights_gradient = ops.matmul(
                upstream, ops.swapaxes(wide_value, 2, 3)
            ) + self._take(total_upstream, step)
            scores_gradient = weights * (
                self._drop(weights_gradient, step) - self._take(delta, step)
            )
            query_update = ops.matmul(scores_gradient, wide_key)
            key_update = ops.matmul(
                ops.swapaxes(scores_gradient, 2, 3), self._take(query, step)
            )
            value_update = ops.matmul(
                ops.swapaxes(self._drop(weights, step), 2, 3), upstream
            )
            return (
                self._write(query_gradient, step, query_update),
                key_gradient + key_update,
                value_gradient + value_update,
            )

        # Zeros that wait for the gradient: a graph would make others at its
        # start, and keep them.
        zero = 0 * delta[:1, :1, :1]
        query_gradient, key_gradient, value_gradient = self._for_each_step(
            body,
            tuple(
                ops.broadcast_to(zero, ops.shape(x))
                for x in (query, wide_key, wide_value)
            ),
        )
        return (
            query_gradient,
            ops.cast(key_gradient, key.dtype),
            ops.cast(value_gradient, value.dtype),
        )

    def _weights(self, query: Any, key: Any, step: Any) -> Any:
        """Returns `[batch, groups, rows of a step, seq]`."""
        scores = ops.matmul(
            self._take(query, step),
            ops.swapaxes(ops.cast(key, query.dtype), 2, 3),
        )
        return softmax(scores + self.added, axis=-1)

    def _drop(self, x: Any, step: Any) -> Any:
        return x if self.dropout is None else self.dropout(x, step)

    def _take(self, x: Any, step: Any) -> Any:
        """Returns the rows of a step."""
        batch, groups, _, depth = ops.shape(x)
        return ops.slice(
            x, (0, 0, step * self.rows, 0), (batch, groups, self.rows, depth)
        )

    def _write(self, x: Any, step: Any, update: Any) -> Any:
        return write_tokens(x, step * self.rows, update)

    def _for_each_step(self, body: Callable, state: tuple) -> tuple:
        return ops.while_loop(
            lambda step, *_: step < self.steps,
            lambda step, *state: (step + 1, *body(step, *state)),
            (ops.zeros((), dtype="int32"), *state),
        )[1:]

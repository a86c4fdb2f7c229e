"""Attention from a few rows of queries to all tokens, in steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

from keras import ops

from tf_longformer.ops.plan import MASKED_SCORE
from tf_longformer.ops.plan import AttentionPlan
from tf_longformer.ops.tokens import softmax
from tf_longformer.ops.tokens import write_tokens


def keep_all(x: Any, stream: Any) -> Any:
    """Stands for a dropout where there is none."""
    return x


def added_scores(plan: AttentionPlan, dtype: str) -> Any:
    """What is added to the scores of each key, `[batch, 1, 1, seq]`."""
    attended = ops.expand_dims(ops.expand_dims(plan.attended, 1), 1)
    return ops.cast(ops.where(attended, 0.0, MASKED_SCORE), dtype)


class GlobalRows(NamedTuple):
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

        # Zeros that need the gradient: a graph would make others at its start.
        zero = 0 * delta[:1, :1, :1]
        query_gradient, key_gradient, value_gradient = self._loop(
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

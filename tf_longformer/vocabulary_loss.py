"""Cross entropy over a vocabulary without all of its logits.

Logits of 4,096 tokens over 50,265 ids are 0.8 GB, and a loss that starts from
them holds them three times. In masked language modelling few tokens have a
label. Only the logits of these are made, some rows at a time, and made again
in the backward pass. The idea is that of "Cut Your Losses in Large-Vocabulary
Language Models" (arXiv 2411.09009).
"""

from __future__ import annotations

from typing import Any

from keras import ops

from tf_longformer.backend import custom_gradient
from tf_longformer.backend import wait_for

# Rows of logits at a time. Fewer read the matrix, and add up its gradient,
# more often; more hold more memory, and leave more of the last piece empty.
_ROWS = 256


def vocabulary_logits(states: Any, matrix: Any, bias: Any) -> Any:
    """Returns `states matrix^T + bias`.

    Args:
        states: float tensor `[..., hidden]`.
        matrix: float tensor `[vocab_size, hidden]`.
        bias: float tensor `[vocab_size]`.

    Returns:
        Tensor `[..., vocab_size]` of the dtype of `states`.
    """
    matrix = ops.transpose(ops.cast(matrix, states.dtype))
    return ops.matmul(states, matrix) + ops.cast(bias, states.dtype)


def token_losses(
    states: Any, matrix: Any, bias: Any, labels: Any, counted: Any
) -> Any:
    """Returns the cross entropy of each token that counts.

    Args:
        states: float tensor `[tokens, hidden]`.
        matrix: float tensor `[vocab_size, hidden]`.
        bias: float tensor `[vocab_size]`.
        labels: int32 tensor `[tokens]` in `[0, vocab_size)`.
        counted: bool tensor `[tokens]`.

    Returns:
        Tensor `[tokens]`, float32 or float64: zero where a token doesn't
        count.
    """
    # One row more, that of no token.
    states = ops.pad(states, ((0, 1), (0, 0)))
    labels, counted = ops.pad(labels, ((0, 1),)), ops.pad(counted, ((0, 1),))
    tokens = ops.shape(states)[0]
    dtype = "float64" if states.dtype == "float64" else "float32"
    if isinstance(tokens, int):
        size = min(_ROWS, tokens)
    else:
        size = ops.minimum(_ROWS, tokens)
    # Tokens that count come first, and the last piece is filled up.
    place = ops.arange(tokens, dtype="int32")
    order = ops.argsort(ops.where(counted, place, place + tokens))
    order = ops.concatenate(
        [ops.cast(order, "int32"), ops.full((size,), tokens - 1, "int32")]
    )
    count = ops.sum(ops.cast(counted, "int32"))
    pieces = (count + size - 1) // size

    def take_piece(number: Any, states: Any) -> tuple:
        """Returns rows, their states, labels, logits and whether they count."""
        start = number * size
        rows = ops.slice(order, (start,), (size,))
        known = start + ops.arange(size, dtype="int32") < count
        # [size, hidden] and [size, vocab_size]
        taken = ops.take(states, rows, axis=0)
        logits = ops.cast(vocabulary_logits(taken, matrix, bias), dtype)
        return rows, taken, ops.take(labels, rows), logits, known

    @custom_gradient
    def losses(states: Any, matrix: Any, bias: Any) -> tuple:
        def add_piece(number: Any, found: Any) -> tuple:
            rows, _, label, logits, known = take_piece(number, states)
            label = ops.expand_dims(label, 1)
            picked = ops.take_along_axis(logits, label, axis=1)
            loss = ops.logsumexp(logits, axis=1) - ops.squeeze(picked, 1)
            loss = ops.where(known, loss, ops.zeros_like(loss))
            return number + 1, _put(found, rows, loss)

        found = _loop(pieces, add_piece, ops.zeros((tokens,), dtype))

        def grad(upstream: Any) -> tuple:
            again = wait_for(states, upstream)
            ids = ops.arange(matrix.shape[0], dtype="int32")

            def add_piece(
                number: Any, of_states: Any, of_matrix: Any, of_bias: Any
            ) -> tuple:
                rows, taken, label, logits, known = take_piece(number, again)
                weight = ops.take(upstream, rows)
                weight = ops.where(known, weight, ops.zeros_like(weight))
                is_label = ops.equal(ids, ops.expand_dims(label, 1))
                chance = ops.softmax(logits, axis=1)
                slope = ops.where(is_label, chance - 1, chance)
                slope = slope * ops.expand_dims(weight, 1)
                of_bias = of_bias + ops.sum(slope, axis=0)
                slope = ops.cast(slope, taken.dtype)
                back = ops.matmul(slope, ops.cast(matrix, taken.dtype))
                update = ops.matmul(ops.transpose(slope), taken)
                return (
                    number + 1,
                    _put(of_states, rows, back),
                    of_matrix + ops.cast(update, dtype),
                    of_bias,
                )

            of_states, of_matrix, of_bias = _loop(
                pieces,
                add_piece,
                ops.zeros_like(states),
                ops.zeros_like(matrix, dtype=dtype),
                ops.zeros_like(bias, dtype=dtype),
            )
            return (
                of_states,
                ops.cast(of_matrix, matrix.dtype),
                ops.cast(of_bias, bias.dtype),
            )

        return found, grad

    return losses(states, matrix, bias)[:-1]


def _put(x: Any, rows: Any, values: Any) -> Any:
    """Returns `x` with these values in these rows."""
    return ops.scatter_update(x, ops.expand_dims(rows, 1), values)


def _loop(count: Any, step: Any, *state: Any) -> Any:
    """Calls `step(number, *state)` for the numbers below `count`."""
    _, *state = ops.while_loop(
        lambda number, *_: number < count,
        step,
        (ops.convert_to_tensor(0, "int32"), *state),
    )
    return state if len(state) > 1 else state[0]

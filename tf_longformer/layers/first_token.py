"""Where a row begins."""

from __future__ import annotations

from typing import Any

from keras import ops


def first_token(hidden_states: Any, attention_mask: Any = None) -> Any:
    """Returns the hidden state of the first token that isn't padding.

    HF reads position 0 even where that is padding; here a row padded on the
    left gives what it gives alone.

    Args:
        hidden_states: tensor `[batch, seq, hidden]`.
        attention_mask: `[batch, seq]` of 0 and 1. Defaults to all ones.

    Returns:
        Tensor `[batch, hidden]`; position 0 of a row that is all padding.
    """
    if attention_mask is None:
        return hidden_states[:, 0]
    index = ops.argmax(ops.cast(attention_mask, "int32"), axis=1)
    index = ops.reshape(ops.cast(index, "int32"), (-1, 1, 1))
    return ops.squeeze(
        ops.take_along_axis(hidden_states, index, axis=1), axis=1
    )

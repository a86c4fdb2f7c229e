"""Gradient checkpointing: a layer that is computed again on the way back."""

from __future__ import annotations

from typing import Any

import keras


def run(
    block: keras.layers.Layer,
    hidden_states: Any,
    head_mask: Any,
    recompute: bool,
    **arguments: Any,
) -> tuple[Any, Any, Any]:
    """Calls an encoder layer, or has the backward pass call it once more.

    Args:
        block: `LongformerEncoderBlock`.
        hidden_states: float tensor `[batch, seq, hidden]`.
        head_mask: float tensor `[num_heads]` or `None`.
        recompute: bool, whether to keep nothing but these two tensors for
            the backward pass.
        **arguments: further call arguments of the block, which get no
            gradient.

    Returns:
        What the block returns.
    """
    if not recompute:
        return block(hidden_states, head_mask=head_mask, **arguments)
    # Drawn once, here: drawn within, the second pass would drop others.
    seeds = block.draw_seeds()

    def forward(hidden_states: Any, head_mask: Any = None) -> tuple:
        outputs = block(
            hidden_states, head_mask=head_mask, seeds=seeds, **arguments
        )
        return tuple(output for output in outputs if output is not None)

    tensors = [x for x in (hidden_states, head_mask) if x is not None]
    outputs = keras.remat(forward)(*tensors)
    return (*outputs, None, None)[:3]

"""How the encoder calls a layer: as it is, shared, or to be recomputed."""

from __future__ import annotations

from typing import Any

import keras

from tf_longformer.layers.kernels import value_of
from tf_longformer.layers.shared_body import SharedBodies
from tf_longformer.layers.shared_body import can_share


def run(
    block: keras.layers.Layer,
    hidden_states: Any,
    head_mask: Any,
    recompute: bool,
    bodies: SharedBodies | None = None,
    **arguments: Any,
) -> tuple[Any, Any, Any]:
    """Calls an encoder layer, or has the backward pass call it once more.

    Args:
        block: `LongformerEncoderBlock`.
        hidden_states: float tensor `[batch, seq, hidden]`.
        head_mask: float tensor `[num_heads]` or `None`.
        recompute: bool, whether to keep nothing but what goes in for the
            backward pass.
        bodies: `SharedBodies` to call the layer by where that can be, or
            `None`.
        **arguments: further call arguments of the block, which get no
            gradient.

    Returns:
        What the block returns.
    """
    share = bodies is not None and can_share(block, hidden_states)
    if not (share or recompute):
        return block(hidden_states, head_mask=head_mask, **arguments)
    # Drawn once, here: drawn within, the second pass would drop others.
    seeds = block.draw_seeds()
    if share:
        values = [value_of(weight) for weight in block.weights]
        tensors = [hidden_states, seeds, *values]
        if head_mask is not None:
            tensors.append(head_mask)
        # Traced here: within `keras.remat` no tape would take it down.
        body = bodies.body_of(block, tensors)
        if recompute:
            body = keras.remat(body)
        return body(*tensors), None, None

    def forward(hidden_states: Any, head_mask: Any = None) -> tuple:
        outputs = block(
            hidden_states, head_mask=head_mask, seeds=seeds, **arguments
        )
        return tuple(output for output in outputs if output is not None)

    tensors = [x for x in (hidden_states, head_mask) if x is not None]
    outputs = keras.remat(forward)(*tensors)
    return (*outputs, None, None)[:3]

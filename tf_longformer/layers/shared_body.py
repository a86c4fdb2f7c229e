"""Layers that are alike, traced once.

A training step of a layer is thousands of operations in the graph. Twelve
layers took a minute of Python and of TensorFlow's optimizer before the first
step, though but for their weights they are one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras

from tf_longformer.compat import is_traced
from tf_longformer.compat import sublayers
from tf_longformer.compat import traced
from tf_longformer.layers.self_attention import TFLongformerSelfAttention

_PARTS = (
    TFLongformerSelfAttention,
    keras.layers.Dense,
    keras.layers.LayerNormalization,
)


class SharedBodies:
    """Functions of encoder layers, one for all layers that are alike.

    For one pass in training through an encoder that is being traced.

    Args:
        **arguments: call arguments that all layers have in common, which get
            no gradient.
    """

    def __init__(self, **arguments: Any):
        self._arguments = arguments
        self._bodies: dict[str, Callable] = {}

    def body_of(
        self, block: keras.layers.Layer, tensors: Sequence[Any]
    ) -> Callable:
        """Returns what a layer does, as a function of its weights too.

        Args:
            block: `LongformerEncoderBlock` for which `can_share` holds.
            tensors: arguments like those of its calls: hidden states
                `[batch, seq, hidden]`, seeds from `draw_seeds()`, values of
                `block.weights`, and perhaps a head mask `[num_heads]`.

        Returns:
            Function of these tensors that returns hidden states.
        """
        kind = _kind(block, tensors)
        if kind not in self._bodies:
            self._bodies[kind] = traced(self._body(block), tensors)
        return self._bodies[kind]

    def _body(self, block: keras.layers.Layer) -> Callable:
        count = len(block.weights)

        def body(hidden_states: Any, seeds: Any, *rest: Any) -> Any:
            state = list(zip(block.weights, rest[:count], strict=True))
            with keras.StatelessScope(state_mapping=state):
                return block(
                    hidden_states,
                    head_mask=rest[count] if rest[count:] else None,
                    seeds=seeds,
                    **self._arguments,
                )[0]

        return body


def can_share(block: keras.layers.Layer, hidden_states: Any) -> bool:
    """Returns whether a layer may be called as another one that is alike.

    Gradients of all weights would be computed, so that none may be frozen.
    A layer that holds parts which aren't ours is called as it is.
    """
    return (
        is_traced(hidden_states)
        and all(weight.trainable for weight in block.weights)
        and all(
            type(part) in _PARTS and part.activity_regularizer is None
            for part in sublayers(block)
        )
    )


def _kind(block: keras.layers.Layer, tensors: Sequence[Any]) -> str:
    shapes = [(x.shape, x.dtype) for x in tensors]
    configs = [
        {**layer.get_config(), "name": ""}
        for layer in (block, *sublayers(block))
    ]
    return json.dumps([configs, shapes], sort_keys=True, default=str)

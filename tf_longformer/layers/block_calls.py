"""How the encoder calls its blocks: one by one, shared, scanned, recomputed.

In a graph a training step of one block is thousands of operations. Before the
first step of twelve blocks, Python and TensorFlow's graph optimizer took a
minute, though the blocks differ in nothing but their weights. So blocks that
are alike share one function, which is traced once and takes the weights as
arguments. JAX inlines such a function, so that XLA compiles each block; there,
if asked for, a loop over the blocks' stacked weights takes its place.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras

from tf_longformer.attention import TokenRoles
from tf_longformer.backend import can_scan
from tf_longformer.backend import is_traced
from tf_longformer.backend import scan
from tf_longformer.backend import trace_once
from tf_longformer.backend import value_of
from tf_longformer.keras_private import sublayers
from tf_longformer.layers.encoder_block import LongformerEncoderBlock
from tf_longformer.layers.self_attention import TFLongformerSelfAttention

_OUR_PARTS = (
    TFLongformerSelfAttention,
    keras.layers.Dense,
    keras.layers.LayerNormalization,
)


class BlockCalls:
    """Calls of all blocks in one pass through the encoder.

    Args:
        roles: `TokenRoles`.
        training: bool, whether dropout is active.
        output_attentions: bool, whether blocks return probabilities too.
        recompute: bool, whether training keeps only what goes into a block,
            and calls the block again in the backward pass.
        flash_attention: bool, as `TFLongformerSelfAttention` has it.
    """

    def __init__(
        self,
        roles: TokenRoles,
        training: bool,
        output_attentions: bool,
        recompute: bool,
        flash_attention: bool,
    ):
        self._arguments = {
            "roles": roles,
            "training": training,
            "flash_attention": flash_attention,
        }
        self._output_attentions = output_attentions
        self._recompute = recompute and bool(training)
        self._functions: dict[str, Callable] = {}

    def run(
        self, block: LongformerEncoderBlock, hidden_states: Any, head_mask: Any
    ) -> tuple[Any, Any, Any]:
        """Returns what a block returns.

        Args:
            block: the block, built.
            hidden_states: float tensor `[batch, seq, hidden]`.
            head_mask: float tensor `[num_heads]` or `None`.
        """
        if self._can_share(block, hidden_states):
            return self._run_shared(block, hidden_states, head_mask), None, None
        arguments = {
            **self._arguments,
            "output_attentions": self._output_attentions,
        }
        if not self._recompute:
            return block(hidden_states, head_mask=head_mask, **arguments)
        # Drawn here, once for both calls: the backward pass has to replay the
        # dropout of the forward pass.
        arguments["seeds"] = block.draw_seeds()

        def forward(hidden_states: Any, head_mask: Any = None) -> tuple:
            outputs = block(hidden_states, head_mask=head_mask, **arguments)
            return tuple(output for output in outputs if output is not None)

        tensors = [x for x in (hidden_states, head_mask) if x is not None]
        outputs = keras.remat(forward)(*tensors)
        return (*outputs, None, None)[:3]

    def can_scan(
        self, blocks: Sequence[LongformerEncoderBlock], hidden_states: Any
    ) -> bool:
        """Returns whether one loop can run all blocks: if they are alike."""
        return (
            can_scan()
            and is_traced(hidden_states)
            and not self._output_attentions
            and all(map(_has_our_parts, blocks))
            and len({_kind(block, block.weights) for block in blocks}) == 1
        )

    def scan(
        self,
        blocks: Sequence[LongformerEncoderBlock],
        hidden_states: Any,
        head_mask: Any,
        keep_all: bool,
    ) -> list[Any]:
        """Runs all blocks by one loop, which is compiled as one of them.

        Args:
            blocks: the blocks, built, which `can_scan` took.
            hidden_states: float tensor `[batch, seq, hidden]`.
            head_mask: float tensor `[num_layers, num_heads]` or `None`.
            keep_all: bool, whether to return what comes out of each block.

        Returns:
            List of that, or of what comes out of the last one.
        """
        arguments = []
        for index, block in enumerate(blocks):
            seeds = block.draw_seeds() if self._arguments["training"] else None
            values = [value_of(weight) for weight in block.weights]
            if head_mask is not None:
                values.append(head_mask[index])
            arguments.append([seeds, *values])
        function = self._function_of_weights(blocks[0])
        if self._recompute:
            function = keras.remat(function)
        return scan(function, hidden_states, arguments, keep_all)

    def _can_share(
        self, block: LongformerEncoderBlock, hidden_states: Any
    ) -> bool:
        """Returns whether a block may be called by a shared function.

        That function has gradients of all weights, so that none may be
        frozen. What layers do that aren't ours may not depend on their
        weights and arguments alone.
        """
        return (
            self._arguments["training"]
            and not self._output_attentions
            and is_traced(hidden_states)
            and all(weight.trainable for weight in block.weights)
            and _has_our_parts(block)
        )

    def _run_shared(
        self, block: LongformerEncoderBlock, hidden_states: Any, head_mask: Any
    ) -> Any:
        """Calls the function that all blocks like this one share."""
        seeds = block.draw_seeds()
        values = [value_of(weight) for weight in block.weights]
        tensors = [hidden_states, seeds, *values]
        if head_mask is not None:
            tensors.append(head_mask)
        kind = _kind(block, tensors)
        if kind not in self._functions:
            function = self._function_of_weights(block)
            # Before `keras.remat`, as no tape would see a trace within that.
            self._functions[kind] = trace_once(function, tensors)
        function = self._functions[kind]
        if not self._recompute:
            return function(*tensors)
        # TensorFlow warns of an argument that isn't floating point.
        recomputed = keras.remat(lambda x, *rest: function(x, seeds, *rest))
        return recomputed(hidden_states, *tensors[2:])

    def _function_of_weights(self, block: LongformerEncoderBlock) -> Callable:
        count = len(block.weights)

        def call(hidden_states: Any, seeds: Any, *rest: Any) -> Any:
            state = list(zip(block.weights, rest[:count], strict=True))
            with keras.StatelessScope(state_mapping=state):
                return block(
                    hidden_states,
                    head_mask=rest[count] if rest[count:] else None,
                    seeds=seeds,
                    **self._arguments,
                )[0]

        return call


def _has_our_parts(block: LongformerEncoderBlock) -> bool:
    return all(
        type(part) in _OUR_PARTS and part.activity_regularizer is None
        for part in sublayers(block)
    )


def _kind(block: LongformerEncoderBlock, tensors: Sequence[Any]) -> str:
    """Returns a text that is equal for blocks that can share a function.

    It holds all that their outputs depend on, except the weights' values.
    """
    shapes = [(x.shape, x.dtype) for x in tensors]
    configs = [
        {**layer.get_config(), "name": ""}
        for layer in (block, *sublayers(block))
    ]
    return json.dumps([configs, shapes], sort_keys=True, default=str)

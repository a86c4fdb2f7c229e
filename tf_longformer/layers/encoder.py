"""The stack of encoder layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tf_longformer.attention import TokenRoles
from tf_longformer.keras_private import keep_in_checkpoints
from tf_longformer.layers.block_calls import BlockCalls
from tf_longformer.layers.encoder_block import LongformerEncoderBlock
from tf_longformer.layers.initializers import InitialValues
from tf_longformer.layers.longformer_layer import LongformerLayer
from tf_longformer.layers.self_attention import roles_from_masks
from tf_longformer.outputs import TFLongformerBaseModelOutput


@keras.saving.register_keras_serializable("tf_longformer")
class TFLongformerEncoder(LongformerLayer):
    """A stack of Longformer layers.

    ```python
    inputs = keras.Input((None, 64))
    encoder = TFLongformerEncoder(
        num_layers=2, num_heads=4, intermediate_size=128, attention_window=32
    )
    model = keras.Model(inputs, encoder(inputs))
    ```

    Args:
        num_layers: int, layers.
        num_heads: int, attention heads of each layer.
        intermediate_size: int, width of the feed-forward parts.
        attention_window: int, or one for each layer in any mix; even and
            positive. Defaults to `512`.
        hidden_act: str, name of the activation. Defaults to `"gelu"`.
        hidden_dropout: float, dropout of the layers' outputs. Defaults to
            `0.1`.
        attention_dropout: float, dropout of the attention probabilities.
            Defaults to `0.1`.
        layer_norm_eps: float, epsilon of the normalisations. Defaults to
            `1e-12`.
        initializer_range: float, standard deviation of new kernels.
            Defaults to `0.02`.
        attention_slots: int or `None`, as `TFLongformerSelfAttention` has
            it. Defaults to `None`.
        gradient_checkpointing: bool, whether training keeps only what goes
            into each layer and computes the rest again in the backward
            pass, with the same dropout. Less memory for about a third more
            time. An attribute that may be set later. Defaults to `False`.
        scan_layers: bool, whether JAX compiles one layer, and runs it in a
            loop over the stacked weights of all, where layers are alike and
            attentions aren't asked for. It compiles sooner and computes the
            same; the weights are copied once a step. TensorFlow shares
            layers in any case. An attribute that may be set later. Defaults
            to `False`.
        flash_attention: bool, whether layers attend by cuDNN's kernel where
            they can, as `TFLongformerSelfAttention` says. An attribute that
            may be set later. Defaults to `False`.
        initial_values: `InitialValues` of its matrices. Defaults to none.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        hidden_states: float tensor `[batch, seq, hidden]`.
        attention_mask: `[batch, seq]` of 0 (padding) and 1. Defaults to the
            Keras mask of the input, or else to all ones.
        global_attention_mask: `[batch, seq]` of 0 and 1 (global). Defaults
            to no global tokens.
        head_mask: float tensor `[num_layers, num_heads]` that scales the
            heads' outputs. Defaults to all ones.
        roles: `tf_longformer.attention.TokenRoles`, in place of the two masks
            where they are made already.
        output_attentions: bool, whether to return all probabilities.
        output_hidden_states: bool, whether to return all hidden states.
        reference_attention: bool, as `TFLongformerSelfAttention` has it.
        training: bool, whether dropout is active.

    Returns:
        Tensor `[batch, seq, hidden]`, or a `TFLongformerBaseModelOutput`
        where attentions or hidden states are asked for.

    Raises:
        ValueError: if `attention_window` has not one element a layer, or
            `head_mask` another shape.

    Reference:
        - [Beltagy et al., 2020](https://arxiv.org/abs/2004.05150)
    """

    def __init__(
        self,
        num_layers: int,
        num_heads: int,
        intermediate_size: int,
        attention_window: int | Sequence[int] = 512,
        hidden_act: str = "gelu",
        hidden_dropout: float = 0.1,
        attention_dropout: float = 0.1,
        layer_norm_eps: float = 1e-12,
        initializer_range: float = 0.02,
        attention_slots: int | None = None,
        gradient_checkpointing: bool = False,
        scan_layers: bool = False,
        flash_attention: bool = False,
        initial_values: InitialValues | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if np.ndim(attention_window):
            windows = list(attention_window)
        else:
            windows = [attention_window] * num_layers
        if len(windows) != num_layers:
            raise ValueError(
                "`attention_window` must be one int or one for each layer. "
                f"Received: {len(windows)} windows for num_layers="
                f"{num_layers}. Pass as many as there are layers."
            )
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.intermediate_size = intermediate_size
        self.attention_window = attention_window
        self.hidden_act = hidden_act
        self.hidden_dropout = hidden_dropout
        self.attention_dropout = attention_dropout
        self.layer_norm_eps = layer_norm_eps
        self.initializer_range = initializer_range
        self.attention_slots = attention_slots
        self.gradient_checkpointing = gradient_checkpointing
        self.scan_layers = scan_layers
        self.flash_attention = flash_attention
        self.supports_masking = True
        self.blocks = [
            LongformerEncoderBlock(
                num_heads=num_heads,
                intermediate_size=intermediate_size,
                attention_window=window,
                hidden_act=hidden_act,
                hidden_dropout=hidden_dropout,
                attention_dropout=attention_dropout,
                layer_norm_eps=layer_norm_eps,
                initializer_range=initializer_range,
                attention_slots=attention_slots,
                initial_values=initial_values,
                name=f"layer_{index}",
                dtype=self.dtype_policy,
            )
            for index, window in enumerate(windows)
        ]
        keep_in_checkpoints(self, self.blocks)

    @property
    def layer(self) -> list[LongformerEncoderBlock]:
        """The blocks, as transformers calls them."""
        return self.blocks

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        for block in self.blocks:
            block.build(input_shape)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def call(
        self,
        hidden_states: Any,
        attention_mask: Any = None,
        global_attention_mask: Any = None,
        head_mask: Any = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        mask: Any = None,
        hidden_states_mask: Any = None,
        training: bool = False,
        roles: TokenRoles | None = None,
        reference_attention: bool = False,
    ) -> Any:
        expected = (self.num_layers, self.num_heads)
        if head_mask is not None and tuple(head_mask.shape) != expected:
            raise ValueError(
                f"`head_mask` must be [num_layers, num_heads] = {expected}. "
                f"Received: shape {tuple(head_mask.shape)}. Pass one number "
                "for each head of each layer."
            )
        if roles is None:
            roles = roles_from_masks(
                hidden_states,
                (attention_mask, mask, hidden_states_mask),
                global_attention_mask,
                self.attention_slots,
                output_attentions,
                reference_attention,
            )
        calls = BlockCalls(
            roles,
            training,
            output_attentions,
            self.gradient_checkpointing,
            self.flash_attention,
        )
        all_hidden_states = [hidden_states]
        attentions = []
        global_attentions = []
        if self.scan_layers and calls.can_scan(self.blocks, hidden_states):
            all_hidden_states += calls.scan(
                self.blocks, hidden_states, head_mask, output_hidden_states
            )
            hidden_states = all_hidden_states[-1]
        else:
            for index, block in enumerate(self.blocks):
                hidden_states, local, global_ = calls.run(
                    block,
                    hidden_states,
                    None if head_mask is None else head_mask[index],
                )
                all_hidden_states.append(hidden_states)
                attentions.append(local)
                global_attentions.append(global_)
        if not (output_attentions or output_hidden_states):
            return hidden_states
        has_global = output_attentions and global_attentions[0] is not None
        return TFLongformerBaseModelOutput(
            last_hidden_state=hidden_states,
            hidden_states=(
                tuple(all_hidden_states) if output_hidden_states else None
            ),
            attentions=tuple(attentions) if output_attentions else None,
            global_attentions=tuple(global_attentions) if has_global else None,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "intermediate_size": self.intermediate_size,
            "attention_window": self.attention_window,
            "hidden_act": self.hidden_act,
            "hidden_dropout": self.hidden_dropout,
            "attention_dropout": self.attention_dropout,
            "layer_norm_eps": self.layer_norm_eps,
            "initializer_range": self.initializer_range,
            "attention_slots": self.attention_slots,
            "gradient_checkpointing": self.gradient_checkpointing,
            "scan_layers": self.scan_layers,
            "flash_attention": self.flash_attention,
        }

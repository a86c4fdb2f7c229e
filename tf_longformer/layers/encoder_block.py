"""One layer of the encoder: attention, then a feed-forward part."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tf_longformer.attention import ReplayableDropout
from tf_longformer.attention import TokenRoles
from tf_longformer.attention import add_and_normalize
from tf_longformer.attention import gelu
from tf_longformer.attention import gelu_dense
from tf_longformer.backend import value_of
from tf_longformer.layers.activations import get_activation
from tf_longformer.layers.initializers import InitialValues
from tf_longformer.layers.initializers import Normal
from tf_longformer.layers.initializers import dense
from tf_longformer.layers.longformer_layer import LongformerLayer
from tf_longformer.layers.self_attention import TFLongformerSelfAttention
from tf_longformer.layers.self_attention import has_kernel


@keras.saving.register_keras_serializable("tf_longformer")
class LongformerEncoderBlock(LongformerLayer):
    """Self-attention and a feed-forward part, each added and normalised.

    Args:
        num_heads: int, attention heads.
        intermediate_size: int, width of the feed-forward part.
        attention_window: int, even and positive. Defaults to `512`.
        hidden_act: str, the activation's name. Defaults to `"gelu"`.
        hidden_dropout: float, dropout of the two outputs. Defaults to `0.1`.
        attention_dropout: float, dropout of the attention probabilities.
            Defaults to `0.1`.
        layer_norm_eps: float, epsilon of the normalisations. Defaults to
            `1e-12`.
        initializer_range: float, standard deviation of new kernels.
            Defaults to `0.02`.
        attention_slots: int or `None`, as `TFLongformerSelfAttention` has
            it. Defaults to `None`.
        initial_values: `InitialValues` of its matrices. Defaults to none.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        hidden_states: float tensor `[batch, seq, hidden]`.
        roles: `tf_longformer.attention.TokenRoles`.
        head_mask: float tensor `[num_heads]` or `None`.
        seeds: integer tensor from `draw_seeds()`: equal seeds repeat the
            dropout. Defaults to new ones.
        output_attentions: bool, whether to return probabilities too.
        flash_attention: bool, as `TFLongformerSelfAttention` has it.
        training: bool, whether dropout is active.

    Returns:
        Tuple of a tensor `[batch, seq, hidden]` and the local and global
        attention probabilities, `None` unless asked for.
    """

    def __init__(
        self,
        num_heads: int,
        intermediate_size: int,
        attention_window: int = 512,
        hidden_act: str = "gelu",
        hidden_dropout: float = 0.1,
        attention_dropout: float = 0.1,
        layer_norm_eps: float = 1e-12,
        initializer_range: float = 0.02,
        attention_slots: int | None = None,
        initial_values: InitialValues | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.intermediate_size = intermediate_size
        self.attention_window = attention_window
        self.hidden_act = hidden_act
        self.activation = get_activation(hidden_act)
        self.hidden_dropout = hidden_dropout
        self.attention_dropout = attention_dropout
        self.layer_norm_eps = layer_norm_eps
        self.initializer_range = initializer_range
        self.attention_slots = attention_slots
        self.initial_values = initial_values
        self.seed_generator = keras.random.SeedGenerator()
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        hidden = input_shape[-1]
        self.attention = TFLongformerSelfAttention(
            num_heads=self.num_heads,
            attention_window=self.attention_window,
            dropout=self.attention_dropout,
            kernel_initializer=Normal(
                self.initializer_range, initial_values=self.initial_values
            ),
            attention_slots=self.attention_slots,
            name="attention",
            dtype=self.dtype_policy,
        )
        self.attention.build(input_shape)
        self.attention_output = dense(self, hidden, "attention_output")
        self.attention_output.build(input_shape)
        self.attention_norm = self._norm("attention_norm")
        self.attention_norm.build(input_shape)
        self.intermediate = dense(self, self.intermediate_size, "intermediate")
        self.intermediate.build(input_shape)
        self.output_dense = dense(self, hidden, "output")
        self.output_dense.build((*input_shape[:-1], self.intermediate_size))
        self.output_norm = self._norm("output_norm")
        self.output_norm.build(input_shape)

    def draw_seeds(self) -> Any:
        """Returns new seeds for one call, an integer tensor `[3, 2]`."""
        return ops.concatenate(
            [
                self.attention.draw_seeds(),
                ops.expand_dims(self.seed_generator.next(), 0),
            ],
            axis=0,
        )

    def call(
        self,
        hidden_states: Any,
        roles: TokenRoles,
        head_mask: Any = None,
        seeds: Any = None,
        output_attentions: bool = False,
        flash_attention: bool = False,
        training: bool = False,
    ) -> tuple[Any, Any, Any]:
        dropout = attention_seeds = None
        if training:
            if seeds is None:
                seeds = self.draw_seeds()
            attention_seeds = seeds[:2]
            if self.hidden_dropout:
                dropout = ReplayableDropout(self.hidden_dropout, seeds[2])
        attended = self.attention(
            hidden_states,
            head_mask=head_mask,
            roles=roles,
            seeds=attention_seeds,
            output_attentions=output_attentions,
            flash_attention=flash_attention,
            training=training,
        )
        local = global_ = None
        if output_attentions:
            attended, local, global_ = attended
        # With all tokens in one axis these are matrix products, which can be
        # fused with the bias and the activation that follow.
        shape = ops.shape(hidden_states)
        hidden_states, attended = (
            ops.reshape(x, (-1, shape[-1])) for x in (hidden_states, attended)
        )
        hidden_states = self._add_and_normalize(
            self.attention_output(attended),
            hidden_states,
            self.attention_norm,
            training,
            dropout,
            stream=0,
        )
        hidden_states = self._add_and_normalize(
            self._feed_forward(hidden_states, training),
            hidden_states,
            self.output_norm,
            training,
            dropout,
            stream=1,
        )
        return ops.reshape(hidden_states, shape), local, global_

    def _feed_forward(self, hidden_states: Any, training: bool) -> Any:
        inner = self.intermediate(hidden_states)
        is_gelu = self.activation is gelu
        if training and is_gelu and has_kernel(self.output_dense):
            return gelu_dense(
                inner,
                value_of(self.output_dense.kernel),
                value_of(self.output_dense.bias),
            )
        return self.output_dense(self.activation(inner))

    def _add_and_normalize(
        self,
        update: Any,
        residual: Any,
        norm: keras.layers.LayerNormalization,
        training: bool,
        dropout: ReplayableDropout | None,
        stream: int,
    ) -> Any:
        """Returns the norm of the residual and the update, after dropout."""
        if not training:
            return norm(update + residual)
        return add_and_normalize(
            update,
            residual,
            value_of(norm.gamma),
            value_of(norm.beta),
            norm.epsilon,
            dropout,
            stream,
        )

    def _norm(self, name: str) -> keras.layers.LayerNormalization:
        return keras.layers.LayerNormalization(
            epsilon=self.layer_norm_eps, name=name, dtype=self.dtype_policy
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "intermediate_size": self.intermediate_size,
            "attention_window": self.attention_window,
            "hidden_act": self.hidden_act,
            "hidden_dropout": self.hidden_dropout,
            "attention_dropout": self.attention_dropout,
            "layer_norm_eps": self.layer_norm_eps,
            "initializer_range": self.initializer_range,
            "attention_slots": self.attention_slots,
        }

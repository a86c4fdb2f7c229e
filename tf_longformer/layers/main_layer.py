"""Embeddings, encoder and pooler: the body that all models share."""

from __future__ import annotations

import warnings
from typing import Any

import keras
from keras import ops

from tf_longformer.compat import compiling_with_xla
from tf_longformer.compat import is_traced
from tf_longformer.configuration import LongformerConfig
from tf_longformer.layers.embeddings import TFLongformerEmbeddings
from tf_longformer.layers.encoder import TFLongformerEncoder
from tf_longformer.layers.pooler import LongformerPooler
from tf_longformer.layers.quantized import RemembersQuantization
from tf_longformer.outputs import TFLongformerBaseModelOutputWithPooling


@keras.saving.register_keras_serializable("tf_longformer")
class TFLongformerMainLayer(RemembersQuantization, keras.layers.Layer):
    """A Longformer without a head.

    Args:
        config: `LongformerConfig`, or a dict of its fields.
        add_pooling_layer: bool. Defaults to `True`.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        As for `TFLongformerModel`, each normalised to a tensor or `None`.

    Returns:
        `TFLongformerBaseModelOutputWithPooling`.
    """

    def __init__(
        self,
        config: LongformerConfig | dict[str, Any],
        add_pooling_layer: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if isinstance(config, dict):
            config = LongformerConfig.from_dict(config)
        self.config = config
        self._has_warned = False
        self.embeddings = TFLongformerEmbeddings(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            max_position_embeddings=config.max_position_embeddings,
            type_vocab_size=config.type_vocab_size,
            pad_token_id=config.pad_token_id,
            layer_norm_eps=config.layer_norm_eps,
            dropout=config.hidden_dropout_prob,
            initializer_range=config.initializer_range,
            name="embeddings",
            dtype=self.dtype_policy,
        )
        self.encoder = TFLongformerEncoder(
            num_layers=config.num_hidden_layers,
            num_heads=config.num_attention_heads,
            intermediate_size=config.intermediate_size,
            attention_window=[2 * radius for radius in config.radii],
            hidden_act=config.hidden_act,
            hidden_dropout=config.hidden_dropout_prob,
            attention_dropout=config.attention_probs_dropout_prob,
            layer_norm_eps=config.layer_norm_eps,
            initializer_range=config.initializer_range,
            attention_slots=config.attention_slots,
            gradient_checkpointing=bool(
                getattr(config, "gradient_checkpointing", False)
            ),
            name="encoder",
            dtype=self.dtype_policy,
        )
        self.pooler = (
            LongformerPooler(
                initializer_range=config.initializer_range,
                name="pooler",
                dtype=self.dtype_policy,
            )
            if add_pooling_layer
            else None
        )

    def build(self, input_shape: Any = None) -> None:
        hidden_shape = (None, None, self.config.hidden_size)
        self.embeddings.build((None, None))
        self.encoder.build(hidden_shape)
        if self.pooler is not None:
            self.pooler.build(hidden_shape)

    def call(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        global_attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        inputs_embeds: Any = None,
        head_mask: Any = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        training: bool = False,
    ) -> TFLongformerBaseModelOutputWithPooling:
        global_attention_mask = self._needed_globals(
            attention_mask, global_attention_mask, output_attentions
        )
        embedded = self.embeddings(
            input_ids,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            training=training,
        )
        encoded = self.encoder(
            embedded,
            attention_mask=attention_mask,
            global_attention_mask=global_attention_mask,
            head_mask=head_mask,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            training=training,
        )
        fields = encoded if isinstance(encoded, dict) else {}
        hidden_states = fields.get("last_hidden_state", encoded)
        pooled = None
        if self.pooler is not None:
            pooled = self.pooler(hidden_states, attention_mask=attention_mask)
        return TFLongformerBaseModelOutputWithPooling(
            {
                **fields,
                "last_hidden_state": hidden_states,
                "pooler_output": pooled,
            }
        )

    def _needed_globals(
        self,
        attention_mask: Any,
        global_attention_mask: Any,
        output_attentions: bool,
    ) -> Any:
        """Returns the global mask, `None` where no token turns out global.

        Only eager mode can look.
        """
        if global_attention_mask is None:
            return None
        slots = self.config.attention_slots
        flags = ops.cast(global_attention_mask, "int32")
        if attention_mask is not None:
            flags = flags * ops.cast(attention_mask, "int32")
        counts = ops.sum(flags, axis=1)
        if is_traced(counts):
            if output_attentions and slots is None and compiling_with_xla():
                raise ValueError(
                    "Under XLA the attentions need a fixed number of columns "
                    "for global tokens. Received: output_attentions=True and "
                    "config.attention_slots=None. Set `attention_slots` in "
                    "the config to the most global tokens that a row has."
                )
            return global_attention_mask
        most = int(ops.convert_to_numpy(counts).max(initial=0))
        self._warn_of_many(most)
        return global_attention_mask if most or slots is not None else None

    def _warn_of_many(self, most: int) -> None:
        """Says once that global attention has become the larger part."""
        window = 2 * max(self.config.radii)
        if most <= window or self._has_warned:
            return
        self._has_warned = True
        warnings.warn(
            f"A row has {most} global tokens, more than the window of "
            f"{window}. The result is exact, but each global token costs as "
            "much as attention to all tokens, so that time grows with their "
            "number times the length. Mark fewer tokens in "
            "`global_attention_mask` if that is too slow.",
            stacklevel=2,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "config": self.config.to_dict(),
            "add_pooling_layer": self.pooler is not None,
        }

"""Embeddings, encoder and pooler: the body that all models share."""

from __future__ import annotations

import warnings
from typing import Any

import keras

from tf_longformer.attention import TokenRoles
from tf_longformer.attention import assign_roles
from tf_longformer.backend import is_traced
from tf_longformer.configuration import LongformerConfig
from tf_longformer.inputs.call_arguments import gather_arguments
from tf_longformer.inputs.checks import check_shapes
from tf_longformer.layers.embeddings import TFLongformerEmbeddings
from tf_longformer.layers.encoder import TFLongformerEncoder
from tf_longformer.layers.head_layers import LongformerPooler
from tf_longformer.layers.initializers import InitialValues
from tf_longformer.layers.longformer_layer import LongformerLayer
from tf_longformer.layers.self_attention import first_mask
from tf_longformer.outputs import TFLongformerBaseModelOutputWithPooling


@keras.saving.register_keras_serializable("tf_longformer")
class TFLongformerMainLayer(LongformerLayer):
    """A Longformer without a head.

    Args:
        config: `LongformerConfig`, or a dict of its fields.
        add_pooling_layer: bool. Defaults to `True`.
        initial_values: `InitialValues` of its matrices. Defaults to none.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        As for `TFLongformerModel`; `attention_slots` defaults to the
        config's, but on the reference path to what each batch needs.

    Returns:
        `TFLongformerBaseModelOutputWithPooling`, or a tuple where
        `return_dict` is `False`.
    """

    def __init__(
        self,
        config: LongformerConfig | dict[str, Any],
        add_pooling_layer: bool = True,
        initial_values: InitialValues | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not isinstance(config, LongformerConfig):
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
            initial_values=initial_values,
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
            initial_values=initial_values,
            name="encoder",
            dtype=self.dtype_policy,
        )
        self.pooler = (
            LongformerPooler(
                initializer_range=config.initializer_range,
                initial_values=initial_values,
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

    def __call__(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        inputs = gather_arguments(
            type(self).__name__, (), input_ids, attention_mask, args, kwargs
        )
        check_shapes(inputs, self.config)
        return_dict = inputs.pop("return_dict", True)
        output = super().__call__(**inputs)
        return output if return_dict else output.to_tuple()

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
        reference_attention: bool = False,
        attention_slots: int | None = None,
        training: bool = False,
    ) -> TFLongformerBaseModelOutputWithPooling:
        embedded = self.embeddings(
            input_ids,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            training=training,
        )
        if attention_slots is None and not reference_attention:
            attention_slots = self.config.attention_slots
        roles = assign_roles(
            first_mask(embedded, attention_mask),
            global_attention_mask,
            attention_slots,
            output_attentions,
            reference_attention,
        )
        encoded = self.encoder(
            embedded,
            roles=self._needed_roles(roles, attention_slots),
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

    def _needed_roles(
        self, roles: TokenRoles, attention_slots: int | None
    ) -> TokenRoles:
        """Returns the roles, without slots where no token is global.

        That shows in eager mode only, as does a number that needs a warning.
        """
        if roles.max_globals is None or is_traced(roles.max_globals):
            return roles
        max_globals = int(roles.max_globals)
        self._warn_of_many_globals(max_globals)
        if max_globals > 0 or attention_slots is not None:
            return roles
        return assign_roles(
            roles.attended, None, reference_attention=roles.reference
        )

    def _warn_of_many_globals(self, max_globals: int) -> None:
        """Warns once that global attention takes more time than the window."""
        window = 2 * max(self.config.radii)
        if max_globals <= window or self._has_warned:
            return
        self._has_warned = True
        warnings.warn(
            f"A row has {max_globals} global tokens, more than the window of "
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

"""Word, position and token type embeddings."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tf_longformer.backend import take_rows
from tf_longformer.keras_private import quantization_mode
from tf_longformer.keras_private import stored_value
from tf_longformer.layers.initializers import InitialValues
from tf_longformer.layers.initializers import Normal
from tf_longformer.layers.longformer_layer import LongformerLayer


@keras.saving.register_keras_serializable("tf_longformer")
class TFLongformerEmbeddings(LongformerLayer):
    """Sum of word, position and token type embeddings, normalised.

    Positions are counted as RoBERTa does: from `pad_token_id + 1`, over the
    tokens that aren't padding; padding has position `pad_token_id`. The two
    rows of padding get no gradient.

    Args:
        vocab_size: int, word embeddings.
        hidden_size: int, their width.
        max_position_embeddings: int, position embeddings.
        type_vocab_size: int, token type embeddings. Defaults to `2`.
        pad_token_id: int, id of the padding token. Defaults to `1`.
        layer_norm_eps: float, epsilon of the normalisation. Defaults to
            `1e-12`.
        dropout: float, dropout of the result. Defaults to `0.1`.
        initializer_range: float, standard deviation of new weights.
            Defaults to `0.02`.
        initial_values: `InitialValues` of its matrices. Defaults to none.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        input_ids: integer tensor `[batch, seq]`, or `None` where
            `inputs_embeds` are given.
        token_type_ids: integer tensor `[batch, seq]`. Defaults to zeros.
        position_ids: integer tensor `[batch, seq]`. Defaults to positions
            counted from `input_ids`, or for `inputs_embeds` from
            `pad_token_id + 1` on without a gap.
        inputs_embeds: float tensor `[batch, seq, hidden_size]` that takes
            the place of the word embeddings.
        training: bool, whether dropout is active.

    Returns:
        Tensor `[batch, seq, hidden_size]`.

    Reference:
        - [Liu et al., 2019](https://arxiv.org/abs/1907.11692) (positions)
    """

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        max_position_embeddings: int,
        type_vocab_size: int = 2,
        pad_token_id: int = 1,
        layer_norm_eps: float = 1e-12,
        dropout: float = 0.1,
        initializer_range: float = 0.02,
        initial_values: InitialValues | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.max_position_embeddings = max_position_embeddings
        self.type_vocab_size = type_vocab_size
        self.pad_token_id = pad_token_id
        self.layer_norm_eps = layer_norm_eps
        self.dropout_rate = dropout
        self.initializer_range = initializer_range
        self.initial_values = initial_values
        self.word_embeddings = self._table(
            vocab_size,
            "word_embeddings",
            zero_row=pad_token_id,
        )
        self.position_embeddings = self._table(
            max_position_embeddings,
            "position_embeddings",
            zero_row=pad_token_id,
        )
        self.token_type_embeddings = self._table(
            type_vocab_size,
            "token_type_embeddings",
        )
        self.norm = keras.layers.LayerNormalization(
            epsilon=layer_norm_eps, name="norm", dtype=self.dtype_policy
        )
        self.dropout = keras.layers.Dropout(
            dropout, name="dropout", dtype=self.dtype_policy
        )

    def _table(
        self, rows: int, name: str, zero_row: int | None = None
    ) -> keras.layers.Embedding:
        return keras.layers.Embedding(
            rows,
            self.hidden_size,
            embeddings_initializer=Normal(
                self.initializer_range,
                zero_row,
                initial_values=self.initial_values,
            ),
            name=name,
            dtype=self.dtype_policy,
        )

    def build(self, input_shape: Any = None) -> None:
        for table in (
            self.word_embeddings,
            self.position_embeddings,
            self.token_type_embeddings,
        ):
            table.build((None, None))
        self.norm.build((None, None, self.hidden_size))

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return *input_shape, self.hidden_size

    def call(
        self,
        input_ids: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        inputs_embeds: Any = None,
        training: bool = False,
    ) -> Any:
        if position_ids is None:
            position_ids = self.count_positions(input_ids, inputs_embeds)
        if inputs_embeds is None:
            inputs_embeds = self._look_up(self.word_embeddings, input_ids)
        if token_type_ids is None:
            token_type_ids = ops.zeros_like(position_ids)
        embeddings = (
            inputs_embeds
            + self._look_up(self.position_embeddings, position_ids)
            + self._take(self.token_type_embeddings, token_type_ids)
        )
        return self.dropout(self.norm(embeddings), training=training)

    def _look_up(self, table: keras.layers.Embedding, ids: Any) -> Any:
        """Looks up rows; that of padding is not trained, as in PyTorch."""
        rows = self._take(table, ids)
        padding = ops.expand_dims(ops.equal(ids, self.pad_token_id), -1)
        return ops.where(padding, ops.stop_gradient(rows), rows)

    def _take(self, table: keras.layers.Embedding, ids: Any) -> Any:
        if quantization_mode(table) or table.lora_enabled:
            # Its table isn't trained.
            return table(ids)
        rows = take_rows(stored_value(table.embeddings), ops.cast(ids, "int32"))
        return ops.cast(rows, table.compute_dtype)

    def count_positions(self, input_ids: Any, inputs_embeds: Any = None) -> Any:
        """Returns the default position ids, int32 `[batch, seq]`.

        Args:
            input_ids: integer tensor `[batch, seq]`, or `None`.
            inputs_embeds: float tensor `[batch, seq, hidden]`, looked at
                only where there are no ids.
        """
        if input_ids is None:
            batch, seq, _ = ops.shape(inputs_embeds)
            positions = ops.arange(seq, dtype="int32") + self.pad_token_id + 1
            return ops.broadcast_to(ops.expand_dims(positions, 0), (batch, seq))
        token = ops.cast(ops.not_equal(input_ids, self.pad_token_id), "int32")
        return ops.cumsum(token, axis=1) * token + self.pad_token_id

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "max_position_embeddings": self.max_position_embeddings,
            "type_vocab_size": self.type_vocab_size,
            "pad_token_id": self.pad_token_id,
            "layer_norm_eps": self.layer_norm_eps,
            "dropout": self.dropout_rate,
            "initializer_range": self.initializer_range,
        }

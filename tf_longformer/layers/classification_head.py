"""The head that classifies a sequence by its first token."""

from __future__ import annotations

from typing import Any

import keras

from tf_longformer.layers.first_token import first_token
from tf_longformer.layers.initializers import Normal
from tf_longformer.layers.quantized import RemembersQuantization


@keras.saving.register_keras_serializable("tf_longformer")
class LongformerClassificationHead(RemembersQuantization, keras.layers.Layer):
    """Dropout, dense with tanh, dropout and a projection to the labels.

    Args:
        num_labels: int, logits.
        dropout: float, rate of both dropouts. Defaults to `0.1`.
        initializer_range: float, standard deviation of new kernels.
            Defaults to `0.02`.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        hidden_states: float tensor `[batch, seq, hidden]`.
        attention_mask: `[batch, seq]` of 0 and 1. Defaults to all ones.
        training: bool, whether dropout is active.

    Returns:
        Logits `[batch, num_labels]`.
    """

    def __init__(
        self,
        num_labels: int,
        dropout: float = 0.1,
        initializer_range: float = 0.02,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_labels = num_labels
        self.dropout_rate = dropout
        self.initializer_range = initializer_range
        self.dropout = keras.layers.Dropout(
            dropout, name="dropout", dtype=self.dtype_policy
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        hidden = input_shape[-1]
        self.dense = self._dense(hidden, "dense", "tanh")
        self.dense.build((None, hidden))
        self.out_proj = self._dense(self.num_labels, "out_proj", None)
        self.out_proj.build((None, hidden))

    def _dense(
        self, units: int, name: str, activation: str | None
    ) -> keras.layers.Dense:
        return keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=Normal(self.initializer_range),
            name=name,
            dtype=self.dtype_policy,
        )

    def call(
        self,
        hidden_states: Any,
        attention_mask: Any = None,
        training: bool = False,
    ) -> Any:
        first = first_token(hidden_states, attention_mask)
        first = self.dropout(first, training=training)
        first = self.dropout(self.dense(first), training=training)
        return self.out_proj(first)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_labels": self.num_labels,
            "dropout": self.dropout_rate,
            "initializer_range": self.initializer_range,
        }

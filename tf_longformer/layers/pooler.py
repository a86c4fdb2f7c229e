"""The pooler of the bare model."""

from __future__ import annotations

from typing import Any

import keras

from tf_longformer.layers.first_token import first_token
from tf_longformer.layers.initializers import Normal
from tf_longformer.layers.quantized import RemembersQuantization


@keras.saving.register_keras_serializable("tf_longformer")
class LongformerPooler(RemembersQuantization, keras.layers.Layer):
    """A dense layer with tanh on the first token that isn't padding.

    Args:
        initializer_range: float, standard deviation of a new kernel.
            Defaults to `0.02`.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        hidden_states: float tensor `[batch, seq, hidden]`.
        attention_mask: `[batch, seq]` of 0 and 1. Defaults to all ones.

    Returns:
        Tensor `[batch, hidden]`.
    """

    def __init__(self, initializer_range: float = 0.02, **kwargs: Any):
        super().__init__(**kwargs)
        self.initializer_range = initializer_range

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.dense = keras.layers.Dense(
            input_shape[-1],
            activation="tanh",
            kernel_initializer=Normal(self.initializer_range),
            name="dense",
            dtype=self.dtype_policy,
        )
        self.dense.build((None, input_shape[-1]))

    def call(self, hidden_states: Any, attention_mask: Any = None) -> Any:
        return self.dense(first_token(hidden_states, attention_mask))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "initializer_range": self.initializer_range,
        }

"""The layers of the heads, and the pooler, which some of them read."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tf_longformer.attention import gelu
from tf_longformer.layers.initializers import InitialValues
from tf_longformer.layers.initializers import Normal
from tf_longformer.layers.initializers import dense
from tf_longformer.layers.longformer_layer import LongformerLayer
from tf_longformer.vocabulary_loss import vocabulary_logits


@keras.saving.register_keras_serializable("tf_longformer")
class LongformerPooler(LongformerLayer):
    """A dense layer with tanh on the first token that isn't padding.

    Args:
        initializer_range: float, standard deviation of a new kernel.
            Defaults to `0.02`.
        initial_values: `InitialValues` of its matrices. Defaults to none.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        hidden_states: float tensor `[batch, seq, hidden]`.
        attention_mask: `[batch, seq]` of 0 and 1. Defaults to all ones.

    Returns:
        Tensor `[batch, hidden]`.
    """

    def __init__(
        self,
        initializer_range: float = 0.02,
        initial_values: InitialValues | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.initializer_range = initializer_range
        self.initial_values = initial_values

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.dense = dense(self, input_shape[-1], "dense", "tanh")
        self.dense.build((None, input_shape[-1]))

    def call(self, hidden_states: Any, attention_mask: Any = None) -> Any:
        return self.dense(_first_token(hidden_states, attention_mask))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "initializer_range": self.initializer_range,
        }


@keras.saving.register_keras_serializable("tf_longformer")
class LongformerClassificationHead(LongformerLayer):
    """Dropout, dense with tanh, dropout and a projection to the labels.

    Args:
        num_labels: int, logits.
        dropout: float, rate of both dropouts. Defaults to `0.1`.
        initializer_range: float, standard deviation of new kernels.
            Defaults to `0.02`.
        initial_values: `InitialValues` of its matrices. Defaults to none.
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
        initial_values: InitialValues | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_labels = num_labels
        self.dropout_rate = dropout
        self.initializer_range = initializer_range
        self.initial_values = initial_values
        self.dropout = keras.layers.Dropout(
            dropout, name="dropout", dtype=self.dtype_policy
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        hidden = input_shape[-1]
        self.dense = dense(self, hidden, "dense", "tanh")
        self.dense.build((None, hidden))
        self.out_proj = dense(self, self.num_labels, "out_proj")
        self.out_proj.build((None, hidden))

    def call(
        self,
        hidden_states: Any,
        attention_mask: Any = None,
        training: bool = False,
    ) -> Any:
        first = _first_token(hidden_states, attention_mask)
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


@keras.saving.register_keras_serializable("tf_longformer")
class LongformerMaskedLMHead(LongformerLayer):
    """Dense, GELU and normalisation, then the word embeddings' transpose.

    The matrix is not this layer's: it comes in with every call, unless
    the embeddings are not tied.

    Args:
        vocab_size: int, tokens.
        layer_norm_eps: float, epsilon of the normalisation. Defaults to
            `1e-12`.
        initializer_range: float, standard deviation of a new kernel.
            Defaults to `0.02`.
        tied: bool, whether the last matrix is the word embeddings'. Defaults
            to `True`.
        initial_values: `InitialValues` of its matrices. Defaults to none.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        hidden_states: float tensor `[batch, seq, hidden]`.
        word_embeddings: tensor `[vocab_size, hidden]`, needed where tied.
        return_states: bool, whether to return what is multiplied by the
            matrix, `[batch, seq, hidden]`, beside the logits. Defaults to
            `False`.

    Returns:
        Logits `[batch, seq, vocab_size]`, or a tuple of them and the states.
    """

    def __init__(
        self,
        vocab_size: int,
        layer_norm_eps: float = 1e-12,
        initializer_range: float = 0.02,
        tied: bool = True,
        initial_values: InitialValues | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.vocab_size = vocab_size
        self.layer_norm_eps = layer_norm_eps
        self.initializer_range = initializer_range
        self.tied = tied
        self.initial_values = initial_values

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.dense = dense(self, input_shape[-1], "dense")
        self.dense.build(input_shape)
        self.norm = keras.layers.LayerNormalization(
            epsilon=self.layer_norm_eps, name="norm", dtype=self.dtype_policy
        )
        self.norm.build(input_shape)
        self.bias = self.add_weight(
            shape=(self.vocab_size,), initializer="zeros", name="bias"
        )
        if not self.tied:
            self.decoder = self.add_weight(
                shape=(self.vocab_size, input_shape[-1]),
                initializer=Normal(
                    self.initializer_range, initial_values=self.initial_values
                ),
                name="decoder",
            )

    def call(
        self,
        hidden_states: Any,
        word_embeddings: Any = None,
        return_states: bool = False,
    ) -> Any:
        states = self.norm(gelu(self.dense(hidden_states)))
        matrix = word_embeddings if self.tied else self.decoder
        logits = vocabulary_logits(states, matrix, self.bias)
        return (logits, states) if return_states else logits

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "vocab_size": self.vocab_size,
            "layer_norm_eps": self.layer_norm_eps,
            "initializer_range": self.initializer_range,
            "tied": self.tied,
        }


def _first_token(hidden_states: Any, attention_mask: Any = None) -> Any:
    """Returns the hidden state of the first token that isn't padding.

    HF reads position 0 even where that is padding; here a row padded on the
    left gives what it gives alone.

    Args:
        hidden_states: tensor `[batch, seq, hidden]`.
        attention_mask: `[batch, seq]` of 0 and 1. Defaults to all ones.

    Returns:
        Tensor `[batch, hidden]`; position 0 of a row that is all padding.
    """
    if attention_mask is None:
        return hidden_states[:, 0]
    index = ops.argmax(ops.cast(attention_mask, "int32"), axis=1)
    index = ops.reshape(ops.cast(index, "int32"), (-1, 1, 1))
    return ops.squeeze(
        ops.take_along_axis(hidden_states, index, axis=1), axis=1
    )

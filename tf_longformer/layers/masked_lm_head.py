"""The head that predicts tokens, tied to the word embeddings."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tf_longformer.layers.initializers import Normal
from tf_longformer.layers.quantized import RemembersQuantization
from tf_longformer.ops import gelu


@keras.saving.register_keras_serializable("tf_longformer")
class LongformerMaskedLMHead(RemembersQuantization, keras.layers.Layer):
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
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        hidden_states: float tensor `[batch, seq, hidden]`.
        word_embeddings: tensor `[vocab_size, hidden]`, needed where tied.

    Returns:
        Logits `[batch, seq, vocab_size]`.
    """

    def __init__(
        self,
        vocab_size: int,
        layer_norm_eps: float = 1e-12,
        initializer_range: float = 0.02,
        tied: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.vocab_size = vocab_size
        self.layer_norm_eps = layer_norm_eps
        self.initializer_range = initializer_range
        self.tied = tied

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.dense = keras.layers.Dense(
            input_shape[-1],
            kernel_initializer=Normal(self.initializer_range),
            name="dense",
            dtype=self.dtype_policy,
        )
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
                initializer=Normal(self.initializer_range),
                name="decoder",
            )

    def call(self, hidden_states: Any, word_embeddings: Any = None) -> Any:
        hidden_states = self.norm(gelu(self.dense(hidden_states)))
        matrix = word_embeddings if self.tied else self.decoder
        matrix = ops.cast(matrix, hidden_states.dtype)
        return ops.matmul(hidden_states, ops.transpose(matrix)) + self.bias

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "vocab_size": self.vocab_size,
            "layer_norm_eps": self.layer_norm_eps,
            "initializer_range": self.initializer_range,
            "tied": self.tied,
        }

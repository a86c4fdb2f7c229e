"""Longformer that fills in masked tokens."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tf_longformer import losses
from tf_longformer.backend import value_of
from tf_longformer.heads import HEADS
from tf_longformer.inputs.label_checks import check_class_labels
from tf_longformer.keras_private import quantization_mode
from tf_longformer.layers.head_layers import LongformerMaskedLMHead
from tf_longformer.models.base import TFLongformerPreTrainedModel
from tf_longformer.outputs import ModelOutput
from tf_longformer.outputs import TFLongformerMaskedLMOutput


@keras.saving.register_keras_serializable("tf_longformer")
class TFLongformerForMaskedLM(TFLongformerPreTrainedModel):
    """Longformer with a language modelling head.

    Arguments, inputs and errors are those of `TFLongformerPreTrainedModel`.
    No token is global unless `global_attention_mask` says so.

    Call arguments:
        labels: integers `[batch, seq]`: the true ids, -100 where no loss is
            wanted.

    Returns:
        `TFLongformerMaskedLMOutput` with `logits`
        `[batch, seq, vocab_size]` and, given labels, `loss`: the mean cross
        entropy over the labels that count.

    Reference:
        - [Beltagy et al., 2020](https://arxiv.org/abs/2004.05150), section 5
    """

    head_record = HEADS["LongformerForMaskedLM"]
    output_class = TFLongformerMaskedLMOutput

    def create_head(self) -> None:
        self.lm_head = LongformerMaskedLMHead(
            self.config.vocab_size,
            layer_norm_eps=self.config.layer_norm_eps,
            initializer_range=self.initializer_range,
            initial_values=self.initial_values,
            tied=self.config.tie_word_embeddings,
            name="lm_head",
            dtype=self.dtype_policy,
        )

    def build_head(self) -> None:
        self.lm_head.build((None, None, self.config.hidden_size))

    def head(
        self, body: ModelOutput, inputs: dict[str, Any], training: bool
    ) -> dict[str, Any]:
        matrix = self._word_embeddings()
        logits, states = self.lm_head(
            body.last_hidden_state, word_embeddings=matrix, return_states=True
        )
        if matrix is None:
            matrix = self.lm_head.decoder
        # Tensors, as the loss may be worked out after the call, where JAX
        # has no variables.
        factors = (states, value_of(matrix), value_of(self.lm_head.bias))
        return {"logits": logits, "logit_factors": factors}

    def _word_embeddings(self) -> Any:
        """Returns the tied matrix `[vocab_size, hidden]`, as floats."""
        if not self.config.tie_word_embeddings:
            return None
        table = self.get_input_embeddings()
        if quantization_mode(table) is None:
            return table.embeddings
        # The table is quantized, and only its layer can make floats of it.
        return table(ops.arange(self.config.vocab_size, dtype="int32"))

    def check_labels(
        self, labels: dict[str, Any], outputs: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        shape = None if outputs is None else outputs["logits"].shape[:-1]
        checked = check_class_labels(
            labels["labels"], self.config.vocab_size, shape
        )
        return {"labels": checked}

    def loss_terms(
        self,
        labels: dict[str, Any],
        outputs: dict[str, Any],
        sample_weight: Any = None,
    ) -> list[tuple[Any, Any]]:
        factors = getattr(outputs, "logit_factors", None)
        if factors is None:
            loss, of = losses.cross_entropy, outputs["logits"]
        else:
            loss, of = losses.vocabulary_cross_entropy, factors
        return [loss(labels["labels"], of, sample_weight)]

"""Longformer that fills in masked tokens."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tf_longformer import losses
from tf_longformer.compat import quantization_mode
from tf_longformer.inputs.labels import check_class_labels
from tf_longformer.layers.masked_lm_head import LongformerMaskedLMHead
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

    output_class = TFLongformerMaskedLMOutput
    label_names = ("labels",)

    def create_head(self) -> None:
        self.lm_head = LongformerMaskedLMHead(
            self.config.vocab_size,
            layer_norm_eps=self.config.layer_norm_eps,
            initializer_range=self.config.initializer_range,
            tied=self.config.tie_word_embeddings,
            name="lm_head",
            dtype=self.dtype_policy,
        )

    def build_head(self) -> None:
        self.lm_head.build((None, None, self.config.hidden_size))

    def head(
        self, body: ModelOutput, inputs: dict[str, Any], training: bool
    ) -> dict[str, Any]:
        return {
            "logits": self.lm_head(
                body.last_hidden_state,
                word_embeddings=self._word_embeddings(),
            )
        }

    def _word_embeddings(self) -> Any:
        """Returns the matrix `[vocab_size, hidden]`, as floats."""
        if not self.config.tie_word_embeddings:
            return None
        table = self.get_input_embeddings()
        if quantization_mode(table) is None:
            return table.embeddings
        # Quantized: the layer alone knows how to read it.
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
        return [
            losses.cross_entropy(
                labels["labels"], outputs["logits"], sample_weight
            )
        ]

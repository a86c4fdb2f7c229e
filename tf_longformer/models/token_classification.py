"""Longformer that classifies every token."""

from __future__ import annotations

from typing import Any

import keras

from tf_longformer import losses
from tf_longformer.heads import HEADS
from tf_longformer.inputs.label_checks import check_class_labels
from tf_longformer.layers.initializers import dense
from tf_longformer.models.base import TFLongformerPreTrainedModel
from tf_longformer.outputs import ModelOutput
from tf_longformer.outputs import TFLongformerTokenClassifierOutput


@keras.saving.register_keras_serializable("tf_longformer")
class TFLongformerForTokenClassification(TFLongformerPreTrainedModel):
    """Longformer with a classifier of tokens, as for named entities.

    Arguments, inputs and errors are those of `TFLongformerPreTrainedModel`.
    No token is global unless `global_attention_mask` says so.

    Call arguments:
        labels: integers `[batch, seq]` in `[0, num_labels)`, -100 where no
            loss is wanted.

    Returns:
        `TFLongformerTokenClassifierOutput` with `logits`
        `[batch, seq, num_labels]` and, given labels, `loss`: the mean cross
        entropy over the labels that count.

    Reference:
        - [Beltagy et al., 2020](https://arxiv.org/abs/2004.05150)
    """

    head_record = HEADS["LongformerForTokenClassification"]
    output_class = TFLongformerTokenClassifierOutput

    def create_head(self) -> None:
        self.dropout = keras.layers.Dropout(
            self.config.hidden_dropout_prob,
            name="dropout",
            dtype=self.dtype_policy,
        )
        self.classifier = dense(self, self.config.num_labels, "classifier")

    def build_head(self) -> None:
        self.classifier.build((None, None, self.config.hidden_size))

    def head(
        self, body: ModelOutput, inputs: dict[str, Any], training: bool
    ) -> dict[str, Any]:
        hidden_states = self.dropout(body.last_hidden_state, training=training)
        return {"logits": self.classifier(hidden_states)}

    def check_labels(
        self, labels: dict[str, Any], outputs: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        shape = None if outputs is None else outputs["logits"].shape[:-1]
        checked = check_class_labels(
            labels["labels"], self.config.num_labels, shape
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

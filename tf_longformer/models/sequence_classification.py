"""Longformer that classifies documents."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tf_longformer import losses
from tf_longformer.heads import HEADS
from tf_longformer.inputs.label_checks import check_sequence_labels
from tf_longformer.inputs.label_checks import infer_problem_type
from tf_longformer.layers.head_layers import LongformerClassificationHead
from tf_longformer.models.base import TFLongformerPreTrainedModel
from tf_longformer.outputs import ModelOutput
from tf_longformer.outputs import TFLongformerSequenceClassifierOutput


@keras.saving.register_keras_serializable("tf_longformer")
class TFLongformerForSequenceClassification(TFLongformerPreTrainedModel):
    """Longformer with a classifier of whole documents.

    Arguments, inputs and errors are those of `TFLongformerPreTrainedModel`.
    Unless `global_attention_mask` is given, the first token of each row
    (the first that isn't padding) is global.

    Call arguments:
        labels: by `config.problem_type`: for
            `"single_label_classification"` integers `[batch]` in
            `[0, num_labels)` or -100; for `"multi_label_classification"`
            `[batch, num_labels]` of 0 and 1; for `"regression"` floats
            `[batch]` or `[batch, num_labels]`. Where the config has none,
            one label means regression, integers single and floats multiple
            labels.

    Returns:
        `TFLongformerSequenceClassifierOutput` with `logits`
        `[batch, num_labels]` and, given labels, `loss`.

    Reference:
        - [Beltagy et al., 2020](https://arxiv.org/abs/2004.05150)
    """

    head_record = HEADS["LongformerForSequenceClassification"]
    output_class = TFLongformerSequenceClassifierOutput

    def create_head(self) -> None:
        self.classifier = LongformerClassificationHead(
            self.config.num_labels,
            dropout=self.config.hidden_dropout_prob,
            initializer_range=self.initializer_range,
            initial_values=self.initial_values,
            name="classifier",
            dtype=self.dtype_policy,
        )

    def build_head(self) -> None:
        self.classifier.build((None, None, self.config.hidden_size))

    def head(
        self, body: ModelOutput, inputs: dict[str, Any], training: bool
    ) -> dict[str, Any]:
        logits = self.classifier(
            body.last_hidden_state,
            attention_mask=inputs["attention_mask"],
            training=training,
        )
        return {"logits": logits}

    def check_labels(
        self, labels: dict[str, Any], outputs: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        checked = check_sequence_labels(
            labels["labels"],
            infer_problem_type(labels["labels"], self.config),
            self.config.num_labels,
            None if outputs is None else outputs["logits"].shape[:1],
        )
        return {"labels": checked}

    def counted_labels(self, name: str, labels: Any, output: Any) -> Any:
        problem_type = infer_problem_type(labels, self.config)
        if problem_type != "single_label_classification":
            return None
        return super().counted_labels(name, labels, output)

    def loss_terms(
        self,
        labels: dict[str, Any],
        outputs: dict[str, Any],
        sample_weight: Any = None,
    ) -> list[tuple[Any, Any]]:
        labels, logits = labels["labels"], outputs["logits"]
        problem_type = infer_problem_type(labels, self.config)
        if problem_type == "single_label_classification":
            return [losses.cross_entropy(labels, logits, sample_weight)]
        labels = ops.reshape(labels, ops.shape(logits))
        if problem_type == "regression":
            loss = losses.mean_squared_error
        else:
            loss = losses.binary_cross_entropy
        return [loss(labels, logits, sample_weight)]

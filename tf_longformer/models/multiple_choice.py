"""Longformer that chooses among texts."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tf_longformer import losses
from tf_longformer.heads import HEADS
from tf_longformer.inputs.label_checks import check_class_labels
from tf_longformer.layers.initializers import dense
from tf_longformer.models.base import TFLongformerPreTrainedModel
from tf_longformer.outputs import ModelOutput
from tf_longformer.outputs import TFLongformerMultipleChoiceModelOutput


@keras.saving.register_keras_serializable("tf_longformer")
class TFLongformerForMultipleChoice(TFLongformerPreTrainedModel):
    """Longformer that scores each of several choices.

    Arguments, inputs and errors are those of `TFLongformerPreTrainedModel`,
    with an axis of choices: `input_ids` and the masks are
    `[batch, choices, seq]`. Unless `global_attention_mask` is given, all
    tokens after the separators in the middle are global: the choice of the
    pair `<s> context </s></s> choice </s>`, or `[CLS] context [SEP] choice
    [SEP]` (see `LongformerConfig.doubles_separator`). A row with fewer than
    these three or two separators is no pair: an error in eager mode, and
    without global tokens in a graph. With `inputs_embeds` no token is global.

    Call arguments:
        labels: integers `[batch]` in `[0, choices)`, or -100.

    Returns:
        `TFLongformerMultipleChoiceModelOutput` with `logits`
        `[batch, choices]` and, given labels, `loss`.

    Reference:
        - [Beltagy et al., 2020](https://arxiv.org/abs/2004.05150)
    """

    head_record = HEADS["LongformerForMultipleChoice"]
    output_class = TFLongformerMultipleChoiceModelOutput

    def create_head(self) -> None:
        self.dropout = keras.layers.Dropout(
            self.config.hidden_dropout_prob,
            name="dropout",
            dtype=self.dtype_policy,
        )
        self.classifier = dense(self, 1, "classifier")

    def build_head(self) -> None:
        self.classifier.build((None, self.config.hidden_size))

    def flatten_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return {
            name: value
            if value is None or name == "head_mask"
            else ops.reshape(value, (-1, *ops.shape(value)[2:]))
            for name, value in inputs.items()
        }

    def head(
        self, body: ModelOutput, inputs: dict[str, Any], training: bool
    ) -> dict[str, Any]:
        given = inputs["input_ids"]
        if given is None:
            given = inputs["inputs_embeds"]
        pooled = self.dropout(body.pooler_output, training=training)
        logits = self.classifier(pooled)
        return {"logits": ops.reshape(logits, ops.shape(given)[:2])}

    def check_labels(
        self, labels: dict[str, Any], outputs: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        # How many choices there are shows in the outputs only.
        shape = (None, None) if outputs is None else outputs["logits"].shape
        checked = check_class_labels(labels["labels"], shape[1], shape[:1])
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

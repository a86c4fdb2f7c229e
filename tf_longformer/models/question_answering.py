"""Longformer that finds an answer's span."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from tf_longformer import losses
from tf_longformer.heads import HEADS
from tf_longformer.inputs.label_checks import check_span_labels
from tf_longformer.layers.initializers import dense
from tf_longformer.models.base import TFLongformerPreTrainedModel
from tf_longformer.outputs import ModelOutput
from tf_longformer.outputs import TFLongformerQuestionAnsweringModelOutput


@keras.saving.register_keras_serializable("tf_longformer")
class TFLongformerForQuestionAnswering(TFLongformerPreTrainedModel):
    """Longformer with a head for the start and the end of an answer.

    Arguments, inputs and errors are those of `TFLongformerPreTrainedModel`.
    Unless `global_attention_mask` is given, all tokens before the first
    separator are global: the question of the pair
    `<s> question </s></s> context </s>`, or `[CLS] question [SEP] context
    [SEP]` (see `LongformerConfig.doubles_separator`). A row with fewer than
    these three or two separators is no pair: an error in eager mode, and
    without global tokens in a graph. With `inputs_embeds` no token is global.

    Call arguments:
        start_positions: integers `[batch]` or `[batch, 1]`, position of the
            answer's first token. Positions outside the row do not count.
        end_positions: the same for its last token.

    Returns:
        `TFLongformerQuestionAnsweringModelOutput` with `start_logits` and
        `end_logits` `[batch, seq]` and, given positions, `loss`: the mean of
        both cross entropies.

    Reference:
        - [Beltagy et al., 2020](https://arxiv.org/abs/2004.05150), section 6
    """

    head_record = HEADS["LongformerForQuestionAnswering"]
    output_class = TFLongformerQuestionAnsweringModelOutput

    def create_head(self) -> None:
        if self.num_labels != 2:
            raise ValueError(
                "Question answering has two outputs, start and end. Received:"
                f" num_labels={self.num_labels}. Set `num_labels=2`."
            )
        self.qa_outputs = dense(self, 2, "qa_outputs")

    def build_head(self) -> None:
        self.qa_outputs.build((None, None, self.config.hidden_size))

    def head(
        self, body: ModelOutput, inputs: dict[str, Any], training: bool
    ) -> dict[str, Any]:
        logits = self.qa_outputs(body.last_hidden_state)
        return {"start_logits": logits[..., 0], "end_logits": logits[..., 1]}

    def check_labels(
        self, labels: dict[str, Any], outputs: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        for name in self.label_names:
            shape = None
            if outputs is not None:
                shape = outputs[name.replace("positions", "logits")].shape[:1]
            check_span_labels(name, labels[name], shape)
        return labels

    def counted_labels(self, name: str, labels: Any, output: Any) -> Any:
        return losses.counted_positions(labels, output)

    def loss_terms(
        self,
        labels: dict[str, Any],
        outputs: dict[str, Any],
        sample_weight: Any = None,
    ) -> list[tuple[Any, Any]]:
        terms = []
        for end in ("start", "end"):
            label = f"{end}_positions"
            weight = sample_weight
            # Keras gives a weight to each of several labels.
            if isinstance(weight, Mapping):
                weight = weight.get(label)
            terms.append(
                losses.span(labels[label], outputs[f"{end}_logits"], weight)
            )
        return terms

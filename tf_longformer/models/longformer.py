"""The bare model."""

from __future__ import annotations

from typing import Any

import keras

from tf_longformer.heads import HEADS
from tf_longformer.models.base import TFLongformerPreTrainedModel
from tf_longformer.outputs import ModelOutput
from tf_longformer.outputs import TFLongformerBaseModelOutputWithPooling


@keras.saving.register_keras_serializable("tf_longformer")
class TFLongformerModel(TFLongformerPreTrainedModel):
    """Longformer without a head: hidden states and a pooled first token.

    Arguments, inputs and errors are those of `TFLongformerPreTrainedModel`.
    No token is global unless `global_attention_mask` says so.

    ```python
    model = TFLongformerModel.from_pretrained(folder)
    output = model(ids, attention_mask=mask, global_attention_mask=globals)
    output.last_hidden_state  # [batch, seq, hidden]
    output.pooler_output      # [batch, hidden]
    ```

    Reference:
        - [Beltagy et al., 2020](https://arxiv.org/abs/2004.05150)
    """

    head_record = HEADS["LongformerModel"]
    output_class = TFLongformerBaseModelOutputWithPooling

    def head(
        self, body: ModelOutput, inputs: dict[str, Any], training: bool
    ) -> dict[str, Any]:
        return {
            "last_hidden_state": body.last_hidden_state,
            "pooler_output": body.pooler_output,
        }

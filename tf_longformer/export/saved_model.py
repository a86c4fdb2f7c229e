"""Writes a model as a SavedModel that needs TensorFlow and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import tensorflow as tf

from tf_longformer.export.folders import new_folder
from tf_longformer.models.base import TFLongformerPreTrainedModel

SIGNATURE_INPUTS = ("input_ids", "attention_mask")


def export_saved_model(
    model: TFLongformerPreTrainedModel,
    path: str | os.PathLike,
    *,
    overwrite: bool = False,
) -> Path:
    """Exports a model for serving.

    The folder has one signature, `serving_default`. It takes int32 tensors
    `input_ids` and `attention_mask`, of any batch size and length, of shape
    `(batch, seq)`; for multiple choice `(batch, choices, seq)`. It returns
    the head's outputs by name: `logits`; `start_logits` and `end_logits`;
    or `last_hidden_state` and `pooler_output`. Global attention is where
    the head puts it by default. No code of this package or of Keras is
    needed to run it.

    Args:
        model: a Longformer model with any head.
        path: string or path of the folder to write. For TensorFlow Serving
            its last part is the version: `models/longformer/1`.
        overwrite: bool. Whether a folder with content is replaced. Defaults
            to `False`.

    Returns:
        `Path` of the folder. It appears at once and whole.

    Raises:
        TypeError: `model` isn't one of this package's models.
        ValueError: Keras runs on another backend than TensorFlow.
        FileExistsError: there is something at `path` already.

    Example:

    ```python
    export_saved_model(model, "models/longformer/1")
    served = tf.saved_model.load("models/longformer/1")
    served.signatures["serving_default"](
        input_ids=input_ids, attention_mask=attention_mask
    )["logits"]
    ```
    """
    if not isinstance(model, TFLongformerPreTrainedModel):
        raise TypeError(
            "Only models of this package can be exported. Received: "
            f"{type(model).__name__}. Pass a TFLongformer... model."
        )
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "A SavedModel is written by Keras's TensorFlow backend. Received: "
            f"backend={keras.backend.backend()}. Save the model with "
            "save_pretrained, set KERAS_BACKEND=tensorflow and load it there."
        )
    module = _serving_module(model)
    with new_folder(path, overwrite) as folder:
        tf.saved_model.save(
            module,
            str(folder),
            signatures={"serving_default": module.serving_default},
        )
    return Path(path)


def _serving_module(model: TFLongformerPreTrainedModel) -> tf.Module:
    """A module that owns the weights and the traced function.

    Keras's own tracking would also store the layers' Python configuration,
    which nobody without this package could use.
    """
    # (batch, seq), or (batch, choices, seq)
    shape = [None] * model.input_rank
    specs = {
        name: tf.TensorSpec(shape, tf.int32, name=name)
        for name in SIGNATURE_INPUTS
    }

    @tf.function(input_signature=[specs[name] for name in SIGNATURE_INPUTS])
    def serving_default(input_ids, attention_mask):
        outputs = model(
            input_ids,
            attention_mask,
            output_attentions=False,
            output_hidden_states=False,
            return_dict=True,
            training=False,
        )
        return dict(outputs.items())

    module = tf.Module(name="longformer")
    module.weights = [weight.value for weight in model.weights]
    module.serving_default = serving_default
    return module

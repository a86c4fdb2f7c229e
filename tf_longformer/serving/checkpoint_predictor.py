"""A checkpoint for the records of a file: texts or ids."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tf_longformer import tasks
from tf_longformer.checkpoints.description import find_head
from tf_longformer.checkpoints.locate import locate
from tf_longformer.configuration import LongformerConfig
from tf_longformer.export.checkpoint import load_tokenizer
from tf_longformer.models.keras_conversion import CLASSES
from tf_longformer.preprocessing.choices import encode_choices
from tf_longformer.serving.prediction import Row
from tf_longformer.serving.prediction import identity
from tf_longformer.serving.predictors import IDS
from tf_longformer.serving.predictors import MASK
from tf_longformer.serving.predictors import make_row
from tf_longformer.serving.predictors import parsed
from tf_longformer.serving.predictors import stack
from tf_longformer.serving.predictors import unstack
from tf_longformer.serving.saved_model import plain_errors
from tf_longformer.serving.tensors import TensorSpec
from tf_longformer.serving.tensors import to_array

GLOBAL_MASK = "global_attention_mask"
# The fields of a record of texts, the task and the name of its results.
_TASKS = {
    "ForMaskedLM": (("text",), tasks.fill_mask, "tokens"),
    "ForQuestionAnswering": (("question", "context"), tasks.answer, "answer"),
    "ForSequenceClassification": (("text",), tasks.classify, "labels"),
    "ForTokenClassification": (("text",), tasks.tag, "entities"),
    "ForMultipleChoice": (("prompt", "choices"), None, ""),
    "Model": (("text",), None, ""),
}
_OF_TOKENS = {
    "ForMaskedLM": {"logits"},
    "ForTokenClassification": {"logits"},
    "ForQuestionAnswering": {"start_logits", "end_logits"},
    "Model": {"last_hidden_state"},
}
_TEXT = "text"
# What a checkpoint may be of: configuration, weights, tokenizer.
_FILES = (
    *("config.json", "*.safetensors", "*.bin", "*.h5", "*.keras"),
    *("tokenizer*.json", "vocab.json", "merges.txt", "added_tokens.json"),
    "special_tokens_map.json",
)


class CheckpointPredictor:
    """Runs a checkpoint with the head that it was saved with.

    A record is an object. With `text`, or `question` and `context`, the
    result is that of `tf_longformer.tasks`, for documents of any length, as
    `labels`, `entities`, `tokens` or `answer`; with `prompt` and `choices`,
    and for a model without a head with `text`, it is the outputs. With
    `input_ids`, and maybe `attention_mask` and `global_attention_mask`, it is
    the outputs of any model.

    Args:
        checkpoint: a folder, a file of weights, or an id of the hub, as of
            `from_pretrained`; a file's tokenizer lies beside it.

    Raises:
        ValueError: the checkpoint or its tokenizer can't be read, or its
            head isn't known.
    """

    def __init__(self, checkpoint: str) -> None:
        location = locate(checkpoint)
        config = LongformerConfig.from_dict(location.config_fields())
        head = find_head(location.open(), config)
        if head is None:
            raise ValueError(
                "The checkpoint must say what it is of. Received: "
                f"{checkpoint}, whose config.json names no class in "
                "`architectures`. Add one, such as LongformerForMaskedLM."
            )
        self._checkpoint = checkpoint
        self._head = head.removeprefix("Longformer")
        self._tokenizer = load_tokenizer(checkpoint)
        model, info = CLASSES[f"TF{head}"].from_pretrained(
            # Outputs by name, whatever its config says.
            checkpoint,
            output_loading_info=True,
            return_dict=True,
        )
        drawn = [name for name in info["missing_keys"] if "pooler" not in name]
        if drawn:
            raise ValueError(
                "A checkpoint must have all weights of its head to predict. "
                f"Received: {checkpoint} without {', '.join(drawn[:3])}. "
                "Train it first."
            )
        self._model = model
        self._fields, self._task, self._result = _TASKS[self._head]

    def settings(self) -> dict[str, Any]:
        """See `Predictor`."""
        files = identity(Path(self._checkpoint), _FILES)
        name = self._checkpoint
        # However it is spelled.
        return {
            "model": files,
            "checkpoint": os.path.realpath(name) if files else name,
        }

    def prepare(self, value: Any) -> Row:
        """See `Predictor`."""
        given = value if isinstance(value, dict) else {}
        if IDS in given:
            return make_row(self._ids(given))
        missing = [name for name in self._fields if name not in given]
        if missing:
            raise ValueError(
                f"A record must have {' and '.join(self._fields)}, or {IDS}. "
                f"Received: {', '.join(list(given)[:5]) or 'neither'}. Add "
                f"{' and '.join(missing)}."
            )
        if self._tokenizer is None:
            raise ValueError(
                "A checkpoint must have a tokenizer to take texts. Received: "
                f"{self._checkpoint}, without one. Save the tokenizer there, "
                f"or send {IDS}."
            )
        texts = []
        for name in self._fields:
            shape = (None,) if name == "choices" else ()
            spec = TensorSpec(name, "string", shape)
            texts.append(to_array(parsed(given[name], spec), spec, name))
        if self._task is None:
            return make_row(self._encode(*texts))
        inputs = {
            name: text.item().decode()
            for name, text in zip(self._fields, texts, strict=True)
        }
        length = sum(len(text.item()) for text in texts)
        return Row(inputs, length // 4 + 1, _TEXT)

    def _ids(self, given: dict[str, Any]) -> dict[str, np.ndarray]:
        shape = (None,) * (self._model.input_rank - 1)
        arrays = {}
        for name in (IDS, MASK, GLOBAL_MASK):
            if name in given:
                spec = TensorSpec(name, "int32", shape)
                arrays[name] = to_array(parsed(given[name], spec), spec, name)
        arrays.setdefault(MASK, np.ones_like(arrays[IDS]))
        return arrays

    def _encode(self, *texts: np.ndarray) -> dict[str, np.ndarray]:
        """Makes ids of what no task takes."""
        first = texts[0].item().decode()
        most = min(
            self._model.config.max_tokens, self._tokenizer.model_max_length
        )
        if self._head == "ForMultipleChoice":
            choices = [[choice.decode() for choice in texts[1]]]
            arrays = encode_choices(
                self._tokenizer, [first], choices, max_length=most
            )
            return {name: array[0] for name, array in arrays.items()}
        encoding = self._tokenizer(first, truncation=True, max_length=most)
        return {name: np.array(encoding[name], "int32") for name in (IDS, MASK)}

    def run(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """See `Predictor`."""
        with plain_errors():
            return self._run(rows)

    def _run(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        if rows[0].group == _TEXT:
            columns = [
                [row.inputs[name] for row in rows] for name in self._fields
            ]
            results = self._task(
                self._model, self._tokenizer, *columns, batch_size=len(rows)
            )
            return [{self._result: result} for result in results]
        pad = self._model.config.pad_token_id
        inputs = stack(rows, list(rows[0].inputs), pad)
        outputs = self._model.predict_on_batch(inputs)
        arrays = {
            name: keras.ops.convert_to_numpy(outputs[name])
            for name in outputs
            if name not in ("hidden_states", "attentions", "global_attentions")
        }
        return unstack(arrays, rows, _OF_TOKENS.get(self._head, ()))

"""Runs a checkpoint for the records of a file: texts or ids."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tf_longformer import presets
from tf_longformer.batch.prediction import fingerprint
from tf_longformer.batch.redaction_options import Redaction
from tf_longformer.batch.rows import BYTES_OF_TOKEN
from tf_longformer.batch.rows import IDS
from tf_longformer.batch.rows import MASK
from tf_longformer.batch.rows import Row
from tf_longformer.batch.rows import make_row
from tf_longformer.batch.rows import read_input
from tf_longformer.batch.rows import stack
from tf_longformer.batch.rows import unstack
from tf_longformer.checkpoints.locate import Location
from tf_longformer.configuration.labels import label_names
from tf_longformer.data.choices import encode_choices
from tf_longformer.decoding import EntityLabels
from tf_longformer.exported.json_tensors import TensorSpec
from tf_longformer.exported.loaded_model import plain_errors
from tf_longformer.heads import resolve
from tf_longformer.loading import Checkpoint
from tf_longformer.tasks import redact
from tf_longformer.tasks.steps import takes_token_types
from tf_longformer.tasks.steps import token_limit

GLOBAL_MASK = "global_attention_mask"
TOKEN_TYPES = "token_type_ids"
# The group of rows that hold texts for a task, and no arrays.
_TEXT = "text"
# The files of a checkpoint that its results depend on.
_FILES = (
    *("config.json", "*.safetensors", "*.bin", "*.h5", "*.keras"),
    *("tokenizer*.json", "vocab.json", "merges.txt", "vocab.txt"),
    *("added_tokens.json", "special_tokens_map.json"),
)


class CheckpointPredictor:
    """Runs a checkpoint with the head that it was saved with.

    A record is an object with the texts that the head takes: `text` (of
    sequence classification maybe with `text_pair`), `question` and
    `context`, or `prompt` and `choices`. For a head that has a
    task in `tf_longformer.tasks` the result is the task's, for documents of
    any length, as `labels`, `entities`, `tokens`, `answer` or `choice`; for
    others it is the model's outputs. A record with `input_ids`, and maybe
    `attention_mask`, `global_attention_mask` and `token_type_ids`, gives the
    outputs of any model.

    Args:
        checkpoint: a folder, a file of weights, or an id of the hub, as of
            `from_pretrained`; a file's tokenizer lies beside it.
        head: name of HF's class to load. Defaults to the one that the
            checkpoint was saved from.

        redaction: `Redaction`, for results that are texts without the
            entities that token classification finds (see
            `tf_longformer.tasks.redact`). Defaults to none.
        **options: further arguments of the task's function.

    Attributes:
        model: the model.
        tokenizer: its tokenizer, or `None`.
        result: str, the name of the task's results, `""` without a task.
        options: dict, the further arguments.

    Raises:
        ValueError: the checkpoint or its tokenizer can't be read, its head
            isn't known, or it can't redact.
    """

    def __init__(
        self,
        checkpoint: str,
        head: str | None = None,
        redaction: Redaction | None = None,
        **options: Any,
    ) -> None:
        self.options = options
        self._redaction = redaction
        loader = Checkpoint(checkpoint, head, also=self._read_settings)
        self._settings: dict[str, Any] = loader.also
        # Many checkpoints of the bare model have no pooler. Outputs have names,
        # whatever the config says.
        self.model = loader.load_model("pooler", return_dict=True)
        self.tokenizer = loader.load_tokenizer()
        self._checkpoint = checkpoint
        self._head = loader.head
        self._predict = resolve(loader.head.predict)
        self.result = loader.head.result
        if redaction is not None:
            names = label_names(self.model.config)
            finds_entities = self.result == "entities"
            redaction.check(finds_entities, EntityLabels.read(names).types)
            self._predict = functools.partial(redact, **redaction._asdict())

    def settings(self) -> dict[str, Any]:
        """See `Predictor`."""
        return self._settings

    def _read_settings(self, location: Location) -> dict[str, Any]:
        """Reads what results depend on, with the model."""
        name = presets.path_of(location.name)
        files = fingerprint(Path(name), _FILES)
        return {
            "model": files,
            # One folder may be spelled in several ways.
            "checkpoint": os.path.realpath(name) if files else name,
            "options": self.options,
            "redaction": self._redaction and list(self._redaction),
        }

    def prepare(self, value: Any) -> Row:
        """See `Predictor`."""
        given = value if isinstance(value, dict) else {}
        if IDS in given:
            return make_row(self._ids(given))
        fields = self._head.texts
        missing = [name for name in fields if name not in given]
        if missing:
            raise ValueError(
                f"A record must have {' and '.join(fields)}, or {IDS}. "
                f"Received: {', '.join(list(given)[:5]) or 'neither'}. Add "
                f"{' and '.join(missing)}."
            )
        if self.tokenizer is None:
            raise ValueError(
                "A checkpoint must have a tokenizer to take texts. Received: "
                f"{self._checkpoint}, without one. Save the tokenizer there, "
                f"or send {IDS}."
            )
        texts = {}
        also = [
            name
            for name in self._head.optional_texts
            if given.get(name) is not None
        ]
        for name in (*fields, *also):
            shape = (None,) if name == "choices" else ()
            spec = TensorSpec(name, "string", shape)
            texts[name] = read_input(given[name], spec)
        if self._predict is None:
            return make_row(self._encode(*texts.values()))
        inputs = {
            name: [one.decode() for one in text]
            if text.ndim
            else text.item().decode()
            for name, text in texts.items()
        }
        size = sum(len(one) for text in texts.values() for one in text.ravel())
        return Row(inputs, size // BYTES_OF_TOKEN + 1, (_TEXT, *also))

    def _ids(self, given: dict[str, Any]) -> dict[str, np.ndarray]:
        shape = (None,) * (self._head.input_rank - 1)
        arrays = {}
        for name in (IDS, MASK, GLOBAL_MASK, TOKEN_TYPES):
            if name in given:
                spec = TensorSpec(name, "int32", shape)
                arrays[name] = read_input(given[name], spec)
        arrays.setdefault(MASK, np.ones_like(arrays[IDS]))
        return arrays

    def _encode(self, *texts: np.ndarray) -> dict[str, np.ndarray]:
        """Makes ids of texts for a head without a task."""
        first = texts[0].item().decode()
        most = token_limit(self.model, self.tokenizer)
        if self._head.input_rank == 3:
            choices = [[choice.decode() for choice in texts[1]]]
            arrays = encode_choices(
                self.tokenizer, [first], choices, max_length=most
            )
            arrays = {name: array[0] for name, array in arrays.items()}
        else:
            encoding = self.tokenizer(first, truncation=True, max_length=most)
            arrays = {
                name: np.array(encoding[name], "int32")
                for name in (IDS, MASK, TOKEN_TYPES)
                if name in encoding
            }
        if not takes_token_types(self.model):
            arrays.pop(TOKEN_TYPES, None)
        return arrays

    def run(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """See `Predictor`."""
        with plain_errors():
            return self._run(rows)

    def _run(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        kind, *also = rows[0].group
        if kind == _TEXT:
            columns = {
                name: [row.inputs[name] for row in rows]
                for name in (*self._head.texts, *also)
            }
            more = {name: columns.pop(name) for name in also}
            results = self._predict(
                self.model,
                self.tokenizer,
                *columns.values(),
                batch_size=len(rows),
                **more,
                **self.options,
            )
            if self._redaction is not None:
                return results
            return [{self.result: result} for result in results]
        pad = self.model.config.pad_token_id
        inputs = stack(rows, list(rows[0].inputs), pad)
        outputs = self.model.predict_on_batch(inputs)
        arrays = {
            name: keras.ops.convert_to_numpy(outputs[name])
            for name in outputs
            if name not in ("hidden_states", "attentions", "global_attentions")
        }
        return unstack(arrays, rows, self._head.token_outputs)

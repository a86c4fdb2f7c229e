"""Runs a SavedModel for the records of a file."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_longformer.batch.prediction import fingerprint
from tf_longformer.batch.readable_results import read_outputs
from tf_longformer.batch.readable_results import result_name
from tf_longformer.batch.redaction_options import Redaction
from tf_longformer.batch.rows import IDS
from tf_longformer.batch.rows import MASK
from tf_longformer.batch.rows import Row
from tf_longformer.batch.rows import make_row
from tf_longformer.batch.rows import read_input
from tf_longformer.batch.rows import stack
from tf_longformer.batch.rows import unstack
from tf_longformer.data.entities import hide_entities
from tf_longformer.exported.json_tensors import TensorSpec
from tf_longformer.exported.loaded_model import DEFAULT_SIGNATURE
from tf_longformer.exported.loaded_model import load_version

# The padding of RoBERTa and Longformer. Any id would do: the mask is 0 there,
# and it stands after the text.
_PAD = 1
# The files of a SavedModel that its results depend on.
_FILES = ("saved_model.pb*", "variables/*", "assets/*")


class SavedModelPredictor:
    """Runs one signature of a SavedModel.

    A record is an object with the inputs of the signature by name, and
    maybe other fields, which are ignored. For a signature with one input it
    may be that input itself. Without an `attention_mask` all tokens are
    attended to.

    Rows of ids are padded to the longest of their batch, and results for
    padding are cut off. Where the model itself makes tokens of texts, its
    results don't say what of them is padding: if they have an axis of tokens,
    each text is a batch by itself.

    Args:
        folder: string or path, see `find_version`.
        signature: string; all its outputs are the results. Defaults to
            `"text"` where there is one, with what people read of its outputs
            (`labels`, `entities`, `tokens`, `answer` or `choice`), else to
            `"serving_default"`.
        redaction: `Redaction`, for results that are texts without the
            entities that are found. Defaults to none.

    Attributes:
        result: str, the name of what people read of the outputs; `""` where
            the outputs themselves are the results.

    Raises:
        ValueError: the folder isn't a whole SavedModel, has no such
            signature, or can't redact.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        signature: str | None = None,
        redaction: Redaction | None = None,
    ) -> None:
        _, model, self._files = load_version(
            folder, lambda version: fingerprint(version.path, _FILES)
        )
        self._is_read = signature is None and "text" in model.signatures
        if signature is None:
            signature = (
                "text" if "text" in model.signatures else DEFAULT_SIGNATURE
            )
        self._name = signature
        self._signature = model.signature(signature)
        self._specs = {
            name: TensorSpec(
                name, spec.dtype, None if spec.shape is None else spec.shape[1:]
            )
            for name, spec in self._signature.inputs.items()
        }
        self.result = ""
        if self._is_read:
            self.result = result_name(self._signature.outputs)
        self._redaction = redaction
        if redaction is not None:
            redaction.check(self.result == "entities")
        self._alone = all(
            spec.dtype == "string" for spec in self._specs.values()
        ) and any(
            spec.shape is None or None in spec.shape[1:]
            for spec in self._signature.outputs.values()
        )

    def settings(self) -> dict[str, Any]:
        """See `Predictor`."""
        return {
            "model": self._files,
            "signature": self._name,
            "is_read": self._is_read,
            "redaction": self._redaction and list(self._redaction),
        }

    def prepare(self, value: Any) -> Row:
        """See `Predictor`."""
        given = value
        if not isinstance(value, dict) and len(self._specs) == 1:
            given = {name: value for name in self._specs}
        if not isinstance(given, dict):
            raise ValueError(
                "A record must be an object with the inputs "
                f"{', '.join(self._specs)}. Received: "
                f"{json.dumps(value)[:40]}. Name the inputs."
            )
        missing = [name for name in self._specs if name not in given]
        mask_missing = missing == [MASK] and IDS in self._specs
        if missing and not mask_missing:
            raise ValueError(
                f"A record must have the inputs {', '.join(self._specs)}. "
                f"Received: {', '.join(list(given)[:5]) or 'none'}. Add "
                f"{', '.join(missing)}, or choose another --signature."
            )
        arrays = {
            name: read_input(given[name], spec)
            for name, spec in self._specs.items()
            if name in given
        }
        if mask_missing:
            arrays[MASK] = np.ones_like(arrays[IDS])
        row = make_row(arrays)
        return row._replace(alone=True) if self._alone else row

    def run(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """See `Predictor`."""
        inputs = stack(rows, self._specs, _PAD)
        outputs = self._signature.run(inputs)
        axis = inputs[IDS].ndim - 1 if IDS in inputs else 0
        # An output is one of tokens if its axis in the place of the tokens' is
        # free in the signature, and as long as this batch.
        of_tokens = {
            name
            for name, array in outputs.items()
            if axis
            and array.shape[axis : axis + 1] == inputs[IDS].shape[axis:]
            and (self._signature.outputs[name].shape or ())[axis : axis + 1]
            == (None,)
        }
        results = unstack(outputs, rows, of_tokens)
        if not self._is_read:
            return results
        read = [read_outputs(result) or result for result in results]
        if self._redaction is None:
            return read
        return [
            hide_entities(
                row.inputs["text"].item().decode(),
                result["entities"],
                **self._redaction._asdict(),
            )
            for row, result in zip(rows, read, strict=True)
        ]

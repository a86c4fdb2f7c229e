"""A SavedModel for the records of a file."""

from __future__ import annotations

import json
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_longformer.serving.folders import Version
from tf_longformer.serving.prediction import Row
from tf_longformer.serving.prediction import identity
from tf_longformer.serving.saved_model import DEFAULT
from tf_longformer.serving.saved_model import SavedModel
from tf_longformer.serving.tensors import TensorSpec
from tf_longformer.serving.tensors import to_array

IDS, MASK = "input_ids", "attention_mask"
# RoBERTa's and Longformer's padding. Any id would do, as padding has 0 in
# the mask and stands after the text.
_PAD = 1
# What of a SavedModel is run.
_FILES = ("saved_model.pb*", "variables/*", "assets/*")
# A guess at English in byte-level pieces, to know which texts are alike.
_BYTES_OF_TOKEN = 4


class SavedModelPredictor:
    """Runs one signature of a SavedModel over rows.

    A record is an object with the inputs of the signature by name; what else
    it has is left alone, and a signature with one input takes that itself.
    Rows of ids are padded to the longest of their batch, and results end with
    the row; where `attention_mask` isn't given, all tokens are attended to.
    Texts of which the model pads the results, as it alone knows their tokens,
    go through it one by one. Strings of CSV are read as JSON where the input
    isn't one text.

    Args:
        version: `Version`.
        signature: string. Defaults to `"text"` where there is one, else
            `"serving_default"`.

    Raises:
        ValueError: the folder isn't a whole SavedModel, or has no such
            signature.
    """

    def __init__(self, version: Version, signature: str | None = None) -> None:
        model = SavedModel(version.path)
        if signature is None:
            signature = "text" if "text" in model.signatures else DEFAULT
        self._version = version
        self._name = signature
        self._signature = model.signature(signature)
        self._specs = {
            name: TensorSpec(
                name, spec.dtype, None if spec.shape is None else spec.shape[1:]
            )
            for name, spec in self._signature.inputs.items()
        }
        self._alone = all(
            spec.dtype == "string" for spec in self._specs.values()
        ) and any(
            spec.shape is None or None in spec.shape[1:]
            for spec in self._signature.outputs.values()
        )

    @property
    def name(self) -> str:
        """The signature's name."""
        return self._name

    def settings(self) -> dict[str, Any]:
        """See `Predictor`."""
        return {
            "model": identity(self._version.path, _FILES),
            "signature": self._name,
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
            name: to_array(parsed(given[name], spec), spec, name)
            for name, spec in self._specs.items()
            if name in given
        }
        if mask_missing:
            arrays[MASK] = np.ones_like(arrays[IDS])
        row = make_row(arrays)
        return row._replace(alone=True) if self._alone else row

    def run(self, rows: Sequence[Row]) -> list[dict[str, np.ndarray]]:
        """See `Predictor`."""
        inputs = stack(rows, self._specs, _PAD)
        outputs = self._signature.run(inputs)
        axis = inputs[IDS].ndim - 1 if IDS in inputs else 0
        # The axis of tokens is free, and as long as the batch is.
        of_tokens = {
            name
            for name, array in outputs.items()
            if axis
            and array.shape[axis : axis + 1] == inputs[IDS].shape[axis:]
            and (self._signature.outputs[name].shape or ())[axis : axis + 1]
            == (None,)
        }
        return unstack(outputs, rows, of_tokens)


def make_row(arrays: dict[str, np.ndarray]) -> Row:
    """Makes a row of arrays.

    Args:
        arrays: dict by name, without the axis of rows. The last axis of
            numbers is that of tokens.

    Returns:
        `Row`. Without `attention_mask`, those of another length are of
        another group, as nothing could be padded.

    Raises:
        ValueError: inputs of tokens have different shapes.
    """
    lengths, group = [1], []
    for name, array in sorted(arrays.items()):
        if array.dtype == object:
            size = sum(len(text) for text in array.ravel())
            lengths.append(size // _BYTES_OF_TOKEN + 1)
            group.append(array.shape)
            continue
        if IDS in arrays and array.shape != arrays[IDS].shape:
            raise ValueError(
                f"{name} must have the shape of {IDS}. Received: "
                f"{list(array.shape)} and {list(arrays[IDS].shape)}. Give "
                "each token one element."
            )
        lengths.append(array.size)
        group.append(array.shape[:-1] if MASK in arrays else array.shape)
    return Row(arrays, max(lengths), tuple(group))


def stack(
    rows: Sequence[Row], names: Iterable[str], pad: int
) -> dict[str, np.ndarray]:
    """Makes the inputs of a batch, padded at the end to its longest row.

    Args:
        rows: `Row`s of one group, as `make_row` returns them.
        names: strings, the inputs.
        pad: int, the id of padding.

    Returns:
        Dict of arrays by name.
    """
    inputs = {}
    for name in names:
        arrays = [row.inputs[name] for row in rows]
        if MASK in rows[0].inputs and arrays[0].dtype != object:
            longest = max(array.shape[-1] for array in arrays)
            filler = pad if name == IDS else 0
            arrays = [
                np.pad(
                    array,
                    [(0, 0)] * (array.ndim - 1)
                    + [(0, longest - array.shape[-1])],
                    constant_values=filler,
                )
                for array in arrays
            ]
        inputs[name] = np.stack(arrays)
    return inputs


def unstack(
    outputs: Mapping[str, np.ndarray],
    rows: Sequence[Row],
    of_tokens: Collection[str],
) -> list[dict[str, np.ndarray]]:
    """Takes the outputs of a batch apart, without what is of the padding.

    Args:
        outputs: dict of arrays by name.
        rows: the `Row`s that `stack` was given.
        of_tokens: strings, the outputs with an element for each token.

    Returns:
        A dict of arrays by name for each row.
    """
    results = []
    for index, row in enumerate(rows):
        result = {}
        for name, array in outputs.items():
            kept: list[Any] = []
            if name in of_tokens:
                *before, length = row.inputs[IDS].shape
                kept = [slice(None) for _ in before] + [slice(length)]
            result[name] = array[(index, *kept, ...)]
        results.append(result)
    return results


def parsed(value: Any, spec: TensorSpec) -> Any:
    """Reads a list that stands in a string, as CSV has it.

    Args:
        value: what the record holds.
        spec: `TensorSpec` of what it is to be.

    Returns:
        `value` if it isn't a string or is to be a text, else what JSON makes
        of it.

    Raises:
        ValueError: it isn't JSON.
    """
    is_text = spec.dtype == "string"
    if not isinstance(value, str) or (is_text and not spec.shape):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        example = '["one", "two"]' if is_text else "[0, 100, 2]"
        raise ValueError(
            f"{spec.name} must be a list. Received: {value[:40]!r}. Write "
            f"{example}."
        ) from error

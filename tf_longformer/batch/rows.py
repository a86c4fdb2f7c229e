"""Makes rows of records, batches of rows, and rows of the outputs again.

A row holds an array for each input of the model, without the batch axis. The
last axis of an array of numbers is that of tokens.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from collections.abc import Hashable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_longformer.exported.json_tensors import TensorSpec
from tf_longformer.exported.json_tensors import to_array

IDS, MASK = "input_ids", "attention_mask"
# An estimate for English, which only decides which texts share a batch.
BYTES_OF_TOKEN = 4


class Row(NamedTuple):
    """A record as a model takes it.

    Attributes:
        inputs: what the predictor made of the record.
        length: int, number of tokens, of texts an estimate.
        group: rows of different groups never share a batch.
        alone: bool, whether the row never shares a batch.
    """

    inputs: Any
    length: int
    group: Hashable = None
    alone: bool = False


def read_input(value: Any, spec: TensorSpec) -> np.ndarray:
    """Makes an array of what a record holds for an input.

    Args:
        value: nested lists, or a string of JSON, as cells of CSV hold lists.
        spec: `TensorSpec` of one row of the input.

    Raises:
        ValueError: it doesn't fit, or isn't JSON.
    """
    is_text = spec.dtype == "string"
    if isinstance(value, str) and (not is_text or spec.shape):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            example = '["one", "two"]' if is_text else "[0, 100, 2]"
            raise ValueError(
                f"{spec.name} must be a list. Received: {value[:40]!r}. Write "
                f"{example}."
            ) from error
    return to_array(value, spec, spec.name)


def make_row(arrays: dict[str, np.ndarray]) -> Row:
    """Makes a row of arrays, which `stack` can make a batch of.

    Args:
        arrays: dict by name of the input.

    Returns:
        `Row`. Without an `attention_mask` rows can't be padded, so that only
        those of one length are of one group.

    Raises:
        ValueError: inputs of tokens have different shapes.
    """
    lengths, group = [1], []
    for name, array in sorted(arrays.items()):
        if array.dtype == object:
            size = sum(len(text) for text in array.ravel())
            lengths.append(size // BYTES_OF_TOKEN + 1)
            group.append((name, *array.shape))
            continue
        if IDS in arrays and array.shape != arrays[IDS].shape:
            raise ValueError(
                f"{name} must have the shape of {IDS}. Received: "
                f"{list(array.shape)} and {list(arrays[IDS].shape)}. Give "
                "each token one element."
            )
        lengths.append(array.size)
        shape = array.shape[:-1] if MASK in arrays else array.shape
        group.append((name, *shape))
    return Row(arrays, max(lengths), tuple(group))


def batches(
    rows: Sequence[Row], most_tokens: int, most_rows: int
) -> Iterator[list[int]]:
    """Yields the indices of rows that go through the model together.

    They are of one group and of like length, the longest first.

    Args:
        rows: list of `Row`.
        most_tokens: int, tokens of a batch with padding; a row that is longer
            is a batch by itself.
        most_rows: int.
    """
    groups: dict[Hashable, list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(row.group, []).append(index)
    for places in groups.values():
        batch: list[int] = []
        # The first row of a batch is its longest, to which all are padded.
        for index in sorted(places, key=lambda i: (-rows[i].length, i)):
            fits = (len(batch) + 1) * rows[(batch or [index])[0]].length
            full = fits > most_tokens or len(batch) == most_rows
            if batch and (full or rows[index].alone):
                yield batch
                batch = []
            batch.append(index)
        yield batch


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
    """Splits the outputs of a batch into rows, without those of padding.

    Args:
        outputs: dict of arrays by name.
        rows: the `Row`s that `stack` was given.
        of_tokens: the outputs that have an element for each token.

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

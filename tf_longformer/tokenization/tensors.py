"""Lists of numbers to the tensors that were asked for."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from collections.abc import MutableMapping
from typing import Any

import numpy as np

KINDS = ("np", "tf")


def check_kind(kind: Any) -> str | None:
    """Returns the kind of tensors to make, or `None` for lists.

    Args:
        kind: what was passed as `return_tensors`.

    Returns:
        `"np"`, `"tf"` or `None`.

    Raises:
        ValueError: for anything else.
    """
    kind = getattr(kind, "value", kind)
    if kind is not None and kind not in KINDS:
        raise ValueError(
            "`return_tensors` must be 'np', 'tf' or None. Received: "
            f"{kind!r}. Other libraries take the arrays of 'np'."
        )
    return kind


def convert(data: MutableMapping[str, Any], kind: str) -> None:
    """Replaces the values of a mapping by tensors.

    Args:
        data: mapping of names to nested lists of numbers, or arrays.
        kind: `"np"` for int64 arrays as NumPy makes them, `"tf"` for int32
            tensors.

    Raises:
        ValueError: if rows are of several lengths.
    """
    for name, value in data.items():
        try:
            array = np.asarray(value)
        except ValueError:
            array = None
        if array is None or array.dtype.kind not in "biuf":
            raise ValueError(
                f"The rows of `{name}` must be of one length to become a "
                "tensor. Received: "
                f"{_describe(value)}. Pad and truncate, e.g. "
                "`tokenizer(texts, padding=True, truncation=True, "
                "max_length=4096)`."
            )
        if array.size == 0:
            # NumPy takes the empty list for floats.
            array = array.astype(np.int64)
        data[name] = array if kind == "np" else _to_tensorflow(array)


def _to_tensorflow(array: np.ndarray) -> Any:
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ImportError(
            "`return_tensors='tf'` needs TensorFlow. Received: "
            f"{type(error).__name__}: {error}. Install it with pip install "
            "'tf-longformer[cpu]', or use 'np'."
        ) from error
    wide = array.dtype == np.int64
    return tf.convert_to_tensor(array.astype(np.int32) if wide else array)


def _describe(value: Any) -> str:
    try:
        lengths = sorted({len(row) for row in value})
    except TypeError:
        return f"{type(value).__name__}"
    return f"rows of {lengths[0]} to {lengths[-1]}"


def to_lists(value: Any) -> Any:
    """Returns arrays and tensors as nested lists, lists as they are.

    Args:
        value: number, list, array, or tensor with a method `numpy`; lists
            may hold arrays.

    Returns:
        Nested lists of Python numbers.
    """
    if hasattr(value, "numpy"):
        value = value.numpy()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        # Long lists of ints are the common case: one look, not one each.
        if value and isinstance(value[0], int):
            return list(value)
        return [to_lists(item) for item in value]
    return value


def to_ids(value: Any) -> Any:
    """Returns an id, or nested lists of ids, as Python's integers.

    Args:
        value: int, iterable, array or tensor.

    Returns:
        int, or nested lists of ints.

    Raises:
        TypeError: for anything else than whole numbers.
    """
    try:
        return _whole(to_lists(value))
    except TypeError:
        text = repr(value)
        raise TypeError(
            "Ids must be whole numbers, in lists, arrays or tensors. "
            f"Received: {text if len(text) <= 60 else f'{text[:60]}...'}. "
            "Pass what a tokenizer gave as `input_ids`."
        ) from None


def _whole(ids: Any) -> Any:
    if isinstance(ids, str | bytes):
        raise TypeError("text")
    if isinstance(ids, Iterable):
        return [one if type(one) is int else _whole(one) for one in ids]
    return operator.index(ids)

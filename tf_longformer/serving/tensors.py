"""JSON's values to arrays of a known dtype and rank, and back."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_longformer.serving.errors import RequestError

BASE64 = "b64"
# Names of tensors that hold bytes which are no text, by TensorFlow Serving's
# convention.
BYTES_SUFFIX = "_bytes"
_INTEGERS = {
    *("int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64"),
}
_FLOATS = {"float16", "float32", "float64", "bfloat16"}
_LONGEST_VALUE = 60


class TensorSpec(NamedTuple):
    """What a signature says of a tensor.

    `shape` has `None` for each free axis, and is `None` if the rank is free.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


def to_array(value: Any, spec: TensorSpec, path: str) -> np.ndarray:
    """Makes an array of nested lists.

    Args:
        value: what JSON held.
        spec: `TensorSpec`.
        path: string, where the value stood, for messages.

    Returns:
        Array of the dtype and rank of `spec`; texts are `bytes`.

    Raises:
        RequestError: it doesn't fit.
    """
    shape: list[int] = []
    inner = value
    while isinstance(inner, list) and inner:
        shape.append(len(inner))
        inner = inner[0]
    if isinstance(inner, list):
        raise RequestError(
            f"{path} must not be empty. Received: {_show(value)}. Send at "
            "least one row, with at least one element each."
        )
    _check_shape(shape, spec, path)
    flat: list[Any] = []
    _flatten(value, shape, 0, spec, path, flat)
    dtype = object if spec.dtype == "string" else _numpy_dtype(spec.dtype)
    return np.array(flat, dtype).reshape(shape)


def _check_shape(shape: list[int], spec: TensorSpec, path: str) -> None:
    if spec.shape is None:
        return
    wanted = show_shape(spec.shape)
    if len(shape) != len(spec.shape):
        raise RequestError(
            f"{path} must have {len(spec.shape)} axes, {wanted}. Received: "
            f"{len(shape)}. Send lists nested {len(spec.shape)} deep."
        )
    for size, fixed in zip(shape, spec.shape, strict=True):
        if fixed is not None and size != fixed:
            raise RequestError(
                f"{path} must have the shape {wanted}. Received: {shape}. "
                "Send lists of these lengths."
            )


def _flatten(
    value: Any,
    shape: list[int],
    axis: int,
    spec: TensorSpec,
    path: str,
    flat: list[Any],
) -> None:
    if axis < len(shape):
        if not isinstance(value, list) or len(value) != shape[axis]:
            received = (
                f"a list of {len(value)}"
                if isinstance(value, list)
                else _show(value)
            )
            raise RequestError(
                f"All lists of one level must be of one length; {path} must "
                f"be a list of {shape[axis]}, as the first one is. Received: "
                f"{received}. Pad the rows, with the padding id and 0 in "
                "their masks."
            )
        # The elements of the last axis together, as there are many.
        if axis < len(shape) - 1:
            for index, item in enumerate(value):
                _flatten(item, shape, axis + 1, spec, f"{path}[{index}]", flat)
            return
    else:
        flat += _elements([value], spec, [path])
        return
    flat += _elements(value, spec, _Places(path))


class _Places:
    """Where the elements of a list stand, made when one is asked for."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __getitem__(self, index: int) -> str:
        return f"{self._path}[{index}]"


def _elements(
    values: list[Any], spec: TensorSpec, places: _Places | list[str]
) -> list[Any]:
    if spec.dtype in _INTEGERS:
        limits = np.iinfo(spec.dtype)
        for index, value in _others(values, {int}):
            raise _wrong(value, spec, places[index], "whole numbers")
        lowest, highest = min(values), max(values)
        if lowest < limits.min or highest > limits.max:
            far = lowest if lowest < limits.min else highest
            raise RequestError(
                f"{places[values.index(far)]} must fit in {spec.dtype}. "
                f"Received: {_show(far)}. Send ids of the model's tokenizer."
            )
        return values
    if spec.dtype in _FLOATS:
        for index, value in _others(values, {int, float}):
            raise _wrong(value, spec, places[index], "numbers")
        try:
            return [float(value) for value in values]
        except OverflowError as error:
            raise RequestError(
                f"{spec.name} must fit in {spec.dtype}. Received: a number of "
                "too many digits. Send a smaller one."
            ) from error
    if spec.dtype == "bool":
        for index, value in _others(values, {bool}):
            raise _wrong(value, spec, places[index], "true and false")
        return values
    if spec.dtype == "string":
        return [
            _bytes(value, spec, places[index])
            for index, value in enumerate(values)
        ]
    raise RequestError(
        f"{spec.name} is of a dtype that JSON can't hold. Received: "
        f"{spec.dtype}. Use another signature.",
        501,
    )


def _others(values: list[Any], types: set[type]) -> Any:
    """Returns the first value of another type, in a list with its place."""
    if set(map(type, values)) <= types:
        return []
    return [
        (index, value)
        for index, value in enumerate(values)
        if type(value) not in types
    ][:1]


def _bytes(value: Any, spec: TensorSpec, path: str) -> bytes:
    try:
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, dict) and list(value) == [BASE64]:
            decoded = base64.b64decode(value[BASE64], validate=True)
            if not spec.name.endswith(BYTES_SUFFIX):
                decoded.decode()
            return decoded
    except UnicodeError as error:
        raise RequestError(
            f"{path} must be valid UTF-8. Received: {_show(value)} "
            f"({error.reason}). Send text, without lone surrogates."
        ) from error
    except (binascii.Error, ValueError, TypeError) as error:
        raise RequestError(
            f'{path} must be base64 where it is {{"{BASE64}": ...}}. '
            f"Received: {_show(value)}. Send the text itself as a string."
        ) from error
    raise _wrong(value, spec, path, "texts")


def _wrong(
    value: Any, spec: TensorSpec, path: str, wanted: str
) -> RequestError:
    return RequestError(
        f"{path} must be of type {spec.dtype}. Received: {_show(value)}. Send "
        f"{wanted}."
    )


def _show(value: Any) -> str:
    try:
        # ASCII, so that what can't be encoded can still be shown.
        text = json.dumps(value)
    except (ValueError, RecursionError):
        text = f"a {type(value).__name__} that is too large to show"
    if len(text) > _LONGEST_VALUE:
        text = f"{text[:_LONGEST_VALUE]}..."
    return text


def show_shape(shape: tuple[int | None, ...]) -> str:
    """Returns a shape as text; free axes are `any`."""
    sizes = ("any" if size is None else str(size) for size in shape)
    return f"[{', '.join(sizes)}]"


def _numpy_dtype(name: str) -> Any:
    # TensorFlow casts to bfloat16, which NumPy doesn't have.
    return "float32" if name == "bfloat16" else name


def to_lists(array: np.ndarray, name: str = "") -> Any:
    """Turns an array into nested lists that JSON can hold.

    Args:
        array: array of any rank.
        name: string, the output's. One that ends in `_bytes` makes its
            strings base64. Defaults to none.

    Returns:
        Lists; a lone value for rank 0. `float32` has no more digits than it
        needs.
    """
    if array.dtype == object:
        return _texts(array.tolist(), name)
    array = plain_numbers(array)
    if array.dtype.kind == "f" and array.dtype.itemsize < 8:
        # The digits of a float64 would be noise.
        values = np.empty(array.size, object)
        values[:] = [float(str(value)) for value in array.ravel()]
        return values.reshape(array.shape).tolist()
    return array.tolist()


def plain_numbers(array: np.ndarray) -> np.ndarray:
    """Returns `array`, as float32 where NumPy has no such dtype itself."""
    if array.dtype.kind in "biuf":
        return array
    return array.astype("float32")


def _texts(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_texts(item, name) for item in value]
    if not name.endswith(BYTES_SUFFIX):
        try:
            return value.decode()
        except UnicodeDecodeError:
            pass
    return {BASE64: base64.b64encode(value).decode()}

"""Makes arrays of JSON values, and JSON values of arrays.

JSON has tensors as in TensorFlow Serving's REST protocol. What doesn't fit a
signature is refused, with a sentence that says where it stands.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_longformer.errors import RequestError
from tf_longformer.errors import cut

BASE64 = "b64"
# How the names of tensors end whose strings are bytes and no text.
BYTES_SUFFIX = "_bytes"
_INTEGERS = {
    *("int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64"),
}
_FLOATS = {"float16", "float32", "float64", "bfloat16"}
_LONGEST_VALUE = 60
_encoder = json.JSONEncoder()


class TensorSpec(NamedTuple):
    """What a signature says of a tensor.

    An axis of any size is `None` in `shape`; for any rank `shape` is `None`.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


def to_array(value: Any, spec: TensorSpec, path: str) -> np.ndarray:
    """Makes an array of nested lists.

    Args:
        value: what JSON held.
        spec: `TensorSpec`.
        path: where the value stands, for messages.

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
    _flatten(value, shape, spec, path, flat)
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
    value: Any, shape: list[int], spec: TensorSpec, path: str, flat: list[Any]
) -> None:
    """Appends the elements of nested lists, whose lengths must be `shape`."""
    if not shape:
        flat += _elements([value], spec, lambda index: path)
        return
    if not isinstance(value, list) or len(value) != shape[0]:
        received = (
            f"a list of {len(value)}"
            if isinstance(value, list)
            else _show(value)
        )
        raise RequestError(
            f"All lists of one level must be of one length; {path} must "
            f"be a list of {shape[0]}, as the first one is. Received: "
            f"{received}. Pad the rows, with the padding id and 0 in "
            "their masks."
        )
    if len(shape) == 1:
        # The last axis at once, as it has many elements.
        flat += _elements(value, spec, lambda index: f"{path}[{index}]")
        return
    for index, item in enumerate(value):
        _flatten(item, shape[1:], spec, f"{path}[{index}]", flat)


def _elements(
    values: list[Any], spec: TensorSpec, place: Callable[[int], str]
) -> list[Any]:
    """Returns the elements of a list; `place` says where one stands."""
    if spec.dtype in _INTEGERS:
        limits = np.iinfo(spec.dtype)
        _check_types(values, {int}, spec, place, "whole numbers")
        lowest, highest = min(values), max(values)
        if lowest < limits.min or highest > limits.max:
            outside = lowest if lowest < limits.min else highest
            raise RequestError(
                f"{place(values.index(outside))} must fit in {spec.dtype}. "
                f"Received: {_show(outside)}. Send ids of the model's "
                "tokenizer."
            )
        return values
    if spec.dtype in _FLOATS:
        _check_types(values, {int, float}, spec, place, "numbers")
        with np.errstate(over="ignore"):
            fits = np.isfinite(_as_floats(values, spec.dtype))
        if not fits.all():
            index = int(np.argmin(fits))
            raise RequestError(
                f"{place(index)} must be finite and fit in {spec.dtype}. "
                f"Received: {_show(values[index])}. Send a smaller number."
            )
        return values
    if spec.dtype == "bool":
        _check_types(values, {bool}, spec, place, "true and false")
        return values
    if spec.dtype == "string":
        return [
            _bytes(value, spec, place(index))
            for index, value in enumerate(values)
        ]
    raise RequestError(
        f"{spec.name} is of a dtype that JSON can't hold. Received: "
        f"{spec.dtype}. Use another signature.",
        501,
    )


def _as_floats(values: list[Any], dtype: str) -> np.ndarray:
    try:
        return np.array(values, _numpy_dtype(dtype))
    except OverflowError:
        # An integer of more digits than a float may have.
        return np.array([float(str(value)) for value in values])


def _check_types(
    values: list[Any],
    types: set[type],
    spec: TensorSpec,
    place: Callable[[int], str],
    wanted: str,
) -> None:
    # Of all at once first, which is fast, as there may be many.
    if set(map(type, values)) <= types:
        return
    for index, value in enumerate(values):
        if type(value) not in types:
            raise _wrong(value, spec, place(index), wanted)


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
    """Returns the beginning of a value as JSON."""
    text = ""
    try:
        # Only the beginning is written, as the value may be large. It is
        # ASCII, so that lone surrogates can be shown, too.
        for piece in _encoder.iterencode(value):
            text += piece[: _LONGEST_VALUE + 1]
            if len(text) > _LONGEST_VALUE:
                break
    except (ValueError, RecursionError):
        text = f"a {type(value).__name__} that is too large to show"
    return cut(text, _LONGEST_VALUE)


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
        # As text a float32 has only the digits that it needs; as a float64 it
        # would have more, which say nothing.
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

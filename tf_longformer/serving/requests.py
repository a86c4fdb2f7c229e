"""Bodies of requests to arrays, and arrays to bodies of responses."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from tf_longformer.serving.errors import RequestError
from tf_longformer.serving.saved_model import SavedModel
from tf_longformer.serving.saved_model import Signature
from tf_longformer.serving.tensors import BASE64
from tf_longformer.serving.tensors import TensorSpec
from tf_longformer.serving.tensors import plain_numbers
from tf_longformer.serving.tensors import show_shape
from tf_longformer.serving.tensors import to_array
from tf_longformer.serving.tensors import to_lists

ROWS, COLUMNS = "instances", "inputs"


@dataclass(frozen=True)
class Limits:
    """What one request may ask for.

    Attributes:
        body_bytes: int, bytes of a body.
        rows: int, the size of the first axis.
        tokens: int, elements of an input that isn't text: rows times
            length, with choices rows times choices times length.
        values: int, elements of all outputs together.
        seconds: float, from the first byte to the answer.
    """

    body_bytes: int = 16 * 2**20
    rows: int = 64
    tokens: int = 64 * 4096
    values: int = 2**24
    seconds: float = 60.0


@dataclass(frozen=True)
class Request:
    """A request that fits its signature.

    Attributes:
        signature_name: string.
        signature: `Signature`.
        inputs: dict of arrays by name.
        by_rows: bool, whether it came as `instances`.
    """

    signature_name: str
    signature: Signature
    inputs: dict[str, np.ndarray]
    by_rows: bool


def parse(body: bytes, model: SavedModel, limits: Limits) -> Request:
    """Reads the body of a predict request.

    Args:
        body: bytes of JSON, with `instances` or `inputs`, and maybe
            `signature_name`.
        model: `SavedModel`.
        limits: `Limits`.

    Returns:
        `Request`.

    Raises:
        RequestError: the body isn't JSON, doesn't fit the signature or asks
            for too much.
    """
    document = _parse_json(body)
    if not isinstance(document, dict):
        raise RequestError(
            "The body must be a JSON object. Received: "
            f'{_kind(document)}. Send {{"{ROWS}": [...]}}.'
        )
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise RequestError(
            f"'signature_name' must be a string. Received: {_kind(name)}. "
            "Send a name, or leave it out."
        )
    signature = model.signature(name)
    if (ROWS in document) == (COLUMNS in document):
        received = "both" if ROWS in document else "neither"
        raise RequestError(
            f"The body must have one of '{ROWS}' and '{COLUMNS}'. Received: "
            f"{received}. Send '{ROWS}', a list with an object for each row."
        )
    by_rows = ROWS in document
    given = (
        _transpose(document[ROWS], signature.inputs, limits)
        if by_rows
        else _by_name(document[COLUMNS], signature.inputs)
    )
    inputs = {
        key: to_array(given[key], spec, key)
        for key, spec in signature.inputs.items()
    }
    _check_together(inputs, signature.inputs)
    check_limits(inputs, limits)
    _check_values(_least_values(inputs, signature.outputs), limits)
    return Request(name, signature, inputs, by_rows)


def _parse_json(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RequestError(
            "The body must be UTF-8. Received: other bytes at offset "
            f"{error.start}. Encode it as UTF-8."
        ) from error
    except RecursionError as error:
        raise RequestError(
            "JSON Parse error: the body is nested too deep. Send lists that "
            "are nested as the shapes say."
        ) from error
    except ValueError as error:
        message = str(error) if body.strip() else "the document is empty"
        raise RequestError(
            f'JSON Parse error: {message}. Send an object with "{ROWS}".'
        ) from error


def _transpose(
    rows: Any, specs: Mapping[str, TensorSpec], limits: Limits
) -> dict[str, list[Any]]:
    """Makes a list for each input out of a list of rows."""
    if not isinstance(rows, list) or not rows:
        raise RequestError(
            f"'{ROWS}' must be a list with at least one row. Received: "
            f"{_kind(rows)}. Send an object for each row."
        )
    _check_rows(len(rows), limits)
    named = isinstance(rows[0], dict) and list(rows[0]) != [BASE64]
    if not named and len(specs) == 1:
        return {name: rows for name in specs}
    columns: dict[str, list[Any]] = {name: [] for name in specs}
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise RequestError(
                f"Each of '{ROWS}' must be an object with the inputs "
                f"{', '.join(specs)}. Received: {_kind(row)} at "
                f"{ROWS}[{index}]. Name the inputs."
            )
        _check_names(row, specs, f"{ROWS}[{index}]")
        for name, values in columns.items():
            values.append(row[name])
    return columns


def _by_name(given: Any, specs: Mapping[str, TensorSpec]) -> dict[str, Any]:
    if isinstance(given, dict) and list(given) != [BASE64]:
        _check_names(given, specs, f"'{COLUMNS}'")
        return given
    if len(specs) == 1:
        return {name: given for name in specs}
    raise RequestError(
        f"'{COLUMNS}' must be an object with the inputs {', '.join(specs)}. "
        f"Received: {_kind(given)}. Name the inputs."
    )


def _check_names(
    given: Mapping[str, Any], specs: Mapping[str, TensorSpec], path: str
) -> None:
    missing = [name for name in specs if name not in given]
    if missing:
        raise RequestError(
            f"{path} must have the inputs {', '.join(specs)}. Received: none "
            f"named {', '.join(missing)}. Add what is missing."
        )
    unknown = [name for name in given if name not in specs]
    if unknown:
        raise RequestError(
            f"{path} must have the inputs {', '.join(specs)}. Received: "
            f"{unknown[0]!r} too. Leave it out, or choose another signature "
            "with 'signature_name'."
        )


def _check_together(
    inputs: Mapping[str, np.ndarray], specs: Mapping[str, TensorSpec]
) -> None:
    """Inputs that are declared alike are of one shape; all share the rows."""
    first = next(iter(inputs))
    for name, array in inputs.items():
        for other in (first, *inputs):
            alike = specs[other].shape == specs[name].shape
            theirs = inputs[other].shape
            if theirs[:1] != array.shape[:1] or (
                alike and theirs != array.shape
            ):
                raise RequestError(
                    f"{other} and {name} must agree in "
                    f"{'shape' if alike else 'rows'}. Received: "
                    f"{show_shape(theirs)} and {show_shape(array.shape)}. "
                    "Give each row an element in both."
                )


def check_limits(inputs: Mapping[str, np.ndarray], limits: Limits) -> None:
    """Checks the sizes of inputs.

    Args:
        inputs: dict of arrays by name.
        limits: `Limits`.

    Raises:
        RequestError: there are too many rows or tokens.
    """
    for name, array in inputs.items():
        _check_rows(array.shape[0] if array.ndim else 1, limits)
        if array.dtype != object and array.size > limits.tokens:
            raise RequestError(
                f"{name} must have at most {limits.tokens} elements in one "
                f"request. Received: {show_shape(array.shape)}, "
                f"{array.size} elements. Send fewer rows or shorter ones."
            )


def _check_rows(rows: int, limits: Limits) -> None:
    if rows > limits.rows:
        raise RequestError(
            f"A request must have at most {limits.rows} rows. Received: "
            f"{rows}. Send them in several requests."
        )


def _least_values(
    inputs: Mapping[str, np.ndarray], specs: Mapping[str, TensorSpec]
) -> int:
    """Returns the size of the largest output, before the model has run.

    A free axis of an output is taken to be that of the inputs in its place,
    of rows, tokens or choices. That can be too much for an output of another
    axis, as that of a row's masks, which is shorter: so the largest alone
    counts, and all of them when they are there.
    """
    given = max((array.shape for array in inputs.values()), key=len, default=())
    sizes = []
    for spec in specs.values():
        shape = spec.shape or ()
        free = [*given, *[1] * len(shape)]
        sizes.append(
            math.prod(
                free[axis] if size is None else size
                for axis, size in enumerate(shape)
            )
        )
    return max(sizes)


def _check_values(values: int, limits: Limits) -> None:
    if values > limits.values:
        raise RequestError(
            f"An answer must have at most {limits.values} values. This one "
            f"would have {values}. Send fewer rows or shorter ones, or use a "
            "signature with smaller outputs."
        )


def encode(
    outputs: Mapping[str, np.ndarray], by_rows: bool, limits: Limits
) -> bytes:
    """Writes the body of a response.

    Args:
        outputs: dict of arrays by name.
        by_rows: bool, whether to answer as to `instances`.
        limits: `Limits`.

    Returns:
        JSON: `predictions`, a list with an entry for each row, or `outputs`.
        The name of a lone output is left out.

    Raises:
        RequestError: there are too many values, or outputs without rows.
    """
    _check_values(sum(array.size for array in outputs.values()), limits)
    if not by_rows:
        if len(outputs) == 1:
            ((name, array),) = outputs.items()
            return b'{"outputs": ' + _to_json(array, name) + b"}"
        return b'{"outputs": ' + _object(outputs) + b"}"
    sizes = {array.shape[:1] for array in outputs.values()}
    if len(sizes) != 1 or sizes == {()}:
        raise RequestError(
            "The outputs of this signature have no rows in common. Send "
            f"'{COLUMNS}' instead of '{ROWS}'."
        )
    return b'{"predictions": [' + b", ".join(_rows(outputs)) + b"]}"


def _rows(outputs: Mapping[str, np.ndarray]) -> Iterator[bytes]:
    ((count,),) = {array.shape[:1] for array in outputs.values()}
    for index in range(count):
        # With the dots a lone element stays an array.
        row = {name: array[index, ...] for name, array in outputs.items()}
        if len(row) > 1:
            yield _object(row)
        else:
            ((name, array),) = row.items()
            yield _to_json(array, name)


def _object(arrays: Mapping[str, np.ndarray]) -> bytes:
    members = (
        json.dumps(name).encode() + b": " + _to_json(array, name)
        for name, array in arrays.items()
    )
    return b"{" + b", ".join(members) + b"}"


def _to_json(array: np.ndarray, name: str) -> bytes:
    if array.dtype != object:
        array = plain_numbers(array)
    # NaN and infinity are written as TensorFlow Serving does; JSON doesn't
    # know them.
    if array.dtype == object or not np.all(np.isfinite(array)):
        return json.dumps(to_lists(array, name)).encode()
    return orjson.dumps(
        np.ascontiguousarray(array) if array.ndim else array[()],
        option=orjson.OPT_SERIALIZE_NUMPY,
    )


def _kind(value: Any) -> str:
    if isinstance(value, (list, dict)) and not value:
        return "an empty list" if isinstance(value, list) else "an empty object"
    names = {
        dict: "an object",
        list: "a list",
        str: "a string",
        bool: "a boolean",
        type(None): "null",
    }
    return names.get(type(value), "a number")

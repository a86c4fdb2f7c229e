"""Turns bodies of requests into arrays, and arrays into bodies of answers.

A body is unzipped if it is zipped, counted by `body_size`, read as JSON, and
checked against the signature that it names and against `Limits`. Values, such
as ids that must be known, are checked by the model itself.

All of it runs beside the event loop, which needs Python's lock in between: no
single call of it takes long, whatever the body is.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from tf_longformer.errors import RequestError
from tf_longformer.errors import cut
from tf_longformer.errors import shown
from tf_longformer.exported.json_tensors import BASE64
from tf_longformer.exported.json_tensors import TensorSpec
from tf_longformer.exported.json_tensors import plain_numbers
from tf_longformer.exported.json_tensors import show_shape
from tf_longformer.exported.json_tensors import to_array
from tf_longformer.exported.json_tensors import to_lists
from tf_longformer.exported.loaded_model import LoadedModel
from tf_longformer.exported.loaded_model import Signature
from tf_longformer.serving.body_size import BodySize
from tf_longformer.serving.body_size import count_body

ROWS, COLUMNS = "instances", "inputs"
_PLAIN = ("", "identity")
_GZIP = ("gzip", "x-gzip")
# Names of the body, and a few lists more.
_SPARE = 64
# Bodies up to so many bytes aren't counted before they are read.
_SMALL_BODY = 2**16
# Numbers that are written by one call, and bytes that are sent by one.
_PIECE = 2**16
# A float64 that is written out has at most 1,077.
_MOST_DIGITS = 1100


@dataclass(frozen=True)
class Limits:
    """How much one request may ask for.

    Attributes:
        body_bytes: int, bytes of a body.
        rows: int, the size of the first axis.
        tokens: int, elements of an input: rows times length, with choices
            rows times choices times length.
        values: int, elements of all outputs together.
        seconds: float, time from the first byte to the answer.
        held_bytes: int, bytes of all larger bodies and answers together that
            are on their way or wait; never less than `body_bytes`.
        connections: int.
    """

    body_bytes: int = 16 * 2**20
    rows: int = 64
    tokens: int = 64 * 4096
    values: int = 2**24
    seconds: float = 60.0
    held_bytes: int = 256 * 2**20
    connections: int = 1024

    @property
    def text_bytes(self) -> int:
        """Bytes of all texts of a request.

        These are 8 for each token, twice of what texts of most languages
        have, and never less than 512 for each token of a model of 4096: so a
        text that alone is a request isn't too long because of this.
        """
        return max(8 * self.tokens, 2**21)


@dataclass(frozen=True)
class Request:
    """A request that fits its signature.

    Attributes:
        signature_name: string.
        signature: `Signature`.
        inputs: dict of arrays by name.
        by_rows: bool, whether it came as `instances`, and not as `inputs`.
    """

    signature_name: str
    signature: Signature
    inputs: dict[str, np.ndarray]
    by_rows: bool


def check_coding(coding: str) -> None:
    """Refuses a header Content-Encoding that the server can't unpack."""
    if coding.strip().lower() not in (*_PLAIN, *_GZIP):
        raise RequestError(
            "A body may be packed with gzip only. Received: Content-Encoding "
            f"{cut(coding)}. Send it with gzip, or as it is.",
            415,
            "coding",
        )


def unpack(body: bytearray, coding: str, most: int) -> bytes | bytearray:
    """Unpacks a body, of a coding that `check_coding` takes.

    Raises:
        RequestError: it isn't of that coding, or has more than `most` bytes.
    """
    if coding.strip().lower() in _PLAIN:
        return body
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        # One byte more than is allowed, to see if there are more.
        plain = unpacker.decompress(body, most + 1)
    except zlib.error as error:
        raise _damaged(str(error)) from error
    if len(plain) > most:
        raise too_large(most)
    if not unpacker.eof:
        raise _damaged("it ends too early")
    if unpacker.unused_data:
        raise _damaged("something follows it")
    return plain


def too_large(most: int) -> RequestError:
    """Returns the error of a body that has more than `most` bytes."""
    return RequestError(
        f"A body must have at most {most} bytes, unpacked too. This one has "
        "more. Send the rows in several requests.",
        413,
        "body",
    )


def _damaged(reason: str) -> RequestError:
    return RequestError(
        "A body with Content-Encoding gzip must be one gzip file. Received: "
        f"one that isn't ({reason}). Pack it again."
    )


def parse(
    body: bytes | bytearray, model: LoadedModel, limits: Limits
) -> Request:
    """Reads the body of a predict request.

    Args:
        body: bytes of JSON, with `instances` or `inputs`, and maybe
            `signature_name`.
        model: `LoadedModel`.
        limits: `Limits`.

    Returns:
        `Request`.

    Raises:
        RequestError: the body isn't JSON, doesn't fit the signature or asks
            for too much.
    """
    if len(body) > _SMALL_BODY:
        _check_body(count_body(body), model, limits)
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
    _check_limits(inputs, limits)
    _check_values(_estimate_values(inputs, signature.outputs), limits)
    return Request(name, signature, inputs, by_rows)


def _check_body(size: BodySize, model: LoadedModel, limits: Limits) -> None:
    """Refuses a body that has more in it than any signature takes."""
    # A quarter is what base64 adds; names are texts too.
    _check_text(size.text_bytes * 3 // 4 - _SMALL_BODY, limits)
    most = BodySize(0, 0, 0)
    for signature in model.signatures.values():
        # Besides the inputs: the body, the rows and their members, and a few.
        containers = limits.rows + _SPARE
        values = containers + limits.rows * len(signature.inputs)
        for spec in signature.inputs.values():
            levels = _most_of_levels(spec, limits)
            containers += sum(levels[:-1])
            values += sum(levels)
        most = BodySize(*map(max, most, (containers, values, 0)))
    for what, count, limit in (
        ("lists and objects", size.containers, most.containers),
        ("values", size.values, most.values),
    ):
        if count > limit:
            raise RequestError(
                f"A body must have at most {limit} {what}, as a request has "
                f"at most {limits.rows} rows and {limits.tokens} tokens. "
                f"Received: {count}. Send fewer rows or shorter ones.",
                reason=what.partition(" ")[0],
            )


def _most_of_levels(spec: TensorSpec, limits: Limits) -> list[int]:
    """Returns how many values an input has at each level of its lists."""
    rank = 4 if spec.shape is None else len(spec.shape)
    levels = [1, limits.rows, *[limits.tokens] * rank][: rank + 1]
    if spec.dtype == "string":
        # Each may be an object that holds it as base64.
        levels.append(levels[-1])
    return levels


def _check_text(size: int, limits: Limits) -> None:
    if size > limits.text_bytes:
        raise RequestError(
            f"The texts of a request must have at most {limits.text_bytes} "
            f"bytes together. Received: {size}. Send fewer or shorter ones.",
            reason="text",
        )


def _parse_json(body: bytes | bytearray) -> Any:
    # In a large body Python's functions read numbers, so that others run in
    # between.
    hooks = _NUMBERS if len(body) > _SMALL_BODY else {}
    try:
        return json.loads(
            body.decode("utf-8-sig"), object_pairs_hook=_to_object, **hooks
        )
    except UnicodeDecodeError as error:
        raise RequestError(
            "The body must be UTF-8. Received: other bytes at offset "
            f"{error.start}. Encode it as UTF-8.",
            reason="json",
        ) from error
    except RecursionError as error:
        raise RequestError(
            "JSON Parse error: the body is nested too deep. Send lists that "
            "are nested as the shapes say.",
            reason="json",
        ) from error
    except json.JSONDecodeError as error:
        message = str(error) if body.strip() else "the document is empty"
        raise RequestError(
            f'JSON Parse error: {message}. Send an object with "{ROWS}".',
            reason="json",
        ) from error
    except RequestError:
        raise
    except ValueError as error:
        # Python itself reads integers of some thousand digits at most.
        raise _too_many_digits() from error


def _to_int(digits: str) -> int:
    _check_digits(digits)
    return int(digits)


def _to_float(digits: str) -> float:
    _check_digits(digits)
    return float(digits)


def _check_digits(digits: str) -> None:
    if len(digits) > _MOST_DIGITS:
        raise _too_many_digits()


def _too_many_digits() -> RequestError:
    return RequestError(
        f"A number must have at most {_MOST_DIGITS} digits. Received: one that "
        "has more. Send a shorter one.",
        reason="json",
    )


def _to_object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in members:
        if name in found:
            raise RequestError(
                "An object must have each name once. Received: "
                f"{shown(name)} more than once. Leave one of them out.",
                reason="json",
            )
        found[name] = value
    return found


_NUMBERS: dict[str, Any] = {"parse_int": _to_int, "parse_float": _to_float}


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
            f"{shown(unknown[0])} too. Leave it out, or choose another "
            "signature with 'signature_name'."
        )


def _check_together(
    inputs: Mapping[str, np.ndarray], specs: Mapping[str, TensorSpec]
) -> None:
    """Checks that rows agree, and shapes of inputs that are declared alike."""
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


def _check_limits(inputs: Mapping[str, np.ndarray], limits: Limits) -> None:
    text_bytes = 0
    for name, array in inputs.items():
        _check_rows(array.shape[0] if array.ndim else 1, limits)
        if array.size > limits.tokens:
            raise RequestError(
                f"{name} must have at most {limits.tokens} elements in one "
                f"request. Received: {show_shape(array.shape)}, "
                f"{array.size} elements. Send fewer rows or shorter ones.",
                reason="tokens",
            )
        if array.dtype == object:
            text_bytes += sum(map(len, array.flat))
    _check_text(text_bytes, limits)


def _check_rows(rows: int, limits: Limits) -> None:
    if rows > limits.rows:
        raise RequestError(
            f"A request must have at most {limits.rows} rows. Received: "
            f"{rows}. Send them in several requests.",
            reason="rows",
        )


def _estimate_values(
    inputs: Mapping[str, np.ndarray], specs: Mapping[str, TensorSpec]
) -> int:
    """Estimates the size of the largest output, before the model has run.

    A free axis of an output (rows, tokens, choices) is taken to be as long as
    the same axis of the inputs. For some outputs that is too much: a row has
    fewer masks than tokens. So only the largest output is counted now. The
    sum of all is checked when they have been computed.
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
            "signature with smaller outputs.",
            reason="values",
        )


def encode(
    outputs: Mapping[str, np.ndarray], by_rows: bool, limits: Limits
) -> Iterator[bytes]:
    """Writes the body of a response.

    Args:
        outputs: dict of arrays by name.
        by_rows: bool, whether to answer as to `instances`.
        limits: `Limits`.

    Returns:
        JSON, piece by piece: `predictions`, a list with an entry for each
        row, or `outputs`. The name of a lone output is left out.

    Raises:
        RequestError: there are too many values, or outputs without rows. It
            is raised before the first piece.
    """
    _check_values(sum(array.size for array in outputs.values()), limits)
    if not by_rows:
        return _wrapped(b'{"outputs": ', _named(outputs), b"}")
    sizes = {array.shape[:1] for array in outputs.values()}
    if len(sizes) != 1 or sizes == {()}:
        raise RequestError(
            "The outputs of this signature have no rows in common. Send "
            f"'{COLUMNS}' instead of '{ROWS}'."
        )
    return _wrapped(b'{"predictions": [', _rows(outputs), b"]}")


def _wrapped(
    start: bytes, pieces: Iterator[bytes], end: bytes
) -> Iterator[bytes]:
    """Joins small pieces, as each is sent by itself."""
    block = bytearray(start)
    for piece in pieces:
        block += piece
        if len(block) > _PIECE:
            yield bytes(block)
            block.clear()
    yield bytes(block + end)


def _rows(outputs: Mapping[str, np.ndarray]) -> Iterator[bytes]:
    ((count,),) = {array.shape[:1] for array in outputs.values()}
    for index in range(count):
        if index:
            yield b", "
        # With `...` a single element stays an array.
        yield from _named(
            {n: array[index, ...] for n, array in outputs.items()}
        )


def _named(arrays: Mapping[str, np.ndarray]) -> Iterator[bytes]:
    """Writes arrays as an object; a lone one without its name."""
    if len(arrays) == 1:
        ((name, array),) = arrays.items()
        yield from _to_json(array, name)
        return
    separator = b"{"
    for name, array in arrays.items():
        yield separator + json.dumps(name).encode() + b": "
        yield from _to_json(array, name)
        separator = b", "
    yield b"}"


def _to_json(array: np.ndarray, name: str) -> Iterator[bytes]:
    if array.size > _PIECE:
        # Parts along the first axis; the brackets of a part are left out.
        step = max(1, _PIECE * len(array) // array.size)
        yield b"["
        for start in range(0, len(array), step):
            if start:
                yield b","
            if step > 1:
                part = b"".join(_to_json(array[start : start + step], name))
                yield part[1:-1]
            else:
                yield from _to_json(array[start], name)
        yield b"]"
        return
    if array.dtype != object:
        array = plain_numbers(array)
    # JSON has no NaN and no infinity. `json` writes them as TensorFlow Serving
    # does, `orjson` can't.
    if array.dtype == object or not np.all(np.isfinite(array)):
        yield json.dumps(to_lists(array, name)).encode()
    else:
        yield orjson.dumps(
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

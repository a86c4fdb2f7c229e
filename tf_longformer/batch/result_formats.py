"""The formats that results are written in: JSON lines, or one array."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from typing import Any
from typing import BinaryIO
from typing import Protocol

import numpy as np

from tf_longformer.exported.json_tensors import to_lists


class ResultFormat(Protocol):
    """How results become bytes."""

    def header(self, rows: int) -> bytes:
        """Returns what the file begins with, of one size for all `rows`."""

    def write(self, file: BinaryIO, result: Mapping[str, Any]) -> None:
        """Writes a result at the end of a file."""


class JsonLines:
    """A line of JSON for each result."""

    def header(self, rows: int) -> bytes:
        """See `ResultFormat`."""
        return b""

    def write(self, file: BinaryIO, result: Mapping[str, Any]) -> None:
        """See `ResultFormat`."""
        before = b"{"
        for name, value in result.items():
            file.write(before + _json(name) + b": ")
            before = b", "
            if isinstance(value, np.ndarray) and value.ndim > 1 and value.size:
                # Row by row, as all logits of a document may not fit into
                # memory as Python's lists.
                for index, part in enumerate(value):
                    file.write(b", " if index else b"[")
                    file.write(_json(to_lists(part, name)))
                file.write(b"]")
            elif isinstance(value, np.ndarray):
                file.write(_json(to_lists(value, name)))
            else:
                file.write(_json(value))
        file.write(b"}\n")


class NumpyRows:
    """One array float32 `[results, width]`, as `numpy.load` reads it.

    Args:
        name: str, the result that is a row.
        width: int.
    """

    def __init__(self, name: str, width: int) -> None:
        self._name = name
        self._width = width

    def header(self, rows: int) -> bytes:
        """See `ResultFormat`."""
        described = {
            "descr": "<f4",
            "fortran_order": False,
            "shape": (rows, self._width),
        }
        file = io.BytesIO()
        # It leaves room for the first axis to grow.
        np.lib.format.write_array_header_1_0(file, described)
        return file.getvalue()

    def write(self, file: BinaryIO, result: Mapping[str, Any]) -> None:
        """See `ResultFormat`."""
        file.write(np.asarray(result[self._name], "<f4").tobytes())


def format_of(path: str | os.PathLike, name: str, width: int) -> ResultFormat:
    """Returns the format that a file's name asks for: `.npy`, or JSON lines."""
    if os.fspath(path).endswith(".npy"):
        return NumpyRows(name, width)
    return JsonLines()


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()

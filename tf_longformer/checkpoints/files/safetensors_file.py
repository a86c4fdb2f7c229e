"""Safetensors files, read and written one tensor at a time.

The library `safetensors` checks the header. It doesn't read the numbers, since
for NumPy it has no bfloat16, and doesn't write the file, since it wants all
tensors in memory at once.

Reference: https://github.com/huggingface/safetensors (the format)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors import safe_open

from tf_longformer.checkpoints.dialects import PYTORCH
from tf_longformer.checkpoints.dialects import TENSORFLOW
from tf_longformer.checkpoints.files.tensor_file import BFLOAT16
from tf_longformer.checkpoints.files.tensor_file import HeldFile
from tf_longformer.checkpoints.files.tensor_file import Tensor
from tf_longformer.checkpoints.files.tensor_file import TensorFile
from tf_longformer.checkpoints.files.tensor_file import unreadable
from tf_longformer.errors import shown

_DTYPES = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": BFLOAT16,
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
# The library's own bound.
_LONGEST_HEADER = 100_000_000


class SafetensorsFile(TensorFile):
    """A safetensors file.

    Args:
        path: the file.
        file: `HeldFile`, if it is open already. Defaults to none.

    Raises:
        CheckpointError: if it is not a safetensors file.
    """

    format = "safetensors"

    def __init__(self, path: Path, file: HeldFile | None = None) -> None:
        super().__init__(path, file)
        header, start = self._read_header()
        self.metadata: dict[str, str] = header.pop("__metadata__", None) or {}
        self.tensors = {}
        self.offsets = {}
        for name, entry in header.items():
            dtype = _DTYPES.get(entry["dtype"])
            if dtype is None:
                raise unreadable(
                    path,
                    f"holds {shown(name)} of the type {shown(entry['dtype'])}",
                )
            self.tensors[name] = Tensor(dtype, tuple(entry["shape"]))
            self.offsets[name] = start + entry["data_offsets"][0]
        self.check_sizes()
        slashes = any("/" in name for name in self.tensors)
        is_tensorflow = self.metadata.get("format") == "tf" or (
            "format" not in self.metadata and slashes
        )
        self.dialect = TENSORFLOW if is_tensorflow else PYTORCH

    def _read_header(self) -> tuple[dict[str, Any], int]:
        """Returns the header, and the byte at which the numbers begin."""
        try:
            # The library checks that types, sizes and offsets fit one another
            # and the file.
            with safe_open(self.file.lasting_path, framework="numpy"):
                pass
            length = int.from_bytes(self.file.read(8), "little")
            if length > _LONGEST_HEADER:
                raise ValueError("its header is too long")
            header = json.loads(self.file.read(length))
        except (SafetensorError, OSError, ValueError, RecursionError) as error:
            raise unreadable(
                self.path, "is not a safetensors file", error
            ) from error
        return header, 8 + length


def write(
    path: Path,
    tensors: Mapping[str, Tensor],
    get: Callable[[str], np.ndarray],
    metadata: Mapping[str, str],
) -> None:
    """Writes a file; `get` is called once for each name."""
    # In the library's order, wide types first, which aligns each tensor.
    order = sorted(
        tensors, key=lambda name: (-tensors[name].dtype.itemsize, name)
    )
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name in order:
        tensor = tensors[name]
        start, end = end, end + tensor.nbytes
        header[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for name in order:
            array = np.ascontiguousarray(get(name), tensors[name].dtype)
            # Not with `tofile`, which doesn't raise if the disk is full.
            file.write(array.reshape(-1).view(np.uint8).data)

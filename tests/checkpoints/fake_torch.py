"""Writes PyTorch's files without it, of any content, sound or not."""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any
from typing import NamedTuple

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
}


class Raw(NamedTuple):
    """Instructions of a pickle, as they are."""

    code: bytes


class View(NamedTuple):
    """A tensor of a storage by its key."""

    key: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def whole(value: int) -> bytes:
    if 0 <= value < 256:
        return b"K" + bytes([value])
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    data = pickle.encode_long(value)
    return b"\x8a" + bytes([len(data)]) + data


def sizes(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(whole, values)) + b"t"


def storage(storages: dict[str, np.ndarray], key: str) -> bytes:
    array = storages[key]
    name = STORAGES[str(array.dtype)]
    return (
        b"(" + text("storage") + b"ctorch\n" + name.encode() + b"\n"
        + text(key) + text("cpu") + whole(array.size) + b"tQ"
    )  # fmt: skip


def view(storages: dict[str, np.ndarray], found: View) -> bytes:
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage(storages, found.key)
        + whole(found.offset)
        + sizes(found.shape)
        + sizes(found.strides)
        + b"\x89ccollections\nOrderedDict\n)RtR"
    )


def program(items: dict[str, Any], storages: dict[str, np.ndarray]) -> bytes:
    """Returns the pickle of an `OrderedDict`."""
    code = b"\x80\x02ccollections\nOrderedDict\n)R("
    for name, item in items.items():
        if isinstance(item, Raw):
            code += text(name) + item.code
        elif isinstance(item, dict):
            code += text(name) + program(item, storages)[2:-1]
        else:
            code += text(name) + view(storages, item)
    return code + b"u."


def write_zip(
    path: Path, code: bytes, storages: dict[str, np.ndarray], **options: Any
) -> Path:
    """Writes the newer format; `options` are those of the zip archive."""
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr("archive/data.pkl", code)
        archive.writestr("archive/byteorder", "little")
        for key, array in storages.items():
            archive.writestr(f"archive/data/{key}", array.tobytes())
        archive.writestr("archive/version", "3\n")
    return path


def write_legacy(
    path: Path, code: bytes, storages: dict[str, np.ndarray]
) -> Path:
    """Writes the older format."""
    system = OrderedDict(protocol_version=1001, little_endian=True)
    with path.open("wb") as file:
        for item in (MAGIC, 1001, dict(system)):
            pickle.dump(item, file, protocol=2)
        file.write(code)
        pickle.dump(sorted(storages), file, protocol=2)
        for key in sorted(storages):
            array = storages[key]
            file.write(struct.pack("<q", array.size) + array.tobytes())
    return path

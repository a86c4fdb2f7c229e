"""PyTorch's files, of both its formats, read without it.

Since 1.6 a file is a zip archive with a pickle and one member for each
storage; before, it is a row of pickles, followed by the storages. Storages
stay in the file until a tensor is asked for.

Reference: `torch/serialization.py` (the formats)
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any
from typing import BinaryIO

import numpy as np

from tf_longformer.checkpoints import torch_pickle
from tf_longformer.checkpoints import zip_members
from tf_longformer.checkpoints.dialects import PYTORCH
from tf_longformer.checkpoints.tensor_file import BFLOAT16
from tf_longformer.checkpoints.tensor_file import Tensor
from tf_longformer.checkpoints.tensor_file import TensorFile
from tf_longformer.checkpoints.tensor_file import read_bytes
from tf_longformer.checkpoints.tensor_file import unreadable
from tf_longformer.checkpoints.torch_objects import PickleError
from tf_longformer.checkpoints.torch_objects import View
from tf_longformer.checkpoints.zip_members import Member

_DTYPES = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": BFLOAT16,
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
    "float64": np.dtype("<f8"),
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
    "bfloat16": BFLOAT16,
    "int64": np.dtype("<i8"),
    "uint16": np.dtype("<u2"),
    "uint32": np.dtype("<u4"),
    "uint64": np.dtype("<u8"),
}
_ZIP = b"PK\x03\x04"
_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_LEGACY_VERSION = 1001
# Under which a training program keeps the weights beside other things.
_STATE_DICTS = ("state_dict", "model_state_dict")


class TorchFile(TensorFile):
    """The tensors of one file, by their names.

    Args:
        path: the file.

    Raises:
        CheckpointError: if it isn't one, is damaged, or holds anything but
            tensors and plain containers.
    """

    format = "PyTorch's"
    dialect = PYTORCH

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with open(path, "rb") as file:
                start = file.read(len(_LEGACY))
                if start.startswith(_ZIP):
                    root, self._places = _open_zip(file)
                elif start == _LEGACY:
                    root, self._places = _open_legacy(file)
                else:
                    raise PickleError("isn't of a PyTorch file")
            self._views = _find_views(root)
            self.tensors = {
                name: _describe(view, self._places)
                for name, view in self._views.items()
            }
        except (PickleError, *zip_members.ERRORS) as error:
            raise unreadable(path, "is no PyTorch file", error) from error

    def read(self, name: str) -> np.ndarray:
        view, tensor = self._views[name], self.tensors[name]
        if not tensor.size:
            return np.zeros(tensor.shape, tensor.dtype)
        # From the first number of the view to its last.
        extent = 1 + sum(
            (size - 1) * stride
            for size, stride in zip(view.shape, view.strides, strict=True)
        )
        size = tensor.dtype.itemsize
        start = self._places[view.storage.key].offset
        start += (view.storage.offset + view.offset) * size
        numbers = read_bytes(self.path, start, tensor.dtype, extent)
        return np.lib.stride_tricks.as_strided(
            numbers, view.shape, [stride * size for stride in view.strides]
        )


def _open_zip(file: BinaryIO) -> tuple[Any, dict[str, Member]]:
    """Returns the pickled object and where the storages lie."""
    members = zip_members.find_members(file)
    pickles = [name for name in members if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise PickleError("isn't in its archive")
    folder = pickles[0].removesuffix("data.pkl")
    order = members.get(f"{folder}byteorder")
    if order and zip_members.read_member(file, order, 9) != b"little":
        raise PickleError("is of a big-endian machine")
    pickle = zip_members.read_member(
        file, members[pickles[0]], torch_pickle.MOST_BYTES
    )
    storages = f"{folder}data/"
    places = {
        name.removeprefix(storages): member
        for name, member in members.items()
        if name.startswith(storages)
    }
    return torch_pickle.load(io.BytesIO(pickle)), places


def _open_legacy(file: BinaryIO) -> tuple[Any, dict[str, Member]]:
    """Returns the pickled object and where the storages lie."""
    length = os.fstat(file.fileno()).st_size
    file.seek(0)
    magic, version, system = (torch_pickle.load(file) for _ in range(3))
    if magic != _MAGIC or version != _LEGACY_VERSION:
        raise PickleError("is of an unknown version")
    if not (isinstance(system, dict) and system.get("little_endian") is True):
        raise PickleError("is of a big-endian machine")
    root = torch_pickle.load(file)
    keys = torch_pickle.load(file)
    if not isinstance(keys, list):
        raise PickleError("has no list of storages")
    sizes = {
        view.storage.key: _dtype(view.storage.type_name).itemsize
        for view in _all_views(root)
    }
    places = {}
    for key in keys:
        count = int.from_bytes(file.read(8), "little", signed=True)
        nbytes = count * sizes.get(str(key), 0)
        offset = file.tell()
        if str(key) not in sizes or count < 0 or offset + nbytes > length:
            raise PickleError("has storages that the file hasn't")
        places[str(key)] = Member(offset, nbytes)
        file.seek(nbytes, os.SEEK_CUR)
    return root, places


def _all_views(root: Any) -> list[View]:
    """Returns all tensors of a structure, each of its objects once."""
    found, seen, waiting = [], set(), [root]
    while waiting:
        item = waiting.pop()
        if isinstance(item, View):
            found.append(item)
        elif isinstance(item, (dict, list, tuple)) and id(item) not in seen:
            seen.add(id(item))
            waiting.extend(item.values() if isinstance(item, dict) else item)
    return found


def _find_views(root: Any) -> dict[str, View]:
    """Returns the state dict: the root, or what a program put into one."""
    for name in (None, *_STATE_DICTS):
        found = root if name is None else root.get(name)
        if not isinstance(found, dict):
            if name is None:
                raise PickleError("holds no dict of tensors")
            continue
        views = {
            key: value
            for key, value in found.items()
            if isinstance(value, View) and isinstance(key, str)
        }
        if views:
            return views
    raise PickleError("holds no dict of tensors")


def _dtype(type_name: str) -> np.dtype:
    if type_name not in _DTYPES:
        raise PickleError(f"has a tensor of the type {type_name[:40]!r}")
    return _DTYPES[type_name]


def _describe(view: View, places: dict[str, Member]) -> Tensor:
    """Checks that a view lies within its storage, and that in the file."""
    dtype = _dtype(view.type_name)
    tensor = Tensor(dtype, view.shape)
    last = view.offset + sum(
        (size - 1) * stride
        for size, stride in zip(view.shape, view.strides, strict=True)
    )
    size = dtype.itemsize
    place = places.get(view.storage.key)
    end = (view.storage.offset + last + 1) * size
    if place is None or (tensor.size and end > place.nbytes):
        raise PickleError("has a tensor that its storage has no room for")
    return tensor

"""PyTorch's files, in both of its formats, read without PyTorch.

Since PyTorch 1.6 a file is a zip archive with a pickle and a member for each
storage. Before, it was a row of pickles, followed by the storages. A storage
is the numbers that tensors are views of; it stays in the file until a tensor
is read.

Reference: `torch/serialization.py` (the formats)
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any
from typing import BinaryIO

import numpy as np

from tf_longformer.checkpoints.dialects import PYTORCH
from tf_longformer.checkpoints.files import torch_pickle
from tf_longformer.checkpoints.files import zip_members
from tf_longformer.checkpoints.files.tensor_file import BFLOAT16
from tf_longformer.checkpoints.files.tensor_file import HeldFile
from tf_longformer.checkpoints.files.tensor_file import Tensor
from tf_longformer.checkpoints.files.tensor_file import TensorFile
from tf_longformer.checkpoints.files.tensor_file import unreadable
from tf_longformer.checkpoints.files.torch_pickle import PickleError
from tf_longformer.checkpoints.files.torch_pickle import View
from tf_longformer.checkpoints.files.zip_members import Member
from tf_longformer.errors import cut
from tf_longformer.errors import listed
from tf_longformer.errors import shown

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
# How a zip archive begins.
_ZIP = b"PK\x03\x04"
_MAGIC = 0x1950A86A20F9469CFC6C
# How a file of the old format begins: a pickle of `_MAGIC`.
_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_LEGACY_VERSION = 1001
# The keys under which training programs keep the weights beside other things,
# such as averages of them. Without one of these, there must be but one dict of
# tensors that is a model's.
_STATE_DICTS = ("state_dict", "model_state_dict", "model", "module", "net")
_DEEPEST = 3
# Letters of a key that are kept of those that lead to a state dict.
_LONGEST_KEY = 40
# Every model has them, and an optimizer's state doesn't.
_OF_A_MODEL = "word_embeddings.weight"


class TorchFile(TensorFile):
    """A file of PyTorch's.

    Args:
        path: the file.
        file: `HeldFile`, if it is open already. Defaults to none.

    Raises:
        CheckpointError: if it isn't one, is damaged, or holds anything but
            tensors and plain containers.
    """

    format = "PyTorch's"
    dialect = PYTORCH

    def __init__(self, path: Path, file: HeldFile | None = None) -> None:
        super().__init__(path, file)
        try:
            start = self.file.read(len(_LEGACY))
            if start.startswith(_ZIP):
                root, self._places = _open_zip(self.file)
            elif start == _LEGACY:
                root, self._places = _open_legacy(self.file)
            else:
                raise PickleError("isn't of a PyTorch file")
            self._views = _find_views(root)
            self.tensors = {
                name: _describe(view, self._places)
                for name, view in self._views.items()
            }
        except (PickleError, *zip_members.ERRORS) as error:
            raise unreadable(path, "is no PyTorch file", error) from error
        self.check_sizes()

    def read(self, name: str) -> np.ndarray:
        view, tensor = self._views[name], self.tensors[name]
        if not tensor.size:
            return np.zeros(tensor.shape, tensor.dtype)
        size = tensor.dtype.itemsize
        start = self._places[view.storage.key].offset
        start += (view.storage.offset + view.offset) * size
        numbers = self.read_numbers(start, tensor.dtype, view.extent)
        return np.lib.stride_tricks.as_strided(
            numbers, view.shape, [stride * size for stride in view.strides]
        )

    def are_equal(self, one: str, other: str) -> bool:
        # Tied weights are views of the same numbers, which need no reading.
        return self._views[one] == self._views[other] or super().are_equal(
            one, other
        )


def _open_zip(file: BinaryIO) -> tuple[Any, dict[str, Member]]:
    """Returns the pickled object, and where in the file the storages lie."""
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
    """Returns the pickled object, and where in the file the storages lie."""
    length = os.fstat(file.fileno()).st_size
    file.seek(0)
    magic, version, system = (torch_pickle.load(file) for _ in range(3))
    if magic != _MAGIC or version != _LEGACY_VERSION:
        raise PickleError("is of an unknown version")
    if not (isinstance(system, dict) and system.get("little_endian") is True):
        raise PickleError("is of a big-endian machine")
    root = torch_pickle.load(file)
    keys = torch_pickle.load(file)
    # Not anything else, as what holds itself many times makes endless text.
    if not isinstance(keys, list) or not all(
        isinstance(key, (str, int)) for key in keys
    ):
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
    """Returns all tensors of nested containers; each container counts once."""
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
    """Returns the state dict: the root, or a dict some keys within it."""
    level = [("", root)] if isinstance(root, dict) else []
    others: list[dict[str, View]] = []
    seen: set[int] = set()
    for _ in range(_DEEPEST + 1):
        found, inner = [], []
        for path, item in level:
            views = _views_in(item)
            if any(name.endswith(_OF_A_MODEL) for name in views):
                found.append((path, views))
            elif views:
                others.append(views)
            for key, value in item.items():
                if isinstance(value, dict) and id(value) not in seen:
                    seen.add(id(value))
                    # Cut, as one long key would be copied for each dict in
                    # its own.
                    key = cut(str(key), _LONGEST_KEY)
                    inner.append((f"{path}.{key}" if path else key, value))
        if found:
            return found[_choose([path for path, _ in found])][1]
        level = inner
    if not others:
        raise PickleError("holds no dict of tensors")
    return others[0]


def _views_in(container: dict[Any, Any]) -> dict[str, View]:
    return {
        key: value
        for key, value in container.items()
        if isinstance(value, View) and isinstance(key, str)
    }


def _choose(paths: list[str]) -> int:
    """Returns which path is the only one, or the first called as of old."""
    for name in _STATE_DICTS:
        for number, path in enumerate(paths):
            if path.rpartition(".")[2] == name:
                return number
    if len(paths) > 1:
        names = listed([shown(path) for path in paths], most=2)
        raise PickleError(f"holds several models, {names}: save one")
    return 0


def _dtype(type_name: str) -> np.dtype:
    if type_name not in _DTYPES:
        raise PickleError(f"has a tensor of the type {type_name[:40]!r}")
    return _DTYPES[type_name]


def _describe(view: View, places: dict[str, Member]) -> Tensor:
    """Returns type and shape; checks that the view lies in its storage."""
    dtype = _dtype(view.type_name)
    tensor = Tensor(dtype, view.shape)
    place = places.get(view.storage.key)
    end = view.storage.offset + view.offset + view.extent
    end *= dtype.itemsize
    if place is None or (tensor.size and end > place.nbytes):
        raise PickleError("has a tensor that its storage has no room for")
    return tensor

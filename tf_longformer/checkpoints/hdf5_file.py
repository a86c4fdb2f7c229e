"""HDF5 files: HF TensorFlow's `tf_model.h5` and Keras's own weights.

Only plain data is read: no links out of the file, no filters, no data sets
that are put together from others.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tf_longformer.checkpoints.dialects import KERAS
from tf_longformer.checkpoints.dialects import TENSORFLOW
from tf_longformer.checkpoints.tensor_file import BFLOAT16
from tf_longformer.checkpoints.tensor_file import Tensor
from tf_longformer.checkpoints.tensor_file import TensorFile
from tf_longformer.checkpoints.tensor_file import unreadable

# Far beyond any Longformer's, so that a file can't keep us walking.
_DEEPEST = 16
_MOST_OBJECTS = 200_000
_ERRORS = (
    *(OSError, RuntimeError, ValueError, KeyError, TypeError),
    *(MemoryError, UnicodeDecodeError, OverflowError),
)


# Its type hints lack what lies below its objects.
_LIBRARY: Any = h5py


class Hdf5File(TensorFile):
    """The data sets of one file, by their names.

    Args:
        path: the file, also for messages.
        opened: binary file to read from instead, such as a member of an
            archive. Defaults to none.

    Raises:
        CheckpointError: if it isn't one, is damaged, or holds anything but
            plain data.
    """

    format = "HDF5"

    def __init__(self, path: Path, opened: io.RawIOBase | None = None) -> None:
        self.path = path
        self._source: Any = opened or path
        self.tensors = {}
        # The data set that a name is read from.
        self._places: dict[str, str] = {}
        try:
            with self._open() as file:
                found = dict(_walk(file))
        except _ERRORS as error:
            raise unreadable(
                path, "is no HDF5 file of plain data", error
            ) from (error)
        is_keras = all("/vars/" in f"/{place}" for place in found)
        self.dialect = KERAS if is_keras else TENSORFLOW
        for place, tensor in found.items():
            self._add(place, tensor)

    def _open(self) -> h5py.File:
        options: dict[str, Any] = {}
        if self._source is self.path:
            # Read-only file systems know no locks.
            options["locking"] = False
        return h5py.File(self._source, "r", **options)

    def _add(self, place: str, tensor: Tensor) -> None:
        name = place
        if self.dialect == TENSORFLOW:
            name = _tensorflow_name(place)
        if name not in self.tensors:
            self.tensors[name] = tensor
            self._places[name] = place
        elif self.tensors[name] != tensor:
            raise unreadable(
                self.path, f"has two of {name!r}, which are not the same"
            )
        elif place.startswith("longformer/"):
            # HF's masked language model has the embeddings once more with
            # its head.
            self._places[name] = place

    def read(self, name: str) -> np.ndarray:
        tensor = self.tensors[name]
        try:
            with self._open() as file:
                found = np.empty(
                    tensor.shape,
                    "V2" if tensor.dtype == BFLOAT16 else tensor.dtype,
                )
                data: Any = file[self._places[name]]
                if found.size:
                    data.read_direct(found)
        except _ERRORS as error:
            raise unreadable(self.path, "can't be read", error) from error
        return found.view(tensor.dtype)


def _tensorflow_name(place: str) -> str:
    """Drops the layer and the name of the model, which HF's files begin with.

    A shard has neither: its names begin with the part of the model.
    """
    parts = place.split("/")
    if len(parts) > 2 and parts[1].startswith("tf_longformer"):
        return "/".join(parts[2:])
    return place


def _walk(file: h5py.File) -> Iterator[tuple[str, Tensor]]:
    """Yields all data sets; hard links may go in circles."""
    waiting: list[tuple[str, h5py.Group, int]] = [("", file, 0)]
    seen: set[int] = set()
    count = 0
    while waiting:
        prefix, group, depth = waiting.pop()
        address = _LIBRARY.h5o.get_info(group.id).addr
        if address in seen or depth > _DEEPEST:
            raise ValueError("its groups are nested in one another")
        seen.add(address)
        for name in group:
            count += 1
            if count > _MOST_OBJECTS:
                raise ValueError("it has too many data sets")
            link = group.get(name, getlink=True)
            if type(link) is not h5py.HardLink:
                raise ValueError(f"{name!r} leads to somewhere else")
            item = group[name]
            place = f"{prefix}{name}"
            if isinstance(item, h5py.Group):
                waiting.append((f"{place}/", item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                yield place, _describe(item)
            else:
                raise ValueError(f"{name!r} is no data")


def _describe(data: h5py.Dataset) -> Tensor:
    """Checks that a data set is plain and all there."""
    layout = data.id.get_create_plist()
    plain = (
        layout.get_layout() in (_LIBRARY.h5d.CONTIGUOUS, _LIBRARY.h5d.COMPACT)
        and not layout.get_nfilters()
        and not layout.get_external_count()
    )
    if not plain or data.shape is None:
        raise ValueError(f"{data.name!r} is filtered, virtual or in pieces")
    dtype = data.dtype
    if dtype == np.dtype("V2") and data.attrs.get("dtype") == "bfloat16":
        # As Keras stores it.
        dtype = BFLOAT16
    if dtype.kind not in "fiub" and dtype != BFLOAT16:
        raise ValueError(f"{data.name!r} holds no numbers")
    tensor = Tensor(dtype, tuple(data.shape))
    if data.id.get_storage_size() != tensor.nbytes:
        raise ValueError(f"{data.name!r} is not all there")
    return tensor


def write_keras(
    path: Path,
    tensors: Mapping[str, Tensor],
    get: Callable[[str], np.ndarray],
) -> None:
    """Writes weights as Keras's `load_weights` reads them.

    Args:
        path: the file, which is replaced.
        tensors: types and shapes by the data set's name.
        get: function from a name to its array, called once for each.
    """
    with h5py.File(path, "w", libver=("earliest", "v108")) as file:
        for name in tensors:
            data = file.create_dataset(name, data=get(name))
            if tensors[name].dtype == BFLOAT16:
                data.attrs["dtype"] = "bfloat16"


def write_tensorflow(
    path: Path,
    tensors: Mapping[str, Tensor],
    get: Callable[[str], np.ndarray],
    model: str,
) -> None:
    """Writes a `tf_model.h5` as HF's TensorFlow classes do.

    Args:
        path: the file, which is replaced.
        tensors: types and shapes by HF TensorFlow's name.
        get: function from a name to its array.
        model: str, the model's name in the file.
    """
    layers: dict[str, list[str]] = {}
    for name in tensors:
        layers.setdefault(name.split("/", 1)[0], []).append(name)
    if "lm_head" in layers:
        # The decoder is the word embeddings, with all that lies by them.
        layers["lm_head"] += [
            name for name in tensors if name.startswith(_EMBEDDINGS)
        ]
    with h5py.File(path, "w", libver=("earliest", "v108")) as file:
        file.attrs["layer_names"] = list(layers)
        file.attrs["backend"] = "tensorflow"
        file.attrs["keras_version"] = _KERAS_VERSION
        for layer, members in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{model}/{n}" for n in members]
            for name in members:
                group.create_dataset(f"{model}/{name}", data=get(name))
        top = file.create_group("top_level_model_weights")
        top.attrs["weight_names"] = np.zeros(0)


_EMBEDDINGS = "longformer/embeddings/"
# The version whose layout this is.
_KERAS_VERSION = "2.21.0"

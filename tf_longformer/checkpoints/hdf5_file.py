"""HDF5 files: HF TensorFlow's `tf_model.h5` and Keras's own weights.

Only plain data is read: no links out of the file, no filters, no data sets
that are put together from others.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tf_longformer.checkpoints import hdf5_listing
from tf_longformer.checkpoints.dialects import KERAS
from tf_longformer.checkpoints.dialects import TENSORFLOW
from tf_longformer.checkpoints.tensor_file import BFLOAT16
from tf_longformer.checkpoints.tensor_file import Tensor
from tf_longformer.checkpoints.tensor_file import TensorFile
from tf_longformer.checkpoints.tensor_file import read_bytes
from tf_longformer.checkpoints.tensor_file import unreadable
from tf_longformer.checkpoints.zip_members import Member

# The first place where modules are sought is the current folder, which may
# hold anything.
_PROGRAM = (
    "import sys; del sys.path[0]; "
    f"from {hdf5_listing.__name__} import main; main(*sys.argv[1:])"
)
_EMBEDDINGS = "longformer/embeddings/"
# The version whose layout is written.
_KERAS_VERSION = "2.21.0"


class Hdf5File(TensorFile):
    """The data sets of one file, by their names.

    Args:
        path: the file.
        member: `Member`, part of the file that is read. Defaults to all.

    Raises:
        CheckpointError: if it isn't one, is damaged, or holds anything but
            plain data.
    """

    format = "HDF5"

    def __init__(self, path: Path, member: Member | None = None) -> None:
        self.path = path
        member = member or Member(0, path.stat().st_size)
        found = _list(path, member)
        is_keras = all("/vars/" in f"/{place}" for place in found)
        self.dialect = KERAS if is_keras else TENSORFLOW
        self.tensors = {}
        self._offsets: dict[str, int] = {}
        for place, (code, shape, offset, is_bfloat16) in found.items():
            dtype = BFLOAT16 if is_bfloat16 else np.dtype(code)
            if dtype.kind not in "fiub" and dtype != BFLOAT16:
                raise unreadable(path, f"holds no numbers as {place!r}")
            tensor = Tensor(dtype, tuple(shape))
            if not 0 <= offset <= member.nbytes - tensor.nbytes:
                raise unreadable(path, f"has not all of {place!r}")
            self._add(place, tensor, member.offset + offset)

    def _add(self, place: str, tensor: Tensor, offset: int) -> None:
        name = place
        if self.dialect == TENSORFLOW:
            name = _tensorflow_name(place)
        if name in self.tensors:
            # HF's masked language model has the embeddings once more with
            # its head.
            if self.tensors[name] != tensor:
                raise unreadable(
                    self.path, f"has two of {name!r}, which are not the same"
                )
            if not place.startswith("longformer/"):
                return
        self.tensors[name] = tensor
        self._offsets[name] = offset

    def read(self, name: str) -> np.ndarray:
        tensor = self.tensors[name]
        numbers = read_bytes(
            self.path, self._offsets[name], tensor.dtype, tensor.size
        )
        return numbers.reshape(tensor.shape)


def _list(path: Path, member: Member) -> dict[str, list[Any]]:
    """Returns the data sets as `hdf5_listing` finds them."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, path, *map(str, member)],
            capture_output=True,
            check=True,
            timeout=10 * hdf5_listing.SECONDS,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                # Each thread would want memory of its own.
                "OPENBLAS_NUM_THREADS": "1",
            },
        )
        found = json.loads(done.stdout)
    # A process that was ended, by its bounds or by the library.
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        raise unreadable(path, "is no HDF5 file that can be read") from error
    if not isinstance(found, dict):
        raise unreadable(path, f"is no HDF5 file of plain data ({found[:200]})")
    return found


def _tensorflow_name(place: str) -> str:
    """Drops the layer and the name of the model, which HF's files begin with.

    A shard has neither: its names begin with the part of the model.
    """
    parts = place.split("/")
    if len(parts) > 2 and parts[1].startswith("tf_longformer"):
        return "/".join(parts[2:])
    return place


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

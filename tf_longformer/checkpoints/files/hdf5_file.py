"""HDF5 files: HF TensorFlow's `tf_model.h5` and Keras's `.weights.h5`.

Only plain data sets are read: none behind a link to another file, none that is
filtered, none that is put together from others. `hdf5_listing` finds where in
the file they lie. It runs in a process of its own, since HDF5's library
trusts the files that it opens.
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

from tf_longformer.checkpoints.dialects import KERAS
from tf_longformer.checkpoints.dialects import TENSORFLOW
from tf_longformer.checkpoints.files import hdf5_listing
from tf_longformer.checkpoints.files.tensor_file import BFLOAT16
from tf_longformer.checkpoints.files.tensor_file import HeldFile
from tf_longformer.checkpoints.files.tensor_file import Tensor
from tf_longformer.checkpoints.files.tensor_file import TensorFile
from tf_longformer.checkpoints.files.tensor_file import unreadable
from tf_longformer.checkpoints.files.zip_members import Member
from tf_longformer.errors import shown

# With `-c` Python looks for modules in the current folder first, which may hold
# anything.
_PROGRAM = (
    "import sys; del sys.path[0]; "
    f"from {hdf5_listing.__name__} import main; main(*sys.argv[1:])"
)
_EMBEDDINGS = "longformer/embeddings/"
# The version of Keras whose layout is written.
_KERAS_VERSION = "2.21.0"


class Hdf5File(TensorFile):
    """An HDF5 file, or one that lies within another file.

    Args:
        path: the file.
        file: `HeldFile`, if it is open already. Defaults to none.

    Raises:
        CheckpointError: if it isn't one, is damaged, or holds anything but
            plain data.
    """

    format = "HDF5"

    def __init__(self, path: Path, file: HeldFile | None = None) -> None:
        super().__init__(path, file)
        member = self._find_member()
        found = self._list(member)
        is_keras = all("/vars/" in f"/{place}" for place in found)
        self.dialect = KERAS if is_keras else TENSORFLOW
        self.tensors = {}
        self.offsets = {}
        for place, (code, shape, offset, is_bfloat16) in found.items():
            dtype = BFLOAT16 if is_bfloat16 else np.dtype(code)
            if dtype.kind not in "fiub" and dtype != BFLOAT16:
                raise unreadable(path, f"holds no numbers as {shown(place)}")
            tensor = Tensor(dtype, tuple(shape))
            if not 0 <= offset <= member.nbytes - tensor.nbytes:
                raise unreadable(path, f"has not all of {shown(place)}")
            self._add(place, tensor, member.offset + offset)
        self.check_sizes()

    def _find_member(self) -> Member:
        """Returns the part of the file that is the HDF5 file."""
        return Member(0, os.fstat(self.file.fileno()).st_size)

    def _list(self, member: Member) -> dict[str, list[Any]]:
        """Returns the data sets that `hdf5_listing` finds."""
        try:
            done = subprocess.run(
                [
                    *(sys.executable, "-c", _PROGRAM),
                    *map(str, (self.file.lasting_path, *member)),
                ],
                pass_fds=() if os.name == "nt" else (self.file.fileno(),),
                capture_output=True,
                check=True,
                timeout=10 * hdf5_listing.SECONDS,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                    # Each thread would take memory, which is bounded there.
                    "OPENBLAS_NUM_THREADS": "1",
                },
            )
            found = json.loads(done.stdout)
        # The process was ended by its bounds or by HDF5's library.
        except (subprocess.SubprocessError, OSError, ValueError) as error:
            raise unreadable(
                self.path, "is no HDF5 file that can be read"
            ) from error
        if not isinstance(found, dict):
            raise unreadable(
                self.path, f"is no HDF5 file of plain data ({found[:200]})"
            )
        return found

    def _add(self, place: str, tensor: Tensor, offset: int) -> None:
        name = place
        if self.dialect == TENSORFLOW:
            name = _tensorflow_name(place)
        if name in self.tensors:
            # HF's masked language models have the embeddings twice: in the
            # body and in the head.
            if self.tensors[name] != tensor:
                raise unreadable(
                    self.path,
                    f"has two of {shown(name)}, which are not the same",
                )
            if place.partition("/")[0] != name.partition("/")[0]:
                return
        self.tensors[name] = tensor
        self.offsets[name] = offset


def _tensorflow_name(place: str) -> str:
    """Drops the names of layer and model, with which names in HF's files begin.

    Those in a shard don't: they begin with the part of the model.
    """
    parts = place.split("/")
    if len(parts) > 2 and parts[1].startswith("tf"):
        return "/".join(parts[2:])
    return place


def write_keras(
    path: Path,
    tensors: Mapping[str, Tensor],
    get: Callable[[str], np.ndarray],
) -> None:
    """Writes weights as Keras's `load_weights` reads them.

    The keys of `tensors` are the names of the data sets. `get` is called once
    for each.
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

    The keys of `tensors` are TensorFlow's names; `model` is the name that
    HF's class has inside a file.
    """
    layers: dict[str, list[str]] = {}
    for name in tensors:
        layers.setdefault(name.split("/", 1)[0], []).append(name)
    if "lm_head" in layers:
        # HF stores the embeddings with the head, too, which is tied to them.
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

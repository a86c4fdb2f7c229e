"""The table of formats: what their files are called, and who reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tf_longformer.checkpoints.files import sharded_file
from tf_longformer.checkpoints.files.hdf5_file import Hdf5File
from tf_longformer.checkpoints.files.keras_archive import KerasArchive
from tf_longformer.checkpoints.files.safetensors_file import SafetensorsFile
from tf_longformer.checkpoints.files.tensor_file import TensorFile
from tf_longformer.checkpoints.files.torch_file import TorchFile

Reader = Callable[..., TensorFile]


class Format(NamedTuple):
    """A format of weights.

    Attributes:
        file_name: str, what its file is called in a folder.
        reader: function from a path, and the `HeldFile` if it is open, to a
            `TensorFile`.
        extensions: the extensions of its files, by which one is known that
            the user gives by its path.
        sharded: bool, whether the weights may be split into several files
            with an index.
        save_format: what `save_pretrained` calls it; `None` where it is only
            read.
    """

    file_name: str
    reader: Reader
    extensions: tuple[str, ...]
    sharded: bool = False
    save_format: str | None = None

    @property
    def index_name(self) -> str:
        """What the index of its shards is called."""
        return sharded_file.index_name(self.file_name)


# A folder is searched in this order.
FORMATS = (
    Format(
        "model.safetensors",
        SafetensorsFile,
        (".safetensors",),
        sharded=True,
        save_format="safetensors",
    ),
    Format(
        "pytorch_model.bin",
        TorchFile,
        (".bin", ".pt", ".pth", ".ckpt"),
        sharded=True,
    ),
    Format(
        "tf_model.h5",
        Hdf5File,
        (".h5", ".hdf5"),
        sharded=True,
        save_format="h5",
    ),
    Format("model.weights.h5", Hdf5File, (".h5",), save_format="weights.h5"),
    Format("model.keras", KerasArchive, (".keras",), save_format="keras"),
)
SAVE_FORMATS = {
    one.save_format: one for one in FORMATS if one.save_format is not None
}


def reader_of(path: Path) -> Reader | None:
    """Returns the reader for a file, `None` if its name says no format."""
    for one in FORMATS:
        if path.suffix.lower() in one.extensions:
            return one.reader
    return None

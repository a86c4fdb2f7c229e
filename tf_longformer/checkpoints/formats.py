"""The formats, what their files are called, and which one is read first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tf_longformer.checkpoints.hdf5_file import Hdf5File
from tf_longformer.checkpoints.keras_archive import KerasArchive
from tf_longformer.checkpoints.safetensors_file import SafetensorsFile
from tf_longformer.checkpoints.tensor_file import TensorFile
from tf_longformer.checkpoints.torch_file import TorchFile

Reader = Callable[[Path], TensorFile]


class Format(NamedTuple):
    """A format of weights.

    Attributes:
        file_name: str, what its file is called in a folder.
        reader: function from a path to a `TensorFile`.
        sharded: bool, whether several files and an index may stand for one.
        save_format: what `save_pretrained` calls it; `None` where it is only
            read.
    """

    file_name: str
    reader: Reader
    sharded: bool
    save_format: str | None

    @property
    def index_name(self) -> str:
        """What the index of its shards is called."""
        return f"{self.file_name}.index.json"

    def shard_name(self, number: int, count: int) -> str:
        """What a shard is called, of `count`, from 1 on."""
        stem, dot, extension = self.file_name.partition(".")
        return f"{stem}-{number:05d}-of-{count:05d}{dot}{extension}"


# In the order in which a folder is searched.
FORMATS = (
    Format("model.safetensors", SafetensorsFile, True, "safetensors"),
    Format("pytorch_model.bin", TorchFile, True, None),
    Format("tf_model.h5", Hdf5File, True, "h5"),
    Format("model.weights.h5", Hdf5File, False, "weights.h5"),
    Format("model.keras", KerasArchive, False, "keras"),
)
SAVE_FORMATS = {
    one.save_format: one for one in FORMATS if one.save_format is not None
}
# Files that are named by their path, by the end of their name.
_READERS: dict[str, Reader] = {
    ".safetensors": SafetensorsFile,
    ".h5": Hdf5File,
    ".hdf5": Hdf5File,
    ".keras": KerasArchive,
    ".bin": TorchFile,
    ".pt": TorchFile,
    ".pth": TorchFile,
    ".ckpt": TorchFile,
}


def reader_of(path: Path) -> Reader | None:
    """Returns the reader for a file, `None` if its name says no format."""
    return _READERS.get(path.suffix.lower())

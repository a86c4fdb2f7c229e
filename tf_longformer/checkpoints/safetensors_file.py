"""Safetensors files, read one tensor at a time and written whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors import safe_open
from safetensors.numpy import save_file

from tf_longformer.errors import CheckpointError

FILE_NAME = "model.safetensors"


class SafetensorsFile:
    """The tensors of one file, by their names.

    Args:
        path: the file.

    Raises:
        CheckpointError: if it is not a safetensors file.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            with safe_open(path, framework="numpy") as file:
                self.shapes = {
                    name: tuple(file.get_slice(name).get_shape())
                    for name in file.keys()
                }
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"A safetensors file must be whole and readable. Received: "
                f"{path} ({error}). Download or save it again."
            ) from error

    def read(self, names: list[str]) -> Iterator[tuple[str, np.ndarray]]:
        """Yields names and arrays, one at a time.

        Args:
            names: names that the file has.
        """
        with safe_open(self.path, framework="numpy") as file:
            for name in names:
                yield name, file.get_tensor(name)


def write(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes a file as PyTorch users have it, or leaves the old one.

    Args:
        path: the file.
        tensors: C-contiguous arrays by their names.
    """
    handle, temporary = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"
    )
    os.close(handle)
    try:
        save_file(dict(tensors), temporary, metadata={"format": "pt"})
        # mkstemp makes private files; give what `open` would have given.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)

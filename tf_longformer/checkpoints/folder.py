"""A checkpoint: the files of a folder, or a file, that hold a model."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tf_longformer import _configuration_files as configuration_files
from tf_longformer import atomic_folder
from tf_longformer.checkpoints import keras_archive
from tf_longformer.checkpoints.formats import FORMATS
from tf_longformer.checkpoints.formats import reader_of
from tf_longformer.checkpoints.sharded_file import ShardedFile
from tf_longformer.checkpoints.tensor_file import TensorFile
from tf_longformer.errors import CheckpointError

# From a file's name to its path; `None` if there is no such file.
Find = Callable[[str], "Path | None"]


def finder(folder: Path) -> Find:
    """Returns the function that finds the files of a local folder.

    A link may lead to another place in the folder, or as the hub's cache
    has it, where `snapshots/<commit>` links to `blobs`.

    Args:
        folder: the folder.
    """
    resolved = folder.resolve()
    roots = [resolved]
    for parent in (resolved, *resolved.parents):
        if parent.parent.name == "snapshots":
            roots.append(parent.parent.parent / "blobs")

    def find(name: str) -> Path | None:
        try:
            path = atomic_folder.find(folder, name)
        except ValueError as error:
            raise CheckpointError(str(error)) from error
        if path is None:
            return None
        target = path.resolve()
        if not any(target.is_relative_to(root) for root in roots):
            raise CheckpointError(
                "The files of a checkpoint must lie in its folder. Received: "
                f"{path}, which is a link to {target}. If you trust it, put "
                "the file itself there."
            )
        return path

    return find


def open_weights(find: Find, where: str) -> TensorFile:
    """Opens the weights of a folder, in the first format that it has.

    Args:
        find: function from a name to a path.
        where: str, the folder, for messages.

    Raises:
        CheckpointError: if there are none, or they are damaged.
    """
    for form in FORMATS:
        path = find(form.file_name)
        if path is not None:
            return form.reader(path)
        index = find(form.index_name) if form.sharded else None
        if index is not None:
            return ShardedFile(index, form.reader, _required(find, where))
    names = ", ".join(form.file_name for form in FORMATS)
    raise CheckpointError(
        f"A checkpoint must have one of {names}, or an index of shards. "
        f"Received: {where} without any of them. Pass the folder that a model "
        "was saved to."
    )


def _required(find: Find, where: str) -> Callable[[str], Path]:
    def require(name: str) -> Path:
        path = find(name)
        if path is None:
            raise CheckpointError(
                "A sharded checkpoint must have all files of its index. "
                f"Received: {where} without {name!r}. Download or save it "
                "again."
            )
        return path

    return require


def open_file(path: Path) -> TensorFile:
    """Opens weights that are named by their path.

    Args:
        path: the file.

    Raises:
        CheckpointError: if its name says no format, or it is damaged.
    """
    index = path.name.endswith(".index.json")
    reader = reader_of(path)
    if index:
        for form in FORMATS:
            if path.name == form.index_name:
                find = finder(path.parent)
                return ShardedFile(
                    path, form.reader, _required(find, str(path.parent))
                )
    if reader is None:
        raise CheckpointError(
            "A checkpoint file's name must end in .safetensors, .bin, .pt, "
            f".pth, .ckpt, .h5 or .keras. Received: {path}. Rename it, or "
            "pass its folder."
        )
    return reader(path)


def read_config(
    find: Find, where: str, weights: Path | None = None
) -> dict[str, Any]:
    """Returns the fields of the configuration that belongs to weights.

    Args:
        find: function from a name to a path, of the folder.
        where: str, the folder, for messages.
        weights: the file of weights, which may hold it itself. Defaults to
            none.

    Raises:
        OSError: if there is none.
        ValueError: if it isn't a JSON object.
    """
    path = find(configuration_files.CONFIG_NAME)
    if path is None:
        archive = weights
        if archive is None:
            archive = find("model.keras")
        if archive is not None and archive.suffix == ".keras":
            return keras_archive.read_config(archive)
        raise FileNotFoundError(
            f"A model's folder must hold {configuration_files.CONFIG_NAME}. "
            f"Received: {where} without it. Pass the folder that a model was "
            "saved to, or put the file there."
        )
    return configuration_files.read_json(os.fspath(path))

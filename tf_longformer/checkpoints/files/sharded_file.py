"""Weights in several files, and the index that says which file has which."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tf_longformer import folders
from tf_longformer.checkpoints.dialects import TENSORFLOW
from tf_longformer.checkpoints.files import safetensors_file
from tf_longformer.checkpoints.files.tensor_file import Tensor
from tf_longformer.checkpoints.files.tensor_file import TensorFile
from tf_longformer.checkpoints.files.tensor_file import unreadable
from tf_longformer.errors import CheckpointError
from tf_longformer.errors import shown

# All of them are open at once.
_MOST_SHARDS = 500
# Under this key the index and the shards that we write carry an id of the save,
# so that files of two saves are never read together.
_SAVE_ID = "tf_longformer_save"


def index_name(file_name: str) -> str:
    """Returns the name of the index of the shards of a file."""
    return f"{file_name}.index.json"


def shard_name(file_name: str, number: int, count: int) -> str:
    """Returns the name of one of `count` shards, which are numbered from 1."""
    stem, dot, extension = file_name.partition(".")
    return f"{stem}-{number:05d}-of-{count:05d}{dot}{extension}"


def is_shard(name: str, file_name: str) -> bool:
    """Returns whether a file's name is that of one of the shards of another."""
    zeros = re.escape(shard_name(file_name, 0, 0))
    return bool(re.fullmatch(zeros.replace("00000", r"\d{5}"), name))


class ShardedFile(TensorFile):
    """A checkpoint in several files, read as if it were one.

    Args:
        index: `Index`.
        shards: `TensorFile` of each of its files, by name.

    Raises:
        CheckpointError: if index and shards are not those of one save.
    """

    def __init__(self, index: Index, shards: dict[str, TensorFile]) -> None:
        self.path = index.path
        self.tensors = {}
        self._shards: dict[str, TensorFile] = {}
        for name, shard in shards.items():
            given = getattr(shard, "metadata", {}).get(_SAVE_ID)
            if given != index.save_id:
                raise unreadable(self.path, f"is of another save than {name}")
            twice = self.tensors.keys() & shard.tensors.keys()
            if twice:
                raise unreadable(
                    self.path,
                    f"has {shown(min(twice))} in more than one of its files",
                )
            self.tensors.update(shard.tensors)
            self._shards.update(dict.fromkeys(shard.tensors, shard))
        first = next(iter(self._shards.values()), None)
        if first is None:
            raise unreadable(self.path, "names no files with tensors")
        self.dialect = first.dialect
        self.format = f"{first.format} in {len(shards)} files"
        self._check(index.weight_map)

    def _check(self, weight_map: dict[str, str]) -> None:
        """Checks that each file has what the index says, and no more."""
        found = {name: shard.path.name for name, shard in self._shards.items()}
        if self.dialect == TENSORFLOW:
            # In TensorFlow's indices the model's name stands before each.
            weight_map = {
                name.partition("/")[2] or name: file
                for name, file in weight_map.items()
            }
        wrong = {
            name
            for name in {*found, *weight_map}
            if found.get(name) != weight_map.get(name)
        }
        if wrong:
            raise unreadable(
                self.path,
                f"does not fit its files: {len(wrong)} names, "
                f"{shown(min(wrong))} among them, are not where it says",
            )

    def read(self, name: str) -> np.ndarray:
        return self._shards[name].read(name)


class Index(NamedTuple):
    """What the index of a sharded checkpoint says.

    Attributes:
        path: its path.
        weight_map: the file of each tensor.
        save_id: the id of the save, if it has one.
    """

    path: Path
    weight_map: dict[str, str]
    save_id: str | None

    @property
    def files(self) -> list[str]:
        """The names of the shards."""
        return sorted(set(self.weight_map.values()))


def read_index(path: Path) -> Index:
    """Reads the index of a sharded checkpoint.

    Raises:
        CheckpointError: if it isn't one, or names files of other folders.
    """
    try:
        index = json.loads(folders.read_text(path))
        weight_map = index["weight_map"]
        metadata = index.get("metadata") or {}
        if not (isinstance(weight_map, dict) and isinstance(metadata, dict)):
            raise ValueError("it has no `weight_map`")
    except (
        *(OSError, ValueError, LookupError, TypeError),
        *(AttributeError, RecursionError),
    ) as error:
        raise unreadable(path, "is no index of files", error) from error
    files = set()
    for file in weight_map.values():
        if not folders.is_plain_name(file):
            raise CheckpointError(
                "An index names files of its own folder. Received: "
                f"{shown(file)} in {path}. Don't load this checkpoint."
            )
        files.add(file)
    if len(files) > _MOST_SHARDS:
        raise unreadable(path, f"names {len(files)} files")
    save_id = metadata.get(_SAVE_ID)
    if not isinstance(save_id, str):
        save_id = None
    return Index(path, weight_map, save_id)


def write(
    folder: Path,
    file_name: str,
    tensors: dict[str, Tensor],
    get: Callable[[str], np.ndarray],
    limit: int,
) -> None:
    """Writes safetensors of at most `limit` bytes; one file, if it will do."""
    metadata = {"format": "pt"}
    shards = _split(tensors, limit)
    if len(shards) == 1:
        safetensors_file.write(folder / file_name, tensors, get, metadata)
        return
    save_id = uuid.uuid4().hex
    weight_map = {}
    for number, shard in enumerate(shards, 1):
        name = shard_name(file_name, number, len(shards))
        weight_map.update(dict.fromkeys(shard, name))
        safetensors_file.write(
            folder / name,
            {key: tensors[key] for key in shard},
            get,
            {**metadata, _SAVE_ID: save_id},
        )
    total = sum(tensor.nbytes for tensor in tensors.values())
    index = {
        "metadata": {"total_size": total, _SAVE_ID: save_id},
        "weight_map": dict(sorted(weight_map.items())),
    }
    text = json.dumps(index, indent=2) + "\n"
    (folder / index_name(file_name)).write_text(text, "utf-8")


def _split(tensors: dict[str, Tensor], limit: int) -> list[list[str]]:
    """Returns the tensors of each shard; a tensor is never split."""
    shards: list[list[str]] = [[]]
    size = 0
    for name, tensor in tensors.items():
        if shards[-1] and size + tensor.nbytes > limit:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += tensor.nbytes
    return shards

"""Weights in several files, with an index that says which are where."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tf_longformer.atomic_folder import is_plain_name
from tf_longformer.checkpoints.dialects import TENSORFLOW
from tf_longformer.checkpoints.tensor_file import TensorFile
from tf_longformer.checkpoints.tensor_file import unreadable
from tf_longformer.errors import CheckpointError

_LONGEST_INDEX = 1 << 26
_MOST_SHARDS = 10_000
# Files written here say which save they are of.
SAVE_ID = "tf_longformer_save"


class ShardedFile(TensorFile):
    """The tensors of all shards, by their names.

    Args:
        index: the index.
        reader: function from a shard's path to its `TensorFile`.
        find: function from a shard's name to its path; it raises where the
            folder has no such file.

    Raises:
        CheckpointError: if index and shards are not those of one save.
    """

    def __init__(
        self,
        index: Path,
        reader: Callable[[Path], TensorFile],
        find: Callable[[str], Path],
    ) -> None:
        self.path = index
        weight_map, save_id = _read_index(index)
        self.tensors = {}
        self._shards: dict[str, TensorFile] = {}
        files = sorted(set(weight_map.values()))
        for name in files:
            shard = reader(find(name))
            given = getattr(shard, "metadata", {}).get(SAVE_ID)
            if given != save_id:
                raise unreadable(index, f"is of another save than {name}")
            twice = self.tensors.keys() & shard.tensors.keys()
            if twice:
                raise unreadable(
                    index, f"has {min(twice)!r} in more than one of its files"
                )
            self.tensors.update(shard.tensors)
            self._shards.update(dict.fromkeys(shard.tensors, shard))
        first = next(iter(self._shards.values()), None)
        if first is None:
            raise unreadable(index, "names no files with tensors")
        self.dialect = first.dialect
        self.format = f"{first.format} in {len(files)} files"
        self._check(weight_map)

    def _check(self, weight_map: dict[str, str]) -> None:
        """Checks that each file has what the index says, and no more."""
        found = {name: shard.path.name for name, shard in self._shards.items()}
        if self.dialect == TENSORFLOW:
            # There the model's name stands before each.
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
                f"does not fit its files: {len(wrong)} names, {min(wrong)!r} "
                "among them, are not where it says",
            )

    def read(self, name: str) -> np.ndarray:
        return self._shards[name].read(name)


def _read_index(path: Path) -> tuple[dict[str, str], str | None]:
    """Returns the file of each name, and the save that wrote the index."""
    try:
        if path.stat().st_size > _LONGEST_INDEX:
            raise ValueError("it is too long")
        index = json.loads(path.read_text("utf-8"))
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
        if not is_plain_name(file):
            raise CheckpointError(
                "An index names files of its own folder. Received: "
                f"{str(file)[:200]!r} in {path}. Don't load this checkpoint."
            )
        files.add(file)
    if len(files) > _MOST_SHARDS:
        raise unreadable(path, f"names {len(files)} files")
    save_id = metadata.get(SAVE_ID)
    return weight_map, save_id if isinstance(save_id, str) else None

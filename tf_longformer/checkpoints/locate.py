"""From what a user names to the files of a checkpoint, here or on the hub."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from tf_longformer import hub
from tf_longformer.checkpoints import folder as folders
from tf_longformer.checkpoints.tensor_file import TensorFile


@dataclasses.dataclass
class Location:
    """Where a checkpoint is.

    Attributes:
        where: str, for messages.
        find: function from the name of a file to its path, or `None`.
        file: the file that was named; `None` where the folder is to be
            searched.
        repository: the model on the hub; `None` for a folder here.
    """

    where: str
    find: folders.Find
    file: Path | None = None
    repository: hub.Repository | None = None

    def config_fields(self) -> dict[str, Any]:
        """Returns the fields of the configuration, as they are in the file.

        Raises:
            OSError: if there is none.
            ValueError: if it isn't a JSON object.
        """
        try:
            return folders.read_config(self.find, self.where, self.file)
        except FileNotFoundError:
            if self.repository is None:
                raise
            raise self.repository.missing("config.json") from None

    def open(self) -> TensorFile:
        """Opens the weights.

        Raises:
            CheckpointError: if there are none, or they are damaged.
        """
        if self.file is not None:
            return folders.open_file(self.file)
        return folders.open_weights(self.find, self.where)


def locate(
    name: str | os.PathLike, subfolder: str = "", **hub_options: Any
) -> Location:
    """Finds a checkpoint.

    Args:
        name: a folder or file that exists, a preset, or an id of the hub, in
            this order.
        subfolder: str, folder within. Defaults to none.
        **hub_options: further arguments of `hub.Repository`.

    Raises:
        FileNotFoundError: if it is none of these.
    """
    path = Path(name)
    if path.is_file():
        find = folders.finder(path.parent)
        return Location(str(path), find, path)
    if path.is_dir():
        path = path / subfolder
        if not path.is_dir():
            raise FileNotFoundError(
                "`subfolder` must be a folder in the model's. Received: "
                f"{str(path)!r}, which doesn't exist. Check the path."
            )
        return Location(str(path), folders.finder(path))
    repository = hub.Repository(
        hub.repo_id(os.fspath(name)), subfolder=subfolder, **hub_options
    )
    return Location(repository.repo_id, repository.find, repository=repository)

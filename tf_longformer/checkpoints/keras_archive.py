"""Keras's `.keras` archives: a configuration and weights in one file."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

from tf_longformer.checkpoints import zip_members
from tf_longformer.checkpoints.hdf5_file import Hdf5File
from tf_longformer.checkpoints.tensor_file import unreadable

CONFIG_MEMBER = "config.json"
WEIGHTS_MEMBER = "model.weights.h5"
METADATA_MEMBER = "metadata.json"
_LONGEST_CONFIG = 1 << 24


class KerasArchive(Hdf5File):
    """The weights of an archive, by the names of its data sets.

    Args:
        path: the file.

    Raises:
        CheckpointError: if it isn't one, or is damaged.
    """

    format = "Keras's archive"

    def __init__(self, path: Path) -> None:
        try:
            with open(path, "rb") as file:
                members = zip_members.find_members(file)
            weights = members[WEIGHTS_MEMBER]
        except zip_members.ERRORS as error:
            raise unreadable(path, "is no .keras file", error) from error
        super().__init__(path, weights)


def read_config(path: Path) -> dict[str, Any]:
    """Returns the fields of the `LongformerConfig` in an archive.

    Args:
        path: the file.

    Raises:
        CheckpointError: if there is none.
    """
    try:
        with open(path, "rb") as file:
            members = zip_members.find_members(file)
            text = zip_members.read_member(
                file, members[CONFIG_MEMBER], _LONGEST_CONFIG
            )
        fields = json.loads(text)["config"]["config"]
        if not isinstance(fields, dict):
            raise ValueError("its configuration is no dict")
    except (*zip_members.ERRORS, RecursionError, TypeError) as error:
        raise unreadable(
            path, "is no .keras file of a Longformer", error
        ) from error
    return fields


def replace_weights(path: Path, weights: Path) -> None:
    """Puts other weights into an archive, in which no optimizer remains.

    Args:
        path: the archive, as Keras has written it.
        weights: file for Keras's `load_weights`.
    """
    rewritten = path.with_name(f"{path.name}.new")
    with (
        zipfile.ZipFile(path) as old,
        zipfile.ZipFile(rewritten, "w") as new,
    ):
        config = json.loads(old.read(CONFIG_MEMBER))
        # It says that there is the state of an optimizer.
        config.pop("compile_config", None)
        new.writestr(CONFIG_MEMBER, json.dumps(config))
        new.writestr(METADATA_MEMBER, old.read(METADATA_MEMBER))
        new.write(weights, WEIGHTS_MEMBER)
    os.replace(rewritten, path)

"""Keras's `.keras` archives: a configuration and weights in one file."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

from tf_longformer.checkpoints.files import zip_members
from tf_longformer.checkpoints.files.hdf5_file import Hdf5File
from tf_longformer.checkpoints.files.tensor_file import unreadable
from tf_longformer.checkpoints.files.zip_members import Member

_CONFIG_MEMBER = "config.json"
WEIGHTS_MEMBER = "model.weights.h5"
_METADATA_MEMBER = "metadata.json"
_LONGEST_CONFIG = 1 << 24


class KerasArchive(Hdf5File):
    """The weights in an archive, which are an HDF5 file of their own.

    Args:
        path: the file.
        file: `HeldFile`, if it is open already. Defaults to none.

    Raises:
        CheckpointError: if it isn't one, or is damaged.
    """

    format = "Keras's archive"

    def _find_member(self) -> Member:
        try:
            return zip_members.find_members(self.file)[WEIGHTS_MEMBER]
        except zip_members.ERRORS as error:
            raise unreadable(self.path, "is no .keras file", error) from error


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
                file, members[_CONFIG_MEMBER], _LONGEST_CONFIG
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
    """Replaces the weights of an archive; the optimizer's state goes, too.

    Args:
        path: the archive, as Keras has written it.
        weights: file for Keras's `load_weights`.
    """
    rewritten = path.with_name(f"{path.name}.new")
    with (
        zipfile.ZipFile(path) as old,
        zipfile.ZipFile(rewritten, "w") as new,
    ):
        config = json.loads(old.read(_CONFIG_MEMBER))
        # With it Keras would look for the optimizer's state.
        config.pop("compile_config", None)
        new.writestr(_CONFIG_MEMBER, json.dumps(config))
        new.writestr(_METADATA_MEMBER, old.read(_METADATA_MEMBER))
        new.write(weights, WEIGHTS_MEMBER)
    os.replace(rewritten, path)

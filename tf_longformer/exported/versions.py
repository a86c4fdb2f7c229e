"""Finds the SavedModel to load: of several versions the highest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from tf_longformer import atomic
from tf_longformer.errors import shown

_GRAPHS = ("saved_model.pb", "saved_model.pbtxt")


class Version(NamedTuple):
    """A SavedModel with the name and the number that clients know it by."""

    path: Path
    name: str
    number: int


def find_version(folder: str | os.PathLike) -> Version:
    """Finds the SavedModel that a folder stands for.

    Args:
        folder: string or path. The SavedModel itself, or a folder with one
            for each version, `my-model/1`, `my-model/2`, of which the
            highest is taken, as TensorFlow Serving does.

    Returns:
        `Version`. A SavedModel in a folder whose name is no number has the
        name of that folder and the number 1.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it is neither a SavedModel nor has versions in it.
    """
    try:
        return _find_version(folder)
    except (FileNotFoundError, ValueError):
        path = Path(folder).absolute()
        inside = path if path.is_dir() else path.parent
        if not inside.is_dir():
            raise
        # An export that replaces another one takes it away for a moment.
        with atomic.locked(inside):
            return _find_version(folder)


def _find_version(folder: str | os.PathLike) -> Version:
    path = Path(folder).absolute()
    if not path.exists():
        raise FileNotFoundError(
            "The model must be a folder. Received: "
            f"{shown(str(folder))}, which doesn't exist. Give the folder that "
            "`tf-longformer export` wrote."
        )
    if is_saved_model(path):
        if _is_number(path.name):
            return Version(path, path.parent.name, int(path.name))
        return Version(path, path.name, 1)
    # `int` reads zeros before a number, too, as TensorFlow Serving does.
    versions = []
    if path.is_dir():
        versions = [
            (int(item.name), item)
            for item in path.iterdir()
            if _is_number(item.name) and item.is_dir()
        ]
    if not versions:
        raise ValueError(
            "The folder must be a SavedModel (it holds saved_model.pb), or "
            "hold one for each version, in folders named 1, 2, ... "
            f"Received: {shown(str(folder))}. Give the folder that "
            "`tf-longformer export` wrote."
        )
    number, highest = max(versions)
    if not is_saved_model(highest):
        raise ValueError(
            "The highest version must be a SavedModel. Received: "
            f"{shown(str(highest))}, without saved_model.pb. Export it again "
            "or remove it."
        )
    return Version(highest, path.name, number)


def is_model(path: Path) -> bool:
    """Whether a folder is a SavedModel or has versions in it."""
    return path.is_dir() and (
        is_saved_model(path)
        or any(_is_number(item.name) for item in path.iterdir())
    )


def is_saved_model(path: Path) -> bool:
    """Whether a folder is a SavedModel, by the file that each one has."""
    return any((path / name).is_file() for name in _GRAPHS)


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()

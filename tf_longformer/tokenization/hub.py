"""Folders of this machine, and of the Hugging Face hub."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def find_folder(
    name: str | os.PathLike,
    wanted: Sequence[str],
    *,
    subfolder: str = "",
    **arguments: Any,
) -> Path:
    """Returns the folder of a name, fetched if it is a repository's.

    Args:
        name: path of a folder, or name of a repository.
        wanted: names of the files to fetch.
        subfolder: str, folder within it. Defaults to none.
        **arguments: of `huggingface_hub.snapshot_download`: `revision`,
            `cache_dir`, `token`, `local_files_only`, `force_download`.

    Returns:
        `Path`.

    Raises:
        FileNotFoundError: if there is neither.
    """
    folder = Path(name)
    text = os.fspath(name)
    # What looks like a path is one, even if it is missing.
    if folder.is_dir() or folder.is_absolute() or not _is_repository(text):
        return folder / subfolder
    # The library brings `tokenizers`, which needs it too.
    from huggingface_hub import snapshot_download

    prefix = f"{subfolder}/" if subfolder else ""
    try:
        found = snapshot_download(
            text, allow_patterns=[prefix + file for file in wanted], **arguments
        )
    # Its errors have many classes, of several libraries, by version.
    except Exception as error:
        raise FileNotFoundError(
            "A tokenizer is read from a folder or fetched from the hub. "
            f"Received: {text!r}, which is no folder here, and the hub gave "
            f"{type(error).__name__}: {error}. Check the name and the "
            "connection."
        ) from error
    return Path(found) / subfolder


def _is_repository(name: str) -> bool:
    parts = name.split("/")
    return len(parts) <= 2 and all(parts) and not name.startswith((".", "~"))

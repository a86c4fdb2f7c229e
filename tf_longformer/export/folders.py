"""Folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

# What lies at the top of an export.
_EXPORTED = re.compile(
    r"saved_model\.pb|variables|assets|assets\.extra|fingerprint\.pb"
    r"|model\.(tflite|onnx|onnx\.data|xml|bin)|longformer\w*\.(h|o|cc)"
)


@contextlib.contextmanager
def new_folder(path: str | os.PathLike, overwrite: bool) -> Iterator[Path]:
    """Lends an empty folder that takes the place of `path` at the end.

    The folder lies beside `path` under a hidden name until the block ends.
    If the block fails, it is removed and `path` is as it was. A folder that
    stands at `path` steps aside by renaming, so that a killed process leaves
    the old folder, the new one or, between the two renames, the old one
    under the hidden name.

    Args:
        path: string or path. Its parents are made. An empty folder there is
            as good as none.
        overwrite: bool. Whether an earlier export may be replaced.

    Yields:
        `Path` of the folder to fill.

    Raises:
        FileExistsError: there is something at `path` that may not be
            replaced.
    """
    path = Path(path).absolute()
    check_replaceable(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        new = work / "new"
        new.mkdir()
        yield new
        if path.exists():
            path.rename(work / "old")
        new.rename(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def check_replaceable(path: str | os.PathLike, overwrite: bool) -> None:
    """Checks early what `new_folder` checks.

    Args:
        path: as for `new_folder`.
        overwrite: as for `new_folder`.

    Raises:
        FileExistsError: there is something that may not be replaced.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise FileExistsError(
            f"The target must be a folder. Received: {path}, which is a "
            "file. Give another path."
        )
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        raise FileExistsError(
            "A folder with content is replaced only on request. Received: "
            f"{path}, which isn't empty. Give another path, or ask to "
            "overwrite it (`overwrite=True`, --overwrite)."
        )
    others = sorted(
        entry.name
        for entry in (path.iterdir() if path.is_dir() else ())
        if not _EXPORTED.fullmatch(entry.name)
    )
    if others:
        raise FileExistsError(
            "Only an export is overwritten, for all of the folder goes. "
            f"Received: {path}, which holds {', '.join(others[:5])}. Give the "
            "folder of one export, such as <name>/1."
        )

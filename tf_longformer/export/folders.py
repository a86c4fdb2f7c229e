"""Folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from collections.abc import Sequence
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
    with new_entries(path.parent, [path.name], path) as work:
        folder = work / path.name
        folder.mkdir()
        yield folder


@contextlib.contextmanager
def new_entries(
    folder: Path, names: Sequence[str], beside: Path
) -> Iterator[Path]:
    """Lends an empty folder whose entries move to `folder` at the end.

    If the block or one of the renames fails or is interrupted, `folder` gets
    back what it had.

    Args:
        folder: path, made at the end if it is missing.
        names: the entries that are replaced, or removed where the block
            makes none of that name.
        beside: path that the work lies beside, under a hidden name. Its
            parents are made.

    Yields:
        `Path` of the folder to fill.
    """
    beside.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{beside.name}-", dir=beside.parent))
    new, old = work / "new", work / "old"
    moves: list[tuple[Path, Path]] = []
    try:
        new.mkdir()
        old.mkdir()
        yield new
        folder.mkdir(exist_ok=True)
        for name in names:
            for source, target in (
                (folder / name, old / name),
                (new / name, folder / name),
            ):
                if source.exists():
                    moves.append((source, target))
                    source.rename(target)
    except BaseException:
        for source, target in reversed(moves):
            # The last one may not have come to pass.
            if not source.exists():
                target.rename(source)
        # Not in a `finally`: were it not put back, the old would be lost.
        shutil.rmtree(work, ignore_errors=True)
        raise
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

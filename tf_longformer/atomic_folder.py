"""Replaces files of a folder together, so that none is seen without others.

New files are written to a folder of their own, `.tf-longformer-<id>`, in the
folder. Then a journal says which names they take and which old files go: from
this moment on the folder holds the new ones, whether they have moved or not.
Whoever reads asks `find` for a file; whoever writes next finishes what a
killed process left.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

JOURNAL = ".tf-longformer-journal.json"
_PREFIX = ".tf-longformer-"
_STAGING = re.compile(re.escape(_PREFIX) + r"[0-9a-f]{32}")
_LONGEST_JOURNAL = 1 << 24
# A process that still writes has touched its files since.
_ABANDONED_SECONDS = 600


class Replacement:
    """New files of a folder, while they are written.

    Attributes:
        path: the folder to write them to, under the names that they take.
        removed: names of old files that go when they come.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.removed: set[str] = set()


@contextlib.contextmanager
def replacing(folder: Path) -> Iterator[Replacement]:
    """Gives a place for new files, which the folder has when the block ends.

    If the block raises, or the process is killed, the folder has the old
    ones. One process writes to a folder at a time.

    Args:
        folder: the folder, made where it is missing.

    Yields:
        `Replacement`.

    Raises:
        FileExistsError: if the folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(
            "`save_directory` must be a folder. Received: the file "
            f"{str(folder)!r}. Pass another path."
        )
    folder.mkdir(parents=True, exist_ok=True)
    finish(folder)
    _remove_abandoned(folder)
    staging = folder / f"{_PREFIX}{uuid.uuid4().hex}"
    staging.mkdir()
    try:
        replacement = Replacement(staging)
        yield replacement
        names = sorted(os.listdir(staging))
        for name in names:
            _flush(staging / name)
        _flush(staging)
        journal = {
            "staging": staging.name,
            "names": names,
            "removed": sorted(replacement.removed - set(names)),
        }
        draft = staging / JOURNAL
        draft.write_text(json.dumps(journal), "utf-8")
        _flush(draft)
        os.replace(draft, folder / JOURNAL)
    except BaseException:
        # An interruption may come when all is done but for the moving.
        if not (folder / JOURNAL).exists():
            shutil.rmtree(staging, ignore_errors=True)
        raise
    finish(folder)


def find(folder: Path, name: str) -> Path | None:
    """Returns where a file of a folder is, or `None` if it has none.

    Args:
        folder: the folder.
        name: str, the file's name.
    """
    staging, names, removed = _read_journal(folder)
    if staging and name in names and (staging / name).is_file():
        return staging / name
    if name in removed:
        return None
    path = folder / name
    return path if path.is_file() else None


def finish(folder: Path) -> None:
    """Does what a killed process has left to do.

    Args:
        folder: the folder.
    """
    staging, names, removed = _read_journal(folder)
    if staging is None:
        return
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            os.replace(staging / name, folder / name)
    for name in removed:
        (folder / name).unlink(missing_ok=True)
    _flush(folder)
    (folder / JOURNAL).unlink(missing_ok=True)
    shutil.rmtree(staging, ignore_errors=True)


def is_plain_name(name: object) -> bool:
    """Whether a name is that of a file right in a folder."""
    return (
        isinstance(name, str)
        and 0 < len(name) < 256
        and name not in (".", "..")
        and not set(name) & set("/\\:\0")
    )


def _read_journal(
    folder: Path,
) -> tuple[Path | None, list[str], list[str]]:
    path = folder / JOURNAL
    try:
        if path.stat().st_size > _LONGEST_JOURNAL:
            raise ValueError("it is too long")
        journal = json.loads(path.read_text("utf-8"))
        staging, names = journal["staging"], journal["names"]
        removed = journal["removed"]
        sound = (
            isinstance(staging, str)
            and _STAGING.fullmatch(staging) is not None
            and isinstance(names, list)
            and isinstance(removed, list)
            and all(is_plain_name(name) for name in [*names, *removed])
        )
        if not sound:
            raise ValueError("it holds something else")
    except FileNotFoundError:
        return None, [], []
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as e:
        raise ValueError(
            f"The journal of a folder must be whole. Received: {path} ({e}). "
            "Remove it if the folder comes from elsewhere; save the model "
            "again."
        ) from e
    return folder / staging, names, removed


def _remove_abandoned(folder: Path) -> None:
    """Removes what killed processes had begun to write."""
    for path in folder.iterdir():
        if _STAGING.fullmatch(path.name) and path.is_dir():
            times = [item.stat().st_mtime for item in path.iterdir()]
            newest = max([path.stat().st_mtime, *times])
            if time.time() - newest > _ABANDONED_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def _flush(path: Path) -> None:
    """Waits until a file or the names in a folder are on the disk."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

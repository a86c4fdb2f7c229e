"""The folder of an export: it appears whole, and replaces only an export."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from tf_longformer import atomic

# What lies at the top of an export.
_EXPORTED = re.compile(
    r"saved_model\.pb|variables|assets|assets\.extra|fingerprint\.pb"
    r"|model\.(tflite|onnx|onnx\.data|xml|bin)|longformer\w*\.(h|o|cc)"
)


@contextlib.contextmanager
def new_folder(path: str | os.PathLike, overwrite: bool) -> Iterator[Path]:
    """Yields an empty folder that takes the place of `path` at the end.

    Until the block ends the folder is hidden beside `path` (see
    `atomic.replacing_entries`). If the block fails, `path` is as it was.

    Args:
        path: string or path. Its parents are made. An empty folder there is
            replaced.
        overwrite: bool. Whether an earlier export may be replaced.

    Yields:
        `Path` of the folder to fill.

    Raises:
        FileExistsError: there is something at `path` that may not be
            replaced.
    """
    path = Path(path).absolute()

    def check() -> None:
        # Again at the end, as another export may have come meanwhile.
        check_replaceable(path, overwrite)

    check()
    with atomic.replacing_entries(
        path.parent, [path.name], path, check
    ) as work:
        folder = work / path.name
        folder.mkdir()
        yield folder


def check_replaceable(path: str | os.PathLike, overwrite: bool) -> None:
    """Raises what `new_folder` would raise, before time is spent on tracing."""
    path = Path(path)
    # Asked once, as another export may take the folder away in between.
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    except FileNotFoundError:
        is_folder = not path.is_symlink()
    if not is_folder:
        raise FileExistsError(
            f"The target must be a folder. Received: {path}, which is a "
            "file, or a link to nothing. Give another path."
        )
    names: list[str] = []
    # Another export may just have taken an older one away.
    with contextlib.suppress(FileNotFoundError):
        names = sorted(os.listdir(path))
    if names and not overwrite:
        raise FileExistsError(
            "A folder with content is replaced only on request. Received: "
            f"{path}, which isn't empty. Give another path, or ask to "
            "overwrite it (`overwrite=True`, --overwrite)."
        )
    others = [name for name in names if not _EXPORTED.fullmatch(name)]
    if others:
        raise FileExistsError(
            "Only an export is overwritten, for all of the folder goes. "
            f"Received: {path}, which holds {', '.join(others[:5])}. Give the "
            "folder of one export, such as <name>/1."
        )

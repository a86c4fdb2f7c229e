"""What of a folder from elsewhere may be touched, and how far its names reach.

A model's folder may be a stranger's: a repository that was cloned, an archive
that was unpacked. Then each name in its files was chosen by the stranger, and
so was each link in it. All names that are read from a file pass
`is_plain_name`, and files are found by `find_file`:

- A name is that of a file right in the folder, so that no file names another
  folder's.
- What is read is a regular file: no pipe or device, which could block.
- Links are read as far as people make them: to another file of the folder, to
  a file of the same name elsewhere, to weights, or to a store that names files
  by digests of their content, such as the hub's cache. A link from
  `vocab.txt` to a private key is none of these, and is refused by its name.
- What is written to or moved is a file of its own (`is_own_file_or_missing`).
"""

from __future__ import annotations

import io
import os
import re
import stat
from pathlib import Path

# Formats of numbers alone: nothing else can be read as one of them.
_WEIGHTS = frozenset(
    (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".hdf5", ".keras")
)
# How stores of content call a file: the hub's cache, DVC, git-annex.
_DIGEST = re.compile(r"(\w+-s\d+--)?[0-9a-f]{30,64}(\.\w+)*")
# Windows gives these names, with any extension, to devices.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_LONGEST_NAME = 255
# The longest text that is read: vocabularies have some tens of megabytes.
LONGEST_TEXT = 1 << 27


def is_plain_name(name: object) -> bool:
    """Whether a name is that of a file right in a folder, on any system."""
    return (
        isinstance(name, str)
        # Neither line ends nor halves of characters.
        and name.isprintable()
        and 0 < len(name.encode()) <= _LONGEST_NAME
        and not set(name) & set("/\\:")
        # Not `.` and `..`, nor what Windows takes for another name.
        and name == name.strip().rstrip(".")
        and not _DEVICES.fullmatch(name)
    )


def find_file(folder: Path, name: str) -> Path | None:
    """Returns the path of a file to be read, or `None` if there is none.

    Args:
        folder: the folder; it may be a link, as its name was given by a
            person.
        name: the file's name, plain or with plain names of folders before it.

    Raises:
        ValueError: if it is a link that leads to something else elsewhere.
    """
    path = folder / name
    # Of a link, what it leads to.
    if not path.is_file():
        return None
    target = target_elsewhere(path, folder)
    if target is None:
        return path
    parts = Path(name).parts
    if (
        target.parts[-len(parts) :] == parts
        or {path.suffix, target.suffix} <= _WEIGHTS
        or _DIGEST.fullmatch(target.name)
    ):
        return path
    raise ValueError(
        "A file of a model's folder must lie in it, or be a link to a file of "
        f"the same name. Received: {str(path)[:200]}, which is a link to "
        f"{str(target)[:200]}. Don't use this folder if it is a stranger's; "
        "if you made the link, put the file itself there."
    )


def target_elsewhere(path: Path, folder: Path) -> Path | None:
    """Returns where a file is that doesn't lie in its folder, else `None`.

    In the hub's cache the files of `snapshots/<commit>` are links to `blobs`,
    which are of the same model.
    """
    home, target = folder.resolve(), path.resolve()
    if target.is_relative_to(home):
        return None
    for parent in home.parents:
        if parent.name == "snapshots" and target.parent == (
            parent.parent / "blobs"
        ):
            return None
    return target


def is_own_file_or_missing(path: Path) -> bool:
    """Whether nothing but a file without another name, a link, is there."""
    try:
        # Asked once, as another process may be moving it.
        status = os.lstat(path)
    except FileNotFoundError:
        return True
    return stat.S_ISREG(status.st_mode) and status.st_nlink <= 1


def is_own_folder_or_missing(path: Path) -> bool:
    """Whether nothing but a folder is there, and no link to one."""
    try:
        is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return True
    # Windows has more kinds of links than one.
    return is_folder and path.resolve() == path.parent.resolve() / path.name


def read_bytes(path: str | os.PathLike) -> bytes:
    """Reads a file of bounded length.

    Raises:
        OSError: if it can't be read.
        ValueError: if it is longer than `LONGEST_TEXT`.
    """
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size > LONGEST_TEXT:
            raise ValueError(f"it is longer than {LONGEST_TEXT >> 20} MiB")
        return file.read()


def read_text(path: str | os.PathLike, encoding: str = "utf-8") -> str:
    """Reads a file of text of bounded length.

    Raises:
        OSError: if it can't be read.
        ValueError: if it is longer than `LONGEST_TEXT`, or no text.
    """
    with io.BytesIO(read_bytes(path)) as data:
        return io.TextIOWrapper(data, encoding).read()

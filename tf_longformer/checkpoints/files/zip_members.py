"""Finds where the members of a zip archive lie in its file.

Members must be uncompressed, as PyTorch and Keras write them. A compressed one
could unfold to any size, and is refused.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
from pathlib import Path
from typing import BinaryIO
from typing import NamedTuple

# What `zipfile` raises for archives that are damaged.
ERRORS = (
    *(zipfile.BadZipFile, NotImplementedError, EOFError, LookupError),
    *(OSError, RuntimeError, ValueError, struct.error),
)
# The size of a member's header, and where in it stand the lengths of the name
# and the extra field, which follow.
_HEADER = 30
_LENGTHS = 26


class Member(NamedTuple):
    """Where a member's bytes lie in the file."""

    offset: int
    nbytes: int


def find_members(file: BinaryIO) -> dict[str, Member]:
    """Returns the members of an archive.

    Raises `ValueError` if one is compressed, cut off or there twice, and any
    of `ERRORS` if the archive is damaged.
    """
    length = os.fstat(file.fileno()).st_size
    members: dict[str, Member] = {}
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
    for info in infos:
        if info.compress_type or info.file_size != info.compress_size:
            raise ValueError(f"{info.filename[:60]!r} in it is compressed")
        file.seek(info.header_offset + _LENGTHS)
        lengths = struct.unpack("<HH", file.read(4))
        offset = info.header_offset + _HEADER + sum(lengths)
        if offset + info.file_size > length:
            raise ValueError(f"{info.filename[:60]!r} in it is cut off")
        if info.filename in members:
            raise ValueError(f"{info.filename[:60]!r} is in it twice")
        members[info.filename] = Member(offset, info.file_size)
    return members


def read_member(file: BinaryIO, member: Member, most: int) -> bytes:
    """Returns a member's bytes; more than `most` are an error."""
    if member.nbytes > most:
        raise ValueError("a description in it is too long")
    file.seek(member.offset)
    return file.read(member.nbytes)


class Window(io.RawIOBase):
    """A member as a file of its own, in which h5py can seek."""

    def __init__(self, path: Path, member: Member) -> None:
        super().__init__()
        self._file = open(path, "rb")
        self._member = member
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {
            os.SEEK_SET: 0,
            os.SEEK_CUR: self._place,
            os.SEEK_END: self._member.nbytes,
        }[whence]
        self._place = max(0, start + offset)
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        left = max(0, self._member.nbytes - self._place)
        self._file.seek(self._member.offset + self._place)
        count = self._file.readinto(memoryview(buffer)[:left])
        self._place += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()

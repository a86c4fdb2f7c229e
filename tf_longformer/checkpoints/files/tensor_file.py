"""`TensorFile`, which the reader of each format subclasses."""

from __future__ import annotations

import io
import math
import os
from pathlib import Path
from typing import NamedTuple

import ml_dtypes
import numpy as np

from tf_longformer.errors import CheckpointError
from tf_longformer.errors import cut
from tf_longformer.errors import shown

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
# The types that a weight may be stored as. Tensors of other types are
# quantised, or no weights.
FLOATS = tuple(np.dtype(name) for name in ("float64", "float32", "float16")) + (
    BFLOAT16,
)
MOST_DIMENSIONS = 32
# How many bytes the tensors of a file may have for each of its own. Weights
# that are tied, or a part that a model holds under two names, are there once.
_MOST_COPIES = 4
_ALIGNMENT = 64


class Tensor(NamedTuple):
    """A tensor's type and shape, before it is read."""

    dtype: np.dtype
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes they take."""
        return self.size * self.dtype.itemsize


class HeldFile(io.BufferedReader):
    """A file that stays open as long as something refers to it.

    So it stays what it was, also where another process puts a new file in its
    place.

    Args:
        path: the file.

    Raises:
        CheckpointError: if it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            super().__init__(io.FileIO(path))
        except OSError as error:
            raise unreadable(path, "can't be read", error) from error
        # By this name others open the same file.
        same = Path(f"/dev/fd/{self.fileno()}")
        self.lasting_path = same if same.exists() else path
        self._before = self._version()

    def has_changed(self) -> bool:
        """Whether another process has written to it since it was opened."""
        return self._version() != self._before

    def _version(self) -> tuple[int, int]:
        status = os.fstat(self.fileno())
        return status.st_size, status.st_mtime_ns

    def __del__(self) -> None:
        # A file that couldn't be opened has nothing to close.
        if "lasting_path" in vars(self):
            self.close()


class TensorFile:
    """A file of named tensors, checked as a whole and read one at a time.

    Args:
        path: the file.
        file: `HeldFile`, if it is open already. Defaults to none.

    Attributes:
        path: the file.
        file: `HeldFile`, where it is one.
        format: str, what messages call the format.
        dialect: str, whose names the tensors have; see `dialects.py`.
        tensors: `Tensor` by name.
        offsets: by name, the byte of the file at which a tensor's numbers
            begin. They lie there in one piece; a format where they don't has
            a `read` of its own.
    """

    path: Path
    file: HeldFile
    format: str
    dialect: str
    tensors: dict[str, Tensor]
    offsets: dict[str, int]

    def __init__(self, path: Path, file: HeldFile | None = None) -> None:
        self.path = path
        self.file = file or HeldFile(path)

    def check_sizes(self) -> None:
        """Raises if tensors are larger than what the file has for them.

        Every format has ways to say that many large tensors are the same few
        bytes: views that repeat a number, several names of one data set,
        members of an archive that lie over one another. A small file would
        make a model that fills the memory. A reader calls it once it knows
        its `tensors`.

        Raises:
            CheckpointError: if they have too many bytes together, or one has
                too many dimensions.
        """
        deepest = max((len(t.shape) for t in self.tensors.values()), default=0)
        if deepest > MOST_DIMENSIONS:
            raise unreadable(
                self.path,
                f"has a tensor of {deepest} dimensions, where at most "
                f"{MOST_DIMENSIONS} are read",
            )
        length = os.fstat(self.file.fileno()).st_size
        nbytes = sum(tensor.nbytes for tensor in self.tensors.values())
        if nbytes > _MOST_COPIES * length:
            raise unreadable(
                self.path,
                f"has {length} bytes, and tensors of {shown(nbytes)} that "
                f"share them, where at most {_MOST_COPIES} times as many are "
                "read",
            )

    def read(self, name: str) -> np.ndarray:
        """Returns a tensor of `tensors` as it is stored.

        Raises:
            CheckpointError: if the file has changed or can't be read.
        """
        tensor = self.tensors[name]
        numbers = self.read_numbers(
            self.offsets[name], tensor.dtype, tensor.size
        )
        return numbers.reshape(tensor.shape)

    def are_equal(self, one: str, other: str) -> bool:
        """Returns whether two tensors hold the same numbers."""
        return self.tensors[one].shape == self.tensors[other].shape and bool(
            np.array_equal(self.read(one), self.read(other))
        )

    def read_numbers(
        self, offset: int, dtype: np.dtype, count: int
    ) -> np.ndarray:
        """Reads `count` numbers that lie one after another in the file.

        Args:
            offset: int, where they begin, in bytes.
            dtype: their type.
            count: int, how many there are.

        Raises:
            CheckpointError: if the file ends before.
        """
        nbytes = count * dtype.itemsize
        # The numbers are read to an aligned address. There TensorFlow can use
        # them as they are; elsewhere it would copy them, and the largest
        # weight would be in memory twice.
        room = np.empty(nbytes + _ALIGNMENT, np.uint8)
        start = -room.ctypes.data % _ALIGNMENT
        numbers = room[start : start + nbytes]
        try:
            self.file.seek(offset)
            got = self.file.readinto(numbers.data)
        except (OSError, OverflowError) as error:
            raise unreadable(self.path, "can't be read", error) from error
        if self.file.has_changed():
            raise unreadable(self.path, "was written to while it was read")
        if got != nbytes:
            raise unreadable(self.path, "ends too early")
        return numbers.view(dtype)


def unreadable(
    path: Path, reason: str, error: BaseException | None = None
) -> CheckpointError:
    """Returns the error for a file that is damaged.

    Args:
        path: the file.
        reason: str, what is wrong, as the end of a sentence.
        error: the exception that said so. Defaults to none.
    """
    text = cut(" ".join(str(error).split())) if error else ""
    cause = f" ({type(error).__name__}: {text})" if error else ""
    return CheckpointError(
        "A checkpoint file must be whole and of a known format. Received: "
        f"{path}, which {cut(reason, 500)}{cause}. Download or save it again."
    )

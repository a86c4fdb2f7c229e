"""What every format's reader gives: names, types, shapes, and arrays."""

from __future__ import annotations

import abc
import math
from pathlib import Path
from typing import NamedTuple

import ml_dtypes
import numpy as np

from tf_longformer.errors import CheckpointError

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
# What a weight may be stored as. A number of another kind is quantised, or
# is no weight.
FLOATS = tuple(np.dtype(name) for name in ("float64", "float32", "float16")) + (
    BFLOAT16,
)
MOST_DIMENSIONS = 32
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


class TensorFile(abc.ABC):
    """A file of named tensors, checked as a whole and read one at a time.

    Attributes:
        path: the file.
        format: str, what to call it in messages.
        dialect: str, whose names it has; see `dialects.py`.
        tensors: `Tensor` by name.
    """

    path: Path
    format: str
    dialect: str
    tensors: dict[str, Tensor]

    @abc.abstractmethod
    def read(self, name: str) -> np.ndarray:
        """Returns a tensor as it is stored.

        Args:
            name: a name of `tensors`.

        Raises:
            CheckpointError: if the file has changed or can't be read.
        """


def read_bytes(
    path: Path, offset: int, dtype: np.dtype, count: int
) -> np.ndarray:
    """Reads numbers that lie one after another in a file.

    Args:
        path: the file.
        offset: int, where they begin, in bytes.
        dtype: their type.
        count: int, how many there are.

    Returns:
        Array `[count]`.

    Raises:
        CheckpointError: if the file ends before.
    """
    nbytes = count * dtype.itemsize
    # In a place where TensorFlow takes the numbers as they are, without
    # another copy of what may be the largest weight of all.
    room = np.empty(nbytes + _ALIGNMENT, np.uint8)
    start = -room.ctypes.data % _ALIGNMENT
    numbers = room[start : start + nbytes]
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            got = file.readinto(numbers.data)
    except (OSError, OverflowError) as error:
        raise unreadable(path, "can't be read", error) from error
    if got != nbytes:
        raise unreadable(path, "ends too early")
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
    text = " ".join(str(error).split())[:200] if error else ""
    cause = f" ({type(error).__name__}: {text})" if error else ""
    return CheckpointError(
        "A checkpoint file must be whole and of a known format. Received: "
        f"{path}, which {reason}{cause}. Download or save it again."
    )

"""What is known of code points, as tables for TensorFlow's graph."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

COUNT = 0x110000
_PAGE = 256


@dataclasses.dataclass(frozen=True)
class CodePointTable:
    """A number of each code point, by pages of 256; equal pages share one.

    Args:
        pages: int32 `[4352]`, the page of a code point's upper bits.
        values: int32 `[pages * 256]`.
    """

    pages: np.ndarray
    values: np.ndarray

    @classmethod
    def of_values(cls, values: np.ndarray) -> CodePointTable:
        """Returns the table of int32 `[0x110000]`."""
        numbers: dict[bytes, int] = {}
        pages = [
            numbers.setdefault(page.tobytes(), len(numbers))
            for page in values.reshape(-1, _PAGE)
        ]
        distinct = np.frombuffer(b"".join(numbers), values.dtype)
        return cls(np.array(pages, "int32"), distinct)

    def look_up(self, character: str) -> int:
        """Returns the number of a character."""
        page, place = divmod(ord(character), _PAGE)
        return int(self.values[self.pages[page] * _PAGE + place])

    def gather(self, codes: Any) -> Any:
        """Returns the numbers of code points, int32 of the same shape."""
        page = tf.gather(self.pages, codes // _PAGE)
        return tf.gather(self.values, page * _PAGE + codes % _PAGE)


def parse_ranges(ranges: str) -> list[tuple[int, int]]:
    """Returns the first and last code points of ranges: `"41-5A AA"`."""
    pairs = []
    for part in ranges.split():
        first, _, last = part.partition("-")
        pairs.append((int(first, 16), int(last or first, 16)))
    return pairs

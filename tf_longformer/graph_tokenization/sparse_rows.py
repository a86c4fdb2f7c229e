"""Sparse matrices whose entries are found with three gathers."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np


def overlay_rows(
    rows: Mapping[int, Mapping[int, int]], shape: tuple[int, int], empty: int
) -> tuple[np.ndarray, np.ndarray]:
    """Lays the rows of a sparse matrix over one another in one array.

    Each is shifted so far that no two entries meet (Tarjan and Yao, 1979). The
    entry of a row and a column is at `shifts[row] + column`. It may be another
    row's: each entry must tell whose it is.

    Args:
        rows: dict of rows to dicts of columns to entries.
        shape: pair of ints, how many rows and columns there are.
        empty: int, what stands where there is no entry.

    Returns:
        `shifts`, int32 `[rows]`, and the entries, int32.
    """
    count = sum(map(len, rows.values()))
    # In an array that is a quarter full, a row finds a place after a few random
    # tries. Long rows go first, while the array is still empty.
    width = 1 << max(10, int(np.ceil(np.log2(4 * count + 1))))
    used = bytearray(width + shape[1])
    entries = np.full(width + shape[1], empty, "int32")
    shifts = np.zeros(shape[0], "int32")
    draw = random.Random(0)
    for row, columns in sorted(rows.items(), key=lambda row: -len(row[1])):
        shift = 0
        while any(used[shift + column] for column in columns):
            shift = draw.randrange(width)
        shifts[row] = shift
        for column, entry in columns.items():
            used[shift + column] = 1
            entries[shift + column] = entry
    return shifts, entries

"""Lists the data sets of an HDF5 file; a program that `hdf5_file` runs.

HDF5's library trusts the files that it opens: a damaged one can keep it busy
for ever, fill the memory or end the process. So it runs here, in a process
with bounds on time and memory, and only says where the numbers lie.
`hdf5_file` reads them without it.

The program prints JSON: an object of data sets by name, each
`[type, shape, offset, whether Keras says that it is bfloat16]`, or a string
that says what is wrong.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import h5py

from tf_longformer.checkpoints.files.zip_members import Member
from tf_longformer.checkpoints.files.zip_members import Window
from tf_longformer.errors import cut
from tf_longformer.errors import shown

SECONDS = 20
_MEMORY = 4 << 30
# Far beyond any Longformer's.
_DEEPEST = 16
_MOST_OBJECTS = 200_000
# Letters of all names together. Those of groups stand before the names of what
# is in them, and `hdf5_file` reads the listing as a whole.
_MOST_LETTERS = 1 << 24
# Untyped, as h5py's type hints lack its low-level interface.
_LIBRARY: Any = h5py


def _limit() -> None:
    """Bounds this process's time and memory, where the system can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _walk(file: Any) -> dict[str, list[Any]]:
    """Returns all data sets; hard links that go in circles are an error."""
    found: dict[str, list[Any]] = {}
    waiting: list[tuple[str, Any, int]] = [("", file, 0)]
    seen: set[int] = set()
    count = letters = 0
    while waiting:
        prefix, group, depth = waiting.pop()
        address = _LIBRARY.h5o.get_info(group.id).addr
        if address in seen or depth > _DEEPEST:
            raise ValueError("its groups are nested in one another")
        seen.add(address)
        for name in group:
            count += 1
            letters += len(prefix) + len(name)
            if count > _MOST_OBJECTS or letters > _MOST_LETTERS:
                raise ValueError("it has too many data sets")
            link = group.get(name, getlink=True)
            if type(link) is not h5py.HardLink:
                raise ValueError(f"{shown(name)} leads to somewhere else")
            item = group[name]
            place = f"{prefix}{name}"
            if isinstance(item, h5py.Group):
                waiting.append((f"{place}/", item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                found[place] = _describe(item)
            else:
                raise ValueError(f"{shown(name)} is no data")
    return found


def _describe(data: Any) -> list[Any]:
    """Returns a data set's entry; checks that it lies there in one piece."""
    layout = data.id.get_create_plist()
    plain = (
        layout.get_layout() == _LIBRARY.h5d.CONTIGUOUS
        and not layout.get_nfilters()
        and not layout.get_external_count()
    )
    if not plain or data.shape is None:
        raise ValueError(
            f"{shown(data.name)} is filtered, virtual or in pieces"
        )
    nbytes = data.dtype.itemsize
    for size in data.shape:
        nbytes *= size
    if data.id.get_storage_size() != nbytes:
        raise ValueError(f"{shown(data.name)} is not all there")
    opaque = data.dtype.str == "|V2"
    is_bfloat16 = opaque and data.attrs.get("dtype") == "bfloat16"
    offset = data.id.get_offset() if nbytes else 0
    return [data.dtype.str, list(data.shape), offset, is_bfloat16]


def main(path: str, offset: str, nbytes: str) -> None:
    """Prints the data sets of the part of a file at `offset`."""
    _limit()
    result: Any
    try:
        window = Window(Path(path), Member(int(offset), int(nbytes)))
        with h5py.File(window, "r") as file:
            result = _walk(file)
    # Any error says that the file can't be read, which is all that is asked.
    except Exception as error:
        result = cut(f"{type(error).__name__}: {error}")
    json.dump(result, sys.stdout)

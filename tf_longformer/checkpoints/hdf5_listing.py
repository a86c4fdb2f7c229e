"""Lists the data sets of an HDF5 file; runs in a process of its own.

HDF5's library trusts the files that it opens: a damaged one can keep it busy
for ever, fill the memory or end the process. So it only looks where the
numbers lie, in a process with bounds, and they are read without it.

Prints a JSON object: data sets by name as `[type, shape, offset, whether
Keras says that it's bfloat16]`, or a text that says what is wrong.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import h5py

from tf_longformer.checkpoints.zip_members import Member
from tf_longformer.checkpoints.zip_members import Window

SECONDS = 20
_MEMORY = 4 << 30
# Far beyond any Longformer's.
_DEEPEST = 16
_MOST_OBJECTS = 200_000
# h5py's type hints lack what lies below its objects.
_LIBRARY: Any = h5py


def _limit() -> None:
    """Bounds time and memory, where the system knows how to."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _walk(file: Any) -> dict[str, list[Any]]:
    """Returns all data sets; hard links may go in circles."""
    found: dict[str, list[Any]] = {}
    waiting: list[tuple[str, Any, int]] = [("", file, 0)]
    seen: set[int] = set()
    count = 0
    while waiting:
        prefix, group, depth = waiting.pop()
        address = _LIBRARY.h5o.get_info(group.id).addr
        if address in seen or depth > _DEEPEST:
            raise ValueError("its groups are nested in one another")
        seen.add(address)
        for name in group:
            count += 1
            if count > _MOST_OBJECTS:
                raise ValueError("it has too many data sets")
            link = group.get(name, getlink=True)
            if type(link) is not h5py.HardLink:
                raise ValueError(f"{name!r} leads to somewhere else")
            item = group[name]
            place = f"{prefix}{name}"
            if isinstance(item, h5py.Group):
                waiting.append((f"{place}/", item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                found[place] = _describe(item)
            else:
                raise ValueError(f"{name!r} is no data")
    return found


def _describe(data: Any) -> list[Any]:
    """Checks that a data set lies in the file in one piece."""
    layout = data.id.get_create_plist()
    plain = (
        layout.get_layout() == _LIBRARY.h5d.CONTIGUOUS
        and not layout.get_nfilters()
        and not layout.get_external_count()
    )
    if not plain or data.shape is None:
        raise ValueError(f"{data.name!r} is filtered, virtual or in pieces")
    nbytes = data.dtype.itemsize
    for size in data.shape:
        nbytes *= size
    if data.id.get_storage_size() != nbytes:
        raise ValueError(f"{data.name!r} is not all there")
    opaque = data.dtype.str == "|V2"
    is_bfloat16 = opaque and data.attrs.get("dtype") == "bfloat16"
    offset = data.id.get_offset() if nbytes else 0
    return [data.dtype.str, list(data.shape), offset, is_bfloat16]


def main(path: str, offset: str, nbytes: str) -> None:
    """Prints the data sets of a part of a file.

    Args:
        path: str, the file.
        offset: str, the first byte of the part.
        nbytes: str, how many bytes it has.
    """
    _limit()
    result: Any
    try:
        window = Window(Path(path), Member(int(offset), int(nbytes)))
        with h5py.File(window, "r") as file:
            result = _walk(file)
    # Of whatever kind: the process has no other work.
    except Exception as error:
        result = f"{type(error).__name__}: {error}"
    json.dump(result, sys.stdout)

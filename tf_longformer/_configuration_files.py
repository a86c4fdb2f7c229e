"""Reading of JSON files, and writing of a `config.json`."""

from __future__ import annotations

import json
import os
import uuid
from typing import Any

CONFIG_NAME = "config.json"


def read_json(
    path: str | os.PathLike, what: str = "A config"
) -> dict[str, Any]:
    """Reads a JSON object.

    Args:
        path: path of the file.
        what: string. What the file is, for messages. Defaults to a config.

    Returns:
        dict. The parsed object.

    Raises:
        OSError: if the file can't be read.
        ValueError: if it isn't a JSON object.
    """
    try:
        # A byte order mark, as some editors write it, is no error.
        with open(path, encoding="utf-8-sig") as file:
            fields = json.load(file)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{what} must be a file that exists. Received: "
            f"{os.fspath(path)!r}. Check the path, or pass the folder that "
            "it was saved to."
        ) from None
    except OSError as error:
        raise type(error)(
            error.errno,
            f"{what} must be a file that can be read "
            f"({error.strerror}). Check the path and its permissions",
            os.fspath(path),
        ) from None
    # Text that is nested too deep is nothing that we wrote either.
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{what} must be JSON text in UTF-8. Received: "
            f"{os.fspath(path)!r}, where: {error}. Save or fetch it again."
        ) from None
    if not isinstance(fields, dict):
        raise ValueError(
            f"{what} must be a JSON object. Received: a "
            f"{type(fields).__name__} in {os.fspath(path)!r}. Save or fetch "
            "it again."
        )
    return fields


def write_atomically(path: str, text: str) -> None:
    """Writes a text file that is never seen half-written.

    Args:
        path: string. The file to make or to replace.
        text: string. Its new content.

    Raises:
        OSError: if the folder can't be written to; an old file stays.
    """
    # The name is new each time, so that two writers don't share it, and in
    # the same folder, since a rename is only atomic within a file system.
    temporary = f"{path}.{uuid.uuid4().hex}.tmp"
    try:
        with open(temporary, "x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise

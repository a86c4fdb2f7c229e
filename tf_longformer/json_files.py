"""Reading of JSON files, with errors that say which file and what to do."""

from __future__ import annotations

import json
import os
from typing import Any

from tf_longformer import folders
from tf_longformer.errors import shown


def read_json(path: str | os.PathLike, what: str) -> dict[str, Any]:
    """Reads a JSON object.

    Args:
        path: path of the file.
        what: string. What the file is, for messages, such as "A config".

    Returns:
        dict. The parsed object.

    Raises:
        OSError: if the file can't be read.
        ValueError: if it isn't a JSON object.
    """
    try:
        # A byte order mark, as some editors write it, is no error.
        fields = json.loads(folders.read_text(path, "utf-8-sig"))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{what} must be a file that exists. Received: "
            f"{shown(os.fspath(path))}. Check the path, or pass the folder "
            "that it was saved to."
        ) from None
    except OSError as error:
        raise type(error)(
            error.errno,
            f"{what} must be a file that can be read "
            f"({error.strerror}). Check the path and its permissions",
            os.fspath(path),
        ) from None
    # Text that is nested too deep for the parser is a `RecursionError`.
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{what} must be JSON text in UTF-8. Received: "
            f"{shown(os.fspath(path))}, where: {error}. Save or fetch it again."
        ) from None
    if not isinstance(fields, dict):
        raise ValueError(
            f"{what} must be a JSON object. Received: a "
            f"{type(fields).__name__} in {shown(os.fspath(path))}. Save or "
            "fetch it again."
        )
    return fields

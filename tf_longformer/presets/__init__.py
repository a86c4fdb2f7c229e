"""Models that come with the package, each in a folder beside this file.

They are found by their names without a network and without `huggingface_hub`.
Nothing is ever written to their folders.
"""

from __future__ import annotations

import os

EMBEDDED = ("mini",)


def path_of(name: str | os.PathLike) -> str:
    """Returns the path of what a user names.

    Args:
        name: a path, a name of `EMBEDDED`, or an id of the hub.

    Returns:
        The folder of an embedded model, unless there is a file or a folder of
        its name here, which comes first; else the name itself.
    """
    path = os.fspath(name)
    if path in EMBEDDED and not os.path.exists(path):
        return os.path.join(os.path.dirname(__file__), path)
    return path

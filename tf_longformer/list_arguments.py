"""Arguments that are lists, for which a string would be taken apart."""

from __future__ import annotations

from typing import Any


def refuse_string(name: str, value: Any) -> None:
    """Raises a `TypeError` if `value`, which must be a list, is a string.

    A string is a sequence too: each of its characters would be an item.
    """
    if isinstance(value, str | bytes):
        raise TypeError(
            f"`{name}` must be a list, not a string. Received: {name}="
            f"{value[:200]!r}. Pass a list with it, e.g. [{value[:40]!r}]."
        )

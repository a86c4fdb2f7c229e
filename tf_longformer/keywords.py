"""Keywords of transformers' methods that ours don't have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PUSH = ((False,), "Call `push_to_hub(repo_id)`.")


def check(
    method: str,
    given: Mapping[str, Any],
    known: Mapping[str, tuple[tuple[Any, ...], str]],
) -> None:
    """Checks keywords that are no parameters of a method.

    Args:
        method: str, its name, for the message.
        given: keywords and their values.
        known: dict of keywords that old code passes to the values, beside
            `None`, that ask for nothing else than is done, and to what to do
            in place of others.

    Raises:
        TypeError: for other keywords or values.
    """
    wrong = {
        name: value
        for name, value in given.items()
        if name not in known or value not in (None, *known[name][0])
    }
    if not wrong:
        return
    advice = [known[name][1] for name in wrong if name in known]
    raise TypeError(
        f"`{method}` must be called with keywords that it has. Received: "
        + ", ".join(f"{name}={value!r}" for name, value in wrong.items())
        + f". {' '.join(advice) or 'Correct the name or leave it out.'}"
    )

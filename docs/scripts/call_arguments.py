"""Has the reference list the arguments of calls; an extension of Griffe.

Docstrings of layers and models have a section `Call arguments`, as Keras's
have. To Griffe that is prose; it is a section of parameters under a title of
its own.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_SECTION = re.compile(r"^Call arguments:$", re.MULTILINE)


class CallArguments(griffe.Extension):
    """Renames the section in every docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called with each object once it is known."""
        if obj.docstring is not None:
            obj.docstring.value = _SECTION.sub(
                "Other Parameters: Call arguments:", obj.docstring.value
            )

"""Sentences and paragraphs of a text."""

from __future__ import annotations

import re
from collections.abc import Iterator

# What ends a span of each kind. Closing quotes and brackets are of the sentence
# that they close; after Chinese and Japanese stops there is no space.
_ENDS = {
    "sentences": re.compile(
        r"[.!?\u2026]+[\"'\u2019\u201d)\]]*\s+"
        r"|[\u3002\uff01\uff1f]+[\u300d\u300f\u201d]*\s*|\n\s*\n"
    ),
    "paragraphs": re.compile(r"\n\s*\n"),
}
SPAN_KINDS = tuple(_ENDS)


def split_spans(text: str, kind: str) -> Iterator[tuple[int, int]]:
    """Yields the characters of a text's parts, without space around them.

    Args:
        text: the text.
        kind: `"sentences"` (which end at `.`, `!`, `?` and space, or at an
            empty line: abbreviations aren't known) or `"paragraphs"` (at
            empty lines).
    """
    start = 0
    borders = [match.end() for match in _ENDS[kind].finditer(text)]
    for end in [*borders, len(text)]:
        part = text[start:end]
        left = start + len(part) - len(part.lstrip())
        right = start + len(part.rstrip())
        if left < right:
            yield left, right
        start = end

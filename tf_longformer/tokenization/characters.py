"""Classes of characters, of the committed table."""

from __future__ import annotations

import functools
import re

from tf_longformer.tokenization import unicode_ranges


def parse(ranges: str) -> list[tuple[int, int]]:
    """Returns first and last code points of the table's ranges.

    Args:
        ranges: str of hexadecimal numbers and ranges, such as `"41-5A AA"`.

    Returns:
        List of pairs of ints, both inside.
    """
    pairs = []
    for part in ranges.split():
        first, _, last = part.partition("-")
        pairs.append((int(first, 16), int(last or first, 16)))
    return pairs


def _inside_brackets(ranges: str) -> str:
    return "".join(
        f"\\U{first:08x}-\\U{last:08x}" for first, last in parse(ranges)
    )


@functools.cache
def word_pattern() -> re.Pattern[str]:
    """Returns the pattern that cuts a text into words.

    GPT-2's: an English ending, or a run of letters, of numbers or of other
    characters, each with the space before it; of several spaces the last
    belongs to what follows. Every character is in exactly one word.
    """
    letter = _inside_brackets(unicode_ranges.LETTERS)
    number = _inside_brackets(unicode_ranges.NUMBERS)
    space = _inside_brackets(unicode_ranges.SPACES)
    return re.compile(
        f"'(?:[stmd]|re|ve|ll)| ?[{letter}]+| ?[{number}]+"
        f"| ?[^{space}{letter}{number}]+|[{space}]+(?![^{space}])|[{space}]+"
    )


@functools.cache
def stripped() -> frozenset[str]:
    """Returns the characters that an added token can take with it."""
    return _all(unicode_ranges.STRIPPED)


@functools.cache
def word_characters() -> frozenset[str]:
    """Returns what can't stand beside a token with `single_word`."""
    return _all(unicode_ranges.WORD)


def _all(ranges: str) -> frozenset[str]:
    return frozenset(
        chr(code)
        for first, last in parse(ranges)
        for code in range(first, last + 1)
    )

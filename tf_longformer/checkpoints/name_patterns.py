r"""Regular expressions for names of layers, matched in a time that is bounded.

A pattern may be a stranger's. Python's `re` tries one choice after another,
and some patterns of forty letters keep it busy for ever. Here all choices are
followed at once: what is kept is the set of places in the name that a match
may have reached, so that a pattern takes its length times the name's, at most.

For that it knows a part of the language only: letters, `.`, `\d` and classes
such as `[0-9]`, each of which may have `*`, `+`, `?` or `{1,2}` behind it; `^`
and `$`; and groups of alternatives, of which only `?` may be said.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

LONGEST_PATTERN = 200
# A step is a letter of a name at one place of a pattern. A large model whose
# layers all have patterns of their own takes eight millions.
_MOST_STEPS = 30_000_000
# A piece of a pattern is kept, and so costs more than being passed.
_STEPS_OF_A_PIECE = 100
_DEEPEST = 10
_PIECE = re.compile(
    r"""
    (?P<group> \( (\?:)? )
    | (?P<anchor> [\^$] )
    | (?P<letter>
        \\ [dDwWsS]
        | \\ [^a-zA-Z0-9\s]
        | \[ \^? (\\ [dDwWsS.\-] | [\w.] (-\w)? )+ -? \]
        | [^\\\[\](){}|*+?^$]
      )
      (?P<times> [*+?] | \{ \d{1,2} (,\d{0,2})? \} )? \??
    """,
    re.VERBOSE | re.ASCII,
)
# Adds to what has been spent.
_Spend = Callable[[int], None]


class NamePatterns:
    """The patterns of one file, which have a number of steps together."""

    def __init__(self) -> None:
        self._steps = _MOST_STEPS
        self._known: dict[str, _Group] = {}

    def matches(self, pattern: str, name: str) -> bool:
        """Whether a pattern is for a layer, as PEFT says.

        It is if it matches the end of the layer's name, from the name's
        beginning or behind one of its dots.

        Raises:
            ValueError: if the pattern is longer than `LONGEST_PATTERN` or of
                a syntax that isn't known, or all matches take too long; the
                message is the end of a sentence.
        """
        if pattern not in self._known:
            self._known[pattern] = _Parser(pattern, self._spend).run()
        self._spend(len(name))
        dots = (at + 1 for at, letter in enumerate(name) if letter == ".")
        places = self._known[pattern].walk(name, {0, *dots}, self._spend)
        return len(name) in places

    def _spend(self, steps: int) -> None:
        self._steps -= steps
        if self._steps < 0:
            raise ValueError("with those before it, it takes too long")


class _Letter(NamedTuple):
    """A letter or class of letters; `times` is nothing, `*`, `+` or `?`."""

    fits: Callable[[str], object]
    times: str = ""

    def walk(self, name: str, places: set[int], spend: _Spend) -> set[int]:
        """Returns the places in a name that are reached from others."""
        reached: set[int] = set()
        for place in places:
            # Where another place has led to, it has gone on from there.
            while (
                place < len(name)
                and place + 1 not in reached
                and self.fits(name[place])
            ):
                place += 1
                reached.add(place)
                if self.times in ("", "?"):
                    break
        spend(1 + len(places) + len(reached))
        return reached | places if self.times in ("*", "?") else reached


class _Anchor(NamedTuple):
    """The beginning of a name, or its end."""

    is_start: bool

    def walk(self, name: str, places: set[int], spend: _Spend) -> set[int]:
        spend(1)
        return places & {0 if self.is_start else len(name)}


class _Group(NamedTuple):
    """Alternatives, each of which is a row of pieces."""

    alternatives: list[list[_Letter | _Anchor | _Group]]
    is_optional: bool = False

    def walk(self, name: str, places: set[int], spend: _Spend) -> set[int]:
        reached = set(places) if self.is_optional else set()
        for pieces in self.alternatives:
            spend(1 + len(places))
            here = places
            for piece in pieces:
                here = piece.walk(name, here, spend)
                if not here:
                    break
            reached |= here
        return reached


class _Parser:
    """Turns the text of a pattern into its pieces."""

    def __init__(self, text: str, spend: _Spend) -> None:
        if len(text) > LONGEST_PATTERN:
            raise ValueError(f"it is longer than {LONGEST_PATTERN} letters")
        self.text, self.spend = text, spend
        self.place = 0

    def run(self) -> _Group:
        found = _Group(self.alternatives(1))
        if self.place < len(self.text):
            raise self.unknown()
        return found

    def unknown(self) -> ValueError:
        if self.place == len(self.text):
            return ValueError("it has a group that isn't closed")
        rest = self.text[self.place : self.place + 10]
        return ValueError(f"its {rest!r} isn't known there")

    def alternatives(self, depth: int) -> list[list]:
        if depth > _DEEPEST:
            raise ValueError("it has too many groups within one another")
        found = [self.sequence(depth)]
        while self.take("|"):
            found.append(self.sequence(depth))
        return found

    def sequence(self, depth: int) -> list:
        pieces: list = []
        while found := _PIECE.match(self.text, self.place):
            self.place = found.end()
            if found["group"]:
                inner = self.alternatives(depth + 1)
                if not self.take(")"):
                    raise self.unknown()
                new: list = [_Group(inner, self.take("?"))]
            elif found["anchor"]:
                new = [_Anchor(found["anchor"] == "^")]
            else:
                new = _repeated(_test(found["letter"]), found["times"] or "")
            self.spend(_STEPS_OF_A_PIECE * len(new))
            pieces += new
        return pieces

    def take(self, letter: str) -> bool:
        is_next = self.text.startswith(letter, self.place)
        self.place += is_next
        return is_next


def _test(letter: str) -> Callable[[str], object]:
    """Returns the function that says whether a letter is the one, or of it."""
    if letter == "." or letter[0] == "[" or letter[1:].isalpha():
        try:
            return re.compile(letter).match
        except re.error as error:
            raise ValueError(f"it is no regular expression: {error}") from error
    return letter[-1].__eq__


def _repeated(fits: Callable[[str], object], times: str) -> list[_Letter]:
    """Returns a letter's pieces; a number of times is as many of them."""
    if not times.startswith("{"):
        return [_Letter(fits, times)]
    least, comma, most = times[1:-1].partition(",")
    needed = [_Letter(fits)] * int(least)
    if not comma:
        return needed
    if not most:
        return [*needed, _Letter(fits, "*")]
    if int(most) < int(least):
        raise ValueError(f"its {times} is empty")
    return [*needed, *[_Letter(fits, "?")] * (int(most) - int(least))]

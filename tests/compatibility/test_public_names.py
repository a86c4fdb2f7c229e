"""What users could type at 486b773 they can type today."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from compatibility.public_names import parameters
from compatibility.public_names import public_names

THEN = json.loads(
    (Path(__file__).parent / "public_names.json").read_text("utf-8")
)


@pytest.fixture(scope="module")
def today() -> dict[str, Any]:
    return public_names()


def changes(then: list[str], now: list[str]) -> list[str]:
    """Returns what no longer works of a call.

    Further parameters are fine after those that have a place.
    """
    places = then[: then.index("*")] if "*" in then else then
    # A function that passes keywords on takes those of the other function.
    needed = places if "**others" in now else then
    gone = [text for text in needed if text not in ("*", *now)]
    found = [f"{text} is gone" for text in gone]
    for index, text in enumerate(places):
        if text in now and not text.startswith("*") and now[index] != text:
            found.append(f"{text} has another place")
    return found


def test_callables(today: dict[str, Any]) -> None:
    then, now = THEN["callables"], today["callables"]
    assert sorted(set(then) - set(now)) == []
    found = {name: changes(then[name], now[name]) for name in then}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("part", ["attributes", "commands"])
def test_attributes_and_options(today: dict[str, Any], part: str) -> None:
    gone = {
        name: set(names) - set(today[part].get(name, ()))
        for name, names in THEN[part].items()
    }
    assert {name: names for name, names in gone.items() if names} == {}


def test_changes_are_found() -> None:
    def then(a, b=1, *, c=None): ...
    def more(a, b=1, d=0, *, c=None, e=2): ...
    def without(a, *, c=None): ...
    def default(a, b=2, *, c=None): ...
    def swapped(b=1, a=0, *, c=None): ...
    def positional(a, b=1, c=None): ...

    def found(now: Any) -> list[str]:
        return changes(parameters(then), parameters(now))

    assert found(more) == []
    assert found(without) == found(default) == ["b=1 is gone"]
    assert found(swapped) == ["a is gone", "b=1 has another place"]
    assert found(positional) == []

"""Patterns for layers' names: they match as `re` does, in a bounded time."""

from __future__ import annotations

import random
import re
import time

import pytest

from tf_longformer.checkpoints.name_patterns import NamePatterns

NAME = "longformer.encoder.layer.10.attention.self.query"
# Those that PEFT's configurations and its documentation have, and what else
# people write.
MATCH = (
    "query",
    "self.query",
    NAME,
    f"^{NAME}$",
    ".*query",
    ".*attention.*",
    r"layer\.10\.attention.*",
    "encoder.layer.(0|1|10).attention.self.(query|key)",
    r".*layer\.(1?[0-9]|2[0-3])\.attention\.self\.\w+",
    r"(?:roberta|longformer)\.encoder\.layer\.\d{1,2}\..*y",
    r"(model\.)?longformer\..*?[kq]uer[^.]",
)
NO_MATCH = ("quer", "uery", "key", "^encoder.*", r".*layer\.\d\..*", "Query")


def test_patterns_that_people_write():
    patterns = NamePatterns()
    for pattern in MATCH:
        assert patterns.matches(pattern, NAME), pattern
    for pattern in NO_MATCH:
        assert not patterns.matches(pattern, NAME), pattern


def test_as_peft_matches_them():
    """PEFT's own line, with Python's `re`."""
    draw = random.Random(1)
    atoms = ("a", "b", ".", r"\.", r"\w", "[ab]", "[^a]", r"\d", "[a-c]", r"\S")
    times = ("", "", "*", "+", "?", "{1,2}", "{2}", "{0,1}", "{1,}", "*?")
    groups = ("(a|b)", "(a|ab)?", "(?:b|)", "(a(b|.)?|b.*)", "^", "$", "()")
    found = 0
    for _ in range(5000):
        pattern = "".join(
            draw.choice(groups)
            if draw.random() < 0.3
            else draw.choice(atoms) + draw.choice(times)
            for _ in range(draw.randint(0, 5))
        )
        pattern += draw.choice(("", "", "|b", "|"))
        name = "".join(draw.choices("ab.1", k=draw.randint(0, 7)))
        expected = re.match(rf"(.*\.)?({pattern})$", name) is not None
        assert NamePatterns().matches(pattern, name) == expected, pattern
        found += expected
    assert 500 < found < 4500


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("a?" * 40 + "a" * 40, "a" * 40),
        ("(a|a)" * 30 + "b", "a" * 40),
        ("(a?)?" * 30 + "a" * 30, "a" * 30),
        (".*" * 90 + "b", "a." * 200),
        ("(.*|.*)" * 25 + "b", "a." * 200),
        (r"\w{0,99}" * 20 + "b", "a" * 400),
    ],
)
def test_what_re_takes_for_ever_for(pattern, name):
    start = time.process_time()
    patterns = NamePatterns()
    expected = not pattern.endswith("b")
    assert patterns.matches(pattern, name) == expected
    assert time.process_time() - start < 2


def test_all_matches_have_an_end():
    patterns = NamePatterns()
    with pytest.raises(ValueError, match="takes too long"):  # noqa: PT012
        for number in range(10**6):
            patterns.matches(f"{number}", "a" * 10**5)
    with pytest.raises(ValueError, match="takes too long"):  # noqa: PT012
        for number in range(10**6):
            NamePatterns.matches(patterns, f"{number}" + "a{99}" * 30, "b")

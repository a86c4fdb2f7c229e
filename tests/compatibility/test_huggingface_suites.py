"""The table of what Hugging Face's tests ask names what there is."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
TEXT = Path(__file__).with_name("huggingface_suites.md").read_text("utf-8")
PAGES = "".join(
    path.read_text("utf-8") for path in TESTS.parent.glob("docs/*.md")
)
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith("| tests ")
]


def names(text):
    return re.findall(r"`([\w/]+\.py)::(\w+)`", text)


def test_rows():
    assert len(ROWS) > 80
    for row in ROWS:
        assert len(row) == 4, row
        assert row[2] in ("pass", "not applicable", "different"), row


def test_what_passes_is_held_by_tests():
    for _, what, status, where in ROWS:
        if status == "pass":
            assert names(where), what


@pytest.mark.parametrize("file", sorted({file for file, _ in names(TEXT)}))
def test_tests_are_there(file):
    source = (TESTS / file).read_text("utf-8")
    for other, name in names(TEXT):
        if other == file:
            assert f"def {name}(" in source, name


def test_differences_are_in_the_documentation():
    """Each quotes what docs/ says, on either side of its table."""
    for _, what, status, where in ROWS:
        if status == "different":
            (quote,) = re.findall('^docs: "(.*)"$', where)
            assert quote in PAGES, what

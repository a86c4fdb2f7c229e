"""The committed table is what the library does, and what its script writes."""

import re
from pathlib import Path

import tokenizers
from scripts import make_unicode_ranges as script

from tf_longformer.graph_tokenization import unicode_ranges
from tf_longformer.graph_tokenization.code_points import parse_ranges

# Far from the whole, which takes the script a minute: all of Latin, Greek,
# Cyrillic, Arabic and Indic scripts, punctuation, and samples of the rest.
CODES = [
    *range(0x3100),
    *range(0x3100, 0xD800, 7),
    *range(0xE000, 0x110000, 97),
]


def members(ranges):
    return {
        code
        for first, last in parse_ranges(ranges)
        for code in range(first, last + 1)
    }


def test_classes(monkeypatch):
    monkeypatch.setattr(script, "CODES", CODES)
    found = script.find_classes()
    assert found["SPACES"] >= {*b" \t\n\r", 0x85, 0xA0, 0x3000}
    for name, codes in found.items():
        table = members(getattr(unicode_ranges, name))
        wrong = sorted((table & set(CODES)) ^ codes)
        assert wrong == [], f"{name} with tokenizers {tokenizers.__version__}"


def test_the_script_writes_the_file():
    classes = {
        name: members(getattr(unicode_ranges, name))
        - set(range(0xD800, 0xE000))
        for name in ("LETTERS", "NUMBERS", "SPACES", "STRIPPED", "WORD")
    }
    text = Path(unicode_ranges.__file__).read_text("utf-8")
    version = re.compile("`tokenizers` library .*")
    assert version.sub("", script.write(classes)) == version.sub("", text)

"""The committed table is what the library does, and what its script writes."""

import json
import re
from pathlib import Path

import tokenizers
from scripts import make_unicode_ranges as script
from tokenization.conftest import SMALL
from tokenizers.pre_tokenizers import ByteLevel

from tf_longformer import LongformerTokenizer
from tf_longformer import LongformerTokenizerFast
from tf_longformer.tokenization import characters
from tf_longformer.tokenization import unicode_ranges

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
        for first, last in characters.parse(ranges)
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


def test_characters_that_hugging_face_s_slow_tokenizer_cuts_otherwise():
    """Ours in Python does as the fast ones do; the list is of its script."""
    listed = json.loads(
        (SMALL.parent / "slow_differences.json").read_text("utf-8")
    )
    assert members(listed["before_mask"]) == {0x1C, 0x1D, 0x1E, 0x1F}
    codes = sorted(members(listed["words"] + " " + listed["before_mask"]))
    assert len(codes) > 10_000
    fast, slow = (
        kind.from_pretrained(SMALL)
        for kind in (LongformerTokenizerFast, LongformerTokenizer)
    )
    text = "".join(f"a{chr(code)}1 {chr(code)}<mask>" for code in codes)
    assert slow.encode(text) == fast.encode(text)


def test_words():
    cut = ByteLevel(add_prefix_space=False).pre_tokenize_str
    for text in ("I'll say 'tis  it's\n\n ok  ", "''s '' 's", "a \u3000 b"):
        words = characters.word_pattern().findall(text)
        assert [text[a:b] for _, (a, b) in cut(text)] == words
        assert "".join(words) == text

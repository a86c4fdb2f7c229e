"""Writes tests/golden/tokenizer/slow_differences.json.

Usage: ORACLE_4 tests/scripts/make_slow_differences.py [TARGET]

Runs in the environment of transformers 4, whose slow tokenizer uses other
tables of Unicode than its fast one. The file lists the code points that the
two cut into other words (between letters, digits, signs and spaces), and
those of which only one lets `<mask>` take them with it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import regex
import tokenizers
import transformers

GOLDEN = Path(__file__).parents[1] / "golden/tokenizer"
TARGET = GOLDEN / "slow_differences.json"
CODES = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
CONTEXTS = ("a{0}a", "1{0}1", "!{0}!", "  {0}  {0}a", " {0}{0} ", "{0}")
STEP = 4096


def as_ranges(codes: set[int]) -> str:
    """`"41-5A 61-7A AA"`."""
    ranges: list[list[int]] = []
    for code in sorted(codes):
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return " ".join(
        f"{first:X}" if first == last else f"{first:X}-{last:X}"
        for first, last in ranges
    )


def find_differing(
    codes: list[int], same: Callable[[list[int]], bool]
) -> set[int]:
    """Those of which `same`, which takes many at once, isn't true."""
    if not codes or same(codes):
        return set()
    if len(codes) == 1:
        return set(codes)
    half = len(codes) // 2
    return find_differing(codes[:half], same) | find_differing(
        codes[half:], same
    )


def find() -> dict[str, set[int]]:
    """The code points of each kind."""
    slow = transformers.LongformerTokenizer.from_pretrained(GOLDEN / "small")
    fast = transformers.LongformerTokenizerFast.from_pretrained(
        GOLDEN / "small"
    )
    cut = fast.backend_tokenizer.pre_tokenizer.pre_tokenize_str

    def same_words(codes: list[int]) -> bool:
        text = "".join(
            context.format(chr(code)) for code in codes for context in CONTEXTS
        )
        spans = [span for _, span in cut(text)]
        return spans == [word.span() for word in slow.pat.finditer(text)]

    def same_before_mask(codes: list[int]) -> bool:
        text = "".join(f"!{chr(code)}<mask>" for code in codes)
        return slow(text)["input_ids"] == fast(text)["input_ids"]

    found: dict[str, set[int]] = {"words": set(), "before_mask": set()}
    for start in range(0, len(CODES), STEP):
        codes = CODES[start : start + STEP]
        words = find_differing(codes, same_words)
        codes = [code for code in codes if code not in words]
        found["words"] |= words
        found["before_mask"] |= find_differing(codes, same_before_mask)
        # Every word of the chunk is in it.
        slow.cache.clear()
    return found


def main() -> None:
    """Writes the file, or with an argument that path instead."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    transformers.logging.set_verbosity_error()
    content = {
        "made_with": {
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
            "regex": regex.__version__,
        },
        **{kind: as_ranges(codes) for kind, codes in find().items()},
    }
    target.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()

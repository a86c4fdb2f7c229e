"""Writes tf_longformer/graph_tokenization/unicode_ranges.py.

Usage: python tests/scripts/make_unicode_ranges.py

Asks the `tokenizers` library about every code point: which class the
byte-level pre-tokenizer takes it for, and what added tokens take for a space
and for a part of a word. The two come from regular expression libraries that
each have their own version of Unicode.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import tokenizers
from tokenizers import AddedToken
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

PACKAGE = Path(__file__).parents[2] / "tf_longformer"
TARGET = PACKAGE / "graph_tokenization/unicode_ranges.py"
CODES = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]


def ask_pre_tokenizer(before: str) -> set[int]:
    """Code points that stay in one piece with `before`."""
    cut = ByteLevel(add_prefix_space=False).pre_tokenize_str
    return {code for code in CODES if len(cut(before + chr(code))) == 1}


def ask_added_token(**flags: bool) -> set[int]:
    """Code points before an added token that make it a single token."""
    # No character of a text has a token, so that only the added one is left.
    tokenizer = Tokenizer(BPE(vocab={"two letters": 0}, merges=[]))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.add_tokens([AddedToken("\ue000", normalized=False, **flags)])
    texts = [chr(code) + "\ue000" for code in CODES]
    begin = 0 if flags.get("lstrip") else 1
    return {
        code
        for code, encoding in zip(
            CODES, tokenizer.encode_batch(texts), strict=True
        )
        if [start for start, _ in encoding.offsets] == [begin]
    }


def find_classes() -> dict[str, set[int]]:
    """Sets of code points by the names that the module has."""
    letters, numbers = ask_pre_tokenizer("A"), ask_pre_tokenizer("1")
    others = ask_pre_tokenizer("!")
    single = ask_added_token(single_word=True)
    return {
        "LETTERS": letters,
        "NUMBERS": numbers,
        "SPACES": set(CODES) - letters - numbers - others,
        "STRIPPED": ask_added_token(lstrip=True),
        "WORD": set(CODES) - single - {0xE000},
    }


def as_ranges(codes: set[int]) -> str:
    """`"41-5A 61-7A AA"`, over surrogates where both sides belong."""
    ranges: list[list[int]] = []
    for code in sorted(codes):
        follows = ranges and code in (
            ranges[-1][1] + 1,
            0xE000 if ranges[-1][1] == 0xD7FF else -1,
        )
        if follows:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return " ".join(
        f"{first:X}" if first == last else f"{first:X}-{last:X}"
        for first, last in ranges
    )


def write(classes: dict[str, set[int]]) -> str:
    """The module's text."""
    lines = [
        '"""Which characters are letters, numbers and spaces.',
        "",
        "Ranges of code points in hexadecimal, as the `tokenizers` library "
        f"{tokenizers.__version__}",
        "takes them. Written by tests/scripts/make_unicode_ranges.py: not to "
        "be edited.",
        '"""',
    ]
    for name, codes in classes.items():
        lines += ["", f'{name} = """']
        # Not at the hyphens of ranges.
        lines += textwrap.wrap(as_ranges(codes), 78, break_on_hyphens=False)
        lines += ['"""']
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes the file, or with an argument that path instead."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    target.write_text(write(find_classes()), "utf-8")


if __name__ == "__main__":
    main()

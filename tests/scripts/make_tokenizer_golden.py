"""Writes tests/golden/tokenizer: a small BPE of our own, and HF's answers.

Usage: python tests/scripts/make_tokenizer_golden.py ORACLE_4 ORACLE_5

The arguments are interpreters of the environments of tests/oracles. The
vocabulary is learnt from the package's own sources and some lines below; both
versions must give the same answers, or nothing is written.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tf_longformer import LongformerTokenizerFast

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/golden/tokenizer"
ORACLE = ROOT / "tests/oracles/tokenizer_oracle.py"
LINES = [
    "A long document has many words, and some of them come again and again.",
    "Ein langes Dokument hat viele Wörter; façon, naïve, œuvre, Ångström.",
    "Длинный документ, 長い文書, 긴 문서, μακρύ έγγραφο, ١٢٣ ४५६ ⅷ ½.",
    "We'll say it's 'tis I've they're you'd I'm don't; 1234 56789 0.5 3,141.",
]
TEXTS = [
    "",
    " ",
    "   ",
    "\n\n",
    "Hello world!",
    " Hello  world \n",
    "it's we'll 'tis they've I'M 'S don't''s 's",
    "a\t\tb\n \nc   d\u00a0e\u3000f\u2028g\x85h",
    "<mask>",
    "the <mask> word",
    "the \n <mask>,<mask> <s> </s> <pad><unk>",
    "numbers 1234567 12,345.678 ١٢٣ ⅷ½²",
    "façon naïve Ångström cafe\u0301",
    "長い文書 긴 문서 Длинный",
    "emoji 😀👩‍👩‍👧 🏳️‍🌈 done",
    "zero\u200bwidth \ufeff bom \ufffd",
    "control \x00 \x01 \x1c \x7f",
    "aaaaaaaaaaaaaaaaaaaaaaaa --------------- ........",
    "NEW and new word, newword, new  word!",
    "\U000e0001\U0010ffff\U00020000",
]
ADDED = [
    {"content": "NEW"},
    {"content": "new word", "rstrip": True, "single_word": True},
    {"content": "é", "lstrip": True, "rstrip": True, "normalized": False},
]
ALL = {
    "return_offsets_mapping": True,
    "return_special_tokens_mask": True,
    "return_token_type_ids": True,
    "return_length": True,
}


def calls() -> list[dict]:
    """Arguments of calls, over texts, pairs and strategies."""
    found: list[dict] = [{"text": text, **ALL} for text in TEXTS]
    pairs = list(zip(TEXTS[1:], TEXTS[:-1], strict=True))
    found += [{"text": a, "text_pair": b, **ALL} for a, b in pairs]
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    for side in ("left", "right"):
        found.append({"text": TEXTS, "padding": True, "padding_side": side})
    found += [
        {"text": TEXTS, "padding": True, "pad_to_multiple_of": 8, **ALL},
        {"text": first, "text_pair": second, "add_special_tokens": False},
        {"text": "a", "text_pair": ""},
        {"text": ["a"], "text_pair": [""]},
    ]
    long, short = " ".join(TEXTS[4:9]), "a short question?"
    for strategy in (True, "only_first", "only_second"):
        for length, stride in ((9, 0), (12, 2), (16, 5), (40, 3)):
            for pair in ({}, {"text_pair": short}, {"text_pair": long}):
                for overflow in (False, True):
                    found.append(
                        {
                            "text": short if len(pair) and overflow else long,
                            **pair,
                            "truncation": strategy,
                            "max_length": length,
                            "stride": stride,
                            "return_overflowing_tokens": overflow,
                            "padding": "max_length",
                            **ALL,
                        }
                    )
    return found


def groups(folder: Path) -> list[dict]:
    """Tokenizers with their calls."""
    words = {"text": ["Hello", "world", " it's", "", "naïve"], **ALL}
    made = []
    for prefix in (False, True):
        for trim in (True, False):
            more = []
            if prefix:
                more = [
                    {**words, "is_split_into_words": True},
                    {
                        **words,
                        "text_pair": ["two", "words"],
                        "is_split_into_words": True,
                        "truncation": True,
                        "max_length": 9,
                        "stride": 1,
                        "return_overflowing_tokens": True,
                    },
                ]
            made.append(
                {
                    "folder": str(folder),
                    "options": {
                        "add_prefix_space": prefix,
                        "trim_offsets": trim,
                        "truncation_side": "right" if trim else "left",
                    },
                    "added": ADDED if trim else [],
                    "calls": calls() + more,
                }
            )
    return made


def main(oracles: list[str]) -> None:
    """Trains, asks, compares, writes."""
    sources = sorted((ROOT / "tf_longformer").rglob("*.py"))
    tokenizer = LongformerTokenizerFast.train_from_iterator(
        [path.read_text("utf-8") for path in sources] + LINES * 20,
        vocab_size=700,
        show_progress=False,
    )
    tokenizer.save_pretrained(GOLDEN / "small")
    asked = groups(GOLDEN / "small")
    answers = []
    with tempfile.TemporaryDirectory() as folder:
        cases = Path(folder, "cases.json")
        cases.write_text(json.dumps({"groups": asked}), "utf-8")
        for number, oracle in enumerate(oracles):
            results = Path(folder, f"{number}.json")
            subprocess.run([oracle, ORACLE, cases, results], check=True)
            answers.append(json.loads(results.read_text("utf-8")))
    versions = [answer["version"] for answer in answers]
    for ours, one, other in zip(
        asked, *(answer["groups"] for answer in answers), strict=True
    ):
        for call, a, b in zip(
            ours["calls"], one["calls"], other["calls"], strict=True
        ):
            if a != b:
                sys.exit(f"{versions} differ: {call}\n{a}\n{b}")
    golden = {
        "versions": versions,
        "groups": [
            {
                **{key: one[key] for key in ("options", "added", "calls")},
                "answers": answer["calls"],
            }
            for one, answer in zip(asked, answers[0]["groups"], strict=True)
        ],
    }
    target = GOLDEN / "answers.json.gz"
    # Without a time, so that the same answers are the same file.
    target.write_bytes(gzip.compress(json.dumps(golden).encode(), mtime=0))
    print(f"{target}: {target.stat().st_size} bytes, {versions}")


if __name__ == "__main__":
    main(sys.argv[1:])

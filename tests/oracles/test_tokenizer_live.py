"""Our tokenizer against Hugging Face's fast one, of both versions.

On random texts and calls with RoBERTa's vocabulary where there is one, else
with the small one; with whole books; and with folders written by either side.
"""

import json
import os
import subprocess

import pytest
from hypothesis import HealthCheck
from hypothesis import Phase
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from oracles import tokenizer_oracle
from tokenization.conftest import DATA
from tokenization.conftest import SMALL
from tokenization.strategies import TEXTS
from tokenization.strategies import calls
from tokenizers import AddedToken

from tf_longformer import LongformerTokenizer

pytestmark = pytest.mark.oracle

ADDED = [
    {"content": "NEW"},
    {"content": "new word", "rstrip": True, "single_word": True},
    {"content": "é", "lstrip": True, "rstrip": True, "normalized": False},
    {"content": "abc"},
]


@pytest.fixture(params=[4, 5])
def ask(request, tmp_path):
    """A function that has the groups of calls answered by an oracle."""
    variable = f"TF_LONGFORMER_ORACLE_{request.param}"
    interpreter = os.environ.get(variable)
    if not interpreter:
        pytest.skip(f"{variable} doesn't name an interpreter")

    def run(groups):
        cases, results = tmp_path / "cases.json", tmp_path / "results.json"
        cases.write_text(json.dumps({"groups": groups}), "utf-8")
        done = subprocess.run(
            [interpreter, tokenizer_oracle.__file__, cases, results],
            env={**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": ""},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(results.read_text("utf-8"))["groups"]

    return run


@pytest.fixture
def folder(tmp_path):
    """A folder as we save it: version 5 knows flags from such files only."""
    vocab = DATA / "vocab" if (DATA / "vocab").is_dir() else SMALL
    LongformerTokenizer.from_pretrained(vocab).save_pretrained(
        tmp_path / "ours"
    )
    return tmp_path / "ours"


def draw(strategy, count):
    """`count` examples, drawn as hypothesis draws them."""
    drawn = []

    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(example):
        drawn.append(example)

    collect()
    return drawn


def make(group):
    tokenizer = LongformerTokenizer.from_pretrained(
        group["folder"], **group["options"]
    )
    for token in group["added"]:
        tokenizer.add_tokens(AddedToken(**token))
    return tokenizer


def test_random_calls(ask, folder):
    groups = [
        {
            "folder": str(folder),
            "options": {
                "add_prefix_space": prefix,
                "trim_offsets": trim,
                "truncation_side": side,
            },
            "added": added,
            "calls": draw(calls(), 150)
            + (draw(calls(words=True), 80) if prefix else []),
        }
        for prefix, trim, side, added in (
            (False, True, "right", []),
            (False, True, "left", ADDED),
            (True, True, "right", ADDED),
            (True, False, "left", ADDED),
        )
    ]
    for group, answer in zip(groups, ask(groups), strict=True):
        tokenizer = make(group)
        for call, wanted in zip(group["calls"], answer["calls"], strict=True):
            assert tokenizer_oracle.observe(tokenizer, call) == wanted, call


def test_whole_texts(ask, folder):
    books = sorted(DATA.glob("text/gutenberg/*.txt"))[:1]
    if not books:
        pytest.skip(f"there are no texts in {DATA}")
    call = {
        "text": [book.read_text("utf-8") for book in books],
        "return_offsets_mapping": True,
        "truncation": True,
        "max_length": 4096,
        "stride": 128,
        "return_overflowing_tokens": True,
        "padding": True,
    }
    group = {"folder": str(folder), "options": {}, "added": [], "calls": [call]}
    (answer,) = ask([group])[0]["calls"]
    assert len(answer["input_ids"]) > 30
    assert tokenizer_oracle.observe(make(group), call) == answer


def test_folders_of_ours(ask, folder, tmp_path):
    """What we save is read back equal, whatever is in it."""
    saved = []
    for number, prefix in enumerate((False, True)):
        tokenizer = LongformerTokenizer.from_pretrained(
            folder,
            add_prefix_space=prefix,
            model_max_length=4096,
            padding_side="left",
        )
        if prefix:
            tokenizer.add_tokens([AddedToken(**token) for token in ADDED])
            tokenizer.add_special_tokens({"sep_token": "[SEP]"})
        tokenizer.save_pretrained(tmp_path / f"saved{number}")
        saved.append(tokenizer)
    texts = draw(TEXTS, 60)
    asked = [
        {"folder": str(tmp_path / f"saved{n}"), "calls": [{"text": texts}]}
        for n in range(2)
    ]
    for tokenizer, answer in zip(saved, ask(asked), strict=True):
        facts = json.loads(json.dumps(tokenizer_oracle.facts(tokenizer)))
        assert facts == answer["facts"]
        (wanted,) = answer["calls"]
        assert tokenizer_oracle.observe(tokenizer, {"text": texts}) == wanted


def test_folders_of_theirs(ask, folder, tmp_path):
    """What they save, we read equal."""
    texts = draw(st.lists(TEXTS, min_size=3, max_size=3), 20)
    asked = [
        {
            "folder": str(folder),
            "options": {"add_prefix_space": prefix},
            "added": ADDED if prefix else [],
            "save": str(tmp_path / f"theirs{int(prefix)}"),
            "calls": [{"text": row} for row in texts],
        }
        for prefix in (False, True)
    ]
    for group, answer in zip(asked, ask(asked), strict=True):
        tokenizer = LongformerTokenizer.from_pretrained(group["save"])
        facts = json.loads(json.dumps(tokenizer_oracle.facts(tokenizer)))
        assert facts == answer["facts"]
        for row, wanted in zip(texts, answer["calls"], strict=True):
            found = tokenizer_oracle.observe(tokenizer, {"text": row})
            assert found == wanted

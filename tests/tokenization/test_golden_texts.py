"""The tokenizer gives Hugging Face's answers, made once and committed.

tests/scripts/make_tokenizer_golden.py made them with transformers 4.57.1 and
5.23.0, which agree.
"""

import gzip
import json
from pathlib import Path

import pytest
from oracles.tokenizer_oracle import observe
from tokenizers import AddedToken

from tf_longformer import LongformerTokenizer

GOLDEN = Path(__file__).parents[1] / "golden/tokenizer"
ANSWERS = json.loads(gzip.decompress((GOLDEN / "answers.json.gz").read_bytes()))


@pytest.mark.parametrize("group", range(len(ANSWERS["groups"])))
def test_small(group):
    asked = ANSWERS["groups"][group]
    tokenizer = LongformerTokenizer.from_pretrained(
        GOLDEN / "small", **asked["options"]
    )
    for token in asked["added"]:
        tokenizer.add_tokens(AddedToken(**token))
    assert len(asked["calls"]) > 100
    for call, answer in zip(asked["calls"], asked["answers"], strict=True):
        assert observe(tokenizer, call) == answer, call


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Hello world!", [0, 31414, 232, 328, 2]),
        (" Hello world", [0, 20920, 232, 2]),
        (
            "A, <mask> AllenNLP sentence.",
            [0, 250, 6, 50264, 3823, 487, 21992, 3645, 4, 2],
        ),
    ],
)
@pytest.mark.checkpoint
def test_roberta(data, text, ids):
    tokenizer = LongformerTokenizer.from_pretrained(data / "vocab")
    assert tokenizer(text)["input_ids"] == ids
    unhidden = text.replace(" <mask>", "")
    assert tokenizer.decode(ids, skip_special_tokens=True) == unhidden


@pytest.mark.checkpoint
def test_a_novel(data):
    """A whole book, in one piece."""
    path = data / "text/gutenberg/1342_pride_and_prejudice.txt"
    text = path.read_text("utf-8")
    tokenizer = LongformerTokenizer.from_pretrained(data / "vocab")
    ids = tokenizer(text)["input_ids"]
    assert len(ids) > 100_000
    assert tokenizer.decode(ids, skip_special_tokens=True) == text

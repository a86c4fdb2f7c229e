"""Both tokenizers give Hugging Face's answers, made once and committed.

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
from tf_longformer import LongformerTokenizerFast

GOLDEN = Path(__file__).parents[1] / "golden/tokenizer"
ANSWERS = json.loads(gzip.decompress((GOLDEN / "answers.json.gz").read_bytes()))


@pytest.mark.parametrize("group", range(len(ANSWERS["groups"])))
@pytest.mark.parametrize("kind", [LongformerTokenizer, LongformerTokenizerFast])
def test_small(kind, group):
    asked = ANSWERS["groups"][group]
    tokenizer = kind.from_pretrained(GOLDEN / "small", **asked["options"])
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
def test_roberta(kind, data, text, ids):
    tokenizer = kind.from_pretrained(data / "vocab")
    assert tokenizer(text)["input_ids"] == ids
    unhidden = text.replace(" <mask>", "")
    assert tokenizer.decode(ids, skip_special_tokens=True) == unhidden


@pytest.mark.checkpoint
def test_a_novel(data):
    """A whole book, in one piece: both classes, ids and offsets."""
    text = (data / "text/gutenberg/1342_pride_and_prejudice.txt").read_text(
        "utf-8"
    )
    fast, slow = (
        kind.from_pretrained(data / "vocab")
        for kind in (LongformerTokenizerFast, LongformerTokenizer)
    )
    wanted = fast(text, return_offsets_mapping=True)
    found = slow(text, return_offsets_mapping=True)
    assert len(wanted["input_ids"]) > 100_000
    assert found == wanted
    assert found.word_ids() == wanted.word_ids()
    assert slow.decode(found["input_ids"], skip_special_tokens=True) == text

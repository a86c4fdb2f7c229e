"""Entities in documents."""

import numpy as np
import pytest
from tasks.other_tokenizer import OtherTokenizer
from tasks.other_tokenizer import wordpiece
from tasks.small_texts import LONG
from tasks.small_texts import SHORT
from tasks.small_texts import make
from tasks.small_texts import scripted
from tasks.small_texts import windows_by_hand

from tf_longformer.tasks import tag


def test_tag_averages_where_windows_overlap(tokenizer):
    model = make("ForTokenClassification", tokenizer)
    stride, room = 5, 15
    ids, rows = windows_by_hand(tokenizer, LONG, room, stride)
    total, count = np.zeros((len(ids), 3)), np.zeros((len(ids), 1))
    for first, row in rows:
        logits = model([0, *row, 2]).logits.numpy()[0, 1:-1]
        weights = np.exp(logits)
        place = slice(first, first + len(row))
        total[place] += weights / weights.sum(-1, keepdims=True)
        count[place] += 1
    expected = total / count
    found = tag(
        model, tokenizer, LONG, aggregate=False, stride=stride, max_length=17
    )
    assert len(found) == len(ids)
    names = [f"LABEL_{i}" for i in expected.argmax(-1)]
    assert [item["entity"] for item in found] == names
    np.testing.assert_allclose(
        [item["score"] for item in found], expected.max(-1), rtol=1e-5
    )
    offsets = tokenizer(
        LONG, add_special_tokens=False, return_offsets_mapping=True
    )["offset_mapping"]
    assert [(item["start"], item["end"]) for item in found] == [*offsets]


def test_tag_joins_tokens_to_entities(tokenizer):
    names = ["O", "B-PER", "I-PER", "B-LOC"]
    model = make(
        "ForTokenClassification",
        tokenizer,
        num_labels=None,
        id2label=dict(enumerate(names)),
    )
    table = np.zeros((len(tokenizer), 4), "float32")
    table[:, 0] = 9
    for word, label in ((" Anna", 1), (" Berg", 2), (" Oslo", 3)):
        ids = tokenizer(word, add_special_tokens=False)["input_ids"]
        assert len(ids) == 1
        table[ids[0]] = 0
        table[ids[0], label] = 5
    text = "the dog of Anna Berg near Oslo Oslo"
    found = tag(scripted(model, logits=table), tokenizer, text)
    assert [(e["entity_group"], e["word"]) for e in found] == [
        ("PER", " Anna Berg"),
        ("LOC", " Oslo"),
        ("LOC", " Oslo"),
    ]
    best = np.exp(5) / (np.exp(5) + 3)
    assert found[0]["score"] == pytest.approx(best, rel=1e-5)
    assert text[found[1]["start"] : found[1]["end"]] == "Oslo"


def test_tag_labels_words_by_their_first_tokens(tokenizer):
    names = ["o", "b-per", "i-per", "l-per"]
    model = make(
        "ForTokenClassification",
        tokenizer,
        num_labels=None,
        id2label=dict(enumerate(names)),
    )
    # "OsloOslo" is a word of several tokens: all but its first say "o".
    text = "\n OsloOslo\tnear Anna"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    table = np.zeros((len(tokenizer), 4), "float32")
    table[:, 0] = 9
    offsets = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    first = [start for start, _ in offsets].index(text.index("Oslo"), 1) - 1
    anna = tokenizer(" Anna", add_special_tokens=False)["input_ids"]
    for token, label in ((ids[first], 1), (anna[0], 3)):
        table[token] = np.eye(4)[label] * 9
    fake = scripted(model, logits=table)
    found = tag(fake, tokenizer, text)
    words = [(one["entity_group"], one["word"].strip()) for one in found]
    assert words == [("per", "OsloOslo"), ("per", "Anna")]
    found = tag(fake, tokenizer, text, aggregation_strategy="simple")
    assert found[0]["word"].strip() != "OsloOslo"
    assert tag(fake, tokenizer, text, ignore_labels=["O", "per"]) == []
    assert tag(fake, tokenizer, ["", text])[0] == []


def test_a_label_to_ignore_is_not_searched_in(tokenizer):
    model = make(
        "ForTokenClassification",
        tokenizer,
        num_labels=None,
        id2label={0: "OX", 1: "O", 2: "X"},
    )
    table = np.zeros((len(tokenizer), 3), "float32")
    table[:, 2] = 1
    fake = scripted(model, logits=table)
    assert tag(fake, tokenizer, SHORT, ignore_labels="OX")
    assert tag(fake, tokenizer, SHORT, ignore_labels="X") == []


def test_words_of_wordpiece(tokenizer):
    """What begins with `##` goes on with a word; a full stop is one."""
    model = make(
        "ForTokenClassification",
        tokenizer,
        num_labels=None,
        id2label={0: "O", 1: "B-PER", 2: "I-PER"},
    )
    pieces = ["[UNK]", "[CLS]", "[SEP]", "an", "##na", "##s", "."]
    theirs = OtherTokenizer(wordpiece(pieces))
    table = np.eye(3, dtype="float32")[[0, 0, 0, 1, 0, 0, 2]] * 9
    fake = scripted(model, logits=table)
    found = tag(fake, theirs, "annas. an zz")
    assert [one["word"] for one in found] == ["annas .", "an"]
    found = tag(fake, theirs, "annas", aggregation_strategy="none")
    assert [(one["word"], one["index"]) for one in found] == [("an", 1)]
    with pytest.raises(ValueError, match=r"lone surrogate.*'.ud800' at"):
        tag(fake, theirs, ["an", "an \ud800"])
    theirs.is_fast = False
    with pytest.raises(TypeError, match="a slow OtherTokenizer"):
        tag(fake, theirs, "an")
    with pytest.raises(TypeError, match="must be a tokenizer"):
        tag(fake, None, "an")

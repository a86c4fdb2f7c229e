"""Entities as spans of characters, given to tokens and turned back."""

import logging
import random
from pathlib import Path

import pytest
from helpers.small_tokenizer import FOLDER
from tasks.other_tokenizer import OtherTokenizer
from tasks.other_tokenizer import wordpiece

from tf_longformer import LongformerTokenizerFast
from tf_longformer.data.entities import align_entities
from tf_longformer.data.entities import entities_of_tokens
from tf_longformer.data.entities import read_entities
from tf_longformer.data.examples import Example
from tf_longformer.data.features import Encoding
from tf_longformer.data.features import encode_examples
from tf_longformer.data.windows import cut_into_windows
from tf_longformer.entity_schemes import EntitySpan
from tf_longformer.entity_schemes import label_list

# What stands between words, and words, that tokenizers cut in odd places.
GAPS = [
    " ",
    "  ",
    "\t",
    "\u00a0",
    "\r\n",
    "\n\n ",
    " \u200b",
    "\u3000",
    " (",
    ", ",
]
WORDS = [
    "Oslo", "Anna", "e\u0301a", "\U0001f600", "\U0001f469\u200d\U0001f467",
    "5kg", "don't", "\u0928\u092e\u0938\u094d\u0924\u0947", "a@b.c", "\u200bx",
]  # fmt: skip


# With a space before it, a row's first token has the one before it too.
@pytest.fixture(scope="module", params=[False, True], ids=["", "spaced"])
def tokenizer(request):
    return LongformerTokenizerFast.from_pretrained(
        FOLDER, model_max_length=512, add_prefix_space=request.param
    )


def numbered(scheme):
    names = label_list(["PER", "LOC"], scheme)
    return {name: number for number, name in enumerate(names)}


def draw(rng):
    """Draws a text and entities in it that touch one another, or don't."""
    text, spans = rng.choice(["", *GAPS]), []
    for _ in range(rng.randint(1, 12)):
        start = len(text)
        text += rng.choice(WORDS)
        if rng.random() < 0.4:
            text += rng.choice(GAPS) + rng.choice(WORDS)
        if rng.random() < 0.6:
            spans.append([start, len(text), rng.choice(["PER", "LOC"])])
        text += rng.choice([*GAPS, ""])
    return text, spans


def turn_back(text, encoding, labels, label2id):
    names = list(label2id)
    given = [None if label < 0 else names[label] for label in labels]
    return entities_of_tokens(text, encoding.offsets, given)


def pieces():
    """A tokenizer that cuts at white space and at punctuation."""
    marks = [*"(,)@.'"]
    letters = sorted({letter for word in WORDS for letter in word})
    within = [f"##{letter}" for letter in letters]
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]"]
    return OtherTokenizer(
        wordpiece(list(dict.fromkeys([*special, *marks, *letters, *within])))
    )


@pytest.mark.parametrize("kind", ["byte_level", "wordpiece"])
def test_what_is_aligned_is_turned_back(tokenizer, kind, caplog):
    mine = tokenizer if kind == "byte_level" else pieces()
    rng = random.Random(kind)
    schemes = ["BIO", "BIOES", "BILOU"]
    exact = 0
    for number in range(150):
        text, spans = draw(rng)
        label2id = numbered(schemes[number % 3])
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            encoding = mine([text])
            (labels,) = align_entities(encoding, [text], [spans], label2id)
        found = turn_back(text, encoding.encodings[0], labels, label2id)
        expected = read_entities(text, spans)
        if not caplog.records:
            assert found == expected, (text, spans)
            exact += 1
        # Some begin or end within a token, which is said.
        assert [span.kind for span in found] == [s.kind for s in expected]
    assert exact > 100


def test_windows_get_the_labels_of_the_whole_text(tokenizer):
    """Also where one begins within a character of several tokens."""
    rng = random.Random(5)
    label2id = numbered("BIOES")
    names = list(label2id)
    texts, spans = zip(*(draw(rng) for _ in range(20)), strict=True)
    for length, stride in ((7, 0), (7, 2), (9, 4), (200, 0)):
        windows, encoding = cut_into_windows(
            tokenizer, texts, max_length=length, stride=stride,
            padding=True, return_tensors="np",
        )  # fmt: skip
        labels = align_entities(encoding, texts, spans, label2id)
        again = align_entities(encoding, texts, spans, label2id, stride=stride)
        assert labels.tolist() == again.tolist()
        assert labels.shape == encoding["input_ids"].shape
        for number, text in enumerate(texts):
            whole = align_entities(
                tokenizer(text), text, spans[number], label2id
            )
            whole = whole[1:-1]
            for window, row in zip(windows, labels, strict=True):
                if window.text == number:
                    inside = window.inside
                    part = whole[window.first : window.last]
                    assert row[: len(inside)][inside].tolist() == part
                    assert (row[len(inside) :] == -100).all()
    assert names[labels.max()] == "E-LOC"


def test_labels_by_hand(tokenizer, caplog):
    text = "\tNew  York, (Oslo),"
    spans = [(0, 10, "LOC"), {"start": 13, "end": 17, "label": "LOC"}]
    encoding = tokenizer(text)
    offsets = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    labels = align_entities(encoding, text, spans, {"LOC": 1, "O": 0})
    for (start, end), label in zip(offsets[1:-1], labels[1:-1], strict=True):
        # The token of the second space has no characters.
        inside = 1 <= start and end <= 10 or start >= 13 and end <= 17
        assert label == inside
    assert labels[0] == labels[-1] == -100
    caplog.clear()
    align_entities(encoding, text, [(13, 18, "LOC")], {"LOC": 1, "O": 0})
    assert "1 that don't" in caplog.text
    assert "LOC at characters 13 to 18 ('Oslo)')" in caplog.text
    # A document that is cut off has the entities before the cut.
    short = tokenizer(text, truncation=True, max_length=5)
    labels = align_entities(short, text, spans, {"LOC": 1, "O": 0})
    assert len(labels) == 5
    with pytest.raises(ValueError, match="all labels .* LOC at .*'New  York'"):
        align_entities(encoding, text, spans, {"B-LOC": 1, "O": 0})
    with pytest.raises(ValueError, match="must have a label for no entity"):
        align_entities(encoding, text, spans, {"B-LOC": 1})
    with pytest.raises(ValueError, match="token of its own.*','.*document 1"):
        align_entities(
            tokenizer(["x", "x),"]),
            ["x", "x),"],
            [[], [(1, 2, "LOC"), {"start": 2, "end": 3, "label": "LOC"}]],
            {"LOC": 1, "O": 0},
        )


def test_the_forms_of_annotation_tools():
    text = "Anna lives in Oslo."
    expected = [EntitySpan("PER", 0, 4), EntitySpan("LOC", 14, 18)]
    forms = [
        # doccano's two, spaCy, Prodigy, Label Studio's two, `tag` itself.
        [[0, 4, "PER"], [14, 18, "LOC"]],
        [
            {"id": 1, "label": "PER", "start_offset": 0, "end_offset": 4},
            {"id": 2, "label": "LOC", "start_offset": 14, "end_offset": 18},
        ],
        [(14, 18, "LOC"), (0, 4, "PER"), (0, 4, "PER")],
        [
            {"start": 0, "end": 4, "token_start": 0, "label": "PER"},
            {"start": 14, "end": 18, "token_end": 3, "label": "LOC"},
        ],
        [
            {"start": 0, "end": 4, "text": "Anna", "labels": ["PER"]},
            {"value": {"start": 13, "end": 18, "labels": ["LOC"]}, "id": "x"},
        ],
        [
            {"entity_group": "PER", "word": "Anna", "start": 0, "end": 4},
            {"entity_group": "LOC", "word": " Oslo", "start": 14, "end": 18},
        ],
        expected,
    ]
    for form in forms:
        assert read_entities(text, form) == expected
    # White space at the ends isn't an entity's.
    assert read_entities("\u00a0a b\t\r\n", [(0, 6, "X")]) == [("X", 1, 4)]


@pytest.mark.parametrize(
    ("entities", "message"),
    [
        ([(0, 4, "A"), (2, 6, "B")], "overlap.*A at characters 0 to 4.*doc 3"),
        ([(0, 6, "A"), (2, 4, "B")], "overlap.*'cd'.*doc 3"),
        ([(0, 3, "A"), (0, 3, "B")], "overlap"),
        ([(0, 9, "A")], "within its text.*A at characters 0 to 9 in doc 3.*7"),
        ([(-1, 2, "A")], "within its text"),
        ([(2, 2, "A")], "within its text"),
        ([(6, 7, "A")], "more than white space.*6 to 7 in doc 3"),
        ([(0, 2, "")], "a start, an end and one label"),
        ([(0.5, 2, "A")], "within its text"),
        ([{"start": 0, "label": "A"}], "within its text"),
        ([{"start": 0, "end": 2, "labels": ["A", "B"]}], "one label.*doc 3"),
        (["ab"], "a start, an end and one label"),
        ([{"start": 0, "end": 2, "label": "A", "text": "xy"}], "'ab' stands"),
    ],
)
def test_what_is_no_entity_is_named(entities, message):
    with pytest.raises(ValueError, match=message):
        read_entities("abcdef ", entities, "doc 3")


def test_a_token_of_two_windows_has_one_place(tokenizer):
    text = "Anna and Oslo near the dog and the fox of Anna"
    example = Example(Path("x"), 1, {"text": text, "entities": []})
    whole = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    features = encode_examples(
        tokenizer,
        "token-classification",
        [example],
        Encoding(9, doc_stride=3, label2id={"O": 0}),
    )
    assert len(features) > 2
    found = {tuple(place) for row in features.places for place in row.tolist()}
    known = {place for place in whole if place[0] < place[1]}
    # Of white space alone it may be another one.
    assert {place for place in found if place[0] < place[1]} == known

"""Text in, readable results out."""

import copy

import checks
import numpy as np
import pytest
from models import tiny

from tf_longformer import LongformerTokenizerFast
from tf_longformer.tasks import answer
from tf_longformer.tasks import classify
from tf_longformer.tasks import fill_mask
from tf_longformer.tasks import tag
from tf_longformer.tasks import windows as parts

WORDS = "the small red fox saw a dog of old Anna Berg near Oslo".split()
SHORT = "the small red fox saw a dog"
LONG = " ".join(np.random.default_rng(1).choice(WORDS, 60))


@pytest.fixture(scope="module")
def tokenizer():
    made = LongformerTokenizerFast.train_from_iterator(
        [LONG, " ".join(WORDS)], vocab_size=320
    )
    made.model_max_length = 10**9
    return made


def make(head, tokenizer, **fields):
    return checks.seeded(
        tiny.make_model, head, vocab_size=len(tokenizer), **fields
    )


def encode(tokenizer, *texts):
    return tokenizer(*texts, return_tensors="np")


def windows_by_hand(tokenizer, text, room, stride):
    """Ids of windows, cut by arithmetic."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    rows, first = [], 0
    while True:
        rows.append((first, ids[first : first + room]))
        if first + room >= len(ids):
            return ids, rows
        first += room - stride


def test_windows_are_where_they_say(tokenizer):
    model = make("ForTokenClassification", tokenizer)
    found = parts.cut(model, tokenizer, [SHORT, LONG], 5, 17)
    ids, expected = windows_by_hand(tokenizer, LONG, 15, 5)
    assert [window.row for window in found].count(0) >= 1
    of_long = [window for window in found if window.row == 1]
    assert len(of_long) == len(expected) > 3
    for window, (first, row) in zip(of_long, expected, strict=True):
        assert window.first == first
        assert np.array(window.ids)[window.inside].tolist() == row
        start, end = np.array(window.offsets)[window.inside][0]
        assert LONG[start:end].strip() in tokenizer.decode([ids[first]])


def test_classify_a_short_text(tokenizer):
    model = make(
        "ForSequenceClassification",
        tokenizer,
        num_labels=None,
        id2label={0: "good", 1: "bad", 2: "ugly"},
    )
    logits = model(encode(tokenizer, SHORT)).logits.numpy()[0]
    expected = np.exp(logits) / np.exp(logits).sum()
    results = classify(model, tokenizer, SHORT)
    assert [item["label"] for item in results] == [
        ("good", "bad", "ugly")[i] for i in np.argsort(-expected)
    ]
    scores = [item["score"] for item in results]
    np.testing.assert_allclose(scores, -np.sort(-expected), rtol=1e-5)
    both = classify(model, tokenizer, [SHORT, "a dog"], top_k=1)
    assert both[0][0]["score"] == pytest.approx(scores[0], rel=1e-5)
    assert len(both[1]) == 1


def test_classify_as_many_labels_as_tokens(tokenizer):
    model = make("ForSequenceClassification", tokenizer)
    alone = classify(model, tokenizer, "")
    assert len(alone) == 3
    both = classify(model, tokenizer, ["", "a"])
    assert [item["label"] for item in both[0]] == [i["label"] for i in alone]
    np.testing.assert_allclose(
        [item["score"] for item in both[0]],
        [item["score"] for item in alone],
        rtol=1e-4,
    )


@pytest.mark.parametrize(
    ("problem_type", "labels"),
    [
        ("single_label_classification", 3),
        ("multi_label_classification", 3),
        ("regression", 2),
        (None, 1),
    ],
)
def test_classify_pools_the_logits_of_windows(tokenizer, problem_type, labels):
    model = make(
        "ForSequenceClassification",
        tokenizer,
        problem_type=problem_type,
        num_labels=labels,
    )
    _, rows = windows_by_hand(tokenizer, LONG, 15, 0)
    logits = np.mean(
        [model([0, *ids, 2]).logits.numpy()[0] for _, ids in rows], axis=0
    )
    expected = {
        "single_label_classification": np.exp(logits) / np.exp(logits).sum(),
        "multi_label_classification": 1 / (1 + np.exp(-logits)),
    }.get(problem_type, logits)
    results = classify(model, tokenizer, LONG, max_length=17, batch_size=3)
    by_label = {item["label"]: item["score"] for item in results}
    np.testing.assert_allclose(
        [by_label[f"LABEL_{i}"] for i in range(labels)], expected, rtol=1e-4
    )


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


class Scripted:
    """Stands in for a model: every token's scores by its id."""

    def __init__(self, model, table):
        self.config, self.main_output = model.config, model.main_output
        self._table = table

    def __call__(self, ids, attention_mask, return_dict):
        return {name: table[ids] for name, table in self._table.items()}


def scripted(model, **tables):
    """A class of the model's name, so that the tasks take it."""
    kind = type(type(model).__name__, (Scripted,), {})
    return kind(model, tables)


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
        ("PER", "Anna Berg"),
        ("LOC", "Oslo"),
        ("LOC", "Oslo"),
    ]
    best = np.exp(5) / (np.exp(5) + 3)
    assert found[0]["score"] == pytest.approx(best, rel=1e-5)
    assert text[found[1]["start"] : found[1]["end"]] == "Oslo"


def test_answer_takes_the_best_span_of_all_windows(tokenizer):
    model = make("ForQuestionAnswering", tokenizer)
    start = np.zeros(len(tokenizer), "float32")
    end = start.copy()
    anna, berg = (
        tokenizer(word, add_special_tokens=False)["input_ids"][0]
        for word in (" Anna", " Berg")
    )
    start[anna], end[berg] = 9, 9
    words = ["the", "small", "fox"] * 8
    context = " ".join([*words, "Anna", "Berg", *words])
    fake = scripted(model, start_logits=start, end_logits=end)
    found = answer(fake, tokenizer, "the dog", context, max_length=24)
    assert found["answer"].strip() == "Anna Berg"
    assert context[found["start"] : found["end"]] == found["answer"]
    assert 0.9 < found["score"] <= 1
    several = answer(
        fake, tokenizer, ["the dog", "a"], [context] * 2, top_k=3, max_length=24
    )
    assert [len(row) for row in several] == [3, 3]
    assert several[0][0] == pytest.approx(found)
    scores = [item["score"] for item in several[1]]
    assert scores == sorted(scores, reverse=True)
    # Ends that lie before starts are no spans.
    turned = scripted(model, start_logits=end, end_logits=start)
    found = answer(turned, tokenizer, "the dog", context, max_length=24)
    assert found["score"] < 0.1
    # The first token: no answer.
    none = np.zeros(len(tokenizer), "float32")
    none[tokenizer.cls_token_id] = 9
    fake = scripted(model, start_logits=none, end_logits=none)
    found = answer(fake, tokenizer, "the dog", context, impossible=True)
    assert found["answer"] == ""
    assert found["score"] > 0.9


def test_answer_of_a_short_text(tokenizer):
    model = make("ForQuestionAnswering", tokenizer)
    encoding = encode(tokenizer, "a dog", SHORT)
    outputs = model(encoding)
    kept = np.array([s == 1 for s in encoding.sequence_ids(0)])
    kept[0] = True
    start, end = (
        np.where(kept, np.exp(logits.numpy()[0]), 0)
        for logits in (outputs.start_logits, outputs.end_logits)
    )
    joint = np.outer(start / start.sum(), end / end.sum())
    joint[0] = 0
    joint = np.triu(joint) - np.triu(joint, 15)
    first, last = np.unravel_index(joint.argmax(), joint.shape)
    found = answer(model, tokenizer, "a dog", SHORT)
    assert found["score"] == pytest.approx(joint.max(), rel=1e-4)
    assert found["start"] == encoding.token_to_chars(int(first)).start
    assert found["end"] == encoding.token_to_chars(int(last)).end


def test_fill_mask(tokenizer):
    model = make("ForMaskedLM", tokenizer)
    text = "the small<mask> saw a dog"
    encoding = encode(tokenizer, text)
    place = encoding["input_ids"][0].tolist().index(tokenizer.mask_token_id)
    logits = model(encoding).logits.numpy()[0, place]
    best = np.argsort(-logits)[:3]
    found = fill_mask(model, tokenizer, text, top_k=3)
    assert [item["token"] for item in found] == best.tolist()
    scores = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(
        [item["score"] for item in found], scores[best], rtol=1e-4
    )
    for item in found:
        assert item["token_str"] == tokenizer.decode([item["token"]])
        assert item["sequence"].startswith("the small")
        assert item["sequence"].endswith(" saw a dog")
        assert "<mask>" not in item["sequence"]
    two = fill_mask(model, tokenizer, "a<mask> saw<mask>", top_k=2)
    assert [len(masks) for masks in two] == [2, 2]
    assert two[0][0]["sequence"].count("<mask>") == 1
    rows = fill_mask(model, tokenizer, [text, "a<mask>"], top_k=1)
    assert rows[0][0]["token"] == best[0]


def test_fill_mask_uses_the_window_with_most_around(tokenizer):
    model = make("ForMaskedLM", tokenizer)
    ids, rows = windows_by_hand(tokenizer, LONG, 15, 7)
    place = 14
    ids[place] = tokenizer.mask_token_id
    text = tokenizer.decode(ids)
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == ids
    # The second window has it in its middle, the first at its end.
    assert rows[1][0] == 8
    row = [0, *ids[8:23], 2]
    logits = model(row).logits.numpy()[0, 1 + place - 8]
    found = fill_mask(model, tokenizer, text, stride=7, max_length=17)
    best = np.argsort(-logits)[:5]
    assert [item["token"] for item in found] == best.tolist()
    assert len(found[0]["sequence"]) > len(text) // 2


def test_windows_of_a_tokenizer_that_takes_less_than_the_model(tokenizer):
    short = copy.deepcopy(tokenizer)
    short.model_max_length = 17
    arguments = {"max_length": 17, "stride": 128}
    for task, head, texts in (
        (tag, "ForTokenClassification", (LONG,)),
        (fill_mask, "ForMaskedLM", (f"{LONG}<mask>",)),
        (answer, "ForQuestionAnswering", ("a dog", LONG)),
    ):
        model = make(head, tokenizer)
        found = task(model, short, *texts)
        assert found == task(model, tokenizer, *texts, **arguments)


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


def test_what_can_not_be(tokenizer):
    masked = make("ForMaskedLM", tokenizer)
    tagger = make("ForTokenClassification", tokenizer)
    asker = make("ForQuestionAnswering", tokenizer)
    with pytest.raises(TypeError, match="needs a TFLongformerForMaskedLM"):
        fill_mask(tagger, tokenizer, "a<mask>")
    with pytest.raises(TypeError, match="string or a list of strings"):
        tag(tagger, tokenizer, 3)
    with pytest.raises(ValueError, match="none in text 1"):
        fill_mask(masked, tokenizer, ["a<mask>", "a dog"])
    with pytest.raises(ValueError, match="2 questions, 1 documents"):
        answer(asker, tokenizer, ["a", "b"], "c")
    with pytest.raises(ValueError, match="at least 1"):
        answer(asker, tokenizer, "a", "b", top_k=0)
    with pytest.raises(ValueError, match="`top_k` must .* Received: -1"):
        fill_mask(masked, tokenizer, "a<mask>", top_k=-1)
    with pytest.raises(ValueError, match="`top_k` must .* Received: 0"):
        classify(
            make("ForSequenceClassification", tokenizer),
            tokenizer,
            "a",
            top_k=0,
        )
    with pytest.raises(ValueError, match="`batch_size`"):
        tag(tagger, tokenizer, "a dog", batch_size=0)
    with pytest.raises(ValueError, match=r"\[1, 35\]"):
        tag(tagger, tokenizer, "a dog", max_length=1000)

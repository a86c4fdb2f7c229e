"""Rows of examples, and batches that follow from their numbers."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from tf_longformer.data.batches import Batches
from tf_longformer.data.batches import length_buckets
from tf_longformer.data.examples import Example
from tf_longformer.data.features import Encoding
from tf_longformer.data.features import Features
from tf_longformer.data.features import encode_examples
from tf_longformer.entity_schemes import EntitySpan
from tf_longformer.errors import BadExamples


def examples(*rows):
    path = Path("x.jsonl")
    return [Example(path, n + 1, row) for n, row in enumerate(rows)]


def features_of(*lengths):
    features = Features()
    for length in lengths:
        ids = np.full(length, 5, "int32")
        mask = np.ones_like(ids)
        row = {"input_ids": ids, "attention_mask": mask}
        features.add(len(features), row, labels=np.int32(len(features)))
    return features


def equal(one, other):
    return all(
        np.array_equal(a[name], b[name])
        for (a, *_), (b, *_) in zip(one, other, strict=True)
        for name in a
    )


def test_documents_past_the_limit(tokenizer):
    texts = ["cat " * 50, "cat"]
    rows = examples(*({"text": text, "label": "y"} for text in texts))
    cut = encode_examples(
        tokenizer,
        "text-classification",
        rows,
        Encoding(32, label2id={"x": 0, "y": 1}, global_attention="cls"),
    )
    assert (cut.long, cut.origins, max(cut.lengths)) == (1, [0, 1], 32)
    assert cut.rows[1]["global_attention_mask"].tolist()[:2] == [1, 0]
    assert [row["labels"] for row in cut.rows] == [1, 1]
    split = encode_examples(
        tokenizer,
        "text-classification",
        rows,
        Encoding(
            32, 8, label2id={"y": 0}, problem_type="multi_label_classification"
        ),
    )
    assert split.long == 1
    assert split.origins == sorted(split.origins)
    assert split.origins.count(0) > 1
    with pytest.raises(ValueError, match="doc_stride"):
        encode_examples(tokenizer, "masked-lm", rows, Encoding(8, 8))


def test_a_question_without_room_for_its_context(tokenizer):
    fields = {"context": "a cat", "answers": []}
    rows = examples(
        {**fields, "question": "who"}, {**fields, "question": "who " * 40}
    )
    with pytest.raises(BadExamples, match="x.jsonl, line 2: ") as error:
        encode_examples(tokenizer, "question-answering", rows, Encoding(32))
    assert "line 1" not in str(error.value)


def test_words_of_windows(tokenizer):
    words = [f"word{n}" for n in range(12)]
    rows = examples({"tokens": words, "labels": ["O", "B-X"] * 6})
    found = encode_examples(
        tokenizer,
        "token-classification",
        rows,
        Encoding(16, 4, label2id={"O": 0, "B-X": 1}),
    )
    assert len(found) > 1
    seen = set()
    for row, places in zip(found.rows, found.places, strict=True):
        labelled = places >= 0
        assert (row["labels"][labelled] == places[labelled] % 2).all()
        assert (row["labels"][~labelled] == -100).all()
        seen |= set(places[labelled])
    assert seen == set(range(12))


def test_entities_of_windows(tokenizer):
    text = "the cat and the dog " * 6
    spans = [EntitySpan("X", start, start + 3) for start in range(4, 120, 20)]
    rows = examples(
        {"text": text, "entities": spans}, {"tokens": ["cat"], "labels": ["O"]}
    )
    found = encode_examples(
        tokenizer,
        "token-classification",
        rows,
        Encoding(16, 4, label2id={"O": 0, "B-X": 1, "I-X": 2}),
    )
    assert found.origins.count(0) > 1
    assert found.origins.count(1) == 1
    begun = set()
    for row, places, origin in zip(
        found.rows, found.places, found.origins, strict=True
    ):
        if origin == 0:
            begun |= set(places[row["labels"] == 1, 0].tolist())
    # The tokenizer's tokens may begin with the space before.
    begun = {start + (text[start] == " ") for start in begun}
    assert begun == {span.start for span in spans}


@pytest.mark.parametrize("side", ["left", "right"])
def test_answers_stay_where_they_are(tokenizer, side):
    tokenizer.padding_side = side
    answer = {"text": "dog", "answer_start": 6}
    rows = examples(
        *(
            {"question": "who", "context": context, "answers": [answer]}
            for context in ("a cat dog", "a cat dog and the cat")
        )
    )
    found = encode_examples(tokenizer, "question-answering", rows, Encoding(32))
    (x, y), _ = itertools.islice(Batches(found, tokenizer, 2).from_step(), 2)
    for row, start, end in zip(x["input_ids"], *y.values(), strict=True):
        assert tokenizer.decode(row[start : end + 1]).strip() == "dog"


def test_whole_documents_are_packed(tokenizer):
    texts = ["cat", "dog", "the cat and the dog " * 8]
    found = encode_examples(
        tokenizer,
        "masked-lm",
        examples(*({"text": text} for text in texts)),
        Encoding(24),
    )
    assert found.long == 1
    assert max(found.lengths) == 24
    first = found.rows[0]["input_ids"]
    assert tokenizer.decode(first) == "<s> cat</s> dog</s>"
    assert sum(map(sum, found.places)) == pytest.approx(
        len("".join(texts)), abs=50
    )
    ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
    packed = np.concatenate([row["input_ids"] for row in found.rows])
    assert packed[packed > 3].tolist() == sum(ids, [])


def test_few_shapes(tokenizer):
    assert length_buckets(512) == [64, 96, 128, 192, 256, 384, 512]
    # Whatever divides the longest.
    assert length_buckets(301) == [64, 96, 128, 192, 256, 301]
    assert length_buckets(37) == [37]
    lengths = np.random.default_rng(0).integers(10, 257, 67).tolist()
    batches = Batches(features_of(*lengths), tokenizer, 8, max_length=256)
    passed = list(itertools.islice(batches.from_step(), len(batches)))
    labels = np.concatenate([y for _, y in passed])
    assert sorted(labels) == list(range(67))
    shapes = {x["input_ids"].shape for x, _ in passed}
    assert shapes <= {*((8, b) for b in length_buckets(256)), (3, 256)}
    padding = sum(x["input_ids"].size for x, _ in passed) / sum(lengths)
    assert padding < 1.35


def test_a_batch_follows_from_its_number(tokenizer):
    lengths = [9, 12, 15, 17, 20]

    def batches(seed=0, accumulate=1):
        return Batches(
            features_of(*lengths),
            tokenizer,
            2,
            seed=seed,
            accumulate=accumulate,
            mask_probability=0.5,
        )

    some = list(itertools.islice(batches().from_step(), 9))
    for step in (1, 3, 8):
        later = list(itertools.islice(batches().from_step(step), 9 - step))
        assert equal(later, some[step:])
    # Each pass has another order and other masks, and so has each seed.
    assert not equal(some[:3], some[3:6])
    other = list(itertools.islice(batches(seed=1).from_step(), 9))
    assert not equal(some, other)
    # With accumulation a batch counts by its labels.
    group = list(itertools.islice(batches(accumulate=3).from_step(), 3))
    assert equal(group, some[:3])
    counts = np.array([(y != -100).sum() for _, y, _ in group])
    weights = np.array([w[0] for _, _, w in group])
    np.testing.assert_allclose(weights, 3 * counts / counts.sum(), rtol=1e-6)
    later = next(batches(accumulate=3).from_step(1))
    np.testing.assert_array_equal(later[2], group[1][2])

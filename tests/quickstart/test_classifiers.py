from types import SimpleNamespace

import numpy as np
import pytest
from helpers.small_tokenizer import FOLDER

from tf_longformer.configuration import LongformerConfig
from tf_longformer.models.sequence_classification import (
    TFLongformerForSequenceClassification,
)
from tf_longformer.quickstart.classifiers import Stage
from tf_longformer.quickstart.classifiers import accuracy
from tf_longformer.quickstart.classifiers import batch_size_for
from tf_longformer.quickstart.classifiers import beginnings
from tf_longformer.quickstart.classifiers import plan_stages
from tf_longformer.quickstart.classifiers import predict_by_words
from tf_longformer.quickstart.classifiers import predict_majority
from tf_longformer.quickstart.classifiers import random_crops
from tf_longformer.quickstart.classifiers import train
from tf_longformer.tokenization import LongformerTokenizerFast


def test_accuracy():
    assert accuracy(np.array([0, 1, 1, 2]), [0, 1, 2, 2]) == 0.75


def test_majority():
    np.testing.assert_array_equal(predict_majority([2, 0, 2], 4), [2] * 4)
    # A tie goes to the smallest.
    np.testing.assert_array_equal(predict_majority([1, 0], 2), [0, 0])


def _texts(rng, num_texts):
    """The label hides in one rare word among common ones."""
    texts, labels = [], []
    for index in range(num_texts):
        label = index % 3
        words = list(rng.choice(["a", "b", "c", "(", ")"], 50))
        words.insert(int(rng.integers(50)), f"mark{label}")
        texts.append(" ".join(words))
        labels.append(label)
    return texts, labels


def test_words_find_the_one_that_matters():
    rng = np.random.default_rng(0)
    texts, labels = _texts(rng, 60)
    others, truth = _texts(rng, 30)
    found = predict_by_words(texts, labels, others)
    assert accuracy(found, truth) == 1.0


def test_marks_are_words_of_their_own():
    texts = ["f(a)", "f[a]"] * 8
    found = predict_by_words(texts, [0, 1] * 8, ["g[é]", "_(x)y", "日[本]"])
    assert found.tolist() == [1, 0, 1]


def test_words_that_none_has_seen():
    texts, labels = _texts(np.random.default_rng(0), 12)
    found = predict_by_words(texts, labels, ["unknown words", ""])
    assert found.shape == (2,)


TOKENIZER = SimpleNamespace(
    pad_token_id=1, bos_token_id=0, eos_token_id=2, mask_token_id=4
)
# Ids tell the document (hundreds) and the place (units).
DOCUMENTS = [
    list(range(100, 140)),
    list(range(200, 203)),
    list(range(300, 308)),
]


def _crops(masked_fraction):
    return random_crops(
        DOCUMENTS, [7, 8, 9], 12, 10, TOKENIZER, 0, masked_fraction
    )


@pytest.fixture
def crops():
    return _crops(0.0)


def test_crops_are_passages_between_special_tokens(crops):
    assert crops["input_ids"].shape == (12, 10)
    for ids, mask, label in zip(*crops.values(), strict=True):
        tokens = ids[mask == 1]
        np.testing.assert_array_equal(ids[mask == 0], 1)
        assert tokens[0] == 0
        assert tokens[-1] == 2
        passage = tokens[1:-1].tolist()
        document = DOCUMENTS[label - 7]
        assert len(passage) == min(len(document), 8)
        start = document.index(passage[0])
        assert passage == document[start : start + len(passage)]


def test_crops_visit_every_document_equally_often(crops):
    assert np.bincount(crops["labels"])[7:].tolist() == [4, 4, 4]


def test_crops_of_a_long_document_differ(crops):
    starts = crops["input_ids"][crops["labels"] == 7, 1]
    assert len(set(starts.tolist())) > 1


def test_crops_reach_the_last_token():
    crops = random_crops(
        [list(range(100, 110))], [0], 200, 6, TOKENIZER, seed=0
    )
    assert crops["input_ids"].max() == 109
    assert 100 in crops["input_ids"]


def test_masks_hide_document_tokens_only():
    ids = _crops(1.0)["input_ids"]
    assert set(np.unique(ids)) == {0, 1, 2, 4}
    assert (ids[:, 0] == 0).all()
    masked = np.mean(
        random_crops(
            [list(range(100, 1100))], [0], 20, 1002, TOKENIZER, seed=0
        )["input_ids"]
        == 4
    )
    assert 0.13 < masked < 0.17


@pytest.mark.parametrize(
    ("max_length", "steps", "expected"),
    [
        (2048, 100, [(256, 16, 60), (2048, 2, 40)]),
        (128, 100, [(128, 16, 100)]),
        (256, 3, [(256, 16, 3)]),
        (4096, 1, [(4096, 1, 1)]),
        (300, 2, [(256, 16, 1), (300, 13, 1)]),
    ],
)
def test_stages_end_at_the_full_length(max_length, steps, expected):
    assert plan_stages(max_length, steps) == expected


def test_a_step_has_about_as_many_tokens_at_any_length():
    for length in (256, 300, 1000, 2048, 4096):
        assert 3000 <= length * batch_size_for(length) <= 4096


def test_beginnings_end_with_a_line_and_are_read_whole():
    tokenizer = LongformerTokenizerFast.from_pretrained(FOLDER)
    lines = "".join(f"    the line of number {n}\n" for n in range(40))
    texts = [lines, "all of it\n", lines.replace("\n", " ")]
    cut = beginnings(texts, 50, tokenizer)
    assert cut[0].count("\n") > 1
    assert lines.startswith(f"{cut[0]}\n")
    assert cut[1] == texts[1]
    # A single line is cut within it.
    assert 100 < len(cut[2]) < len(texts[2])
    for text, whole in zip(cut, texts, strict=True):
        *ids, _ = tokenizer(text)["input_ids"]
        assert len(ids) < 50
        assert ids == tokenizer(whole)["input_ids"][: len(ids)]


@pytest.mark.slow
def test_training_in_two_stages_learns_a_token():
    """The label is the commonest token; its document has no other sign."""
    rng = np.random.default_rng(0)
    stages = [Stage(12, 16, 40), Stage(20, 8, 20)]
    examples = []
    for length, batch_size, steps in stages:
        labels = rng.integers(0, 2, steps * batch_size).astype("int32")
        ids = rng.integers(7, 20, (len(labels), length)).astype("int32")
        signs = rng.random(ids.shape) < 0.5
        ids = np.where(signs, 5 + labels[:, None], ids).astype("int32")
        ids[:, 0] = 0
        examples.append(
            {
                "input_ids": ids,
                "attention_mask": np.ones_like(ids),
                "labels": labels,
            }
        )
    config = LongformerConfig(
        vocab_size=20,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        attention_window=8,
        max_position_embeddings=22,
        pad_token_id=1,
        initializer_range=0.2,
        num_labels=2,
    )
    model = TFLongformerForSequenceClassification(config)
    train(model, stages, examples, 2e-3)
    inputs = dict(examples[1])
    labels = inputs.pop("labels")
    logits = model.predict(inputs, batch_size=8, verbose=0)["logits"]
    assert np.mean(logits.argmax(axis=-1) == labels) > 0.9

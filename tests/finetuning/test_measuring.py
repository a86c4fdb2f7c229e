"""What is right is measured as right, whatever windows it is cut into."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import small_tasks

from tf_longformer import LongformerConfig
from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForQuestionAnswering
from tf_longformer.data import batches
from tf_longformer.data.examples import Example
from tf_longformer.data.features import Encoding
from tf_longformer.data.features import encode_examples
from tf_longformer.entity_schemes import EntitySpan
from tf_longformer.finetuning.measuring import DEFAULT
from tf_longformer.finetuning.measuring import _score_answers
from tf_longformer.finetuning.measuring import _score_words
from tf_longformer.finetuning.measuring import measure

TEXT = "the sea Anna and Rome " * 8
SPANS = [
    EntitySpan(kind, start + 22 * time, start + 22 * time + 4)
    for time in range(8)
    for start, kind in ((8, "PER"), (17, "LOC"))
]
NAMES = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
MODEL = SimpleNamespace(
    config=LongformerConfig(id2label=dict(enumerate(NAMES)))
)


@pytest.fixture(scope="module")
def tokenizer(source):
    return LongformerTokenizerFast.from_pretrained(
        source, add_prefix_space=True
    )


def features_of(tokenizer, task, *fields):
    label2id = {name: index for index, name in enumerate(NAMES)}
    how = Encoding(32, 8, label2id=label2id)
    examples = [Example(Path("x"), n, one) for n, one in enumerate(fields)]
    return encode_examples(tokenizer, task, examples, how), examples


@pytest.mark.parametrize("of", ["characters", "words"])
def test_entities(tokenizer, of):
    words = TEXT.split()
    labels = ["O", "O", "B-PER", "O", "B-LOC"] * 8
    fields = {"text": TEXT, "entities": SPANS}
    if of == "words":
        fields = {"tokens": words, "labels": labels}
    features, examples = features_of(
        tokenizer, "token-classification", fields, fields
    )
    assert len(features) == 4
    one_hot = 9 * np.eye(len(NAMES), dtype="float32")
    # A token without a label may be given any.
    outputs = [
        {"logits": one_hot[np.maximum(row["labels"], 0)]}
        for row in features.rows
    ]
    found = _score_words(MODEL, features, outputs, examples, DEFAULT)
    assert (found["f1"], found["PER_number"]) == (1.0, 16)


def test_answers(tokenizer):
    context = " ".join([*small_tasks.FILLERS * 5, "Oslo", "sea"])
    start = context.index("Oslo")
    answers = [{"text": "Oslo", "answer_start": start}]
    fields = {"question": "where is", "context": context, "answers": answers}
    features, examples = features_of(
        tokenizer,
        "question-answering",
        fields,
        {**fields, "answers": []},
    )
    outputs = [
        {
            f"{end}_logits": 9
            * np.eye(len(row["input_ids"]), dtype="float32")[
                row[f"{end}_positions"]
            ]
            for end in ("start", "end")
        }
        for row in features.rows
    ]
    found = _score_answers(MODEL, features, outputs, examples, DEFAULT)
    assert (found["exact_match"], found["HasAns_f1"]) == (100.0, 100.0)
    assert found["NoAns_f1"] == 100.0


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_batches_of_several_lengths(source, tokenizer, monkeypatch, policy):
    """Keras doesn't join such ones of bfloat16."""
    monkeypatch.setattr(batches, "length_buckets", lambda most: [16, 32])
    fields = [
        {
            "question": "where is",
            "context": " ".join([*["sea"] * words, "Oslo"]),
            "answers": [{"text": "Oslo", "answer_start": 4 * words}],
        }
        for words in (2, 20, 3, 18, 4)
    ]
    features, examples = features_of(tokenizer, "question-answering", *fields)
    model = TFLongformerForQuestionAnswering.from_pretrained(
        source, dtype=policy
    )
    several, alone = (
        measure(
            model,
            "question-answering",
            batches.Batches(features, tokenizer, size, shuffle=False),
            examples,
        )
        for size in (2, 1)
    )
    # The loss is also about positions of padding, as in transformers.
    assert several.pop("loss") == pytest.approx(alone.pop("loss"), rel=0.1)
    assert several == pytest.approx(alone)

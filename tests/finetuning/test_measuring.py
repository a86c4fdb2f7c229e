"""What is right is measured as right, whatever windows it is cut into."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import small_tasks

from tf_longformer import LongformerConfig
from tf_longformer import LongformerTokenizerFast
from tf_longformer.data.examples import Example
from tf_longformer.data.features import Encoding
from tf_longformer.data.features import encode_examples
from tf_longformer.entity_schemes import EntitySpan
from tf_longformer.finetuning.measuring import DEFAULT
from tf_longformer.finetuning.measuring import _score_answers
from tf_longformer.finetuning.measuring import _score_words

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

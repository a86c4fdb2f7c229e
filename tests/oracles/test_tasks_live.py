"""The task helpers against transformers' pipelines.

The same weights, texts of one window. What differs on purpose is in the
tests: of several masks we leave out `<s>` and `</s>` in `sequence`; `word` is
the text itself, not tokens joined; answers are not stretched to whole words;
and one label is regression, as the loss has it, so that its value stays as it
is.
"""

import json
from pathlib import Path

import checks
import comparison
import numpy as np
import pytest
from models import tiny

from tf_longformer import LongformerTokenizerFast
from tf_longformer.tasks import answer
from tf_longformer.tasks import classify
from tf_longformer.tasks import fill_mask
from tf_longformer.tasks import tag

pytestmark = pytest.mark.oracle
SMALL = Path(__file__).parents[1] / "golden/tokenizer/small"
TEXTS = [
    "The long film was dull, and nobody in Oslo liked it.",
    "A new word for each document; we'll see.",
    "x",
]


class Pipelines:
    """Our models and, in the end, what the pipelines make of them."""

    def __init__(self, folder):
        self.folder, self.cases = folder, []
        self.tokenizer = LongformerTokenizerFast.from_pretrained(
            SMALL, model_max_length=64
        )

    def add(self, task, head, *arguments, fields=None, **settings):
        """Makes a model and notes a call of its pipeline."""
        model = checks.seeded(
            tiny.make_model,
            head,
            vocab_size=700,
            max_position_embeddings=66,
            **(fields or {}),
        )
        folder = self.folder / str(len(self.cases))
        model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        self.cases.append(
            {
                "task": task,
                "head": f"Longformer{head}",
                "folder": str(folder),
                "arguments": arguments,
                "settings": settings,
            }
        )
        return model

    def run(self):
        """Returns the pipelines' results, of transformers 4."""
        cases, results = self.folder / "cases.json", self.folder / "results"
        cases.write_text(json.dumps(self.cases), "utf-8")
        comparison.run_oracle(4, cases, results, script="pipeline_worker")
        return json.loads(results.read_text("utf-8"))


@pytest.fixture
def pipelines(tmp_path):
    return Pipelines(tmp_path)


def assert_same(ours, theirs, names):
    """Equal lists of dicts: numbers to 1e-4, all else exactly."""
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        for name in names:
            if name == "score":
                assert one[name] == pytest.approx(other[name], rel=1e-4)
            else:
                assert one[name] == other[name], name


def test_fill_mask(pipelines):
    texts = ["The <mask> film was dull.", "A<mask>document"]
    several = "The <mask> film was <mask>."
    models = [
        pipelines.add("fill-mask", "ForMaskedLM", texts, top_k=4),
        pipelines.add("fill-mask", "ForMaskedLM", several, top_k=3),
    ]
    one, two = pipelines.run()
    names = ("score", "token", "token_str", "sequence")
    found = fill_mask(models[0], pipelines.tokenizer, texts, top_k=4)
    for ours, theirs in zip(found, one, strict=True):
        assert_same(ours, theirs, names)
    found = fill_mask(models[1], pipelines.tokenizer, several, top_k=3)
    for ours, theirs in zip(found, two, strict=True):
        for item in theirs:
            item["sequence"] = item["sequence"][len("<s>") : -len("</s>")]
        assert_same(ours, theirs, names)


KINDS = {
    "one of three": {"num_labels": 3},
    "several of three": {
        "num_labels": 3,
        "problem_type": "multi_label_classification",
    },
    "regression": {"num_labels": 2, "problem_type": "regression"},
    "one number": {"num_labels": 1, "problem_type": "regression"},
}


def test_classify(pipelines):
    models = [
        pipelines.add(
            "text-classification",
            "ForSequenceClassification",
            TEXTS,
            fields=fields,
            top_k=None,
        )
        for fields in KINDS.values()
    ]
    for model, theirs in zip(models, pipelines.run(), strict=True):
        ours = classify(model, pipelines.tokenizer, TEXTS)
        for row, other in zip(ours, theirs, strict=True):
            assert_same(row, other, ("label", "score"))


NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


@pytest.mark.parametrize("strategy", ["none", "simple"])
def test_tag(pipelines, strategy):
    model = pipelines.add(
        "token-classification",
        "ForTokenClassification",
        TEXTS,
        fields={"num_labels": None, "id2label": dict(enumerate(NAMES))},
        aggregation_strategy=strategy,
    )
    (theirs,) = pipelines.run()
    simple = strategy == "simple"
    ours = tag(model, pipelines.tokenizer, TEXTS, aggregate=simple)
    label = "entity_group" if simple else "entity"
    assert sum(map(len, theirs)) > 5
    for row, other, text in zip(ours, theirs, TEXTS, strict=True):
        assert_same(row, other, (label, "score", "start", "end"))
        for one, two in zip(row, other, strict=True):
            assert one["word"] == text[two["start"] : two["end"]]
            if simple:
                assert one["word"].strip() == two["word"].strip()


@pytest.mark.parametrize("impossible", [False, True])
def test_answer(pipelines, impossible):
    questions = ["Who liked it?", "What?", "A word"]
    model = pipelines.add(
        "question-answering",
        "ForQuestionAnswering",
        [
            {"question": question, "context": context}
            for question, context in zip(questions, TEXTS, strict=True)
        ],
        handle_impossible_answer=impossible,
        align_to_words=False,
        max_answer_len=6,
        max_seq_len=64,
        doc_stride=8,
    )
    (theirs,) = pipelines.run()
    ours = answer(
        model,
        pipelines.tokenizer,
        questions,
        TEXTS,
        max_answer_len=6,
        impossible=impossible,
    )
    assert_same(ours, theirs, ("score", "start", "end", "answer"))
    assert np.all([row["score"] > 0 for row in ours])

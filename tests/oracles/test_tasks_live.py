"""The task helpers against transformers' pipelines.

The same weights, texts of one window. What differs on purpose is in the
tests: of several masks we leave out `<s>` and `</s>` in `sequence`; words end
at any white space; and one label is regression, as the loss has it, so that
its value stays as it is.
"""

import json
from pathlib import Path

import comparison
import foreign_tokenizer_worker
import pytest
from helpers import checks
from helpers import tiny
from helpers.small_tokenizer import FOLDER as SMALL

import tf_longformer
from tf_longformer import LongformerTokenizerFast
from tf_longformer.tasks import answer
from tf_longformer.tasks import classify
from tf_longformer.tasks import fill_mask
from tf_longformer.tasks import tag

pytestmark = pytest.mark.oracle
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

    def run(self, version=4):
        """Returns the pipelines' results, of a version of transformers."""
        cases, results = self.folder / "cases.json", self.folder / "results"
        cases.write_text(json.dumps(self.cases), "utf-8")
        comparison.run_oracle(version, cases, results, script="pipeline_worker")
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
    targets = ["the", "\u0120film", " in Oslo", "long"]
    models = [
        pipelines.add("fill-mask", "ForMaskedLM", texts, top_k=4),
        pipelines.add("fill-mask", "ForMaskedLM", several, top_k=3),
        pipelines.add("fill-mask", "ForMaskedLM", texts[0], targets=targets),
    ]
    one, two, of_targets = pipelines.run()
    names = ("score", "token", "token_str", "sequence")
    found = fill_mask(models[0], pipelines.tokenizer, texts, top_k=4)
    for ours, theirs in zip(found, one, strict=True):
        assert_same(ours, theirs, names)
    found = fill_mask(models[1], pipelines.tokenizer, several, top_k=3)
    for ours, theirs in zip(found, two, strict=True):
        for item in theirs:
            item["sequence"] = item["sequence"][len("<s>") : -len("</s>")]
        assert_same(ours, theirs, names)
    found = fill_mask(models[2], pipelines.tokenizer, texts[0], targets=targets)
    assert len(found) == len(targets)
    assert_same(found, of_targets, names)


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
# Without white space but spaces, at which the pipeline's words end.
HOSTILE = [
    "  U.S.-based  O'Neil's 3.5% (Oslo)...  and  so   on ",
    "caf\u00e9 na\u00efve e\u0301 \u0130stanbul \ufb01n \U0001d4b3",
    "an \U0001f600\U0001f469\u200d\U0001f469\u200d\U0001f467 \u200bend",
    "a <mask> b</s> c <s>",
    "\u4e2d\u6587\u5b57 \uac00\ub098 " + "x" * 30 + " \x00 \x7f",
    "",
]


# Version 5 has no pipeline for question answering any more.
@pytest.mark.parametrize("version", [4, 5])
def test_tag(pipelines, version):
    strategies = ["none", "simple", "first", "average", "max"]
    cases = [(strategy, ["O"]) for strategy in strategies]
    cases += [("none", ["B-PER"]), ("first", ["O", "PER"]), ("max", [])]
    texts = [*TEXTS, *HOSTILE]
    model = None
    for strategy, ignored in cases:
        model = pipelines.add(
            "token-classification",
            "ForTokenClassification",
            texts,
            fields={"num_labels": None, "id2label": dict(enumerate(NAMES))},
            aggregation_strategy=strategy,
            ignore_labels=ignored,
        )
    found = pipelines.run(version)
    numbers = []
    for (strategy, ignored), theirs in zip(cases, found, strict=True):
        numbers.append(sum(map(len, theirs)))
        ours = tag(
            model,
            pipelines.tokenizer,
            texts,
            aggregation_strategy=strategy,
            ignore_labels=ignored,
        )
        names = ["entity_group", "score", "start", "end", "word"]
        if strategy == "none":
            names = ["entity", "index", *names[1:]]
        for row, other in zip(ours, theirs, strict=True):
            assert len(row) == len(other)
            for one, mine in zip(other, row, strict=True):
                # It decodes what is decoded, which breaks Latin letters.
                if "\ufffd" in one["word"]:
                    one["word"] = mine["word"]
            assert_same(row, other, names)
    # The strategies find something, and not the same.
    assert min(numbers) > 5
    assert len(set(numbers)) > 3


# "Oslo" in both cases, so that answers with one text are found twice.
AGAIN = "oslo Oslo OSLO, liked Oslo. Oslo oslo liked oslo"


@pytest.mark.parametrize(
    ("top_k", "impossible", "align"),
    [(1, False, False), (1, True, True), (20, True, False), (5, False, True)],
)
def test_answer(pipelines, top_k, impossible, align):
    questions = ["Who liked it?", "What?", "A word", "Where?"]
    contexts = [*TEXTS, AGAIN]
    model = pipelines.add(
        "question-answering",
        "ForQuestionAnswering",
        [
            {"question": question, "context": context}
            for question, context in zip(questions, contexts, strict=True)
        ],
        handle_impossible_answer=impossible,
        align_to_words=align,
        top_k=top_k,
        max_answer_len=6,
        max_seq_len=64,
        doc_stride=8,
    )
    (theirs,) = pipelines.run()
    ours = answer(
        model,
        pipelines.tokenizer,
        questions,
        contexts,
        top_k=top_k,
        max_answer_len=6,
        impossible=impossible,
        align_to_words=align,
    )
    if top_k == 1:
        ours, theirs = [[one] for one in ours], [[one] for one in theirs]
    for row, other in zip(ours, theirs, strict=True):
        # Where there are too few spans it also finds some that are none.
        assert all(one["score"] == 0 for one in other[len(row) :])
        assert_same(row, other[: len(row)], ("score", "start", "end", "answer"))
        assert min(one["score"] for one in row) > 0
    # Some answers of one text have become one.
    assert top_k < 20 or len(ours[-1]) < top_k


@pytest.mark.parametrize("version", [4, 5])
def test_tokenizers_of_transformers(tmp_path, version):
    """Every task and encoder gives with theirs what it gives with ours."""
    folder, results = tmp_path / "tokenizer", tmp_path / "results.json"
    # The package alone, without the libraries that are installed beside it.
    path = tmp_path / "path"
    path.mkdir()
    package = Path(tf_longformer.__file__).parent
    (path / "tf_longformer").symlink_to(package)
    LongformerTokenizerFast.from_pretrained(
        SMALL, model_max_length=64, add_prefix_space=True
    ).save_pretrained(folder)
    comparison.run_oracle(
        version,
        folder,
        results,
        script="foreign_tokenizer_worker",
        path=path,
    )
    found = json.loads(results.read_text("utf-8"))
    expected = foreign_tokenizer_worker.results(
        LongformerTokenizerFast.from_pretrained(folder)
    )
    assert found == expected

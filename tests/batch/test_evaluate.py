"""`tf-longformer evaluate`: files of examples in, the field's metrics out."""

import csv
import json
import math

import numpy as np
import pytest
from helpers.tiny import make_model

from tf_longformer import LongformerTokenizerFast
from tf_longformer import export_saved_model
from tf_longformer import metrics
from tf_longformer.batch import evaluation
from tf_longformer.batch.checkpoint_predictor import CheckpointPredictor
from tf_longformer.batch.evaluation import Settings
from tf_longformer.batch.evaluation import evaluate_file
from tf_longformer.cli.app import main
from tf_longformer.entity_schemes import label_list
from tf_longformer.tasks import answer
from tf_longformer.tasks import choose
from tf_longformer.tasks import classify
from tf_longformer.tasks import tag
from tf_longformer.tasks import tag_words
from tf_longformer.tasks.masked_losses import masked_losses

WORDS = "the small red fox saw a dog of old Anna Berg near Oslo".split()
RNG = np.random.default_rng(20200410)
TEXTS = [" ".join(RNG.choice(WORDS, size)) for size in (3, 60, 9, 1, 30, 17)]
NAMES = label_list(["LOC", "PER"])
FIELDS = {
    "ForTokenClassification": {
        "num_labels": None,
        "id2label": dict(enumerate(NAMES)),
        "task_specific_params": {
            "token-classification": {"aggregation_strategy": "simple"}
        },
    },
    "ForSequenceClassification": {
        "num_labels": None,
        "id2label": {0: "no", 1: "yes", 2: "maybe"},
    },
}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    made = LongformerTokenizerFast.train_from_iterator(
        [" ".join(WORDS)] * 5, vocab_size=330, show_progress=False
    )
    folder = tmp_path_factory.mktemp("tokenizer")
    made.save_pretrained(folder)
    return LongformerTokenizerFast.from_pretrained(
        folder, add_prefix_space=True
    )


@pytest.fixture
def make(tokenizer, tmp_path):
    """Makes a checkpoint and what predicts with it, without compiling it."""

    def make(head, **fields):
        model = make_model(
            head,
            vocab_size=len(tokenizer),
            **{**FIELDS.get(head, {}), **fields},
        )
        folder = tmp_path / head
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        predictor = CheckpointPredictor(str(folder))
        predictor.model.run_eagerly = True
        return predictor

    return make


def write(path, records):
    if path.suffix == ".csv":
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, records[0])
            writer.writeheader()
            writer.writerows(records)
    else:
        lines = "".join(json.dumps(record) + "\n" for record in records)
        path.write_text(lines, "utf-8")
    return path


def read(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def near(expected):
    """The same texts, and numbers but for rounding."""
    if isinstance(expected, dict):
        return {name: near(value) for name, value in expected.items()}
    if isinstance(expected, str):
        return expected
    return pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_labels(make, tmp_path, tokenizer):
    predictor = make("ForSequenceClassification")
    # A name, or a number in its place.
    labels = ["no", "yes", "2", "no", "0", "maybe"]
    ids = [0, 1, 2, 0, 0, 2]
    found = classify(predictor.model, tokenizer, TEXTS)
    names = ["no", "yes", "maybe"]
    best = [names.index(rows[0]["label"]) for rows in found]
    expected = metrics.text_classification_metrics(best, ids)
    records = [
        {"body": text, "label": label}
        for text, label in zip(TEXTS, labels, strict=True)
    ]
    settings = Settings(columns={"text": "body"})
    for name in ("in.jsonl", "in.csv"):
        source = write(tmp_path / name, records)
        given = evaluate_file(predictor, source, settings, batch_rows=2)
        assert given == {
            "task": "text-classification", "examples": 6, **expected
        }  # fmt: skip
    source = write(tmp_path / "in.jsonl", [*records, {"body": "a", "label": 3}])
    with pytest.raises(ValueError, match="line 7: A label must be one that"):
        evaluate_file(predictor, source, settings)


def test_several_labels_and_values(make, tmp_path, tokenizer):
    kind = "multi_label_classification"
    predictor = make("ForSequenceClassification", problem_type=kind)
    labels = [["no"], ["yes", "maybe"], [], ["no", "yes", "maybe"], ["no"], []]
    found = classify(predictor.model, tokenizer, TEXTS)
    scores = [{one["label"]: one["score"] for one in row} for row in found]
    names = ["no", "yes", "maybe"]
    expected = metrics.text_classification_metrics(
        [[row[name] for name in names] for row in scores],
        [[name in row for name in names] for row in labels],
        kind,
    )
    pairs = list(zip(TEXTS, labels, strict=True))
    records = [{"text": text, "label": label} for text, label in pairs]
    source = write(tmp_path / "in.jsonl", records)
    given = evaluate_file(predictor, source)
    assert {name: given[name] for name in expected} == near(expected)

    predictor = make("ForSequenceClassification", num_labels=1, id2label=None)
    values = [0.5, 1, -2.25, 3, 0.125, 7]
    records = [
        {"text": text, "label": value}
        for text, value in zip(TEXTS, values, strict=True)
    ]
    given = evaluate_file(predictor, write(tmp_path / "in.jsonl", records))
    found = classify(predictor.model, tokenizer, TEXTS)
    expected = metrics.text_classification_metrics(
        [row[0]["score"] for row in found], values, "regression"
    )
    assert {name: given[name] for name in expected} == near(expected)
    source = write(tmp_path / "in.jsonl", [{"text": "a", "label": "no"}])
    with pytest.raises(ValueError, match="line 1: A model of one value"):
        evaluate_file(predictor, source)


def test_entities_of_words_and_of_texts(make, tmp_path, tokenizer):
    predictor = make("ForTokenClassification")
    model = predictor.model
    words = [text.split() for text in TEXTS]
    labels = [
        [NAMES[number] for number in RNG.integers(0, 5, len(row))]
        for row in words
    ]
    records = [
        {"tokens": row, "labels": of_row}
        for row, of_row in zip(words, labels, strict=True)
    ]
    source = write(tmp_path / "words.jsonl", records)
    for length in (None, 9):
        settings = Settings(max_length=length, stride=3, strict=True)
        given = evaluate_file(predictor, source, settings)
        limits = {"stride": 3, "max_length": length}
        found = tag_words(model, tokenizer, words, **limits)
        expected = metrics.entity_metrics(found, labels, strict=True)
        assert {name: given[name] for name in expected} == near(expected)
        # Of texts those that are found are right, and some more.
        found = [
            # Tokens of white space alone aren't entities.
            [one for one in row if one["start"] < one["end"]]
            for row in tag(model, tokenizer, TEXTS, **limits)
        ]
        records = [
            {
                "text": text,
                "entities": [
                    {
                        "start": one["start"],
                        "end": one["end"],
                        "label": one["entity_group"],
                    }
                    for one in row[::2]
                ],
            }
            for text, row in zip(TEXTS, found, strict=True)
        ]
        texts = write(tmp_path / "texts.jsonl", records)
        given = evaluate_file(predictor, texts, settings)
        count = sum(map(len, found))
        half = sum(len(row[::2]) for row in found)
        assert given["recall"] == 1
        assert given["precision"] == near(half / count)
        assert given["LOC_number"] + given["PER_number"] == half
    both = tmp_path / "both.jsonl"
    both.write_bytes(source.read_bytes() + texts.read_bytes())
    with pytest.raises(ValueError, match="all words or all texts"):
        evaluate_file(predictor, both, settings)
    with pytest.raises(ValueError, match="Entities are measured, not tokens"):
        evaluate_file(predictor, texts, Settings(aggregation="none"))
    wrong = [{"text": "a", "entities": [{"start": 0, "end": 2, "label": "A"}]}]
    with pytest.raises(ValueError, match="line 1: An entity must lie within"):
        evaluate_file(predictor, write(tmp_path / "x.jsonl", wrong))


def test_answers(make, tmp_path, tokenizer):
    predictor = make("ForQuestionAnswering")
    contexts = [f"{text} {TEXTS[1]}" for text in TEXTS]
    found = answer(
        predictor.model, tokenizer, ["a dog"] * 6, contexts,
        max_answer_len=5, max_length=20, stride=4,
    )  # fmt: skip
    records = []
    for number, context in enumerate(contexts):
        one = found[number]
        start = one["start"] if number % 2 else 0
        text = context[start : one["end"]]
        gold = {"text": [text], "answer_start": [start]}
        records.append(
            {"question": "a dog", "context": context, "answers": gold}
        )
    source = write(tmp_path / "in.jsonl", records)
    settings = Settings(max_answer_length=5, max_length=20, stride=4)
    written = tmp_path / "out.jsonl"
    given = evaluate_file(predictor, source, settings, written)
    lines = read(written)
    assert [line["answer"]["answer"] for line in lines] == [
        one["answer"] for one in found
    ]
    assert "NoAns_f1" not in given
    expected = metrics.question_answering_metrics(
        {str(n): one["answer"] for n, one in enumerate(found)},
        {str(n): line["expected"] for n, line in enumerate(lines)},
    )
    assert {name: given[name] for name in expected} == near(expected)
    # With a question that has no answer, and a threshold.
    records[0] |= {"answers": [], "id": "q"}
    source = write(tmp_path / "in.jsonl", records)
    settings = settings._replace(null_threshold=-math.inf)
    given = evaluate_file(predictor, source, settings, written, overwrite=True)
    assert given["NoAns_exact"] == given["NoAns_total"] * 100 == 100
    assert given["HasAns_exact"] == 0
    assert given["best_exact"] >= given["exact_match"]
    assert read(written)[0]["id"] == "q"


def test_choices(make, tmp_path, tokenizer):
    predictor = make("ForMultipleChoice")
    choices = [["a", "dog"], ["a", "Oslo", "the fox"]] * 3
    found = choose(predictor.model, tokenizer, TEXTS, choices)
    right = [one["choice"] for one in found]
    right[0] = 1 - right[0]
    records = [
        {"prompt": text, "choices": row, "label": label}
        for text, row, label in zip(TEXTS, choices, right, strict=True)
    ]
    given = evaluate_file(predictor, write(tmp_path / "in.jsonl", records))
    assert given["accuracy"] == near(5 / 6)


def test_masked_language_models(make, tmp_path, tokenizer):
    predictor = make("ForMaskedLM")
    records = [{"text": text} for text in TEXTS]
    source = write(tmp_path / "in.jsonl", records)
    one = evaluate_file(predictor, source, batch_rows=1)
    other = evaluate_file(predictor, source, batch_tokens=40)
    assert one == near(other)
    uniform = math.log(len(tokenizer))
    assert one["loss"] == pytest.approx(uniform, rel=0.3)
    assert one["perplexity"] == near(math.exp(one["loss"]))
    sums = masked_losses(predictor.model, tokenizer, TEXTS, probability=1.0)
    # All tokens but special ones, whose characters are all but the spaces.
    sizes = [len(text.replace(" ", "")) for text in TEXTS]
    assert [row["characters"] for row in sums] == sizes
    lone = masked_losses(predictor.model, tokenizer, TEXTS[1:2], 1.0)
    assert lone[0] == near(sums[1])
    assert evaluate_file(predictor, source, Settings(seed=1)) != one


def test_the_command(make, tmp_path, capsys, monkeypatch):
    def run(*arguments):
        with pytest.raises(SystemExit) as error:
            main(["evaluate", *map(str, arguments)])
        captured = capsys.readouterr()
        return error.value.code, captured.out, captured.err

    predictor = make("ForSequenceClassification")
    # Not loaded again.
    monkeypatch.setattr(
        "tf_longformer.batch.checkpoint_predictor.CheckpointPredictor",
        lambda name: predictor,
    )
    monkeypatch.setattr(
        evaluation, "CheckpointPredictor", type(predictor), raising=True
    )
    records = [{"body": text, "label": "no"} for text in TEXTS]
    source = write(tmp_path / "in.jsonl", records)
    folder = tmp_path / "ForSequenceClassification"
    target = tmp_path / "new/metrics.json"
    written = tmp_path / "said.jsonl"
    code, out, err = run(
        folder, source, "--column", "text=body", "--output", target,
        "--predictions", written,
    )  # fmt: skip
    assert (code, err) == (0, "")
    found = json.loads(target.read_text("utf-8"))
    assert found["task"] == "text-classification"
    assert "macro_f1" in out
    assert f"{found['accuracy']:.4f}" in out
    assert len(read(written)) == found["examples"] == 6
    assert read(written)[0]["expected"] == "no"
    code, _, err = run(folder, source, "--output", target)
    assert (code, "Give another path" in err) == (2, True)
    code, _, err = run(folder, source)
    assert (code, "The column 'text' must be there" in err) == (2, True)
    code, _, err = run(folder, source, "--column", "words=body")
    assert (code, "The columns of text-classification" in err) == (2, True)
    empty = tmp_path / "empty"
    empty.touch()
    code, _, err = run(folder, empty)
    assert (code, "at least one example" in err) == (2, True)


@pytest.mark.slow
def test_an_export_is_measured_as_its_checkpoint(make, tmp_path, tokenizer):
    from tf_longformer.batch.saved_model_predictor import SavedModelPredictor

    short = [text[:60] for text in TEXTS]
    records = {
        "ForSequenceClassification": [
            {"text": text, "label": "no"} for text in short
        ],
        "ForTokenClassification": [
            {"text": text, "entities": [[0, 3, "PER"]]} for text in short
        ],
        "ForMultipleChoice": [
            {"prompt": text, "choices": ["a", "dog"], "label": 1}
            for text in short
        ],
    }
    for head, rows in records.items():
        predictor = make(head, max_position_embeddings=200)
        source = write(tmp_path / "in.jsonl", rows)
        expected = evaluate_file(predictor, source)
        folder = tmp_path / f"{head}-export"
        export_saved_model(predictor.model, folder / "1", tokenizer)
        exported = SavedModelPredictor(folder)
        assert evaluate_file(exported, source) == near(expected)
        with pytest.raises(ValueError, match="windows and words of its own"):
            evaluate_file(exported, source, Settings(max_length=9))

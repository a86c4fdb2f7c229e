"""Metrics of each task; numbers of scikit-learn, seqeval and SQuAD's script.

`tests/oracles/test_metrics_live.py` asks these for more.
"""

import math
import subprocess
import sys

import numpy as np
import pytest

from tf_longformer.metrics import entity_metrics
from tf_longformer.metrics import masked_lm_metrics
from tf_longformer.metrics import multiple_choice_metrics
from tf_longformer.metrics import question_answering_metrics
from tf_longformer.metrics import span_metrics
from tf_longformer.metrics import text_classification_metrics

REGRESSION = "regression"
MULTI = "multi_label_classification"


def near(expected):
    return pytest.approx(expected, abs=1e-6)


def test_one_label_a_text():
    labels = [0, 1, 2, 2, -100]
    predicted = [0, 2, 2, 1, 0]
    found = text_classification_metrics(predicted, labels)
    assert found == near({"accuracy": 0.5, "macro_f1": 0.5})
    # Scores, and a label that nobody expects or predicts.
    scores = np.eye(4)[predicted]
    assert text_classification_metrics(scores, labels) == found
    assert text_classification_metrics([[3.0], [1]], [[3], [0]]) == near(
        {"accuracy": 0.5, "macro_f1": 1 / 3}
    )


def test_several_labels_a_text():
    labels = [[1, 0, 1], [0, 0, 1]]
    scores = np.array([[0.9, 0.2, 0.5], [0.1, 0.3, 0.7]])
    expected = {"micro_f1": 0.8, "macro_f1": 5 / 9, "subset_accuracy": 0.5}
    assert text_classification_metrics(scores, labels, MULTI) == near(expected)
    logits = np.log(scores / (1 - scores))
    found = text_classification_metrics(logits, labels, MULTI, threshold=0)
    assert found == near(expected)
    assert text_classification_metrics(scores > 0.5, labels, MULTI) == found
    with pytest.raises(ValueError, match="probabilities.*threshold=0"):
        text_classification_metrics(logits, labels, MULTI)


def test_values_of_texts():
    found = text_classification_metrics(
        [[1.0], [2], [4], [4]], [1, 3, 2, 4], REGRESSION
    )
    assert found == near(
        {"mse": 1.25, "mae": 0.75, "pearson": 0.602464, "spearman": 0.632456}
    )
    # A constant has no correlation, whatever its rounding.
    found = text_classification_metrics([0.1] * 3, [1, 2, 3], REGRESSION)
    assert found["pearson"] == found["spearman"] == 0
    tiny = np.array([1.0, 2, 4]) * 1e-200
    found = text_classification_metrics(tiny, tiny, REGRESSION)
    assert found["pearson"] == near(1)


def test_choices():
    assert multiple_choice_metrics([[1, 3], [2, 0]], [1, 1]) == {
        "accuracy": 0.5
    }
    rows = [[0.1, 0.2, 0.7], [0.5, 0.5], [1, 2]]
    assert multiple_choice_metrics(rows, [2, 0, -100]) == {"accuracy": 1}
    with pytest.raises(ValueError, match="number of a choice"):
        multiple_choice_metrics(rows, [0, 2, 0])


@pytest.mark.parametrize(
    ("given", "labels", "kind", "message"),
    [
        ([1, 2], [1], "single_label_classification", r"shapes \(2,\) and \(1,"),
        ([1, 2], [-100, -100], "single_label_classification", "but -100"),
        ([], [], "single_label_classification", "at least one row"),
        ([[0.1, 0.9]], [2], "single_label_classification", "below 2"),
        ([0.5], [1], "single_label_classification", "whole numbers"),
        ([np.nan], [1.0], REGRESSION, "must be finite"),
        (["x"], [1.0], REGRESSION, "must be numbers"),
        ([[0.1]], [[2]], MULTI, "labels of 0 and 1"),
        ([1], [1], "multi", "single_label_classification, multi_label"),
    ],
)
def test_what_is_no_prediction_is_an_error(given, labels, kind, message):
    with pytest.raises(ValueError, match=message):
        text_classification_metrics(given, labels, kind)


def test_entities():
    expected = [["B-PER", "I-PER", "O", "B-LOC"], ["B-PER", "B-PER"]]
    predicted = [["I-PER", "I-PER", "O", "B-ORG"], ["B-PER", "O"]]
    found = entity_metrics(predicted, expected)
    assert found == near(
        {
            **{"precision": 2 / 3, "recall": 0.5, "f1": 4 / 7},
            "accuracy": 0.5,
            **{"LOC_precision": 0, "LOC_recall": 0, "LOC_f1": 0},
            **{"LOC_number": 1, "ORG_number": 0, "PER_number": 3},
            **{"ORG_precision": 0, "ORG_recall": 0, "ORG_f1": 0},
            **{"PER_precision": 1, "PER_recall": 2 / 3, "PER_f1": 0.8},
        }
    )
    assert next(iter(found)) == "precision"
    strict = entity_metrics(predicted, expected, strict=True)
    assert strict["PER_recall"] == near(1 / 3)
    # BILOU means in seqeval's default mode what BIOES does.
    for scheme, rows in {
        "BILOU": [["B-A", "L-A", "U-A", "I-A"], ["B-A", "I-A", "I-A", "I-A"]],
        "BIOES": [["B-A", "E-A", "S-A", "I-A"], ["B-A", "I-A", "I-A", "I-A"]],
    }.items():
        for given in (scheme, None):
            found = entity_metrics([rows[0]], [rows[1]], scheme=given)
            assert found["A_precision"] == 0
            found = entity_metrics([rows[0]], [rows[0]], scheme=given)
            assert found["A_number"] == 3


def test_entities_as_spans_of_characters():
    expected = [[("PER", 0, 4), ("LOC", 9, 12)], []]
    predicted = [[("PER", 0, 4), ("PER", 9, 12)], [("LOC", 1, 2)]]
    found = span_metrics(predicted, expected)
    assert found["precision"] == near(1 / 3)
    assert found["recall"] == near(0.5)
    assert found["LOC_f1"] == 0


@pytest.mark.parametrize(
    ("predicted", "expected", "options", "error", "message"),
    [
        (
            [["O"]],
            [["O"], ["O"]],
            {},
            ValueError,
            "documents. Received: 1 pred",
        ),
        ([["O"]], [["O", "O"]], {}, ValueError, "labels of document 0"),
        ([], [], {}, ValueError, "at least one word"),
        (["O"], [["O"]], {}, TypeError, r"`predicted\[0\]` must be a list"),
        ([["A"]], [["O"]], {"strict": True}, ValueError, "BIO, BIOES or BILOU"),
        ([["E-A"]], [["O"]], {"scheme": "BIO"}, ValueError, "Labels of BIO"),
        ([["O"]], [["O"]], {"scheme": "x"}, ValueError, "one of BIO, IOB1"),
    ],
)
def test_labels_that_dont_fit(predicted, expected, options, error, message):
    with pytest.raises(error, match=message):
        entity_metrics(predicted, expected, **options)


def test_answers():
    references = {
        "exact": ["The cat-fish!", "a dog"],
        "part": ["in the year 1867", "1867 or so"],
        "none": [],
    }
    predictions = {"exact": "catfish", "part": "year 1867", "none": ""}
    found = question_answering_metrics(predictions, references)
    assert found == near(
        {
            **{"exact_match": 200 / 3, "f1": 100 * (1 + 0.8 + 1) / 3},
            **{"HasAns_exact": 50, "HasAns_f1": 90, "HasAns_total": 2},
            **{"NoAns_exact": 100, "NoAns_f1": 100, "NoAns_total": 1},
        }
    )
    answerable = {key: references[key] for key in ("exact", "part")}
    given = {key: predictions[key] for key in answerable}
    assert question_answering_metrics(given, answerable) == near(
        {"exact_match": 50, "f1": 90}
    )


def test_the_best_threshold_of_no_answer():
    references = {"a": ["x"], "b": [], "c": ["y"]}
    predictions = {"a": "x", "b": "wrong", "c": "wrong"}
    # "a" and "b" have one score: no threshold parts them.
    scores = {"a": -2.0, "b": -2.0, "c": 3.0}
    found = question_answering_metrics(predictions, references, scores)
    assert found["exact_match"] == near(100 / 3)
    assert found["best_exact"] == near(100 / 3)
    assert found["best_exact_thresh"] < -2
    scores["b"] = -1.0
    found = question_answering_metrics(predictions, references, scores)
    assert found["best_exact"] == found["best_f1"] == near(200 / 3)
    assert found["best_f1_thresh"] == -2


def test_ids_of_questions_must_agree():
    with pytest.raises(ValueError, match="1 missing .*1 unknown"):
        question_answering_metrics({"a": "x"}, {"b": ["x"]})
    with pytest.raises(ValueError, match="at least one question"):
        question_answering_metrics({}, {})
    with pytest.raises(TypeError, match=r"Write \[answer\]"):
        question_answering_metrics({"a": "x"}, {"a": "x"})


def test_masked_language_models():
    found = masked_lm_metrics(
        loss_sum=20 * math.log(2), tokens=10, characters=4
    )
    assert found == near(
        {"loss": 2 * math.log(2), "perplexity": 4, "bits_per_character": 5}
    )
    assert set(masked_lm_metrics(1.0, 1)) == {"loss", "perplexity"}
    for loss, tokens in ((math.nan, 1), (1.0, 0)):
        with pytest.raises(ValueError, match="Received"):
            masked_lm_metrics(loss, tokens)


def test_no_backend_is_imported():
    code = "import sys, tf_longformer.metrics; print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "'numpy'" in done.stdout
    assert "'keras'" not in done.stdout
    assert "'tensorflow'" not in done.stdout

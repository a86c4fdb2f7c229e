"""Metrics against scikit-learn, SciPy, seqeval and SQuAD's script."""

import json
import random

import comparison
import numpy as np
import pytest

from tf_longformer.metrics import entity_metrics
from tf_longformer.metrics import question_answering_metrics
from tf_longformer.metrics import text_classification_metrics

pytestmark = pytest.mark.oracle
RANDOM = random.Random(20200410)
# seqeval's names of schemes, and their markers.
SCHEMES = {"IOB2": "BI", "IOB1": "BI", "IOBES": "BIES", "BILOU": "BILU"}
WORDS = ["the", "The", "a", "an", "red-hot", "dog", "dog.", "¿dog?", "x", "1,5"]


def assert_same(version, cases, folder):
    """Scores cases, which are a function, its arguments and our result."""
    source, target = folder / "cases.json", folder / "results.json"
    listed = [{"function": c[0], "arguments": c[1]} for c in cases]
    source.write_text(json.dumps(listed), "utf-8")
    comparison.run_oracle(version, source, target, script="metrics_oracle")
    theirs = json.loads(target.read_text("utf-8"))
    for (function, arguments, ours), expected in zip(
        cases, theirs, strict=True
    ):
        names = set(ours) if function == "answers" else set(expected)
        assert set(ours) == names
        for name in ours:
            assert ours[name] == pytest.approx(expected[name], abs=1e-9), (
                function,
                name,
                arguments,
            )


def draw_labels(markers, words):
    kinds = ["PER", "LOC", "e-mail"][: RANDOM.randint(1, 3)]
    names = [f"{m}-{k}" for m in markers for k in kinds]
    # At times all that a scheme can be is there, as seqeval finds it by that.
    names += ["O"] * RANDOM.choice([1, 4])
    return [RANDOM.choice(names) for _ in range(words)]


def test_labels_values_and_entities(tmp_path):
    draw = np.random.default_rng(1)
    cases = []
    for _ in range(30):
        rows, classes = draw.integers(1, 40), draw.integers(2, 6)
        ours, theirs = draw.integers(0, classes, (2, rows))
        found = text_classification_metrics(ours, theirs)
        cases.append(("single_label", [ours.tolist(), theirs.tolist()], found))
        ours, theirs = draw.integers(0, 2, (2, rows, classes))
        kind = "multi_label_classification"
        found = text_classification_metrics(ours, theirs, kind)
        cases.append(("multi_label", [ours.tolist(), theirs.tolist()], found))
        # With ties, and more than one, whose correlation isn't a number.
        ours, theirs = draw.integers(0, 9, (2, rows + 9)) / 7 - 0.3
        found = text_classification_metrics(ours, theirs, "regression")
        cases.append(("regression", [ours.tolist(), theirs.tolist()], found))
    for scheme, markers in SCHEMES.items():
        for number in range(60):
            sizes = [RANDOM.randint(1, 12) for _ in range(RANDOM.randint(1, 4))]
            ours, theirs = (
                [draw_labels(markers, size) for size in sizes] for _ in range(2)
            )
            strict = number % 3 > 0
            # seqeval's default knows no L and no U.
            if not strict and scheme == "BILOU":
                continue
            found = entity_metrics(ours, theirs, strict=strict, scheme=scheme)
            arguments = [ours, theirs, scheme if strict else None]
            cases.append(("entities", arguments, found))
    ours, theirs = ([RANDOM.choices("BIO", k=40)] for _ in range(2))
    found = entity_metrics(ours, theirs)
    cases.append(("entities", [ours, theirs, None], found))
    assert_same("METRICS", cases, tmp_path)


def draw_answer():
    # With a word that counts: SQuAD 2's script takes "the" for no answer where
    # it scores, and for an answer where it counts those.
    return " ".join(["dog", *RANDOM.choices(WORDS, k=RANDOM.randint(0, 4))])


def test_answers(tmp_path):
    cases = []
    for number in range(60):
        # SQuAD's script fails where no question has an answer.
        keys = [str(key) for key in range(RANDOM.randint(1, 8))]
        references = {
            key: [draw_answer() for _ in range(RANDOM.randint(key == "0", 3))]
            for key in keys
        }
        predictions = {
            key: "  ".join(RANDOM.choices(WORDS[4:], k=RANDOM.randint(0, 4)))
            for key in keys
        }
        scores = {key: RANDOM.uniform(0, 1) for key in keys}
        if number % 2:
            scores = None
        found = question_answering_metrics(predictions, references, scores)
        # SQuAD 1's script calls it so.
        found["exact"] = found.pop("exact_match")
        cases.append(("answers", [predictions, references, scores], found))
    assert_same(4, cases, tmp_path)

"""The field's own scorers; runs in an oracle's environment.

Usage: python metrics_oracle.py CASES RESULTS

CASES is a JSON list of {"function": "...", "arguments": [...]}, RESULTS the
list of what each function of this module returned.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any


def single_label(predicted: list[int], expected: list[int]) -> dict[str, float]:
    """Of scikit-learn."""
    from sklearn import metrics

    return {
        "accuracy": metrics.accuracy_score(expected, predicted),
        "macro_f1": metrics.f1_score(
            expected, predicted, average="macro", zero_division=0
        ),
    }


def multi_label(predicted: list, expected: list) -> dict[str, float]:
    """Of scikit-learn."""
    import numpy as np
    from sklearn import metrics

    ours, theirs = np.array(predicted), np.array(expected)
    found = {
        f"{average}_f1": metrics.f1_score(
            theirs, ours, average=average, zero_division=0
        )
        for average in ("micro", "macro")
    }
    return {**found, "subset_accuracy": metrics.accuracy_score(theirs, ours)}


def regression(predicted: list, expected: list) -> dict[str, float]:
    """Of scikit-learn and SciPy."""
    from scipy import stats
    from sklearn import metrics

    return {
        "mse": metrics.mean_squared_error(expected, predicted),
        "mae": metrics.mean_absolute_error(expected, predicted),
        "pearson": stats.pearsonr(predicted, expected).statistic,
        "spearman": stats.spearmanr(predicted, expected).statistic,
    }


def entities(
    predicted: list, expected: list, scheme: str | None
) -> dict[str, float]:
    """Of seqeval; strict with a scheme."""
    from seqeval import metrics
    from seqeval import scheme as schemes

    options: dict[str, Any] = {"zero_division": 0}
    if scheme is not None:
        options |= {"mode": "strict", "scheme": getattr(schemes, scheme)}
    report = metrics.classification_report(
        expected, predicted, output_dict=True, **options
    )
    average = report["micro avg"]
    found = {
        "precision": average["precision"],
        "recall": average["recall"],
        "f1": average["f1-score"],
        "accuracy": metrics.accuracy_score(expected, predicted),
    }
    for kind, of_kind in report.items():
        if not kind.endswith(" avg"):
            found[f"{kind}_precision"] = of_kind["precision"]
            found[f"{kind}_recall"] = of_kind["recall"]
            found[f"{kind}_f1"] = of_kind["f1-score"]
            found[f"{kind}_number"] = of_kind["support"]
    return found


def answers(
    predicted: dict, references: dict, no_answer_scores: dict | None
) -> dict[str, float]:
    """Of transformers, which has SQuAD 2's script."""
    from transformers.data.metrics.squad_metrics import squad_evaluate
    from transformers.data.processors.squad import SquadExample

    examples = [
        SquadExample(
            key, "", "", None, None, "", answers=[{"text": t} for t in texts]
        )
        for key, texts in references.items()
    ]
    return squad_evaluate(examples, predicted, no_answer_scores)


def main(cases: str, results: str) -> None:
    """Scores all cases."""
    warnings.simplefilter("ignore")
    found = [
        globals()[case["function"]](*case["arguments"])
        for case in json.loads(Path(cases).read_text("utf-8"))
    ]
    Path(results).write_text(json.dumps(found, default=float), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

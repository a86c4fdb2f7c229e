"""Labels and values of texts, and choices, scored as scikit-learn does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_longformer.list_arguments import refuse_string

# Of a row that has no label. The loss leaves it out too.
IGNORED = -100


def text_classification_metrics(
    scores_or_predictions: Any,
    labels: Any,
    problem_type: str = "single_label_classification",
    threshold: float = 0.5,
) -> dict[str, float]:
    """Compares the labels, or the values, of texts with the right ones.

    Args:
        scores_or_predictions: for a single label floats `[texts, labels]`, of
            which the highest is the prediction, or ints `[texts]`. For
            several labels probabilities `[texts, labels]`, or bools or ints
            of 0 and 1. For regression values `[texts]` or `[texts, values]`.
        labels: ints `[texts]`, where -100 is left out; 0 and 1 `[texts,
            labels]` for several labels; values for regression.
        problem_type: str, the config's: `"single_label_classification"` (the
            default), `"multi_label_classification"` or `"regression"`.
        threshold: float, above which a label of several is predicted. Defaults
            to `0.5`; pass `0` for logits.

    Returns:
        Dict of floats. For a single label `accuracy`, and `macro_f1`, the mean
        of the F1 of all labels that are expected or predicted. For several
        `micro_f1`, `macro_f1` (of all labels) and `subset_accuracy` (the share
        of texts whose labels are all right). For regression `mse`, `mae`,
        `pearson` and `spearman`, means over the values of a text; a
        correlation with a constant is 0.

    Raises:
        TypeError: for a string in the place of a list.
        ValueError: for another problem type, shapes that don't fit, numbers
            that aren't finite, or no text at all.
    """
    refuse_string("labels", labels)
    refuse_string("scores_or_predictions", scores_or_predictions)
    if problem_type == "single_label_classification":
        predicted, expected = _chosen(scores_or_predictions, labels)
        classes = np.union1d(predicted, expected)
        of_class = [_f1(predicted == c, expected == c) for c in classes]
        return {
            "accuracy": float(np.mean(predicted == expected)),
            "macro_f1": float(np.mean(of_class)),
        }
    given, wanted = _numbers(scores_or_predictions), _numbers(labels)
    if problem_type == "regression":
        _check_shapes(given.size, wanted.size, given.shape, wanted.shape)
        return _regression(*(x.reshape(len(x), -1) for x in (given, wanted)))
    if problem_type != "multi_label_classification":
        raise ValueError(
            "`problem_type` must be single_label_classification, "
            "multi_label_classification or regression. Received: "
            f"{str(problem_type)[:60]!r}. Pass the config's."
        )
    _check_shapes(given.shape, wanted.shape, given.shape, wanted.shape)
    is_share = threshold <= 0 or ((given >= 0) & (given <= 1)).all()
    if wanted.ndim != 2 or not is_share or not np.isin(wanted, (0, 1)).all():
        raise ValueError(
            "For several labels there must be probabilities, and labels of 0 "
            "and 1, `[texts, labels]`. Received: scores in "
            f"[{given.min():.3g}, {given.max():.3g}], labels in "
            f"[{wanted.min():.3g}, {wanted.max():.3g}], of shape "
            f"{wanted.shape}. Pass threshold=0 for logits."
        )
    chosen, right = given > threshold, wanted > 0
    of_class = [_f1(*column) for column in zip(chosen.T, right.T, strict=True)]
    return {
        "micro_f1": _f1(chosen, right),
        "macro_f1": float(np.mean(of_class)),
        "subset_accuracy": float(np.mean((chosen == right).all(1))),
    }


def multiple_choice_metrics(
    scores: Sequence[Any], labels: Sequence[int]
) -> dict[str, float]:
    """Compares the best choices with the right ones.

    Args:
        scores: floats `[questions, choices]`, or a list of a list for each
            question, which may have numbers of choices of their own. Or ints
            `[questions]`, the choices.
        labels: ints `[questions]`, from 0; -100 is left out.

    Returns:
        Dict with `accuracy`.

    Raises:
        TypeError: for a string in the place of a list.
        ValueError: for shapes that don't fit, numbers that aren't finite, or
            no question at all.
    """
    refuse_string("labels", labels)
    refuse_string("scores", scores)
    if len(scores) and np.ndim(scores[0]):
        # Rows may be of several lengths.
        best = [int(_numbers(row).argmax()) for row in scores]
        counts = np.array([len(row) for row in scores])
        if len(labels) == len(counts) and (np.asarray(labels) >= counts).any():
            raise ValueError(
                "A label must be the number of a choice, from 0. Received: "
                f"{max(labels)}, where there are {counts.min()} choices or "
                "more. Count from 0."
            )
        scores = best
    predicted, expected = _chosen(scores, labels)
    return {"accuracy": float(np.mean(predicted == expected))}


def _chosen(given: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns predicted and expected labels, without rows that have none."""
    scores, wanted = _numbers(given), _numbers(labels)
    wanted = wanted.reshape(-1) if wanted.ndim == 2 else wanted
    if scores.ndim == 2 and scores.shape[1] > 1:
        count = scores.shape[1]
        if wanted.size and wanted.max() >= count:
            raise ValueError(
                f"A label must be below {count}, the number of scores. "
                f"Received: {wanted.max():g}. Count from 0."
            )
        scores = scores.argmax(1)
    scores = scores.reshape(-1) if scores.ndim == 2 else scores
    _check_shapes(scores.shape, wanted.shape, np.shape(given), np.shape(labels))
    for name, values in (("labels", wanted), ("predictions", scores)):
        if values.ndim != 1 or (values != np.round(values)).any():
            raise ValueError(
                f"There must be whole numbers as {name}, one a row. Received: "
                f"{str(values[:5].tolist())[:100]}. Scores are `[rows, "
                "labels]`."
            )
    counted = wanted != IGNORED
    if not counted.any():
        raise ValueError(
            "There must be at least one label. Received: none but -100, which "
            "is left out."
        )
    return scores[counted].astype("int64"), wanted[counted].astype("int64")


def _regression(given: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    columns = list(zip(given.T, wanted.T, strict=True))
    ranks = [(_ranks(ours), _ranks(theirs)) for ours, theirs in columns]
    return {
        "mse": float(np.mean((given - wanted) ** 2)),
        "mae": float(np.mean(np.abs(given - wanted))),
        "pearson": float(np.mean([_correlation(*pair) for pair in columns])),
        "spearman": float(np.mean([_correlation(*pair) for pair in ranks])),
    }


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if not (np.ptp(one) and np.ptp(other)):
        return 0.0
    # Scaled first: squares of small numbers would be 0.
    one, other = ((x - x.mean()) / np.ptp(x) for x in (one, other))
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Returns the ranks of values, those of equal ones averaged."""
    _, place, counts = np.unique(
        values, return_inverse=True, return_counts=True
    )
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def _f1(chosen: np.ndarray, right: np.ndarray) -> float:
    """Returns the F1 of marked places; 0 where none are marked."""
    marked = chosen.sum() + right.sum()
    return float(2 * (chosen & right).sum() / marked) if marked else 0.0


def _numbers(values: Any) -> np.ndarray:
    try:
        array = np.asarray(values, "float64")
    except (TypeError, ValueError) as error:
        raise ValueError(
            "There must be numbers, as many in each row. Received: "
            f"{str(values)[:100]}."
        ) from error
    if not array.size:
        raise ValueError(
            "There must be at least one row, with a number. Received: none."
        )
    if not np.isfinite(array).all():
        raise ValueError(
            "All numbers must be finite. Received: "
            f"{int((~np.isfinite(array)).sum())} that aren't. See that the "
            "model's weights are finite."
        )
    return array


def _check_shapes(given: Any, wanted: Any, received: Any, labels: Any) -> None:
    if given != wanted:
        raise ValueError(
            "There must be a prediction for each label. Received: shapes "
            f"{tuple(received)} and {tuple(labels)}."
        )

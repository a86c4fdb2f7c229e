"""Labels of documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_longformer._configuration_labels import label_names
from tf_longformer.tasks import windows as parts


def classify(
    model: Any,
    tokenizer: Any,
    texts: str | Sequence[str],
    top_k: int | None = None,
    batch_size: int = 8,
    stride: int = 0,
    max_length: int | None = None,
) -> Any:
    """Classifies documents of any length.

    The logits of a document's windows are averaged before they become
    probabilities: of all labels together, or for
    `problem_type="multi_label_classification"` of each on its own. For
    regression the scores are the values themselves.

    Args:
        model: `TFLongformerForSequenceClassification`.
        tokenizer: its tokenizer.
        texts: a string or a list of strings.
        top_k: int, labels to return. Defaults to all of them.
        batch_size: int, windows that go through the model at once. Defaults
            to `8`.
        stride: int, tokens that a window shares with the one before, at
            most half a window. Defaults to `0`.
        max_length: int, tokens of a window. Defaults to the model's limit.

    Returns:
        List of dicts with `label` and `score`, the best first; for a list
        of texts a list of such lists.

    Raises:
        TypeError: for another model, or texts that are none.
        ValueError: for a window of impossible size, or numbers below 1.
    """
    head = "TFLongformerForSequenceClassification"
    parts.check_head(model, "logits", "classify", head)
    rows, single = parts.as_list("texts", texts)
    if top_k is not None:
        parts.check_counts(top_k=top_k)
    windows = parts.cut(model, tokenizer, rows, stride, max_length)
    parts.run(model, tokenizer, windows, batch_size)
    names = label_names(model.config)
    results = []
    for row in range(len(rows)):
        logits = np.mean(
            [w.scores["logits"] for w in windows if w.row == row], axis=0
        )
        scores = _scores(logits, model.config)
        order = np.argsort(-scores, kind="stable")[:top_k]
        results.append(
            [
                {
                    "label": names[index],
                    "score": float(scores[index]),
                }
                for index in order
            ]
        )
    return results[0] if single else results


def _scores(logits: np.ndarray, config: Any) -> np.ndarray:
    kind = config.problem_type
    if kind == "regression" or (kind is None and len(logits) == 1):
        return logits
    if kind == "multi_label_classification":
        return parts.sigmoid(logits)
    return parts.softmax(logits)

"""Labels of documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from tf_longformer.configuration.labels import label_names
from tf_longformer.decoding import label_scores
from tf_longformer.tasks import steps


def classify(
    model: Any,
    tokenizer: Any,
    texts: str | Sequence[str],
    top_k: int | None = None,
    batch_size: int = 8,
    stride: int = 0,
    max_length: int | None = None,
    text_pair: str | Sequence[str] | None = None,
) -> Any:
    """Classifies documents of any length.

    The logits of a document's windows are averaged before they become
    probabilities: of all labels together, or for
    `problem_type="multi_label_classification"` of each on its own. For
    regression the scores are the values themselves. Of pairs the second text
    is cut into windows, each with the first one.

    Args:
        model: `TFLongformerForSequenceClassification`.
        tokenizer: its tokenizer, or a fast one of transformers.
        texts: a string or a list of strings.
        top_k: int, labels to return. Defaults to all of them.
        batch_size: int, windows that go through the model at once. Defaults
            to `8`.
        stride: int, tokens that a window shares with the one before, at
            most half a window, of pairs a quarter. Defaults to `0`.
        max_length: int, tokens of a window. Defaults to the model's limit.
        text_pair: a string, or a list of one for each text: the second texts
            of pairs. Defaults to none.

    Returns:
        List of dicts with `label` and `score`, the best first; for a list
        of texts a list of such lists.

    Raises:
        TypeError: for another model, or texts that are none.
        ValueError: for unequal numbers of texts, a window of impossible
            size, or numbers below 1.
    """
    head = "TFLongformerForSequenceClassification"
    steps.check_head(model, "logits", "classify", head)
    rows, single = steps.as_list("texts", texts)
    if top_k is not None:
        steps.check_counts(top_k=top_k)
    firsts = None
    texts_to_cut = rows
    if text_pair is not None:
        firsts = rows
        texts_to_cut, _ = steps.as_list("text_pair", text_pair)
        if len(firsts) != len(texts_to_cut):
            raise ValueError(
                "Each text needs a second one of its own. Received: "
                f"{len(firsts)} texts, {len(texts_to_cut)} in `text_pair`. "
                "Pass as many of both."
            )
    windows = steps.cut(
        model, tokenizer, texts_to_cut, stride, max_length, firsts
    )
    logits: list[list[np.ndarray]] = [[] for _ in rows]
    for batch in steps.run(model, windows, batch_size):
        values = ops.convert_to_numpy(batch.logits())
        for window, value in zip(batch.windows, values, strict=True):
            logits[window.text].append(value)
    names = label_names(model.config)
    means = np.array([np.mean(of_text, axis=0) for of_text in logits])
    results = []
    if rows:
        best = ops.top_k(
            label_scores(ops.convert_to_tensor(means), model.config),
            len(names) if top_k is None else min(top_k, len(names)),
        )
        scores, labels = map(ops.convert_to_numpy, best)
        results = [
            [
                {"label": names[label], "score": float(score)}
                for label, score in zip(*of_text, strict=True)
            ]
            for of_text in zip(labels, scores, strict=True)
        ]
    return results[0] if single else results

"""Entities in documents."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_longformer._configuration_labels import label_names
from tf_longformer.tasks import windows as parts


def tag(
    model: Any,
    tokenizer: Any,
    texts: str | Sequence[str],
    aggregate: bool = True,
    ignore_labels: str | Sequence[str] = ("O",),
    batch_size: int = 8,
    stride: int = 128,
    max_length: int | None = None,
) -> Any:
    """Finds entities in documents of any length.

    Where windows overlap, a token's probabilities are averaged. Tokens in a
    row become one entity where their labels differ by no more than `B-` and
    `I-`; `B-` begins another one.

    Args:
        model: `TFLongformerForTokenClassification`.
        tokenizer: its tokenizer.
        texts: a string or a list of strings.
        aggregate: bool, whether tokens become entities. Defaults to `True`.
        ignore_labels: a label, or several, of tokens that are no entity.
            Defaults to `"O"`.
        batch_size: int, windows that go through the model at once. Defaults
            to `8`.
        stride: int, tokens that a window shares with the one before, at
            most half a window. Defaults to `128`.
        max_length: int, tokens of a window. Defaults to the model's limit.

    Returns:
        List of dicts with `entity_group` (`entity` without aggregation),
        `score`, `word`, and the characters `start` and `end`; for a list of
        texts a list of such lists.

    Raises:
        TypeError: for another model, or texts or labels that are none.
        ValueError: for a window of impossible size, or a batch below 1.
    """
    head = "TFLongformerForTokenClassification"
    parts.check_head(model, "logits", "tag", head)
    rows, single = parts.as_list("texts", texts)
    ignored, _ = parts.as_list("ignore_labels", ignore_labels)
    windows = parts.cut(model, tokenizer, rows, stride, max_length)
    parts.run(model, tokenizer, windows, batch_size)
    results = []
    for row, text in enumerate(rows):
        scores, offsets = _merge([w for w in windows if w.row == row])
        tokens = _tokens(scores, offsets, model.config, ignored)
        entities = _entities(tokens) if aggregate else _single(tokens)
        for entity in entities:
            entity["word"] = text[entity["start"] : entity["end"]]
        results.append(entities)
    return results[0] if single else results


def _merge(windows: list[parts.Window]) -> tuple:
    """Averages the probabilities of each token over its windows."""
    tokens, labels = windows[-1].last, windows[0].scores["logits"].shape[-1]
    scores, counts = np.zeros((tokens, labels)), np.zeros((tokens, 1))
    offsets = np.zeros((tokens, 2), int)
    for window in windows:
        inside = window.inside
        place = slice(window.first, window.last)
        scores[place] += parts.softmax(window.scores["logits"][inside])
        counts[place] += 1
        if inside.any():
            offsets[place] = np.asarray(window.offsets)[inside]
    return scores / counts, offsets


def _tokens(
    scores: np.ndarray, offsets: np.ndarray, config: Any, ignored: Sequence[str]
) -> Iterator[dict[str, Any] | None]:
    """Yields a dict for each token, `None` for those to ignore."""
    names = label_names(config)
    for row, (start, end) in zip(scores, offsets, strict=True):
        label = names[row.argmax()]
        yield (
            None
            if label in ignored
            else {
                "entity": label,
                "score": float(row.max()),
                "start": int(start),
                "end": int(end),
            }
        )


def _single(tokens: Iterator[dict[str, Any] | None]) -> list[dict[str, Any]]:
    return [token for token in tokens if token is not None]


def _entities(tokens: Iterator[dict[str, Any] | None]) -> list[dict[str, Any]]:
    groups: list[list[dict[str, Any]]] = []
    before = None
    for token in tokens:
        if token is not None:
            group = _group(token["entity"])
            goes_on = before is not None and _group(before["entity"]) == group
            if goes_on and not token["entity"].startswith("B-"):
                groups[-1].append(token)
            else:
                groups.append([token])
        before = token
    return [
        {
            "entity_group": _group(group[0]["entity"]),
            "score": float(np.mean([token["score"] for token in group])),
            "start": group[0]["start"],
            "end": group[-1]["end"],
        }
        for group in groups
    ]


def _group(label: str) -> str:
    return label[2:] if label[:2] in ("B-", "I-") else label

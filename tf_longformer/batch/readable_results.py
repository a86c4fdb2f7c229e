"""What people read of a SavedModel's outputs for texts.

The results have the form of those of `tf_longformer.tasks`, so that a
checkpoint and its export write the same lines.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import numpy as np


def read_outputs(outputs: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """Returns the result of a text.

    Args:
        outputs: the row's outputs by name, as a signature `text` of
            `tf-longformer export` names them (`tf_longformer.export.results`).

    Returns:
        Dict with `entities`, `labels`, `answer`, `choice` or `tokens`; `None`
        for outputs of another kind, such as vectors.
    """
    for name, needed, read in _READERS:
        if needed <= set(outputs):
            return {name: read({n: outputs[n].tolist() for n in needed})}
    return None


def result_name(outputs: Iterable[str]) -> str:
    """Returns what `read_outputs` calls the result of these outputs, or ""."""
    given = set(outputs)
    found = (name for name, needed, _ in _READERS if needed <= given)
    return next(found, "")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _entities(row: dict[str, Any]) -> Any:
    columns = (row[f"entity_{name}"] for name in _ENTITY)
    return [
        {
            "entity_group": _text(kind),
            "score": score,
            "word": _text(word),
            "start": start,
            "end": end,
        }
        for kind, score, word, start, end in zip(*columns, strict=True)
        # A place for which this row has no entity has no type.
        if kind
    ]


def _labels(row: dict[str, Any]) -> Any:
    pairs = zip(row["labels"], row["scores"], strict=True)
    return [{"label": _text(label), "score": score} for label, score in pairs]


def _answer(row: dict[str, Any]) -> Any:
    columns = (row[name] for name in ("scores", "starts", "ends", "answers"))
    found = [
        {"score": score, "start": start, "end": end, "answer": _text(text)}
        for score, start, end, text in zip(*columns, strict=True)
        if score > 0
    ]
    if not found:
        score = row["no_answer_scores"]
        found = [{"score": score, "start": 0, "end": 0, "answer": ""}]
    return found if len(row["answers"]) > 1 else found[0]


def _choice(row: dict[str, Any]) -> Any:
    scores, best = row["probabilities"], row["choice"]
    answer = _text(row["answers"])
    return {
        **{"choice": best, "answer": answer},
        **{"score": scores[best], "scores": scores},
    }


def _tokens(row: dict[str, Any]) -> Any:
    masks = [
        [
            {"score": score, "token": token, "token_str": _text(text)}
            for score, token, text in zip(*of_mask, strict=True)
        ]
        for of_mask, place in zip(
            zip(row["scores"], row["token_ids"], row["tokens"], strict=True),
            row["mask_positions"],
            strict=True,
        )
        if place >= 0
    ]
    return masks[0] if len(masks) == 1 else masks


_ENTITY = ("labels", "scores", "words", "starts", "ends")
# The name of a result, the outputs that it is made of, and how; the first that
# fits.
_READERS: tuple[tuple[str, set[str], Callable[[dict[str, Any]], Any]], ...] = (
    ("entities", {f"entity_{name}" for name in _ENTITY}, _entities),
    (
        "answer",
        {"answers", "scores", "starts", "ends", "no_answer_scores"},
        _answer,
    ),
    ("choice", {"choice", "answers", "probabilities"}, _choice),
    ("tokens", {"tokens", "token_ids", "scores", "mask_positions"}, _tokens),
    ("labels", {"labels", "scores"}, _labels),
)

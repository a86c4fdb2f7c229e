"""Answers to questions, as spans of documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_longformer.tasks import windows as parts


def answer(
    model: Any,
    tokenizer: Any,
    question: str | Sequence[str],
    context: str | Sequence[str],
    top_k: int = 1,
    max_answer_len: int = 15,
    impossible: bool = False,
    batch_size: int = 8,
    stride: int = 128,
    max_length: int | None = None,
) -> Any:
    """Finds answers in documents of any length.

    A span's score is the product of the probabilities of its ends within
    its window, where the first token stands for "no answer". Of the windows
    of a document the best spans are taken, each once.

    Args:
        model: `TFLongformerForQuestionAnswering`.
        tokenizer: its tokenizer.
        question: a string, or a list of strings.
        context: the document, or a list of one for each question.
        top_k: int, answers to return. Defaults to `1`.
        max_answer_len: int, tokens of an answer at most. Defaults to `15`.
        impossible: bool, whether "no answer" (an empty string) may be an
            answer. Defaults to `False`.
        batch_size: int, windows that go through the model at once. Defaults
            to `8`.
        stride: int, tokens of the document that a window shares with the
            one before, at most a quarter of a window. Defaults to `128`.
        max_length: int, tokens of a window. Defaults to the model's limit.

    Returns:
        Dict with `score`, the characters `start` and `end`, and `answer`;
        with `top_k` above 1 a list of them, the best first; for a list of
        questions a list of such.

    Raises:
        TypeError: for another model, or texts that are none.
        ValueError: for unequal numbers of questions and documents, a
            window of impossible size, or numbers below 1.
    """
    head = "TFLongformerForQuestionAnswering"
    parts.check_head(model, "start_logits", "answer", head)
    questions, single = parts.as_list("question", question)
    contexts, _ = parts.as_list("context", context)
    if len(questions) != len(contexts):
        raise ValueError(
            "Each question needs a document of its own. Received: "
            f"{len(questions)} questions, {len(contexts)} documents. Repeat "
            "the document where several questions are about it."
        )
    parts.check_counts(top_k=top_k, max_answer_len=max_answer_len)
    windows = parts.cut(
        model, tokenizer, contexts, stride, max_length, questions
    )
    parts.run(model, tokenizer, windows, batch_size)
    results = []
    for row, text in enumerate(contexts):
        of_row = [window for window in windows if window.row == row]
        found = _best(of_row, max_answer_len, impossible)[:top_k]
        answers = [
            {
                "score": score,
                "start": start,
                "end": end,
                "answer": text[start:end],
            }
            for (start, end), score in found
        ]
        results.append(answers if top_k > 1 else answers[0])
    return results[0] if single else results


def _best(
    windows: list[parts.Window], longest: int, impossible: bool
) -> list[tuple[tuple[int, int], float]]:
    """Returns spans of characters and their scores, the best first."""
    scores: dict[tuple[int, int], float] = {}
    nothing = 1.0
    for window in windows:
        kept = window.inside.copy()
        kept[0] = True
        start, end = (
            parts.softmax(
                np.where(kept, window.scores[f"{name}_logits"], -np.inf)
            )
            for name in ("start", "end")
        )
        nothing = min(nothing, float(start[0] * end[0]))
        inside = np.flatnonzero(window.inside)
        for first in inside:
            for last in range(first, min(first + longest, inside[-1] + 1)):
                span = window.offsets[first][0], window.offsets[last][1]
                score = float(start[first] * end[last])
                scores[span] = max(scores.get(span, 0.0), score)
    if impossible or not scores:
        scores[0, 0] = nothing
    return sorted(scores.items(), key=lambda item: -item[1])

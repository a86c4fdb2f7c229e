"""Answers to questions, as spans of documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from tf_longformer.data.windows import Window
from tf_longformer.decoding import best_spans
from tf_longformer.tasks import steps


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
    align_to_words: bool = False,
) -> Any:
    """Finds answers in documents of any length.

    The rule is that of transformers' question answering pipeline. A span's
    score is the probability of its first token as a start, times that of its
    last token as an end, within its window, where the first token stands for
    "no answer" (see `tf_longformer.decoding.best_spans`). Among the `top_k`
    best spans of a window, those with the same text but for upper and lower
    case are one answer with the sum of their scores. An answer that several
    windows of a document find counts once, with its best score.

    Args:
        model: `TFLongformerForQuestionAnswering`.
        tokenizer: its tokenizer, or a fast one of transformers.
        question: a string, or a list of strings.
        context: the document, or a list of one for each question.
        top_k: int, most answers to return. Defaults to `1`.
        max_answer_len: int, most tokens of an answer. Defaults to `15`.
        impossible: bool, whether "no answer" (an empty string) may be an
            answer. Defaults to `False`.
        batch_size: int, windows that go through the model at once. Defaults
            to `8`.
        stride: int, tokens of the document that a window shares with the
            one before, at most a quarter of a window. Defaults to `128`.
        max_length: int, tokens of a window. Defaults to the model's limit.
        align_to_words: bool, whether answers are stretched to whole words,
            as the tokenizer cuts texts into words. Defaults to `False`, as
            SavedModels have it; transformers' pipeline does it.

    Returns:
        Dict with `score`, the characters `start` and `end`, and `answer`;
        with `top_k` above 1 a list of them, the best first; for a list of
        questions a list of such.

    Raises:
        TypeError: for another model, or texts that are none.
        ValueError: for unequal numbers of questions and documents, a
            window of impossible size, or numbers below 1.
    """
    questions, single = steps.as_list("question", question)
    contexts, _ = steps.as_list("context", context)
    found = find_answers(
        model,
        tokenizer,
        questions,
        contexts,
        top_k,
        max_answer_len,
        batch_size,
        stride,
        max_length,
        align_to_words,
    )
    results = []
    for answers, score in found:
        if impossible or not answers:
            none = {"score": score, "start": 0, "end": 0, "answer": ""}
            answers.append(none)
        answers.sort(key=lambda one: -one["score"])
        results.append(answers[:top_k] if top_k > 1 else answers[0])
    return results[0] if single else results


def find_answers(
    model: Any,
    tokenizer: Any,
    questions: Sequence[str],
    contexts: Sequence[str],
    top_k: int,
    max_answer_len: int,
    batch_size: int,
    stride: int = 128,
    max_length: int | None = None,
    align_to_words: bool = False,
) -> list[tuple[list[dict[str, Any]], float]]:
    """Returns for each question its answers, and the score of no answer.

    The arguments are those of `answer`. Of each window there are the `top_k`
    best answers, so that there may be more.
    """
    head = "TFLongformerForQuestionAnswering"
    steps.check_head(model, "start_logits", "answer", head)
    if len(questions) != len(contexts):
        raise ValueError(
            "Each question needs a document of its own. Received: "
            f"{len(questions)} questions, {len(contexts)} documents. Repeat "
            "the document where several questions are about it."
        )
    steps.check_counts(top_k=top_k, max_answer_len=max_answer_len)
    windows = steps.cut(
        model, tokenizer, contexts, stride, max_length, questions
    )
    # Stretched, several may become one. The number is the pipeline's.
    spans_of_window = 2 * top_k + 10 if align_to_words else top_k
    found: list[dict[str, dict[str, Any]]] = [{} for _ in contexts]
    no_answer_scores = [1.0] * len(contexts)
    for batch in steps.run(model, windows, batch_size):
        spans = best_spans(
            batch.logits("start_logits"),
            batch.logits("end_logits"),
            batch.pad([window.inside for window in batch.windows], False),
            batch.mask,
            max_answer_len,
            spans_of_window,
        )
        columns = map(ops.convert_to_numpy, spans)
        for window, first, last, scores, no_answer in zip(
            batch.windows, *columns, strict=True
        ):
            row = window.text
            no_answer_scores[row] = min(no_answer_scores[row], float(no_answer))
            if align_to_words:
                first, last = _whole_words(window, first, last)
            answers = _answers(window, contexts[row], first, last, scores)
            for text, one in answers.items():
                known = found[row].get(text)
                if known is None or one["score"] > known["score"]:
                    found[row][text] = one
    return [
        (list(answers.values()), score)
        for answers, score in zip(found, no_answer_scores, strict=True)
    ]


def _answers(
    window: Window, context: str, first: Any, last: Any, scores: Any
) -> dict[str, dict[str, Any]]:
    """Returns a window's answers by their text in lower case, scores summed."""
    answers: dict[str, dict[str, Any]] = {}
    for left, right, score in zip(first, last, scores, strict=True):
        if left < 0:
            break
        start = int(window.offsets[left, 0])
        end = int(window.offsets[right, 1])
        text = context[start:end]
        one = {"score": 0.0, "start": start, "end": end, "answer": text}
        answers.setdefault(text.lower(), one)["score"] += float(score)
    return answers


def _whole_words(
    window: Window, first: np.ndarray, last: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Stretches spans of tokens to the words that they begin and end in."""
    words, count = window.words, len(window.words)
    # Words are numbered in order, tokens outside of the text by -1.
    begins = np.flatnonzero(np.diff(words, prepend=-2))
    ends = np.append(begins[1:], count) - 1
    place = np.searchsorted(begins, np.arange(count), "right") - 1
    exists = first >= 0
    return (
        np.where(exists, begins[place[first]], -1),
        np.where(exists, ends[place[last]], -1),
    )

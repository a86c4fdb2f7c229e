"""Question answering: long contexts in pieces, answers to tokens and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_longformer.preprocessing.global_attention import global_attention_mask
from tf_longformer.preprocessing.global_attention import read_rows
from tf_longformer.tokenization.base import BaseLongformerTokenizer


@dataclasses.dataclass(frozen=True)
class QuestionFeatures:
    """Questions with pieces of their contexts.

    Args:
        inputs: dict of int32 arrays `[pieces, seq]` for the model:
            `input_ids`, `attention_mask`, `global_attention_mask`; with
            answers `start_positions` and `end_positions` `[pieces]`.
        examples: int array `[pieces]`, the question of each piece.
        offsets: int array `[pieces, seq, 2]`, each token's characters in its
            context; -1 for tokens that aren't of the context.
    """

    inputs: dict[str, np.ndarray]
    examples: np.ndarray
    offsets: np.ndarray


class Answer(NamedTuple):
    """An answer that was found.

    Args:
        text: str, `""` for no answer.
        start: int, its first character in the context.
        end: int, the character behind it.
        score: float, sum of its two logits.
        null_score: float, the least such sum of the first token over the
            question's pieces: how much there seems to be no answer.
    """

    text: str
    start: int
    end: int
    score: float
    null_score: float


def encode_questions(
    tokenizer: BaseLongformerTokenizer,
    questions: Sequence[str],
    contexts: Sequence[str],
    *,
    max_length: int,
    stride: int = 0,
    answers: Sequence[tuple[int, int] | None] | None = None,
    where: Any = "question",
    padding: Any = True,
) -> QuestionFeatures:
    """Encodes questions, with contexts cut into pieces that overlap.

    Args:
        tokenizer: the tokenizer.
        questions: list of strings.
        contexts: list of strings, one for each question.
        max_length: int, tokens of a piece with its question.
        stride: int, tokens that a piece shares with the one before. Defaults
            to `0`.
        answers: list with the characters `(start, end)` of each answer in
            its context, `None` where there is none. A piece without the
            whole answer points to the first token. Defaults to none at all.
        where: global tokens, as of `global_attention_mask`. Defaults to
            `"question"`.
        padding: as of the tokenizer. Defaults to the longest piece.

    Returns:
        `QuestionFeatures`.

    Raises:
        ValueError: if the lists are of unequal length, or an answer isn't
            inside its context.
    """
    if answers is not None and len(answers) != len(questions):
        raise ValueError(
            "There must be an answer or None for each question. Received: "
            f"{len(answers)} for {len(questions)}."
        )
    encoding = tokenizer(
        list(questions),
        list(contexts),
        truncation="only_second",
        max_length=max_length,
        stride=stride,
        return_overflowing_tokens=True,
        padding=padding,
        return_tensors="np",
    )
    examples = np.asarray(encoding["overflow_to_sample_mapping"], "int64")
    rows, _ = read_rows(encoding)
    offsets = np.stack(
        [
            np.where(row.sequence_ids[:, None] == 1, row.offsets, -1)
            for row in rows
        ]
    )
    inputs = {
        name: np.asarray(encoding[name], "int32")
        for name in ("input_ids", "attention_mask")
    }
    inputs["global_attention_mask"] = global_attention_mask(encoding, where)
    if answers is not None:
        for span, context in zip(answers, contexts, strict=True):
            _check_answer(span, context)
        spans = [
            find_tokens(offsets[piece], answers[example])
            for piece, example in enumerate(examples)
        ]
        # No answer: the first token, wherever padding puts it.
        nulls = inputs["attention_mask"].argmax(1)
        found = [
            (null, null) if span is None else span
            for span, null in zip(spans, nulls, strict=True)
        ]
        starts, ends = np.array(found, "int32").reshape(-1, 2).T
        inputs["start_positions"], inputs["end_positions"] = starts, ends
    return QuestionFeatures(inputs, examples, offsets)


def _check_answer(span: Any, context: str) -> None:
    if span is not None and not 0 <= span[0] < span[1] <= len(context):
        raise ValueError(
            "An answer must be characters (start, end) of its context. "
            f"Received: {tuple(span)} in a context of {len(context)} "
            "characters. Use None for no answer."
        )


def find_tokens(
    offsets: np.ndarray, span: tuple[int, int] | None
) -> tuple[int, int] | None:
    """Returns the first and the last token of a span of characters.

    Args:
        offsets: int array `[seq, 2]`, -1 for tokens of no context.
        span: `(start, end)`, or `None`.

    Returns:
        Two ints, both inside; `None` if the span isn't wholly there.
    """
    if span is None:
        return None
    start, end = span
    inside = np.flatnonzero(offsets[:, 0] >= 0)
    if not inside.size:
        return None
    first, last = offsets[inside[0], 0], offsets[inside[-1], 1]
    touched = inside[(offsets[inside, 0] < end) & (offsets[inside, 1] > start)]
    if first > start or last < end or not touched.size:
        return None
    return int(touched[0]), int(touched[-1])


def decode_answers(
    features: QuestionFeatures,
    contexts: Sequence[str],
    start_logits: Any,
    end_logits: Any,
    *,
    max_answer_tokens: int = 30,
    null_threshold: float | None = None,
) -> list[Answer]:
    """Returns the best answer to each question, over all of its pieces.

    Args:
        features: what `encode_questions` returned.
        contexts: the same contexts.
        start_logits: array `[pieces, seq]`.
        end_logits: array `[pieces, seq]`.
        max_answer_tokens: int, most tokens of an answer. Defaults to `30`.
        null_threshold: float. Where the score of no answer is more than this
            above the best answer's, there is none. Defaults to `None`: there
            always is one.

    Returns:
        List of `Answer`.

    Raises:
        ValueError: if the logits don't have the features' shape.
    """
    starts = np.asarray(start_logits, "float64")
    ends = np.asarray(end_logits, "float64")
    if starts.shape != features.offsets.shape[:2] or starts.shape != ends.shape:
        raise ValueError(
            "The logits must have the shape of `input_ids`, "
            f"{features.offsets.shape[:2]}. Received: {starts.shape} and "
            f"{ends.shape}."
        )
    best = [Answer("", 0, 0, -np.inf, np.inf) for _ in contexts]
    nulls = features.inputs["attention_mask"].argmax(1)
    for piece, example in enumerate(features.examples):
        null = starts[piece, nulls[piece]] + ends[piece, nulls[piece]]
        so_far = best[example]
        so_far = so_far._replace(null_score=min(so_far.null_score, float(null)))
        found = _best_span(
            features.offsets[piece],
            starts[piece],
            ends[piece],
            max_answer_tokens,
        )
        if found is not None and found[2] > so_far.score:
            start, end, score = found
            so_far = so_far._replace(
                text=contexts[example][start:end],
                start=start,
                end=end,
                score=score,
            )
        best[example] = so_far
    if null_threshold is None:
        return best
    return [
        answer._replace(text="", start=0, end=0)
        if answer.null_score - answer.score > null_threshold
        else answer
        for answer in best
    ]


def _best_span(
    offsets: np.ndarray, starts: np.ndarray, ends: np.ndarray, most: int
) -> tuple[int, int, float] | None:
    """Returns characters and score of a piece's best answer."""
    inside = np.flatnonzero(offsets[:, 0] >= 0)
    if not inside.size:
        return None
    # Tokens of a context follow one another.
    begin, end = inside[0], inside[-1] + 1
    left, right = starts[begin:end], ends[begin:end]
    best = None
    for width in range(min(most, len(left))):
        scores = left[: len(left) - width] + right[width:]
        place = int(scores.argmax())
        if best is None or scores[place] > best[2]:
            best = (place, place + width, float(scores[place]))
    if best is None:
        return None
    first, last, score = best
    return (
        int(offsets[begin + first, 0]),
        int(offsets[begin + last, 1]),
        score,
    )

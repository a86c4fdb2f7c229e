"""Question answering: long contexts in pieces, and answers from logits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_longformer.data.any_tokenizer import check_strings
from tf_longformer.data.global_masks import global_attention_mask
from tf_longformer.data.windows import cut_into_windows
from tf_longformer.list_arguments import refuse_string

# Pieces that are decoded at once. More would take more memory and be no faster.
_PIECES_AT_ONCE = 64


@dataclasses.dataclass(frozen=True)
class QuestionFeatures:
    """Questions, each with pieces (windows) of its context.

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
        end: int, the character after its last one.
        score: float, its start logit plus its end logit.
        null_score: float, the score of no answer: the two logits of the first
            token, summed; the lowest sum of the question's pieces.
    """

    text: str
    start: int
    end: int
    score: float
    null_score: float


def encode_questions(
    tokenizer: Any,
    questions: Sequence[str],
    contexts: Sequence[str],
    *,
    max_length: int,
    stride: int = 0,
    answers: Sequence[Any] | None = None,
    where: Any = "question",
    padding: Any = True,
) -> QuestionFeatures:
    """Encodes questions, with contexts cut into pieces that overlap.

    Args:
        tokenizer: `LongformerTokenizer`, or a fast one of transformers.
        questions: list of strings.
        contexts: list of strings, one for each question.
        max_length: int, tokens of a piece with its question.
        stride: int, tokens that a piece shares with the one before. Defaults
            to `0`.
        answers: list with the characters `(start, end)` of each answer in
            its context, `None` where there is none; or with SQuAD's
            `answers`, of which the first counts: a dict of lists `text` and
            `answer_start`, or a list of dicts. A piece without the whole
            answer points to the first token. Defaults to none at all.
        where: global tokens, as of `global_attention_mask`. Defaults to
            `"question"`.
        padding: as of the tokenizer. Defaults to the longest piece.

    Returns:
        `QuestionFeatures`.

    Raises:
        TypeError: for anything else than such lists.
        ValueError: if the lists are of unequal length, or an answer isn't
            inside its context.
    """
    questions = check_strings("questions", questions)
    contexts = check_strings("contexts", contexts)
    if len(questions) != len(contexts):
        raise ValueError(
            "Each question needs a context of its own. Received: "
            f"{len(questions)} questions, {len(contexts)} contexts. Repeat "
            "the context where several questions are about it."
        )
    refuse_string("answers", answers)
    if answers is not None and len(answers) != len(questions):
        raise ValueError(
            "There must be an answer or None for each question. Received: "
            f"{len(answers)} for {len(questions)}."
        )
    windows, encoding = cut_into_windows(
        tokenizer,
        contexts,
        max_length=max_length,
        stride=stride,
        questions=questions,
        padding=padding,
        return_tensors="np",
    )
    examples = np.array([window.text for window in windows], "int64")
    offsets = np.stack([window.offsets for window in windows])
    inputs = {
        name: np.asarray(encoding[name], "int32")
        # WordPiece's second texts have a token type of their own.
        for name in ("input_ids", "token_type_ids", "attention_mask")
        if name in encoding
    }
    inputs["global_attention_mask"] = global_attention_mask(encoding, where)
    if answers is not None:
        places = [
            answer_characters(answer, context)
            for answer, context in zip(answers, contexts, strict=True)
        ]
        spans = [
            find_tokens(offsets[piece], places[example])
            for piece, example in enumerate(examples)
        ]
        # The first token, after padding on the left, stands for no answer.
        nulls = inputs["attention_mask"].argmax(1)
        found = [
            (null, null) if span is None else span
            for span, null in zip(spans, nulls, strict=True)
        ]
        starts, ends = np.array(found, "int32").reshape(-1, 2).T
        inputs["start_positions"], inputs["end_positions"] = starts, ends
    return QuestionFeatures(inputs, examples, offsets)


def answer_characters(answer: Any, context: str) -> tuple[int, int] | None:
    """Returns the characters of an answer, `None` where there is none."""
    span, text = answer, None
    if isinstance(answer, list) and all(isinstance(x, dict) for x in answer):
        answer = answer[0] if answer else None
        span = answer
    if isinstance(answer, Mapping):
        found = []
        for name in ("text", "answer_start"):
            if name not in answer:
                raise ValueError(
                    "An answer as of SQuAD must have `text` and "
                    f"`answer_start`. Received: {str(dict(answer))[:100]}. "
                    "Or pass its characters `(start, end)`."
                )
            values = answer[name]
            # Most questions have the same answer several times.
            one = isinstance(values, str) or np.ndim(values) == 0
            found.append(values if one else next(iter(values), None))
        text, start = found
        span = None if text is None else (int(start), int(start) + len(text))
    if span is None:
        return None
    start, end = span
    right = 0 <= start < end <= len(context)
    if not right or text not in (None, context[start:end]):
        received = tuple(span) if text is None else f"{text[:60]!r} at {start}"
        raise ValueError(
            "An answer must be characters (start, end) of its context. "
            f"Received: {received} in a context of {len(context)} "
            "characters. Use None for no answer."
        )
    return int(start), int(end)


def find_tokens(
    offsets: np.ndarray, span: tuple[int, int] | None
) -> tuple[int, int] | None:
    """Returns the first and the last token of a span of characters.

    `None` for no span, and for one that isn't wholly within the tokens whose
    `offsets` `[seq, 2]` aren't -1.
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
    top_k: int = 1,
) -> list[Any]:
    """Returns the best answers to each question, over all of its pieces.

    They are the most probable ones by the rule of
    `tf_longformer.tasks.answer` (see `tf_longformer.decoding.best_spans`). An
    answer that several pieces have counts once.

    Args:
        features: what `encode_questions` returned.
        contexts: the same contexts.
        start_logits: array `[pieces, seq]`.
        end_logits: array `[pieces, seq]`.
        max_answer_tokens: int, most tokens of an answer. Defaults to `30`.
        null_threshold: float. Where the score of no answer is more than this
            above the best answer's, there is none. Defaults to `None`: there
            always is one.
        top_k: int, most answers to each question. Defaults to `1`.

    Returns:
        List of `Answer`; with `top_k` above 1 a list of such lists, the best
        first.

    Raises:
        TypeError: if the contexts aren't a list.
        ValueError: if the logits don't have the features' shape, or `top_k`
            is below 1.
    """
    contexts = check_strings("contexts", contexts)
    if top_k < 1:
        raise ValueError(
            f"`top_k` must be at least 1. Received: {top_k}. Raise it."
        )
    starts = np.asarray(start_logits, "float64")
    ends = np.asarray(end_logits, "float64")
    if starts.shape != features.offsets.shape[:2] or starts.shape != ends.shape:
        raise ValueError(
            "The logits must have the shape of `input_ids`, "
            f"{features.offsets.shape[:2]}. Received: {starts.shape} and "
            f"{ends.shape}."
        )
    # Imported here, as all else in `data` works without a backend.
    from tf_longformer import decoding

    mask = features.inputs["attention_mask"]
    inputs = (
        starts.astype("float32"),
        ends.astype("float32"),
        features.offsets[:, :, 0] >= 0,
        mask,
    )
    found = [
        decoding.best_spans(
            *(values[begin : begin + _PIECES_AT_ONCE] for values in inputs),
            max_answer_len=max_answer_tokens,
            top_k=top_k,
        )
        for begin in range(0, len(starts), _PIECES_AT_ONCE)
    ]
    first, last, probabilities = (
        np.concatenate([np.asarray(spans[field]) for spans in found])
        for field in range(3)
    )
    pieces, nulls = np.arange(len(starts))[:, None], mask.argmax(1)[:, None]
    scores = starts[pieces, first] + ends[pieces, last]
    null_scores = (starts[pieces, nulls] + ends[pieces, nulls])[:, 0]
    results = []
    for example, context in enumerate(contexts):
        mine = np.flatnonzero(features.examples == example)
        null_score = float(null_scores[mine].min(initial=np.inf))
        # Scores decide where all probabilities are 0 in float32.
        ranked = sorted(
            (
                (probabilities[piece, n], scores[piece, n], -piece, -n)
                for piece in mine
                for n in range(top_k)
                if first[piece, n] >= 0
            ),
            reverse=True,
        )
        answers: dict[tuple[int, int], Answer] = {}
        for _, score, piece, n in ranked:
            offsets = features.offsets[-piece]
            start = int(offsets[first[-piece, -n], 0])
            end = int(offsets[last[-piece, -n], 1])
            answer = Answer(
                context[start:end], start, end, float(score), null_score
            )
            answers.setdefault((start, end), answer)
        best = list(answers.values())[:top_k]
        best = best or [Answer("", 0, 0, -np.inf, null_score)]
        if (
            null_threshold is not None
            and null_score - best[0].score > null_threshold
        ):
            none = best[0]._replace(text="", start=0, end=0)
            best = [none, *best][:top_k]
        results.append(best)
    return results if top_k > 1 else [best for (best,) in results]

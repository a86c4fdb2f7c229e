"""Answers to questions, scored as SQuAD's own script scores them."""

from __future__ import annotations

import collections
import math
import re
import string
from collections.abc import Mapping
from collections.abc import Sequence

from tf_longformer.errors import shown

_PUNCTUATION = dict.fromkeys(map(ord, string.punctuation))
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def question_answering_metrics(
    predictions: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
    no_answer_scores: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Compares answers with those that people gave, as SQuAD does.

    Case, punctuation, articles and white space don't count. Of several
    references the best one does. A question without any is answered right by
    an empty string only.

    Args:
        predictions: dict of answers, by the questions' ids.
        references: dict of lists of right answers, by the same ids; an empty
            list where the text has no answer.
        no_answer_scores: dict of floats, by the same ids: the higher, the
            surer is the model that there is no answer. Defaults to none.

    Returns:
        Dict with `exact_match` and `f1` in percent. If there are questions
        without an answer, also SQuAD 2's `HasAns_exact`, `HasAns_f1`,
        `HasAns_total`, and the same with `NoAns_`. With `no_answer_scores`
        the best that a threshold on them would give, `best_exact` and
        `best_f1`, and that threshold, `best_exact_thresh` and
        `best_f1_thresh`: scores above it stand for no answer.

    Raises:
        TypeError: if a question's references are a single string.
        ValueError: for no question, or ids that differ.
    """
    _check_ids("predictions", predictions, references)
    if no_answer_scores is not None:
        _check_ids("no_answer_scores", no_answer_scores, references)
    exact, overlap, answerable = {}, {}, {}
    for key, answers in references.items():
        if isinstance(answers, str):
            raise TypeError(
                "The references of a question must be a list of strings. "
                f"Received: {answers[:60]!r} for {shown(key)}. Write [answer], "
                "or [] for no answer."
            )
        prediction = normalize_answer(predictions[key])
        right = [text for text in map(normalize_answer, answers) if text]
        answerable[key] = bool(right)
        right = right or [""]
        exact[key] = float(prediction in right)
        overlap[key] = max(_f1(prediction, text) for text in right)
    metrics = {"exact_match": _percent(exact), "f1": _percent(overlap)}
    if not all(answerable.values()):
        for name, wanted in (("HasAns", True), ("NoAns", False)):
            keys = [key for key, has in answerable.items() if has == wanted]
            if keys:
                for kind, scores in (("exact", exact), ("f1", overlap)):
                    chosen = {key: scores[key] for key in keys}
                    metrics[f"{name}_{kind}"] = _percent(chosen)
                metrics[f"{name}_total"] = len(keys)
    if no_answer_scores is not None:
        for kind, scores in (("exact", exact), ("f1", overlap)):
            best = _best_threshold(scores, no_answer_scores, answerable)
            metrics[f"best_{kind}"], metrics[f"best_{kind}_thresh"] = best
    return metrics


def normalize_answer(text: str) -> str:
    """Returns a text in lower case, without punctuation and articles.

    White space becomes single spaces.
    """
    text = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", text).split())


def _f1(prediction: str, right: str) -> float:
    """Returns the F1 of the words of two texts, both normalized."""
    ours, theirs = prediction.split(), right.split()
    if not ours or not theirs:
        return float(ours == theirs)
    common = collections.Counter(ours) & collections.Counter(theirs)
    return 2 * sum(common.values()) / (len(ours) + len(theirs))


def _percent(scores: Mapping[str, float]) -> float:
    return 100.0 * sum(scores.values()) / len(scores)


def _best_threshold(
    scores: Mapping[str, float],
    no_answer_scores: Mapping[str, float],
    answerable: Mapping[str, bool],
) -> tuple[float, float]:
    """Returns the best score of all questions in percent, and its threshold.

    The threshold goes up through the scores of no answer, from where all
    questions have none.
    """
    by_score: dict[float, list[str]] = {}
    for key in sorted(no_answer_scores, key=lambda key: no_answer_scores[key]):
        by_score.setdefault(float(no_answer_scores[key]), []).append(key)
    current = best = float(sum(not has for has in answerable.values()))
    lowest = next(iter(by_score))
    threshold = 0.0 if lowest > 0 else math.nextafter(lowest, -math.inf)
    for score, keys in by_score.items():
        current += sum(scores[key] - (not answerable[key]) for key in keys)
        if current > best:
            best, threshold = current, score
    return 100.0 * best / len(scores), threshold


def _check_ids(
    name: str, given: Mapping[str, object], references: Mapping[str, object]
) -> None:
    if not references:
        raise ValueError(
            "There must be at least one question. Received: none. Pass "
            "`references`."
        )
    missing = [key for key in references if key not in given]
    unknown = [key for key in given if key not in references]
    if missing or unknown:
        raise ValueError(
            f"`{name}` must have the ids of `references`. Received: "
            f"{len(missing)} missing {str(missing[:3])[:80]}, "
            f"{len(unknown)} unknown {str(unknown[:3])[:80]}. An answer that "
            "wasn't found is ''."
        )

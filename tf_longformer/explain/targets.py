"""What of a prediction is explained: one number, for each head its own.

A head's record names the function that makes its `Target`; `None` stands for a
model of which attention alone is shown.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from tf_longformer.configuration.labels import label_names
from tf_longformer.data.windows import Window
from tf_longformer.decoding import best_spans
from tf_longformer.decoding import is_regression
from tf_longformer.decoding import label_scores
from tf_longformer.decoding import normalize_vectors
from tf_longformer.decoding import pool_rows
from tf_longformer.decoding import project_vectors
from tf_longformer.entity_schemes import OUTSIDE
from tf_longformer.errors import shown
from tf_longformer.explain.document import Document
from tf_longformer.tasks.masks import target_ids

LOG_ODDS = "log-odds"
_FAR_BELOW = -1e30
_CANDIDATES = 5
_LONGEST_ANSWER = 15


@dataclasses.dataclass(frozen=True)
class Target:
    """The number that a prediction comes from.

    Attributes:
        window: `Window` of the document that it is read in.
        title: str, what it is, such as `"label"`.
        name: str, which one, such as the label's name.
        unit: str, of the number: `"log-odds"`, `"value"`, `"logit"` or
            `"cosine"`.
        candidates: list of names and scores, the best first, to show beside.
        score: function of the last states `[rows, seq, hidden]` and the
            attention mask `[rows, seq]` that returns the number of each row.
        kept: ints, tokens that are never left out, as the number is read at
            them.
        span: the characters that the prediction is about, or `None`.
    """

    window: Window
    title: str
    name: str
    unit: str
    candidates: list[tuple[str, float]]
    score: Callable[[Any, Any], Any]
    kept: tuple[int, ...] = ()
    span: tuple[int, int] | None = None


def _uses(*names: str) -> Callable[[Any], Any]:
    """Says which arguments of `explain` a function reads; it refuses others."""

    def mark(function: Any) -> Any:
        function.used = names
        return function

    return mark


@_uses("label")
def label_target(document: Document) -> Target:
    """Sequence classification: the best label, or the one that is named."""
    config = document.model.config
    window = document.windows[0]
    logits = document.outputs(window)["logits"]
    names = label_names(config)
    index = _choose(document.label, names, "a label of the model", logits[0])
    own = is_regression(config) or len(names) == 1
    several = config.problem_type == "multi_label_classification"

    def score(states: Any, mask: Any) -> Any:
        logits = document.head(states, mask)["logits"]
        if own or several:
            return logits[:, index]
        return _log_odds(logits, index)

    return Target(
        window,
        "label",
        names[index],
        "value" if own else LOG_ODDS,
        _best(label_scores(ops.convert_to_tensor(logits), config), names),
        score,
    )


@_uses("word", "label")
def word_target(document: Document) -> Target:
    """Token classification: the label of a word.

    The word is the first that is spelled so, or else the one that is most
    certainly not outside of all entities. As in training, its first token has
    its label.
    """
    names = label_names(document.model.config)
    if document.word is None:
        window = document.windows[0]
        logits = document.outputs(window)["logits"][0]
        odds = _softmax(logits) * window.inside[:, None]
        entity = [name not in OUTSIDE for name in names]
        odds[:, ~np.array(entity)] *= 0 if any(entity) else 1
        place = int(odds.max(axis=1).argmax())
        word = window.words[place]
        tokens = np.flatnonzero(window.words == word)
    else:
        window, tokens = _find_word(document, document.word)
    place = int(tokens[0])
    logits = document.outputs(window)["logits"][0, place]
    index = _choose(document.label, names, "a label of the model", logits)
    start, end = window.offsets[tokens[0], 0], window.offsets[tokens[-1], 1]
    start, end = _strip(document.text, int(start), int(end))

    def score(states: Any, mask: Any) -> Any:
        one = states[:, place : place + 1]
        return _log_odds(document.head(one, mask)["logits"][:, 0], index)

    return Target(
        window,
        f"label of \N{LEFT DOUBLE QUOTATION MARK}{document.text[start:end]}"
        "\N{RIGHT DOUBLE QUOTATION MARK}",
        names[index],
        LOG_ODDS,
        _best(_softmax(logits)[None], names),
        score,
        tuple(tokens.tolist()),
        (start, end),
    )


@_uses("label")
def mask_target(document: Document) -> Target:
    """Masked language model: the first mask's best token, or the one named."""
    tokenizer = document.tokenizer
    places = [
        (window, place)
        for window in document.windows
        for place in np.flatnonzero(
            (np.array(window.ids) == tokenizer.mask_token_id) & window.inside
        )
    ]
    if not places:
        raise ValueError(
            f"A text must have a mask ({tokenizer.mask_token}) for a masked "
            f"language model. Received: none in {shown(document.text)}. Put it "
            "where a word is wanted."
        )
    first = places[0][0].offsets[places[0][1], 0]
    window, place = max(
        (x for x in places if x[0].offsets[x[1], 0] == first), key=_room
    )
    place = int(place)
    logits = document.outputs(window, slice(place, place + 1))["logits"][0, 0]
    index = int(logits.argmax())
    if document.label is not None:
        index = target_ids(tokenizer, document.label)[0]
    odds = _softmax(logits)
    best = np.argsort(-odds, kind="stable")[:_CANDIDATES].tolist()

    def score(states: Any, mask: Any) -> Any:
        one = states[:, place : place + 1]
        return _log_odds(document.head(one, mask)["logits"][:, 0], index)

    start, end = window.offsets[place].tolist()
    return Target(
        window,
        "word for the mask",
        tokenizer.decode([index]).strip(),
        LOG_ODDS,
        [(tokenizer.decode([i]).strip(), float(odds[i])) for i in best],
        score,
        (place,),
        (start, end),
    )


@_uses("question")
def answer_target(document: Document) -> Target:
    """Question answering: the best span of all windows."""
    if document.question is None:
        raise ValueError(
            "Question answering needs a question. Received: none. Pass "
            "`question`, or --question on the command line."
        )
    found = []
    for window in document.windows:
        outputs = document.outputs(window)
        spans = best_spans(
            ops.convert_to_tensor(outputs["start_logits"]),
            ops.convert_to_tensor(outputs["end_logits"]),
            ops.convert_to_tensor(window.inside[None]),
            ops.ones((1, len(window.ids)), dtype="int32"),
            _LONGEST_ANSWER,
            _CANDIDATES,
        )
        rows = [ops.convert_to_numpy(x)[0] for x in spans[:3]]
        for first, last, score in zip(*rows, strict=True):
            if first >= 0:
                found.append((float(score), int(first), int(last), window))
    if not found:
        raise ValueError(
            "A document must have text to find an answer in. Received: "
            f"{shown(document.text)}. Pass a longer one."
        )
    found.sort(key=lambda one: -one[0])
    _, first, last, window = found[0]
    candidates = []
    for score, left, right, where in found:
        start, end = where.offsets[left, 0], where.offsets[right, 1]
        text = document.text[start:end].strip()
        if text not in dict(candidates):
            candidates.append((text, score))
    # The first token stands for no answer.
    allowed = window.inside | (np.arange(len(window.ids)) == 0)
    out = np.where(allowed, 0, _FAR_BELOW).astype("float32")[None]

    def score(states: Any, mask: Any) -> Any:
        outputs = document.head(states, mask)
        left_out = ops.cast(1 - ops.cast(mask, "int32"), "float32")
        ends = []
        for name, place in (("start_logits", first), ("end_logits", last)):
            logits = ops.cast(outputs[name], "float32") + out
            logits = logits + left_out * _FAR_BELOW
            odds = _log_odds(logits, place)
            # The logarithms of the probability and of its complement.
            ends.append((-ops.softplus(-odds), -ops.softplus(odds)))
        (start, no_start), (end, no_end) = ends
        return start + end - ops.logaddexp(no_start, start + no_end)

    span = _strip(
        document.text,
        int(window.offsets[first, 0]),
        int(window.offsets[last, 1]),
    )
    return Target(
        window,
        "answer",
        candidates[0][0],
        LOG_ODDS,
        candidates[:_CANDIDATES],
        score,
        tuple(range(first, last + 1)),
        span,
    )


@_uses("choices", "label")
def choice_target(document: Document) -> Target:
    """Multiple choice: the best choice's own logit, or that of the named."""
    logits = np.array(
        [document.outputs(w)["logits"][0, 0] for w in document.windows]
    )
    choices = list(document.choices or ())
    index = _choose(document.label, choices, "one of the choices", logits)

    def score(states: Any, mask: Any) -> Any:
        return document.head(states, mask)["logits"][:, 0]

    return Target(
        document.windows[index],
        "choice",
        choices[index],
        "logit",
        _best(_softmax(logits)[None], choices),
        score,
    )


@_uses("question")
def similarity_target(document: Document) -> Target | None:
    """The bare model: the document's likeness to a question, if there is one.

    It is the cosine of the means of all tokens, as `tf_longformer.tasks.embed`
    has it. A model of sentence-transformers pools and projects as its folder
    says, where `embed` can do so.
    """
    if document.question is None:
        return None
    settings = document.model.vector_settings
    is_known = settings is not None and settings.is_known
    pooling = settings.poolings[0] if is_known else "mean"
    projections = settings.projections if is_known else ()

    def vectors_of(states: Any, mask: Any) -> Any:
        vectors = pool_rows(states, mask, pooling)
        return normalize_vectors(project_vectors(vectors, projections))

    query = document.encode_text(document.question)
    query = vectors_of(query, ops.ones(query.shape[:2], "int32"))
    window = document.windows[0]

    def score(states: Any, mask: Any) -> Any:
        states = ops.cast(states, "float32")
        vectors = vectors_of(states, ops.cast(mask, "int32"))
        return ops.matmul(vectors, ops.transpose(query))[:, 0]

    return Target(window, "likeness to", document.question, "cosine", [], score)


def _choose(
    wanted: str | None, names: Sequence[str], rule: str, logits: np.ndarray
) -> int:
    """Returns the index of a name, or else of the largest logit."""
    if wanted is None:
        return int(np.argmax(logits))
    if wanted not in names:
        raise ValueError(
            f"`label` must be {rule}. Received: {shown(wanted)}. Choose from "
            f"{shown(list(names))}."
        )
    return list(names).index(wanted)


def _find_word(document: Document, word: str) -> tuple[Window, np.ndarray]:
    """Returns a word's tokens in the window with most text around it."""
    whole = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", document.text)
    start = document.text.find(word) if whole is None else whole.start()
    found = []
    for window in document.windows if word.strip() and start >= 0 else ():
        first, last = window.offsets.T
        here = (first < start + len(word)) & (last > start) & window.inside
        if here.any():
            found.append((window, np.flatnonzero(here)))
    if not found:
        raise ValueError(
            "`word` must be in the text. Received: "
            f"{shown(word)}. Spell it as the text does."
        )
    return max(found, key=lambda one: _room((one[0], one[1][0])))


def _room(one: tuple[Window, Any]) -> int:
    """Returns how much text a token has on its shorter side."""
    window, place = one
    return min(int(place), len(window.ids) - 1 - int(place))


def _log_odds(logits: Any, index: int) -> Any:
    """Returns the log-odds of one of `[rows, classes]` against the others."""
    logits = ops.cast(logits, "float32")
    is_it = np.arange(logits.shape[1]) == index
    others = logits + np.where(is_it, _FAR_BELOW, 0).astype("float32")
    return logits[:, index] - ops.logsumexp(others, axis=1)


def _softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def _best(scores: Any, names: Sequence[str]) -> list[tuple[str, float]]:
    """Returns the best names of `[1, names]` scores."""
    row = ops.convert_to_numpy(scores)[0]
    best = np.argsort(-row, kind="stable")[:_CANDIDATES]
    return [(names[i], float(row[i])) for i in best]


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    """Leaves out the space that a token may begin with."""
    part = text[start:end]
    return end - len(part.lstrip()), end

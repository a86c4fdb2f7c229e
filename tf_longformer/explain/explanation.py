"""Where a model looks in a document, and what its prediction rests on."""

from __future__ import annotations

import dataclasses
import os
import textwrap
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from tf_longformer import atomic
from tf_longformer.data.global_masks import NAMES
from tf_longformer.data.windows import Window
from tf_longformer.errors import shown
from tf_longformer.explain.attention_summary import LayerSummary
from tf_longformer.explain.attention_summary import passage_size
from tf_longformer.explain.attention_summary import summarize_layer
from tf_longformer.explain.attribution import find_parts
from tf_longformer.explain.attribution import gradient_times_input
from tf_longformer.explain.attribution import occlude
from tf_longformer.explain.document import Document
from tf_longformer.explain.page import make_page
from tf_longformer.explain.targets import LOG_ODDS
from tf_longformer.explain.targets import Target
from tf_longformer.heads import resolve
from tf_longformer.tasks import steps


@dataclasses.dataclass(frozen=True)
class Effect:
    """What a sentence does to a prediction; positive numbers support it.

    Attributes:
        start: int, its first character.
        end: int, the character after its last.
        tokens: its first token in the window, and the one after its last.
        gradient: float, gradient times input.
        occlusion: float, how far the score falls without the sentence; `None`
            where that wasn't tried.
        score_without: float, the score without it, `None` likewise.
    """

    start: int
    end: int
    tokens: tuple[int, int]
    gradient: float
    occlusion: float | None = None
    score_without: float | None = None


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A prediction, and what it rests on.

    Attributes:
        title: str, what it is, such as `"label"`.
        name: str, what was predicted, such as the label's name.
        score: float, the number that is explained.
        unit: str, of the score: `"log-odds"`, `"value"`, `"logit"` or
            `"cosine"`.
        candidates: list of names and their scores, the best first.
        span: characters that the prediction is about, or `None`.
        effects: list of `Effect`, the sentences in order.
        gradient: float32 `[seq]`, gradient times input of each token.
    """

    title: str
    name: str
    score: float
    unit: str
    candidates: list[tuple[str, float]]
    span: tuple[int, int] | None
    effects: list[Effect]
    gradient: np.ndarray

    @property
    def probability(self) -> float | None:
        """The probability that the score stands for, if it stands for one."""
        return probability_of(self.score, self.unit)


def probability_of(score: float, unit: str) -> float | None:
    """Returns the probability of log-odds, `None` for another unit."""
    return float(1 / (1 + np.exp(-score))) if unit == LOG_ODDS else None


@dataclasses.dataclass(frozen=True)
class Explanation:
    """What `explain` returns.

    Attributes:
        text: str, the document.
        title: str, its name.
        model: str, the model's name.
        head: str, the name of its class.
        window: `tf_longformer.data.windows.Window`, the piece of the document
            that is explained: ids, and the characters of each token.
        tokens: list of strings, the piece's tokens as text.
        is_global: bool array `[seq]`.
        why_global: str, a sentence.
        passage: int, tokens of a passage of the maps.
        layers: list of `LayerSummary`.
        total_tokens: int, tokens of the whole document.
        prediction: `Prediction`, or `None` where attention alone is shown.
    """

    text: str
    title: str
    model: str
    head: str
    window: Window
    tokens: list[str]
    is_global: np.ndarray
    why_global: str
    passage: int
    layers: list[LayerSummary]
    total_tokens: int
    prediction: Prediction | None

    def to_html(self, max_kilobytes: int = 500) -> str:
        """Returns a page of HTML with all that it needs in it.

        Args:
            max_kilobytes: int, most thousands of characters. The strongest
                links between words are in the page, as many as fit; texts,
                maps and numbers of sentences always are. Defaults to `500`.
        """
        return make_page(self, max_kilobytes * 1000)

    def save(self, path: str | os.PathLike, max_kilobytes: int = 500) -> None:
        """Writes the page of `to_html` to a file, which it replaces."""
        atomic.write_text(path, self.to_html(max_kilobytes))


def explain(
    model: Any,
    tokenizer: Any,
    text: str,
    *,
    question: str | None = None,
    choices: Sequence[str] | None = None,
    label: str | None = None,
    word: str | None = None,
    global_tokens: str | None = None,
    max_sentences: int = 64,
    occlusion: bool = True,
    max_length: int | None = None,
    title: str = "",
    progress: Callable[[str, int, int], None] | None = None,
) -> Explanation:
    """Finds out where a model looks, and what its prediction rests on.

    ```python
    from tf_longformer.explain import explain

    explanation = explain(model, tokenizer, document)
    for effect in explanation.prediction.effects:
        print(effect.occlusion, document[effect.start : effect.end])
    explanation.save("explanation.html")
    ```

    What is explained is one number. Of sequence classification it is the
    log-odds of the best label (of regression the value), of question answering
    those of the best answer, of token classification those of a word's label,
    of masked language models those of the first mask's best token. Of
    multiple choice it is the best choice's logit, and of the bare model, if
    there is a question, the cosine of the document's mean vector and the
    question's. Without a question attention alone is looked at.

    Of a document that is too long for the model one window is explained: the
    one with the answer, the word or the mask, or else the first.

    It goes through the model a layer and a head at a time, so that memory
    grows with the length but not with the number of either.

    Args:
        model: a model with any head.
        tokenizer: its tokenizer, or a fast one of transformers.
        text: str, the document.
        question: str, of question answering; of the bare model, a text to
            compare with. Defaults to none.
        choices: strings, of multiple choice. Defaults to none.
        label: str, the label, token or choice to explain. Defaults to the
            predicted one.
        word: str, of token classification: the word whose label is
            explained, where it occurs first. Defaults to the one that is most
            certainly part of an entity.
        global_tokens: str, the tokens that are global: `"none"`, `"cls"`,
            `"question"` or `"choices"`. Defaults to the head's own.
        max_sentences: int, most sentences to tell apart. Where a document has
            more, neighbours are taken together. Defaults to `64`.
        occlusion: bool, whether to leave out each sentence in turn, which
            takes as many forward passes. Defaults to `True`; otherwise there
            is gradient times input alone.
        max_length: int, most tokens of a window. Defaults to the model's
            limit.
        title: str, the document's name. Defaults to its first words.
        progress: function of the name of a step, of what is done of it and of
            all. Defaults to none.

    Returns:
        `Explanation`.

    Raises:
        TypeError: for a text that is none.
        ValueError: for a label, word or kind of global tokens that there
            isn't, a question or choices that are missing, an argument that
            the head doesn't use, a text without a token, a window of
            impossible size, or a model that computes NaN or infinity.
    """
    if not isinstance(text, str):
        raise TypeError(
            "`text` must be a string, one document. Received: "
            f"{type(text).__name__}. Call `explain` for each document."
        )
    steps.check_counts(max_sentences=max_sentences)
    find_target = resolve(model.head_record.explain)
    _check_arguments(
        model,
        find_target,
        global_tokens,
        {"question": question, "choices": choices}
        | {"label": label, "word": word},
    )
    document = Document(
        model,
        tokenizer,
        text,
        question,
        choices,
        label,
        word,
        global_tokens,
        max_length,
    )
    if not any(window.inside.any() for window in document.windows):
        raise ValueError(
            f"`text` must have a token. Received: {text[:60]!r}. Pass a "
            "longer one."
        )
    show = progress or (lambda name, done, total: None)
    target = find_target(document) if find_target is not None else None
    window = document.windows[0] if target is None else target.window
    encoded = document.encode(window)
    if not np.isfinite(ops.convert_to_numpy(encoded.states[-1])).all():
        raise ValueError(
            "What a model computes must be finite. Received: NaN or infinity "
            "in its hidden states. Check its weights, and load it in float32."
        )
    config = model.config
    seq = len(window.ids)
    passage = passage_size(
        seq, [2 * r for r in config.radii], config.num_attention_heads
    )
    layers = []
    for width, heads in encoded.attention():
        layers.append(
            summarize_layer(heads, width, passage, ~encoded.is_global)
        )
        show("attention", len(layers), config.num_hidden_layers)
    prediction = None
    if target is not None:
        prediction = _predict(document, target, max_sentences, occlusion, show)
    return Explanation(
        text=text,
        title=title or textwrap.shorten(text[:200], 60, placeholder=" ..."),
        # A page that is passed on needn't say where the folder is.
        model=Path(config.name_or_path or type(model).__name__).name,
        head=type(model).__name__,
        window=window,
        tokens=_token_texts(document, window),
        is_global=encoded.is_global,
        why_global=_why_global(document, int(encoded.is_global.sum())),
        passage=passage,
        layers=layers,
        total_tokens=max(w.last for w in document.windows),
        prediction=prediction,
    )


def _check_arguments(
    model: Any,
    find_target: Any,
    global_tokens: str | None,
    given: dict[str, Any],
) -> None:
    """Raises for arguments that would have no effect, or are none."""
    if global_tokens is not None and global_tokens not in NAMES:
        raise ValueError(
            "`global_tokens` (--global-attention) must be one of "
            f"{', '.join(NAMES)}. Received: {shown(global_tokens)}. Correct "
            "it, or leave it out for the model's own."
        )
    used = getattr(find_target, "used", given)
    idle = [
        name
        for name, value in given.items()
        if value is not None and name not in used
    ]
    if idle:
        raise ValueError(
            f"For {type(model).__name__}, `explain` takes "
            f"{' and '.join(used) or 'the text alone'}. Received: "
            f"{', '.join(idle)}. Leave that out, or load another head."
        )


def _predict(
    document: Document,
    target: Target,
    max_sentences: int,
    occlusion: bool,
    show: Callable[[str, int, int], None],
) -> Prediction:
    window = target.window
    parts = find_parts(document.text, window, max_sentences)
    gradient = gradient_times_input(document, target)
    show("gradient", 1, 1)
    states = document.encode(window).states[-1]
    ones = ops.ones((1, len(window.ids)), dtype="int32")
    score = float(ops.convert_to_numpy(target.score(states, ones))[0])
    scores: list[float | None] = [None] * len(parts)
    if occlusion:
        found = occlude(
            document,
            target,
            parts,
            lambda done, total: show("occlusion", done, total),
        )
        # The compiled model's own score, so that rounding doesn't count.
        score = float(found[-1])
        scores = found[:-1].tolist()
    effects = [
        Effect(
            int(window.offsets[part.first, 0]),
            int(window.offsets[part.first : part.last, 1].max()),
            (part.first, part.last),
            float(gradient[part.first : part.last].sum()),
            None if without is None else score - without,
            without,
        )
        for part, without in zip(parts, scores, strict=True)
    ]
    return Prediction(
        target.title,
        target.name,
        score,
        target.unit,
        target.candidates,
        target.span,
        effects,
        gradient,
    )


def _token_texts(document: Document, window: Window) -> list[str]:
    """Returns the text of each token; what isn't of the document is decoded."""
    return [
        document.text[start:end]
        if start >= 0
        else document.tokenizer.decode([index])
        for index, (start, end) in zip(
            window.ids, window.offsets.tolist(), strict=True
        )
    ]


_REASONS = {
    "none": "no token is global",
    "cls": "the first token is global: it stands for the whole text",
    "question": "the question and the token before it are global: they look "
    "for the answer in the whole text",
    "choices": "the choice is global: it is compared with the whole text",
}


def _why_global(document: Document, count: int) -> str:
    """Returns a sentence about why tokens are global, or none is."""
    chosen = document.global_tokens
    who = "As it was asked for"
    if chosen is None:
        chosen = document.model.head_record.default_globals
        who = f"As {type(document.model).__name__} has it"
    reason = _REASONS.get(chosen)
    if reason is None or (chosen == "none") != (count == 0):
        reason = f"{count} tokens are global"
    return f"{who}, {reason}."

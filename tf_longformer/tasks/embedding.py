"""Vectors of documents, and of spans of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from tf_longformer.data.text_spans import SPAN_KINDS
from tf_longformer.data.text_spans import split_spans
from tf_longformer.data.windows import Window
from tf_longformer.decoding import POOLINGS
from tf_longformer.decoding import normalize_vectors
from tf_longformer.decoding import project_vectors
from tf_longformer.decoding import weigh_tokens
from tf_longformer.errors import shown
from tf_longformer.projections import Projection
from tf_longformer.projections import projected_width
from tf_longformer.tasks import steps


def embed(
    model: Any,
    tokenizer: Any,
    texts: str | Sequence[str],
    pooling: str = "mean",
    normalize: bool = True,
    spans: str | Sequence[Any] | None = None,
    batch_size: int = 8,
    stride: int = 128,
    max_length: int | None = None,
    projections: Sequence[Projection] = (),
) -> Any:
    """Makes vectors of documents of any length.

    A vector is the mean of the states of all tokens but padding, special
    tokens included, as sentence-transformers has it. In a document of several
    windows each token counts once: with the mean of its states where windows
    overlap, and `<s>` and `</s>` with the mean over all windows. An empty text
    has the mean of these two.

    With `spans` there is a vector for each span instead: the mean of the
    states of its tokens, which have seen the document around them ("late
    chunks"). Only one pass over the document is made.

    Args:
        model: `TFLongformerModel`.
        tokenizer: its tokenizer, or a fast one of transformers.
        texts: a string or a list of strings.
        pooling: `"mean"`, or `"cls"` for the state of the first token, over
            all windows its mean. Defaults to `"mean"`.
        normalize: bool, whether vectors get the length 1. Defaults to `True`.
        spans: `"sentences"` (which end at `.`, `!`, `?` and space, or at an
            empty line: abbreviations aren't known), `"paragraphs"` (at empty
            lines), or characters `(start, end)` in a list; for a list of
            texts a list of such lists. Defaults to none.
        batch_size: int, windows that go through the model at once. Defaults
            to `8`.
        stride: int, tokens that a window shares with the one before, at
            most half a window. Defaults to `128`.
        max_length: int, tokens of a window. Defaults to the model's limit.
        projections: `Projection`s that vectors go through once they are
            pooled, as `sentence_transformer_options` returns them. Defaults
            to none.

    Returns:
        float32 array `[width]`, for a list of texts `[texts, width]`, where
        the width is `hidden_size` or that of the last projection. With
        `spans` a list of dicts with the characters `start` and `end` and the
        array `embedding`; for a list of texts a list of such lists.

    Raises:
        TypeError: for another model, or texts, spans or projections that are
            none.
        ValueError: for another pooling, projections of other widths, spans
            outside of their text or without a token, a window of impossible
            size, or a batch below 1.

    Reference:
        - [Günther et al., 2024](https://arxiv.org/abs/2409.04701)
    """
    steps.check_head(model, "last_hidden_state", "embed", "TFLongformerModel")
    rows, single = steps.as_list("texts", texts)
    if pooling not in POOLINGS or (spans is not None and pooling != "mean"):
        raise ValueError(
            f"`pooling` must be one of {', '.join(POOLINGS)}, and 'mean' for "
            f"spans. Received: {shown(pooling)}, spans={str(spans)[:60]}. "
            "Pass pooling='mean'."
        )
    projected_width(projections, model.config.hidden_size)
    steps.check_counts(batch_size=batch_size)
    places = None
    if spans is not None:
        places = _find_spans(rows, [spans] if single else spans, spans)
    windows = steps.cut(model, tokenizer, rows, stride, max_length)
    if places is None:
        found = _of_texts(model, windows, len(rows), pooling, batch_size)
        found = _finish(found, projections, normalize)
        return found[0] if single else found
    results = _of_spans(model, windows, places, batch_size)
    given = not isinstance(spans, str)
    of_texts = []
    for row, (chars, (sums, counts)) in enumerate(
        zip(places, results, strict=True)
    ):
        empty = np.flatnonzero(counts == 0)
        if given and empty.size:
            raise ValueError(
                "A span must have a token of its text. Received: characters "
                f"{chars[empty[0]]} of text {row}, without one. Leave it out."
            )
        vectors = (sums / np.maximum(counts, 1)[:, None]).astype("float32")
        vectors = _finish(vectors, projections, normalize)
        of_texts.append(
            [
                {"start": start, "end": end, "embedding": vector}
                for (start, end), vector, count in zip(
                    chars, vectors, counts, strict=True
                )
                if count
            ]
        )
    return of_texts[0] if single else of_texts


def _finish(
    vectors: np.ndarray, projections: Sequence[Projection], normalize: bool
) -> np.ndarray:
    """Returns what sentence-transformers makes of pooled vectors."""
    vectors = project_vectors(vectors, projections)
    if normalize:
        vectors = normalize_vectors(vectors)
    return ops.convert_to_numpy(vectors)


def _of_texts(
    model: Any,
    windows: list[Window],
    texts: int,
    pooling: str,
    batch_size: int,
) -> np.ndarray:
    """Returns the vectors of texts, `[texts, hidden_size]`."""
    weights = {}
    for of_text in steps.by_text(windows):
        tokens = _shares(of_text)
        total = of_text[-1].last
        for window, row in zip(of_text, tokens, strict=True):
            row = np.where(window.inside, row, 1 / len(of_text))
            if pooling == "cls":
                row = np.where(np.arange(len(row)), 0, row)
            else:
                row = row / (total + np.sum(~window.inside))
            weights[id(window)] = row
    vectors = np.zeros((texts, model.config.hidden_size), "float32")
    for batch in steps.run(model, windows, batch_size):
        rows = [weights[id(window)] for window in batch.windows]
        parts = weigh_tokens(
            batch.logits("last_hidden_state"),
            batch.pad(rows, 0.0).astype("float32"),
        )
        parts = ops.convert_to_numpy(parts)
        for window, part in zip(batch.windows, parts, strict=True):
            vectors[window.text] += part
    return vectors


def _of_spans(
    model: Any,
    windows: list[Window],
    places: list[list[tuple[int, int]]],
    batch_size: int,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns for each text its spans' sums of states, and their tokens."""
    shares = {}
    for of_text in steps.by_text(windows):
        for window, row in zip(of_text, _shares(of_text), strict=True):
            shares[id(window)] = row
    width = model.config.hidden_size
    results = [
        (np.zeros((len(chars), width), "float32"), np.zeros(len(chars)))
        for chars in places
    ]
    wanted = [window for window in windows if places[window.text]]
    for batch in steps.run(model, wanted, batch_size):
        states = ops.convert_to_numpy(batch.logits("last_hidden_state"))
        for window, values in zip(batch.windows, states, strict=True):
            sums, counts = results[window.text]
            first, last = window.offsets.T
            share = shares[id(window)].astype("float32")
            for number, (start, end) in enumerate(places[window.text]):
                # Some tokens, such as bytes of one character, have the same
                # characters; some may have none.
                inside = (first < end) & (last > start) & (first < last)
                if inside.any():
                    chosen = share[inside]
                    size = len(window.ids)
                    sums[number] += chosen @ values[:size][inside]
                    counts[number] += chosen.sum()
    # Shares of a token add up to 1, up to rounding.
    return [(sums, np.where(n < 1e-3, 0, n)) for sums, n in results]


def _shares(windows: list[Window]) -> list[np.ndarray]:
    """Returns for each window of a text what its tokens count there.

    A token that is in several windows counts in each of them a part; special
    tokens count nothing.
    """
    counts = np.zeros(windows[-1].last)
    for window in windows:
        counts[window.first : window.last] += 1
    shares = []
    for window in windows:
        row = np.zeros(len(window.ids))
        row[window.inside] = 1 / counts[window.first : window.last]
        shares.append(row)
    return shares


def _find_spans(
    texts: list[str], spans: Any, given: Any
) -> list[list[tuple[int, int]]]:
    """Returns the characters of each text's spans."""
    if isinstance(given, str):
        if given not in SPAN_KINDS:
            raise ValueError(
                f"`spans` must be one of {', '.join(SPAN_KINDS)}, or "
                f"characters (start, end). Received: {shown(given)}."
            )
        return [list(split_spans(text, given)) for text in texts]
    if not isinstance(spans, Sequence) or len(spans) != len(texts):
        count = len(spans) if isinstance(spans, Sequence) else "no"
        raise ValueError(
            "There must be a list of spans for each text. Received: "
            f"{count} lists for {len(texts)} texts. Pass [] for none."
        )
    return [
        [_check_span(span, text) for span in of_text]
        for of_text, text in zip(spans, texts, strict=True)
    ]


def _check_span(span: Any, text: str) -> tuple[int, int]:
    try:
        start, end = (int(place) for place in span)
    except (TypeError, ValueError):
        raise TypeError(
            "A span must be characters (start, end). Received: "
            f"{str(span)[:60]}. For several texts pass a list of spans for "
            "each."
        ) from None
    if not 0 <= start < end <= len(text):
        raise ValueError(
            "A span must be characters (start, end) of its text. Received: "
            f"({start}, {end}) in a text of {len(text)} characters. Correct "
            "it."
        )
    return start, end

"""Words for the masks in documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_longformer.tasks import windows as parts


def fill_mask(
    model: Any,
    tokenizer: Any,
    texts: str | Sequence[str],
    top_k: int = 5,
    batch_size: int = 8,
    stride: int = 128,
    max_length: int | None = None,
) -> Any:
    """Fills in `<mask>` in documents of any length.

    In a document of several windows each mask is filled in from the window
    that has most of the text around it.

    Args:
        model: `TFLongformerForMaskedLM`.
        tokenizer: its tokenizer.
        texts: a string with `tokenizer.mask_token` in it, or a list.
        top_k: int, tokens to return for a mask. Defaults to `5`.
        batch_size: int, windows that go through the model at once. Defaults
            to `8`.
        stride: int, tokens that a window shares with the one before, at
            most half a window. Defaults to `128`.
        max_length: int, tokens of a window. Defaults to the model's limit.

    Returns:
        List of dicts with `score`, `token` (its id), `token_str` and
        `sequence` (the text with it), the best first; for a text of several
        masks a list of such lists; for a list of texts a list of those.

    Raises:
        TypeError: for another model, or texts that are none.
        ValueError: for a text without a mask, a window of impossible size,
            or numbers below 1.
    """
    head = "TFLongformerForMaskedLM"
    parts.check_head(model, "logits", "fill_mask", head)
    rows, single = parts.as_list("texts", texts)
    parts.check_counts(top_k=top_k)
    windows = parts.cut(model, tokenizer, rows, stride, max_length)
    masks = [_places(tokenizer, windows, row) for row in range(len(rows))]
    for row, places in enumerate(masks):
        if not places:
            raise ValueError(
                f"Each text must have a mask ({tokenizer.mask_token}). "
                f"Received: none in text {row}: {rows[row][:60]!r}. Put it "
                "where a word is wanted."
            )
    used = {id(w): w for places in masks for w, _ in places.values()}
    parts.run(model, tokenizer, list(used.values()), batch_size)
    results = []
    for row, places in enumerate(masks):
        ids = _ids(windows, row)
        filled = [
            _candidates(tokenizer, ids, place, *found, top_k, len(places) == 1)
            for place, found in places.items()
        ]
        results.append(filled[0] if len(filled) == 1 else filled)
    return results[0] if single else results


def _places(
    tokenizer: Any, windows: list[parts.Window], row: int
) -> dict[int, tuple[parts.Window, int]]:
    """Returns each mask's window and index there, by its place in the text."""
    found: dict[int, tuple[int, parts.Window, int]] = {}
    for window in windows:
        if window.row != row:
            continue
        inside = np.flatnonzero(window.inside)
        for number, index in enumerate(inside):
            if window.ids[index] != tokenizer.mask_token_id:
                continue
            around = min(number, len(inside) - 1 - number)
            place = window.first + number
            if place not in found or around > found[place][0]:
                found[place] = around, window, int(index)
    return {place: found[place][1:] for place in sorted(found)}


def _ids(windows: list[parts.Window], row: int) -> list[int]:
    """Returns the ids of a text without special tokens around it."""
    ids: list[int] = []
    for window in windows:
        if window.row == row:
            new = np.asarray(window.ids)[window.inside]
            ids[window.first :] = new.tolist()
    return ids


def _candidates(
    tokenizer: Any,
    ids: list[int],
    place: int,
    window: parts.Window,
    index: int,
    top_k: int,
    alone: bool,
) -> list[dict[str, Any]]:
    scores = parts.softmax(window.scores["logits"][index])
    candidates = []
    for token in np.argsort(-scores, kind="stable")[:top_k]:
        filled = [*ids[:place], int(token), *ids[place + 1 :]]
        candidates.append(
            {
                "score": float(scores[token]),
                "token": int(token),
                "token_str": tokenizer.decode([int(token)]),
                "sequence": tokenizer.decode(filled, skip_special_tokens=alone),
            }
        )
    return candidates

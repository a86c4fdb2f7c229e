"""Words for the masks in documents."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from tf_longformer import decoding
from tf_longformer.data.windows import Window
from tf_longformer.tasks import steps

logger = logging.getLogger("tf_longformer")


def fill_mask(
    model: Any,
    tokenizer: Any,
    texts: str | Sequence[str],
    top_k: int = 5,
    batch_size: int = 8,
    stride: int = 128,
    max_length: int | None = None,
    targets: str | Sequence[str] | None = None,
) -> Any:
    """Fills in `<mask>` in documents of any length.

    In a document of several windows each mask is filled in from the window
    that has most of the text around it.

    Args:
        model: `TFLongformerForMaskedLM`.
        tokenizer: its tokenizer, or a fast one of transformers.
        texts: a string with `tokenizer.mask_token` in it, or a list.
        top_k: int, tokens to return for a mask. Defaults to `5`.
        batch_size: int, windows that go through the model at once. Defaults
            to `8`.
        stride: int, tokens that a window shares with the one before, at
            most half a window. Defaults to `128`.
        max_length: int, tokens of a window. Defaults to the model's limit.
        targets: tokens among which the best ones are looked for, as the
            vocabulary spells them (`"Ġword"`), or texts, of which the first
            token counts (`" word"`), with a warning. Scores stay those of
            the whole vocabulary. Defaults to all tokens.

    Returns:
        List of dicts with `score`, `token` (its id), `token_str` and
        `sequence` (the text with it), the best first; for a text of several
        masks a list of such lists; for a list of texts a list of those.

    Raises:
        TypeError: for another model, or texts that are none.
        ValueError: for a text without a mask, a window of impossible size,
            numbers below 1, or targets without a token.
    """
    head = "TFLongformerForMaskedLM"
    steps.check_head(model, "logits", "fill_mask", head)
    rows, single = steps.as_list("texts", texts)
    steps.check_counts(top_k=top_k)
    if tokenizer.mask_token_id is None:
        raise ValueError(
            "The tokenizer must have a mask token. Received: none. Set "
            "`tokenizer.mask_token`."
        )
    windows = steps.cut(model, tokenizer, rows, stride, max_length)
    by_text = steps.by_text(windows)
    masks = [_places(tokenizer, of_text) for of_text in by_text]
    for row, places in enumerate(masks):
        if not places:
            raise ValueError(
                f"Each text must have a mask ({tokenizer.mask_token}). "
                f"Received: none in text {row}: {rows[row][:60]!r}. Put it "
                "where a word is wanted."
            )
    wanted = None if targets is None else target_ids(tokenizer, targets)
    found = _fill(model, windows, masks, top_k, batch_size, wanted)
    results = []
    for row, (places, of_text) in enumerate(zip(masks, by_text, strict=True)):
        ids = steps.join(of_text, [window.ids for window in of_text]).tolist()
        filled = [
            _candidates(tokenizer, ids, place, *found[row, place], len(places))
            for place in places
        ]
        results.append(filled[0] if len(filled) == 1 else filled)
    return results[0] if single else results


def target_ids(tokenizer: Any, targets: Any) -> list[int]:
    """Returns the ids of targets, as transformers' pipeline reads them."""
    names, _ = steps.as_list("targets", targets)
    vocabulary = tokenizer.get_vocab()
    ids = []
    for name in names:
        token = vocabulary.get(name)
        if token is None:
            found = tokenizer(name, add_special_tokens=False)["input_ids"]
            if not found:
                continue
            token = found[0]
            logger.warning(
                "The target %r isn't a token of the vocabulary. %r takes its "
                "place.",
                name,
                tokenizer.convert_ids_to_tokens(token),
            )
        ids.append(token)
    if not ids:
        raise ValueError(
            "`targets` must have at least one token. Received: "
            f"{str(names)[:60]}. Name tokens or words."
        )
    return sorted(set(ids))


def _places(
    tokenizer: Any, windows: list[Window]
) -> dict[int, tuple[Window, int]]:
    """Returns for each mask's place in the text its best window and index."""
    found: dict[int, tuple[int, Window, int]] = {}
    for window in windows:
        inside = np.flatnonzero(window.inside)
        for number, index in enumerate(inside):
            if window.ids[index] != tokenizer.mask_token_id:
                continue
            # The more text on its shorter side, the better.
            shorter_side = min(number, len(inside) - 1 - number)
            place = window.first + number
            if place not in found or shorter_side > found[place][0]:
                found[place] = shorter_side, window, int(index)
    return {place: found[place][1:] for place in sorted(found)}


def _fill(
    model: Any,
    windows: list[Window],
    masks: list[dict[int, tuple[Window, int]]],
    top_k: int,
    batch_size: int,
    targets: list[int] | None,
) -> dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]:
    """Returns the best tokens' scores and ids by text and mask's place."""
    # For each window, by its Python `id`, the masks that it fills: place in the
    # text, and index in the window.
    wanted: dict[int, list[tuple[int, int]]] = {}
    for places in masks:
        for place, (window, index) in places.items():
            wanted.setdefault(id(window), []).append((place, index))
    used = [window for window in windows if id(window) in wanted]
    vocabulary = range(model.config.vocab_size)
    top_k = min(top_k, len(vocabulary if targets is None else targets))
    filled = {}
    for batch in steps.run(model, used, batch_size):
        rows = [wanted[id(window)] for window in batch.windows]
        positions = np.full((len(rows), max(map(len, rows))), -1, "int32")
        for line, row in zip(positions, rows, strict=True):
            line[: len(row)] = [index for _, index in row]
        logits = decoding.take_positions(batch.logits(), positions)
        scores, tokens = map(
            ops.convert_to_numpy,
            decoding.best_tokens(logits, positions, top_k, targets),
        )
        for number, (window, row) in enumerate(
            zip(batch.windows, rows, strict=True)
        ):
            for mask, (place, _) in enumerate(row):
                best = scores[number, mask], tokens[number, mask]
                filled[window.text, place] = best
    return filled


def _candidates(
    tokenizer: Any,
    ids: list[int],
    place: int,
    scores: np.ndarray,
    tokens: np.ndarray,
    masks: int,
) -> list[dict[str, Any]]:
    return [
        {
            "score": float(score),
            "token": int(token),
            "token_str": tokenizer.decode([int(token)]),
            "sequence": tokenizer.decode(
                [*ids[:place], int(token), *ids[place + 1 :]],
                # Other masks of the text stay where they are.
                skip_special_tokens=masks == 1,
            ),
        }
        for score, token in zip(scores, tokens, strict=True)
    ]

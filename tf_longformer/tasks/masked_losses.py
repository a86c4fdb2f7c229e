"""What a masked language model loses on documents."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from tf_longformer.data.collators import MaskedLanguageModelCollator
from tf_longformer.data.word_labels import IGNORED
from tf_longformer.tasks import steps


def masked_losses(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    probability: float = 0.15,
    seed: int = 0,
    batch_size: int = 8,
    max_length: int | None = None,
) -> list[dict[str, float]]:
    """Hides tokens of documents of any length, and asks the model for them.

    Which tokens are hidden follows from the text, its window and the seed
    alone, so that models are asked for the same ones, whatever the batches.

    Args:
        model: `TFLongformerForMaskedLM`.
        tokenizer: its tokenizer.
        texts: list of strings. Each is cut into windows that don't overlap.
        probability: float, share of the tokens that are hidden, as of
            `MaskedLanguageModelCollator`. Defaults to `0.15`.
        seed: int. Defaults to `0`.
        batch_size: int, windows that go through the model at once. Defaults
            to `8`.
        max_length: int, tokens of a window. Defaults to the model's limit.

    Returns:
        List of a dict for each text: `loss_sum`, the losses of its hidden
        tokens (nats), `tokens`, their number, and `characters`, how many
        these stand for. See `tf_longformer.metrics.masked_lm_metrics`.

    Raises:
        TypeError: for another model, or texts that are none.
        ValueError: for a tokenizer without a mask token, a window of
            impossible size, or numbers out of range.
    """
    steps.check_head(
        model, "logits", "masked_losses", "TFLongformerForMaskedLM"
    )
    rows, _ = steps.as_list("texts", texts)
    collator = MaskedLanguageModelCollator(tokenizer, probability)
    windows = steps.cut(model, tokenizer, rows, 0, max_length)
    results: list[dict[str, float]] = [
        {"loss_sum": 0.0, "tokens": 0, "characters": 0} for _ in rows
    ]
    labels, hidden = {}, []
    for window in windows:
        text = rows[window.text]
        key = zlib.crc32(text.encode("utf-8", "surrogatepass"))
        given = {"input_ids": window.ids}
        batch = collator([given], seed=(seed, key, window.first))
        (wanted,) = batch["labels"]
        # Windows of several texts begin at one place.
        labels[window.text, window.first] = wanted
        ids = batch["input_ids"][0].tolist()
        hidden.append(window._replace(ids=ids))
        chosen = window.offsets[wanted != IGNORED]
        result = results[window.text]
        result["tokens"] += len(chosen)
        result["characters"] += int((chosen[:, 1] - chosen[:, 0]).sum())
    for batch in steps.run(model, hidden, batch_size):
        logits = batch.logits()
        for row, window in enumerate(batch.windows):
            wanted = labels[window.text, window.first]
            places = np.flatnonzero(wanted != IGNORED)
            if places.size:
                found = ops.take(logits[row], places, axis=0)
                found = ops.convert_to_numpy(ops.log_softmax(found))
                shares = found[np.arange(len(places)), wanted[places]]
                results[window.text]["loss_sum"] -= float(shares.sum())
    return results

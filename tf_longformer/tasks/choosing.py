"""The best of several choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from tf_longformer.backend import common_size
from tf_longformer.data.any_tokenizer import check_strings
from tf_longformer.data.choices import encode_choices
from tf_longformer.list_arguments import refuse_string
from tf_longformer.tasks import steps
from tf_longformer.tasks.compiled import run_model


def choose(
    model: Any,
    tokenizer: Any,
    prompt: str | Sequence[str],
    choices: Sequence[Any],
    batch_size: int = 8,
    max_length: int | None = None,
) -> Any:
    """Chooses the best continuation, or answer, of each prompt.

    Args:
        model: `TFLongformerForMultipleChoice`.
        tokenizer: its tokenizer, or a fast one of transformers.
        prompt: a string, or a list of strings. One that is too long with a
            choice is cut off at its end.
        choices: list of strings; for a list of prompts a list of such lists,
            which may have different lengths.
        batch_size: int, prompts that go through the model at once. Defaults
            to `8`.
        max_length: int, tokens of a prompt with a choice. Defaults to the
            model's limit.

    Returns:
        Dict with `choice` (its number from 0), `answer` (its text), `score`
        (its probability) and `scores`, the probabilities of all; for a list
        of prompts a list of such.

    Raises:
        TypeError: for another model, or texts that are none.
        ValueError: for unequal numbers of prompts and lists, a prompt without
            choices, or a window of impossible size.
    """
    head = "TFLongformerForMultipleChoice"
    steps.check_head(model, "logits", "choose", head)
    prompts, single = steps.as_list("prompt", prompt)
    refuse_string("choices", choices)
    rows = [choices] if single else list(choices)
    for row in rows:
        refuse_string("choices", row)
    several = [check_strings("choices", row) for row in rows]
    if len(prompts) != len(several):
        raise ValueError(
            "Each prompt needs choices of its own. Received: "
            f"{len(prompts)} prompts, {len(several)} lists of choices. Repeat "
            "them where several prompts have the same."
        )
    steps.check_counts(batch_size=batch_size)
    length = steps.window_length(model, tokenizer, max_length)
    limit = model.config.max_tokens
    by_count: dict[int, list[int]] = {}
    for number, row in enumerate(several):
        by_count.setdefault(len(row), []).append(number)
    results: list[dict[str, Any]] = [{} for _ in prompts]
    for numbers in by_count.values():
        for begin in range(0, len(numbers), batch_size):
            some = numbers[begin : begin + batch_size]
            inputs = encode_choices(
                tokenizer,
                [prompts[number] for number in some],
                [several[number] for number in some],
                max_length=length,
            )
            if not steps.takes_token_types(model):
                inputs.pop("token_type_ids", None)
            seq = inputs["input_ids"].shape[-1]
            # A common size, if the model takes rows of it.
            more = min(common_size(seq), max(seq, limit)) - seq
            pads = [(0, 0), (0, 0), (0, more)]
            fillers = {"input_ids": model.config.pad_token_id}
            padded = {
                name: np.pad(x, pads, constant_values=fillers.get(name, 0))
                for name, x in inputs.items()
            }
            outputs = run_model(model, padded)
            logits = ops.cast(outputs["logits"], "float32")
            found = ops.convert_to_numpy(ops.softmax(logits))
            for number, scores in zip(some, found, strict=True):
                best = int(scores.argmax())
                results[number] = {
                    "choice": best,
                    "answer": several[number][best],
                    "score": float(scores[best]),
                    "scores": [float(score) for score in scores],
                }
    return results[0] if single else results

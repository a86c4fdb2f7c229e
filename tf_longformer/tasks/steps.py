"""The steps that tasks share: check, cut into windows, run the model, join."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from tf_longformer.backend import common_size
from tf_longformer.data.any_tokenizer import check_strings
from tf_longformer.data.any_tokenizer import encode_texts
from tf_longformer.data.windows import Window
from tf_longformer.data.windows import cut_into_windows
from tf_longformer.tasks.compiled import run_model


@dataclasses.dataclass
class Batch:
    """Windows that go through the model together, padded on the right.

    `mask` is their attention mask `[batch, seq]`; `outputs` are the model's.
    """

    windows: list[Window]
    mask: np.ndarray
    outputs: Any = None

    def logits(self, name: str = "logits") -> Any:
        """Returns an output as float32."""
        return ops.cast(self.outputs[name], "float32")

    def pad(self, rows: Sequence[Any], fill: Any) -> np.ndarray:
        """Stacks rows of a value for each token, padded to `[batch, seq]`."""
        padded = np.full(self.mask.shape, fill)
        for row, values in zip(padded, rows, strict=True):
            row[: len(values)] = values
        return padded


def token_limit(model: Any, tokenizer: Any) -> int:
    """Returns how many tokens a row may have for a model and its tokenizer."""
    # Tokenizers of other libraries may have none.
    of_tokenizer = getattr(tokenizer, "model_max_length", None)
    most = model.config.max_tokens
    return most if of_tokenizer is None else min(most, of_tokenizer)


def takes_token_types(model: Any) -> bool:
    """Returns whether a model tells token types apart: a Longformer has one."""
    return model.config.type_vocab_size > 1


def window_length(
    model: Any, tokenizer: Any, max_length: int | None = None
) -> int:
    """Returns the tokens of a window: `max_length`, or all that may be.

    Raises:
        ValueError: if the model or its tokenizer doesn't take them.
    """
    limit = token_limit(model, tokenizer)
    length = limit if max_length is None else max_length
    if not 0 < length <= limit:
        raise ValueError(
            f"`max_length` must lie in [1, {limit}], the most that the model "
            f"and its tokenizer take. Received: {max_length}. Leave it out, "
            "or pass less."
        )
    return length


def cut(
    model: Any,
    tokenizer: Any,
    texts: Sequence[Any],
    stride: int,
    max_length: int | None = None,
    questions: Sequence[str] | None = None,
    **kwargs: Any,
) -> list[Window]:
    """Cuts texts into windows that the model and its tokenizer take.

    A window has `max_length` tokens at most, or else as many as the model
    takes. Two that follow one another share `stride` of them, but no more
    than half of a window, or a quarter where questions take room too. Further
    arguments are the tokenizer's.

    Raises:
        ValueError: if the model doesn't take `max_length`, or a window of it
            has no room for a text.
    """
    length = window_length(model, tokenizer, max_length)
    if questions is None:
        # In the shortest windows there is no room for that.
        (nothing,) = encode_texts(tokenizer, [""])["input_ids"]
        room = length - len(nothing)
        stride = min(stride, length // 2, max(room - 1, 0))
    else:
        stride = min(stride, length // 4)
    windows, _ = cut_into_windows(
        tokenizer,
        texts,
        max_length=length,
        stride=stride,
        questions=questions,
        **kwargs,
    )
    return windows


def by_text(windows: list[Window]) -> list[list[Window]]:
    """Groups windows by their text."""
    groups = itertools.groupby(windows, lambda window: window.text)
    return [list(group) for _, group in groups]


def join(windows: list[Window], values: list[Any]) -> np.ndarray:
    """Joins the windows of one text: from values of theirs to the text's.

    `values` has for each window a row with a value for each token. A token
    that two windows share is kept once; special tokens are left out.
    """
    parts: list[np.ndarray] = []
    for window, of_window in zip(windows, values, strict=True):
        shared = sum(map(len, parts)) - window.first
        parts.append(np.asarray(of_window, "int32")[window.inside][shared:])
    return np.concatenate(parts)


def run(
    model: Any, windows: Sequence[Window], batch_size: int
) -> Iterator[Batch]:
    """Runs the model over windows, sorted so that there is little padding."""
    check_counts(batch_size=batch_size)
    ordered = sorted(windows, key=lambda window: len(window.ids))
    for start in range(0, len(ordered), batch_size):
        rows = ordered[start : start + batch_size]
        longest = len(rows[-1].ids)
        # A common size, if the model takes rows of it.
        seq = min(common_size(longest), max(longest, model.config.max_tokens))
        mask = np.zeros((len(rows), seq), "int32")
        batch = Batch(rows, mask)
        # The model counts positions without what it takes for padding.
        pad = model.config.pad_token_id
        ids = batch.pad([row.ids for row in rows], pad)
        for row, window in zip(mask, rows, strict=True):
            row[: len(window.ids)] = 1
        inputs = {"input_ids": ids.astype("int32"), "attention_mask": mask}
        if takes_token_types(model):
            types = batch.pad([row.types for row in rows], 0)
            inputs["token_type_ids"] = types.astype("int32")
        batch.outputs = run_model(model, inputs)
        yield batch


def check_counts(**counts: int) -> None:
    """Raises a `ValueError` for a number below 1, named as its argument."""
    for name, count in counts.items():
        if count < 1:
            raise ValueError(
                f"`{name}` must be at least 1. Received: {count}. Raise it."
            )


def as_list(name: str, texts: Any) -> tuple[list[str], bool]:
    """Returns texts as a list, and whether there was a single one.

    Raises:
        TypeError: for anything but a string or a list of strings.
    """
    if isinstance(texts, str):
        return [texts], True
    return check_strings(name, texts, "a string or a list of strings"), False


def check_head(model: Any, output: str, task: str, head: str) -> None:
    """Raises a `TypeError` for a model of another head than a task needs."""
    names = [cls.__name__ for cls in type(model).__mro__]
    if head not in names or model.main_output != output:
        raise TypeError(
            f"`{task}` needs a {head}. Received: {type(model).__name__}. "
            f"Load the checkpoint with {head}.from_pretrained."
        )

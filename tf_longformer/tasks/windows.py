"""Cuts texts into windows that a model can take, and runs it over them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np


@dataclasses.dataclass
class Window:
    """A piece of a text, or of a pair's second text, with special tokens.

    Attributes:
        row: int, which of the texts it is of.
        ids: its token ids.
        offsets: characters of each token in its text, pairs.
        inside: bool a token, whether it is of the text that is cut.
        first: int, the place of its first such token in the text's tokens.
        scores: the model's outputs, arrays by name, once it has run.
    """

    row: int
    ids: list[int]
    offsets: list[tuple[int, int]]
    inside: np.ndarray
    first: int
    scores: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def last(self) -> int:
        """The place after its last token."""
        return self.first + int(self.inside.sum())


def cut(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    stride: int,
    max_length: int | None = None,
    questions: Sequence[str] | None = None,
) -> list[Window]:
    """Encodes texts into windows.

    Args:
        model: a Longformer model.
        tokenizer: its tokenizer.
        texts: strings, cut where they are too long.
        stride: int, tokens that a window shares with the one before; cut to
            half a window, or to a quarter where questions take room too.
        max_length: int, tokens of a window with its special tokens.
            Defaults to the most that model and tokenizer take.
        questions: strings that precede each window of the text of their
            place. Defaults to none.

    Returns:
        `Window`s, those of a text in a row and in order.

    Raises:
        ValueError: if no window has this length, or it has no room for a
            text.
    """
    most = min(model.config.max_tokens, tokenizer.model_max_length)
    limit = most if max_length is None else max_length
    if not 0 < limit <= most:
        raise ValueError(
            f"`max_length` must lie in [1, {most}], the most that the model "
            f"and its tokenizer take. Received: {max_length}. Leave it out, "
            "or pass less."
        )
    pair = questions is not None
    stride = min(stride, limit // (4 if pair else 2))
    arguments = (questions, texts) if pair else (texts,)
    encoding = tokenizer(
        *(list(part) for part in arguments),
        truncation="only_second" if pair else "only_first",
        max_length=limit,
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    windows: list[Window] = []
    for index, row in enumerate(encoding["overflow_to_sample_mapping"]):
        of_text = encoding.sequence_ids(index)
        inside = np.array([text == int(pair) for text in of_text])
        first = 0
        if windows and windows[-1].row == row:
            first = windows[-1].last - stride
        windows.append(
            Window(
                row,
                list(encoding["input_ids"][index]),
                list(encoding["offset_mapping"][index]),
                inside,
                first,
            )
        )
    return windows


def run(
    model: Any, tokenizer: Any, windows: Sequence[Window], batch_size: int
) -> None:
    """Fills in the scores of windows, those of like length together.

    Args:
        model: a Longformer model.
        tokenizer: its tokenizer.
        windows: as `cut` returns them.
        batch_size: int, windows that go through the model at once.

    Raises:
        ValueError: for a batch size below 1.
    """
    check_counts(batch_size=batch_size)
    ordered = sorted(windows, key=lambda window: len(window.ids))
    for start in range(0, len(ordered), batch_size):
        batch = ordered[start : start + batch_size]
        shape = len(batch), len(batch[-1].ids)
        ids = np.full(shape, tokenizer.pad_token_id, "int32")
        mask = np.zeros(shape, "int32")
        for index, window in enumerate(batch):
            ids[index, : len(window.ids)] = window.ids
            mask[index, : len(window.ids)] = 1
        outputs = model(ids, attention_mask=mask, return_dict=True)
        for name, values in outputs.items():
            if "logits" not in name:
                continue
            values = keras.ops.cast(values, "float32")
            values = keras.ops.convert_to_numpy(values)
            # Of whole texts there are `logits` of two axes, and no others.
            of_tokens = name != "logits" or values.ndim == 3
            for index, window in enumerate(batch):
                scores = values[index]
                if of_tokens:
                    scores = scores[: len(window.ids)]
                window.scores[name] = scores


def check_counts(**counts: int) -> None:
    """Checks that there is at least one of each.

    Args:
        **counts: ints by the names of the arguments.

    Raises:
        ValueError: for one below 1.
    """
    for name, count in counts.items():
        if count < 1:
            raise ValueError(
                f"`{name}` must be at least 1. Received: {count}. Raise it."
            )


def as_list(name: str, texts: Any) -> tuple[list[str], bool]:
    """Returns texts as a list, and whether there was a single one.

    Args:
        name: the argument's name, for the message.
        texts: a string, or a sequence of strings.

    Raises:
        TypeError: for anything else.
    """
    if isinstance(texts, str):
        return [texts], True
    if isinstance(texts, Sequence) and all(isinstance(t, str) for t in texts):
        return list(texts), False
    raise TypeError(
        f"`{name}` must be a string or a list of strings. Received: "
        f"{type(texts).__name__}. Pass the text itself."
    )


def check_head(model: Any, output: str, task: str, head: str) -> None:
    """Checks that a model has the outputs of a task.

    Args:
        model: a Longformer model.
        output: the output's name that only such a model has first.
        task: the function's name, for the message.
        head: the class to use, for the message.

    Raises:
        TypeError: if it is another model.
    """
    names = [cls.__name__ for cls in type(model).__mro__]
    if head not in names or model.main_output != output:
        raise TypeError(
            f"`{task}` needs a {head}. Received: {type(model).__name__}. "
            f"Load the checkpoint with {head}.from_pretrained."
        )


def softmax(logits: np.ndarray, axis: int = -1) -> np.ndarray:
    """Returns probabilities along an axis."""
    weights = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return weights / weights.sum(axis=axis, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Returns probabilities of each element on its own."""
    return np.exp(-np.logaddexp(0.0, -logits))

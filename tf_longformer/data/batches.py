"""Batches of rows of like length, each of which follows from its number.

Order and masks are drawn from the seed and the batch's number alone: whoever
goes on at some step gets what would have come there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_longformer.data.collators import MaskedLanguageModelCollator
from tf_longformer.data.collators import PaddingCollator
from tf_longformer.data.features import Features
from tf_longformer.data.word_labels import IGNORED
from tf_longformer.heads import LABELS

# The shortest bucket: shorter rows cost little.
_SHORTEST = 64

Batch = tuple[Any, ...]


def length_buckets(max_length: int) -> list[int]:
    """Returns lengths that batches are padded to.

    Two for each doubling: lengths of all magnitudes alike get 18 percent more
    tokens by it, and one for each doubling would make that 39. XLA compiles a
    program for each length, so that more aren't better.

    Args:
        max_length: int, the longest.

    Returns:
        Increasing list of ints: 64, 96, 128, 192... and the longest.
    """
    lengths = []
    length = _SHORTEST
    while length < max_length:
        lengths += [length, length + length // 2]
        length *= 2
    return [*(one for one in lengths if one < max_length), max_length]


class Batches:
    """Batches of rows, by their numbers.

    A pass goes over all rows once. Rows of a batch have one of few lengths;
    what is left over of a length goes into batches of the next, so that all
    batches but one of a pass have `batch_size` rows.

    Args:
        features: `Features`, the rows.
        tokenizer: the tokenizer, which knows the pad token.
        batch_size: int, rows of a batch.
        max_length: int, the longest row. Defaults to the longest that there
            is.
        shuffle: bool, whether each pass has another order. Defaults to
            `True`; else rows stand from short to long.
        seed: int, of order and masks. Defaults to `0`.
        accumulate: int, batches in a row whose gradients are added up. Their
            rows get weights, so that each label counts alike, however many
            a batch has. Defaults to `1`.
        mask_probability: float, share of tokens that are hidden, for masked
            language modelling. Defaults to none.

    Raises:
        ValueError: for no rows, or numbers below 1.
    """

    def __init__(
        self,
        features: Features,
        tokenizer: Any,
        batch_size: int,
        *,
        max_length: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        accumulate: int = 1,
        mask_probability: float | None = None,
    ) -> None:
        counts = {
            "features": len(features),
            "batch_size": batch_size,
            "accumulate": accumulate,
        }
        for name, count in counts.items():
            if count < 1:
                raise ValueError(
                    f"`{name}` must be at least 1. Received: {count}. Raise it."
                )
        self.features = features
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.accumulate = accumulate
        lengths = np.array(features.lengths)
        self._buckets = length_buckets(max_length or int(lengths.max()))
        self._bucket_of_row = np.searchsorted(self._buckets, lengths)
        self._left = tokenizer.padding_side == "left"
        padding = PaddingCollator(tokenizer, buckets=self._buckets)
        self._collate: Callable[[Any, list[int]], dict[str, np.ndarray]]
        if mask_probability is None:
            self._collate = lambda rows, seed: padding(rows)
        else:
            self._collate = MaskedLanguageModelCollator(
                tokenizer, mask_probability, padding=padding
            )
        self._order: tuple[int, list[np.ndarray]] = (-1, [])

    def __len__(self) -> int:
        """Batches of a pass."""
        return -(-len(self.features) // self.batch_size)

    def rows(self, number: int) -> np.ndarray:
        """Returns the numbers of the rows of a batch."""
        turn, place = divmod(number, len(self))
        if self._order[0] != turn:
            self._order = turn, self._draw_order(turn)
        return self._order[1][place]

    def length(self, number: int) -> int:
        """Returns what the rows of a batch are padded to."""
        return self._buckets[self._bucket_of_row[self.rows(number)].max()]

    def _draw_order(self, turn: int) -> list[np.ndarray]:
        rng = np.random.default_rng([self.seed, turn])
        count = len(self.features)
        rows = rng.permutation(count) if self.shuffle else np.arange(count)
        # Stable: within a bucket rows stay in the order that was drawn.
        rows = rows[np.argsort(self._bucket_of_row[rows], kind="stable")]
        batches: list[np.ndarray] = []
        left_over = rows[:0]
        for bucket in range(len(self._buckets)):
            of_bucket = rows[self._bucket_of_row[rows] == bucket]
            of_bucket = np.concatenate([left_over, of_bucket])
            whole = len(of_bucket) // self.batch_size * self.batch_size
            if whole:
                parts = whole // self.batch_size
                batches += np.split(of_bucket[:whole], parts)
            left_over = of_bucket[whole:]
        if len(left_over):
            batches.append(left_over)
        if self.shuffle:
            order = rng.permutation(len(batches))
            batches = [batches[place] for place in order]
        return batches

    def inputs(self, number: int) -> dict[str, np.ndarray]:
        """Returns a batch as a model's inputs, labels among them."""
        rows = [self.features.rows[row] for row in self.rows(number)]
        inputs = self._collate(rows, [self.seed, number, 1])
        if self._left:
            length = inputs["input_ids"].shape[-1]
            for name in LABELS[1:]:
                if name in inputs:
                    padding = length - inputs["attention_mask"].sum(-1)
                    inputs[name] = (inputs[name] + padding).astype("int32")
        return inputs

    def from_step(self, step: int = 0) -> Iterator[Batch]:
        """Yields batches without end.

        Args:
            step: int, the number of the first.

        Yields:
            Inputs and labels, and weights of rows if gradients are added up.
        """
        size = self.accumulate
        for start in itertools.count(step // size * size, size):
            group = [
                _split(self.inputs(number))
                for number in range(start, start + size)
            ]
            if size > 1:
                counts = np.array([_count(labels) for _, labels in group])
                shares = size * counts / max(counts.sum(), 1)
                group = [
                    (x, y, np.full(len(x["input_ids"]), share, "float32"))
                    for (x, y), share in zip(group, shares, strict=True)
                ]
            yield from group[max(step - start, 0) :]


def _split(inputs: dict[str, np.ndarray]) -> tuple[Any, Any]:
    """Returns inputs, and labels as `fit` takes them."""
    labels = {name: inputs.pop(name) for name in LABELS if name in inputs}
    return inputs, labels.get("labels", labels)


def _count(labels: Any) -> int:
    """Returns how many labels of a batch count in the loss."""
    if isinstance(labels, Mapping):
        return len(next(iter(labels.values())))
    return int(np.sum(labels != IGNORED))

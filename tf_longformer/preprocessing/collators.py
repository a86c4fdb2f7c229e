"""Lists of examples to batches of arrays."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_longformer.preprocessing.labels import IGNORED
from tf_longformer.tokenization.base import BaseLongformerTokenizer


class PaddingCollator:
    """Pads examples to the longest one, or to the next of some lengths.

    XLA compiles a program for each shape: with buckets there are few.

    Args:
        tokenizer: the tokenizer, which knows the pad token and the side.
        buckets: increasing list of ints, lengths that batches may have; what
            is longer than all of them is an error. Defaults to none.
        pad_to_multiple_of: int. Defaults to none.

    Call arguments:
        examples: list of mappings with `input_ids`, and more.

    Returns:
        Dict of int32 arrays. `labels` of tokens, lists of ints, are filled up
        with -100. Those of whole rows are stacked as they are: single ones,
        lists of floats, and lists of one length that isn't that of the ids.
        Offsets and other names that aren't numbers of one shape are an error.

    Raises:
        ValueError: for an empty list, examples that differ in their names,
            float labels that differ in number, or an example longer than the
            largest bucket.
    """

    def __init__(
        self,
        tokenizer: BaseLongformerTokenizer,
        buckets: Sequence[int] | None = None,
        pad_to_multiple_of: int | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.buckets = None if buckets is None else list(buckets)
        self.pad_to_multiple_of = pad_to_multiple_of
        if self.buckets is not None and (
            not self.buckets or self.buckets != sorted(set(self.buckets))
        ):
            raise ValueError(
                "`buckets` must be lengths in increasing order. Received: "
                f"{buckets!r}."
            )

    def __call__(
        self, examples: Iterable[Mapping[str, Any]]
    ) -> dict[str, np.ndarray]:
        examples = [dict(example) for example in examples]
        if not examples:
            raise ValueError(
                "A batch must have an example. Received: an empty list."
            )
        labels = [example.pop("labels", None) for example in examples]
        sizes = [len(example["input_ids"]) for example in examples]
        batch = self.tokenizer.pad(
            examples,
            padding="max_length",
            max_length=self._length(max(sizes)),
            pad_to_multiple_of=self.pad_to_multiple_of,
            return_tensors="np",
        )
        arrays = {name: _narrow(value) for name, value in batch.items()}
        if any(label is not None for label in labels):
            arrays["labels"] = self._stack_labels(
                labels, sizes, arrays["input_ids"].shape[1]
            )
        return arrays

    def _length(self, longest: int) -> int:
        if self.buckets is None:
            return longest
        for bucket in self.buckets:
            if longest <= bucket:
                return bucket
        raise ValueError(
            "An example must not be longer than the largest bucket. "
            f"Received: {longest} tokens with buckets {self.buckets}. Cut it, "
            "or add a bucket."
        )

    def _stack_labels(
        self, labels: list[Any], sizes: list[int], length: int
    ) -> np.ndarray:
        if any(label is None for label in labels):
            raise ValueError(
                "All examples must have labels, or none. Received: "
                f"{sum(label is None for label in labels)} of {len(labels)} "
                "without."
            )
        arrays = [np.asarray(label) for label in labels]
        shapes = {array.shape for array in arrays}
        # An empty list becomes floats too.
        floats = any(a.dtype.kind == "f" and a.size for a in arrays)
        if floats and len(shapes) > 1:
            raise ValueError(
                "Labels that are floats must be as many for each example. "
                f"Received: shapes {sorted(shapes)}. Pass one for each class, "
                "or ints for labels of tokens."
            )
        of_tokens = [a.shape for a in arrays] == [(size,) for size in sizes]
        if floats or (len(shapes) == 1 and not of_tokens):
            return _narrow(np.stack(arrays))
        stacked = np.full((len(labels), length), IGNORED, "int32")
        for row, label in zip(stacked, labels, strict=True):
            if self.tokenizer.padding_side == "left":
                row[length - len(label) :] = label
            else:
                row[: len(label)] = label
        return stacked


def _narrow(array: np.ndarray) -> np.ndarray:
    return array.astype("int32") if array.dtype == np.int64 else array


class MaskedLanguageModelCollator:
    """Hides tokens, which are then the labels.

    Of the chosen tokens 80% become `<mask>`, 10% a random token, and 10%
    stay (Devlin et al., arXiv 1810.04805). Special tokens and padding are
    never chosen, and no random token is one of them.

    Args:
        tokenizer: the tokenizer.
        probability: float, part of the tokens that are chosen. Defaults to
            `0.15`.
        whole_words: bool, whether all tokens of a word are chosen or none.
            The examples then need `word_ids`, or must be what a call
            returned. Defaults to `False`.
        seed: int. The same seed gives the same choices, batch after batch.
            Defaults to `0`.
        padding: `PaddingCollator` that makes the batches. Defaults to one
            without buckets.

    Call arguments:
        examples: list of mappings with `input_ids`; or the encoding of
            several texts.

    Returns:
        Dict of int32 arrays, with `labels`: -100 where nothing was chosen.

    Raises:
        ValueError: for a probability outside [0, 1], a tokenizer without a
            mask token, or whole words that aren't known.
    """

    def __init__(
        self,
        tokenizer: BaseLongformerTokenizer,
        probability: float = 0.15,
        whole_words: bool = False,
        seed: int = 0,
        padding: PaddingCollator | None = None,
    ) -> None:
        if not 0 <= probability <= 1:
            raise ValueError(
                f"`probability` must be in [0, 1]. Received: {probability!r}."
            )
        if tokenizer.mask_token_id is None:
            raise ValueError(
                "Hiding tokens needs a mask token. Received: a tokenizer "
                "without one. Set `tokenizer.mask_token`."
            )
        self.tokenizer = tokenizer
        self.probability = probability
        self.whole_words = whole_words
        self.padding = padding or PaddingCollator(tokenizer)
        self._rng = np.random.default_rng(seed)

    def __call__(self, examples: Any) -> dict[str, np.ndarray]:
        examples = split_examples(examples, with_words=self.whole_words)
        words = [example.pop("word_ids", None) for example in examples]
        batch = self.padding(
            [
                {k: v for k, v in example.items() if k != "labels"}
                for example in examples
            ]
        )
        ids = batch["input_ids"]
        special = np.isin(ids, self._special_ids())
        special |= batch["attention_mask"] == 0
        if "special_tokens_mask" in batch:
            special |= batch.pop("special_tokens_mask") > 0
        if self.whole_words:
            chosen = self._choose_words(words, special)
        else:
            chosen = self._rng.random(ids.shape) < self.probability
        chosen &= ~special
        batch["labels"] = np.where(chosen, ids, IGNORED).astype("int32")
        fate = self._rng.random(ids.shape)
        others = self._rng.choice(self._ordinary_ids(), ids.shape)
        ids = np.where(chosen & (fate < 0.8), self.tokenizer.mask_token_id, ids)
        ids = np.where(chosen & (fate >= 0.9), others, ids)
        batch["input_ids"] = ids.astype("int32")
        return batch

    def _special_ids(self) -> list[int]:
        return self.tokenizer.all_special_ids

    def _ordinary_ids(self) -> np.ndarray:
        every = np.fromiter(self.tokenizer.get_vocab().values(), "int64")
        return np.setdiff1d(every, self._special_ids())

    def _choose_words(
        self, words: list[Any], special: np.ndarray
    ) -> np.ndarray:
        chosen = np.zeros(special.shape, bool)
        for row, numbers in enumerate(words):
            if numbers is None:
                raise ValueError(
                    "Whole words must be known. Received: examples without "
                    "`word_ids`. Pass what the tokenizer's call returned, or "
                    "add `word_ids` to each example."
                )
            flat = np.array([-1 if n is None else n for n in numbers])
            # Pieces of both texts of a pair have words of their own.
            turns = np.cumsum(np.diff(flat, prepend=flat[:1]) != 0)
            taken = self._rng.random(turns.max(initial=0) + 1)
            picked = (taken[turns] < self.probability) & (flat >= 0)
            width = special.shape[1]
            start = (
                width - len(flat)
                if self.tokenizer.padding_side == "left"
                else 0
            )
            chosen[row, start : start + len(flat)] = picked
        return chosen


def split_examples(
    examples: Any, with_words: bool = False
) -> list[dict[str, Any]]:
    """Returns examples one by one.

    Args:
        examples: an encoding of several texts, a mapping of names to rows,
            or a list of mappings.
        with_words: bool, whether to add `word_ids` where they are known.
            Defaults to `False`.

    Returns:
        List of dicts.
    """
    if not isinstance(examples, Mapping):
        rows = []
        for example in examples:
            row = dict(example)
            known = getattr(example, "encodings", None)
            if with_words and known and "word_ids" not in row:
                row["word_ids"] = known[0].word_ids
            rows.append(row)
        return rows
    count = len(examples["input_ids"])
    rows = [
        {name: values[row] for name, values in examples.items()}
        for row in range(count)
    ]
    known = getattr(examples, "encodings", None)
    if with_words and known is not None:
        for row, one in zip(rows, known, strict=True):
            row.setdefault("word_ids", one.word_ids)
    return rows

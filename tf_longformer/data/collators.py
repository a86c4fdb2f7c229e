"""Collators: they turn lists of examples into batches of arrays."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_longformer import old_keywords
from tf_longformer.data.word_labels import IGNORED
from tf_longformer.errors import shown
from tf_longformer.heads import HEADS
from tf_longformer.list_arguments import refuse_string
from tf_longformer.tokenization import LongformerTokenizer

# What a collator hands on, beside labels and what the tokenizer names.
_INPUTS = (
    "input_ids",
    "attention_mask",
    "global_attention_mask",
    "token_type_ids",
    "position_ids",
    "special_tokens_mask",
)
# Keywords of transformers' collators: see `old_keywords.check`.
_OLD_KEYWORDS = {
    "return_tensors": (("np", "tf"), "Arrays are NumPy's; models take them."),
    "padding": (
        (True, "longest"),
        "Rows are padded to the longest; for one length pass "
        "`buckets=[length]`.",
    ),
    "max_length": ((), "For rows of one length pass `buckets=[length]`."),
    "label_pad_token_id": ((-100,), "Models ignore -100 alone."),
    "mlm": ((True,), "For rows as they are use `PaddingCollator`."),
    "mlm_probability": ((0.15,), "It is called `probability`."),
}
# transformers' collators rename them too.
_RENAMED = {"label": "labels", "label_ids": "labels"}


class PaddingCollator:
    """Pads examples to the longest one, or to the next of some lengths.

    XLA compiles a program for each shape: with buckets there are few.

    Args:
        tokenizer: the tokenizer, which knows the pad token and the side.
        buckets: increasing list of ints, lengths that batches may have; what
            is longer than all of them is an error. Defaults to none.
        pad_to_multiple_of: int. Defaults to none.
        **unknown: none; what old code passes is named in the error.

    Call arguments:
        examples: list of mappings with `input_ids`, and more; or the encoding
            of several texts, as a tokenizer's call returns it. `label` and
            `label_ids` stand for `labels`.

    Returns:
        Dict of int32 arrays, of what models take: offsets, lengths and other
        names are left out. `labels` of tokens, lists of ints, are filled up
        with -100. Those of whole rows are stacked as they are: single ones,
        lists of floats, and lists of one length that isn't that of the ids.

    Raises:
        TypeError: for examples that aren't mappings, or an unknown keyword.
        ValueError: for an empty list, examples without `input_ids` or that
            differ in their names or number of choices, float labels that
            differ in number, or an example longer than the largest bucket.
    """

    def __init__(
        self,
        tokenizer: LongformerTokenizer,
        buckets: Sequence[int] | None = None,
        pad_to_multiple_of: int | None = None,
        **unknown: Any,
    ) -> None:
        old_keywords.check(type(self).__name__, unknown, _OLD_KEYWORDS)
        self.tokenizer = tokenizer
        refuse_string("buckets", buckets)
        self.buckets = None if buckets is None else list(buckets)
        self.pad_to_multiple_of = pad_to_multiple_of
        if self.buckets is not None and (
            not self.buckets or self.buckets != sorted(set(self.buckets))
        ):
            raise ValueError(
                "`buckets` must be lengths in increasing order. Received: "
                f"{shown(buckets)}."
            )

    def __call__(
        self, examples: Mapping[str, Any] | Iterable[Mapping[str, Any]]
    ) -> dict[str, np.ndarray]:
        examples = [self._for_models(one) for one in split_examples(examples)]
        if np.ndim(examples[0]["input_ids"][0]) > 0:
            return self._pad_choices(examples)
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

    def _for_models(self, example: dict[str, Any]) -> dict[str, Any]:
        """Returns what models and collators take of an example."""
        labels = {name for head in HEADS.values() for name in head.label_names}
        known = {*_INPUTS, *labels, *self.tokenizer.model_input_names}
        renamed = {_RENAMED.get(k, k): v for k, v in example.items()}
        return {
            # Of two names of one thing the right one counts.
            name: example.get(name, value)
            for name, value in renamed.items()
            if name in known
        }

    def _pad_choices(
        self, examples: list[dict[str, Any]]
    ) -> dict[str, np.ndarray]:
        """Pads the choices of all examples to one length."""
        labels = [example.pop("labels", None) for example in examples]
        counts = {len(example["input_ids"]) for example in examples}
        if len(counts) > 1:
            raise ValueError(
                "Examples must have the same number of choices. Received: "
                f"{sorted(counts)} choices. Fill up with '', or batch others "
                "apart."
            )
        choices = [
            {name: values[number] for name, values in example.items()}
            for example in examples
            for number in range(len(example["input_ids"]))
        ]
        arrays = {
            name: array.reshape(len(examples), -1, *array.shape[1:])
            for name, array in self(choices).items()
        }
        if any(label is not None for label in labels):
            arrays["labels"] = _narrow(np.asarray(labels))
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
        # An empty array is of floats too, but doesn't count.
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
        probability: float, share of the tokens that are chosen. Defaults to
            `0.15`.
        whole_words: bool, whether all tokens of a word are chosen or none.
            The examples then need `word_ids`, or must be what a call
            returned. Defaults to `False`.
        seed: int. The same seed gives the same choices, batch after batch.
            Defaults to `0`.
        padding: `PaddingCollator` that makes the batches. Defaults to one
            without buckets.
        **unknown: none; what old code passes is named in the error.

    Call arguments:
        examples: as of `PaddingCollator`.
        seed: int or several, which begin the choices anew from here. Defaults
            to going on.

    Returns:
        Dict of int32 arrays, with `labels`: -100 where nothing was chosen.

    Raises:
        TypeError: for an unknown keyword.
        ValueError: for a probability outside [0, 1], a tokenizer without a
            mask token, or whole words that aren't known.
    """

    def __init__(
        self,
        tokenizer: LongformerTokenizer,
        probability: float = 0.15,
        whole_words: bool = False,
        seed: int = 0,
        padding: PaddingCollator | None = None,
        **unknown: Any,
    ) -> None:
        old_keywords.check(type(self).__name__, unknown, _OLD_KEYWORDS)
        if not 0 <= probability <= 1:
            raise ValueError(
                "`probability` must be in [0, 1]. Received: "
                f"{shown(probability)}."
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
        self._ordinary: tuple[int, np.ndarray] | None = None

    def __call__(
        self, examples: Any, seed: int | Sequence[int] | None = None
    ) -> dict[str, np.ndarray]:
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        examples = split_examples(examples, with_words=self.whole_words)
        words = [example.pop("word_ids", None) for example in examples]
        batch = self.padding(
            [
                {k: v for k, v in example.items() if k != "labels"}
                for example in examples
            ]
        )
        ids = batch["input_ids"]
        special = np.isin(ids, self.tokenizer.all_special_ids)
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

    def _ordinary_ids(self) -> np.ndarray:
        # Of 50,000 tokens they take longer than the rest of a batch.
        if self._ordinary is None or self._ordinary[0] != len(self.tokenizer):
            every = np.fromiter(self.tokenizer.get_vocab().values(), "int64")
            ordinary = np.setdiff1d(every, self.tokenizer.all_special_ids)
            self._ordinary = len(self.tokenizer), ordinary
        return self._ordinary[1]

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
            # Words are counted by where the number changes, since both texts
            # of a pair begin with word 0.
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
    """Returns a list with a dict for each example.

    `examples` is an encoding, a mapping or a list of such, each a row or what
    a call returned. `with_words` adds `word_ids` where they are known.
    """
    if isinstance(examples, Mapping):
        _check_example(examples)
        found = _rows(examples)
    else:
        refuse_string("examples", examples)
        found = []
        for example in examples:
            _check_example(example)
            # Several rows of ids may also be the choices of one example.
            known = getattr(example, "encodings", None) is not None
            found += _rows(example) if known else [(dict(example), None)]
    if not found:
        raise ValueError(
            "A batch must have an example. Received: an empty list. Pass rows "
            "of ids."
        )
    for row, encoding in found:
        if with_words and encoding is not None:
            row.setdefault("word_ids", encoding.word_ids)
    return [row for row, _ in found]


def _check_example(example: Any) -> None:
    if not isinstance(example, Mapping) or "input_ids" not in example:
        received = list(example)[:5] if isinstance(example, Mapping) else ""
        raise ValueError(
            "An example must be a mapping with `input_ids`. Received: "
            f"{type(example).__name__} {received}. Encode texts with the "
            "tokenizer, and questions with `encode_questions`."
        )


def _rows(example: Mapping[str, Any]) -> list[tuple[dict[str, Any], Any]]:
    """Splits a mapping into rows, each with its encoding if it is known."""
    ids = example["input_ids"]
    count = len(ids)
    encodings = getattr(example, "encodings", None)
    if count and np.ndim(ids[0]) == 0:
        return [(dict(example), encodings[0] if encodings else None)]
    wrong = [name for name, rows in example.items() if len(rows) != count]
    if wrong:
        raise ValueError(
            "Each name must have a value for each row. Received: "
            f"{len(example[wrong[0]])} of {shown(wrong[0])} for {count} rows. "
            "Leave it out, or pass a list of rows."
        )
    rows = [
        {name: values[row] for name, values in example.items()}
        for row in range(count)
    ]
    return list(zip(rows, encodings or [None] * count, strict=True))

"""From documents to the arrays that `model.fit` takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def random_crops(
    documents: Sequence[Sequence[int]],
    labels: Sequence[int],
    num_crops: int,
    length: int,
    tokenizer: Any,
    seed: int,
    masked_fraction: float = 0.15,
) -> dict[str, np.ndarray]:
    """Draws training examples: random passages of the documents.

    A few hundred documents are few, but each is long: another passage at
    each visit makes many examples of them, and hiding some of the tokens
    keeps the model from learning single words by heart. All documents are
    visited equally often, in another order every time.

    Args:
        documents: token ids of whole documents, without special tokens.
        labels: list of ints, one per document.
        num_crops: int. How many examples.
        length: int. Tokens of an example with its two special tokens;
            shorter documents are padded to it.
        tokenizer: the tokenizer, which knows the special tokens.
        seed: int.
        masked_fraction: float. Part of the tokens that `<mask>` takes the
            place of, special tokens aside. Defaults to `0.15`.

    Returns:
        A dict of int32 arrays, `input_ids` and `attention_mask` of shape
        `(num_crops, length)` and `labels` of shape `(num_crops,)`.
    """
    rng = np.random.default_rng(seed)
    visits = -(-num_crops // len(documents))
    order = np.concatenate(
        [rng.permutation(len(documents)) for _ in range(visits)]
    )[:num_crops]
    room = length - 2
    input_ids = np.full((num_crops, length), tokenizer.pad_token_id, "int32")
    attention_mask = np.zeros((num_crops, length), "int32")
    for row, index in enumerate(order):
        document = documents[index]
        start = int(rng.integers(max(len(document) - room, 0) + 1))
        passage = np.asarray(document[start : start + room])
        hidden = rng.random(len(passage)) < masked_fraction
        ids = [
            tokenizer.bos_token_id,
            *np.where(hidden, tokenizer.mask_token_id, passage),
            tokenizer.eos_token_id,
        ]
        input_ids[row, : len(ids)] = ids
        attention_mask[row, : len(ids)] = 1
    return {
        "input_ids": input_ids,
        "attention_mask": attention_mask,
        "labels": np.asarray(labels, "int32")[order],
    }


def beginnings(
    texts: Sequence[str], length: int, tokenizer: Any
) -> dict[str, np.ndarray]:
    """Encodes the first tokens of each text, padded to a common length.

    Args:
        texts: list of strings.
        length: int. Tokens with the two special tokens.
        tokenizer: the tokenizer.

    Returns:
        A dict of int32 arrays `input_ids` and `attention_mask` of shape
        `(len(texts), length)`.
    """
    encoding = tokenizer(
        list(texts),
        truncation=True,
        max_length=length,
        padding="max_length",
        return_tensors="np",
    )
    return {
        name: np.asarray(encoding[name], "int32")
        for name in ("input_ids", "attention_mask")
    }

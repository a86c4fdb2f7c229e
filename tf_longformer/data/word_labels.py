"""Gives the labels of words to their tokens."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_longformer.data.global_masks import TokenRow
from tf_longformer.data.global_masks import read_rows
from tf_longformer.list_arguments import refuse_string

IGNORED = -100


def align_labels(
    encoding: Any,
    word_labels: Sequence[Any],
    label_all_tokens: bool = False,
    ignored: int = IGNORED,
    label2id: Mapping[str, int] | None = None,
) -> Any:
    """Gives the labels of words to their tokens.

    Args:
        encoding: what a call with `is_split_into_words=True` returned. Rows
            that are pieces of one text (`overflow_to_sample_mapping`) get
            that text's labels.
        word_labels: list of ints, one for each word, or with `label2id` of
            strings; for several texts a list of such lists.
        label_all_tokens: bool, whether all tokens of a word get its label.
            Defaults to `False`: the first one does.
        ignored: int, for all other tokens. Defaults to `-100`, which the
            loss leaves out.
        label2id: dict from strings to ints, such as `config.label2id`.
            Defaults to none.

    Returns:
        List of ints for a single text, else a list of lists; an int32 array
        if the encoding holds arrays or tensors.

    Raises:
        TypeError: for an encoding that wasn't made by a call, or labels that
            aren't ints or strings in lists.
        ValueError: if there are fewer labels than words, or `label2id` lacks
            one.
    """
    rows, single = read_rows(encoding)
    origins = encoding.get("overflow_to_sample_mapping", range(len(rows)))
    refuse_string("word_labels", word_labels)
    texts = [word_labels] if single else word_labels
    aligned = []
    for row, origin in zip(rows, origins, strict=True):
        if int(origin) >= len(texts):
            raise ValueError(
                "There must be labels for each text. Received: labels of "
                f"{len(texts)} texts, and a row of text {int(origin)}."
            )
        labels = _as_ids(texts[int(origin)], label2id)
        words = row.word_ids
        if words.max(initial=-1) >= len(labels):
            raise ValueError(
                "There must be a label for each word. Received: "
                f"{len(labels)} labels for text {int(origin)}, which has a "
                f"word {words.max()}. Split texts and labels the same way."
            )
        chosen = words >= 0
        if not label_all_tokens:
            before = np.concatenate([[-1], words[:-1]])
            chosen &= words != before
            chosen &= ~_begun_before(row)
        padded = np.append(labels, ignored)
        aligned.append(np.where(chosen, padded[words], ignored))
    if hasattr(encoding["input_ids"], "shape"):
        return np.asarray(aligned, "int32")
    lists = [row.tolist() for row in aligned]
    return lists[0] if single else lists


def _as_ids(labels: Any, label2id: Mapping[str, int] | None) -> np.ndarray:
    """Returns the labels of a text's words as ids."""
    refuse_string("word_labels", labels)
    names = [label for label in labels if isinstance(label, str)]
    unknown = [name for name in names if name not in (label2id or {})]
    if unknown:
        raise ValueError(
            "Labels that are strings must be in `label2id`. Received: "
            f"{unknown[0][:60]!r}, and "
            + ("none" if label2id is None else f"{str(dict(label2id))[:100]}")
            + ". Pass `label2id=model.config.label2id`, for example."
        )
    ids = [label2id[x] if isinstance(x, str) else x for x in labels]
    array = np.asarray(ids, "int64") if not ids else np.asarray(ids)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(
            "Labels of words must be ints, or strings with `label2id`. "
            f"Received: {str(list(labels))[:100]}. Pass one for each word."
        )
    return array.astype("int64")


def _begun_before(row: TokenRow) -> np.ndarray:
    """Marks a piece's first token if its word began in the piece before."""
    flags = np.zeros(len(row.ids), bool)
    inside = np.flatnonzero(row.word_ids >= 0)
    # Offsets are counted within a word: its first token has 0.
    if inside.size and row.offsets[inside[0], 0] > 0:
        flags[inside[0]] = True
    return flags

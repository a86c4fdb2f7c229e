"""Labels of words, and the tokens that get them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_longformer.preprocessing.global_attention import read_rows

IGNORED = -100


def align_labels(
    encoding: Any,
    word_labels: Sequence[Any],
    label_all_tokens: bool = False,
    ignored: int = IGNORED,
) -> Any:
    """Gives the labels of words to their tokens.

    Args:
        encoding: what a call with `is_split_into_words=True` returned. Rows
            that are pieces of one text (`overflow_to_sample_mapping`) get
            that text's labels.
        word_labels: list of ints, one for each word; for several texts a
            list of such lists.
        label_all_tokens: bool, whether all tokens of a word get its label.
            Defaults to `False`: the first one does.
        ignored: int, for all other tokens. Defaults to `-100`, which the
            loss leaves out.

    Returns:
        List of ints for a single text, else a list of lists; an int32 array
        if the encoding holds arrays or tensors.

    Raises:
        TypeError: for an encoding that wasn't made by a call.
        ValueError: if there are fewer labels than words.
    """
    rows, single = read_rows(encoding)
    origins = encoding.get("overflow_to_sample_mapping", range(len(rows)))
    texts = [word_labels] if single else word_labels
    aligned = []
    for row, origin in zip(rows, origins, strict=True):
        if int(origin) >= len(texts):
            raise ValueError(
                "There must be labels for each text. Received: labels of "
                f"{len(texts)} texts, and a row of text {int(origin)}."
            )
        labels = np.asarray(texts[int(origin)], "int64")
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
            chosen &= ~_continues(row)
        padded = np.append(labels, ignored)
        aligned.append(np.where(chosen, padded[words], ignored))
    if hasattr(encoding["input_ids"], "shape"):
        return np.asarray(aligned, "int32")
    lists = [row.tolist() for row in aligned]
    return lists[0] if single else lists


def _continues(row: Any) -> np.ndarray:
    """Whether a piece's first word began in the piece before."""
    flags = np.zeros(len(row.ids), bool)
    inside = np.flatnonzero(row.word_ids >= 0)
    # Offsets of words begin at 0 for the first token of each.
    if inside.size and row.offsets[inside[0], 0] > 0:
        flags[inside[0]] = True
    return flags

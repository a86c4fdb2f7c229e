"""The global tokens that a head uses where the caller names none."""

from __future__ import annotations

from typing import Any

from keras import ops

# RoBERTa's pair `<s> A </s></s> B </s>` has this many separators.
PAIR_SEPARATORS = 3


def first_token_mask(like: Any, attention_mask: Any = None) -> Any:
    """Returns a mask of the first token of each row that isn't padding.

    Args:
        like: tensor `[batch, seq]` or `[batch, seq, hidden]`.
        attention_mask: `[batch, seq]` of 0 and 1. Defaults to all ones.

    Returns:
        int32 tensor `[batch, seq]`.
    """
    batch, seq = ops.shape(like)[:2]
    if attention_mask is None:
        first = ops.zeros((batch, 1), dtype="int32")
    else:
        first = ops.argmax(ops.cast(attention_mask, "int32"), axis=1)
        first = ops.expand_dims(ops.cast(first, "int32"), 1)
    return ops.cast(ops.equal(_positions(seq), first), "int32")


def question_mask(input_ids: Any, sep_token_id: int) -> Any:
    """Returns a mask of all tokens before the first separator.

    Args:
        input_ids: integer tensor `[batch, seq]` of pairs.
        sep_token_id: int, id of the separator.

    Returns:
        int32 tensor `[batch, seq]`; rows that are not a pair (with fewer
        than three separators) have no global tokens.
    """
    first, is_pair = _first_separator(input_ids, sep_token_id)
    seq = ops.shape(input_ids)[1]
    return ops.cast(_positions(seq) < first, "int32") * is_pair


def choices_mask(input_ids: Any, sep_token_id: int) -> Any:
    """Returns a mask of all tokens after the second separator of a pair.

    Args:
        input_ids: integer tensor `[batch, seq]` of pairs.
        sep_token_id: int, id of the separator.

    Returns:
        int32 tensor `[batch, seq]`; rows that are not a pair have no global
        tokens.
    """
    first, is_pair = _first_separator(input_ids, sep_token_id)
    seq = ops.shape(input_ids)[1]
    return ops.cast(_positions(seq) > first + 1, "int32") * is_pair


def count_separators(input_ids: Any, sep_token_id: int) -> Any:
    """Returns the separators of each row, int32 `[batch]`."""
    return ops.sum(
        ops.cast(ops.equal(input_ids, sep_token_id), "int32"), axis=1
    )


def _positions(seq: Any) -> Any:
    return ops.expand_dims(ops.arange(seq, dtype="int32"), 0)


def _first_separator(input_ids: Any, sep_token_id: int) -> tuple:
    """Position of the first separator and whether the row is a pair."""
    separators = ops.cast(ops.equal(input_ids, sep_token_id), "int32")
    first = ops.cast(ops.argmax(separators, axis=1), "int32")
    is_pair = ops.sum(separators, axis=1) >= PAIR_SEPARATORS
    return (
        ops.expand_dims(first, 1),
        ops.expand_dims(ops.cast(is_pair, "int32"), 1),
    )

"""Scores of attention: their dtype, what masks them, their softmax."""

from __future__ import annotations

from typing import Any

from keras import ops

# Added to a score that must not count. Finite, so that 0 times it is 0 and a
# row without any key gives a uniform softmax, never NaN; so far below any
# real score that its weight is 0, yet far from float32's limit, so that the
# sum of two stays finite; a power of two, so that all dtypes hold it exactly.
MASKED_SCORE = -(2.0**100)


def score_dtype(dtype: str) -> str:
    """Returns the dtype of scores and softmax: float32, or float64's own."""
    return "float64" if dtype == "float64" else "float32"


def added_scores(counts: Any) -> Any:
    """Returns what is added to scores: 0 where a key counts, else masks it."""
    return ops.where(counts, 0.0, MASKED_SCORE)


def softmax(scores: Any, axis: int) -> Any:
    """Softmax of masked scores, over an axis of any length.

    Keras's warns of an axis of one element and fails on one of none; here
    one token, or no slot, is a legitimate input.
    """
    if scores.shape[axis] not in (0, 1):
        return ops.softmax(scores, axis=axis)
    # No score is below `MASKED_SCORE`, so that starting from it changes none.
    peak = ops.max(scores, axis=axis, keepdims=True, initial=MASKED_SCORE)
    weights = ops.exp(scores - peak)
    return weights / ops.sum(weights, axis=axis, keepdims=True)

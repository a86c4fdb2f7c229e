"""Checks of labels."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from tf_longformer.compat import is_traced
from tf_longformer.configuration import LongformerConfig
from tf_longformer.inputs.checks import check_range

IGNORE_INDEX = -100


def infer_problem_type(labels: Any, config: LongformerConfig) -> str:
    """Returns the config's problem type, or what the labels look like.

    Args:
        labels: labels of a sequence classification.
        config: the model's config.

    Returns:
        `"regression"` where there is one label, otherwise
        `"single_label_classification"` for integers and
        `"multi_label_classification"` for floats.
    """
    if config.problem_type is not None:
        return config.problem_type
    if config.num_labels == 1:
        return "regression"
    if _is_float(labels):
        return "multi_label_classification"
    return "single_label_classification"


def check_class_labels(labels: Any, num_labels: int | None) -> Any:
    """Checks class numbers.

    Args:
        labels: tensor of class numbers, or -100 where no loss is wanted.
        num_labels: int, number of classes, or `None` to check the dtype
            only.

    Returns:
        The labels; in a TensorFlow graph they wait for the check.

    Raises:
        ValueError: for floats; and in eager mode for values out of range.
    """
    if _is_float(labels):
        raise ValueError(
            "`labels` must be integers here. Received: dtype "
            f"{keras.backend.standardize_dtype(labels.dtype)}. Cast them to "
            "int32."
        )
    if num_labels is None:
        return labels
    return check_range(
        "labels",
        labels,
        0,
        num_labels,
        f"Use {IGNORE_INDEX} where no loss is wanted.",
        ignored=IGNORE_INDEX,
    )


def check_sequence_labels(
    labels: Any, problem_type: str, num_labels: int
) -> Any:
    """Checks the labels of a sequence classification.

    Args:
        labels: the labels.
        problem_type: one of the three types.
        num_labels: int, the model's outputs.

    Returns:
        The labels; in a TensorFlow graph they wait for the check.

    Raises:
        ValueError: if shape or values don't fit the type.
    """
    shape = tuple(labels.shape)
    if problem_type == "single_label_classification":
        if len(shape) > 2 or (len(shape) == 2 and shape[1] not in (1, None)):
            raise ValueError(
                "Single label classification takes one class number a row, "
                f"[batch]. Received: labels of shape {shape} and dtype "
                f"{keras.backend.standardize_dtype(labels.dtype)}. For "
                "several labels a row pass floats, or set "
                "`problem_type='multi_label_classification'`."
            )
        return check_class_labels(labels, num_labels)
    width = 1 if len(shape) == 1 else shape[-1]
    if len(shape) > 2 or width not in (num_labels, None):
        raise ValueError(
            f"`labels` must be [batch, {num_labels}] for "
            f"problem_type='{problem_type}'. Received: shape {shape}. Give "
            "each row one number for each of the `num_labels` outputs."
        )
    if is_traced(labels) or not _is_float(labels):
        return labels
    values = ops.convert_to_numpy(labels)
    if not np.all(np.isfinite(values)):
        raise ValueError(
            "`labels` must be finite. Received: NaN or infinity. Remove "
            "those rows."
        )
    return labels


def check_span_labels(name: str, labels: Any) -> None:
    """Checks positions of an answer.

    Args:
        name: the argument's name.
        labels: `[batch]` or `[batch, 1]`.

    Raises:
        ValueError: for another shape, or floats.
    """
    shape = tuple(labels.shape)
    if len(shape) > 2 or (len(shape) == 2 and shape[1] not in (1, None)):
        raise ValueError(
            f"`{name}` must be [batch]. Received: shape {shape}. Pass one "
            "position a row."
        )
    if _is_float(labels):
        raise ValueError(
            f"`{name}` must be integers. Received: dtype {labels.dtype}. "
            "Cast them to int32."
        )


def _is_float(labels: Any) -> bool:
    return "float" in keras.backend.standardize_dtype(labels.dtype)

"""Labels: their names, the kind of problem they pose, and their checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_longformer.backend import is_traced
from tf_longformer.configuration import LongformerConfig
from tf_longformer.inputs.call_arguments import as_tensor
from tf_longformer.inputs.checks import check_dtype
from tf_longformer.inputs.checks import check_range
from tf_longformer.inputs.checks import fits
from tf_longformer.inputs.checks import is_float
from tf_longformer.losses import IGNORE_INDEX


def name_labels(names: Sequence[str], labels: Any) -> Any:
    """Gives the labels of a head that takes several their names.

    Args:
        names: the names of a head's labels.
        labels: a list or tuple in the order of the names, or anything else.

    Returns:
        Dict of the labels by name. Where the head takes one label, a list of
        numbers as an array. Otherwise `labels` as they are.

    Raises:
        ValueError: if there are not as many as names.
    """
    if not names or not isinstance(labels, list | tuple):
        return labels
    if len(names) == 1:
        # Keras takes one array of labels as a list of one, too.
        alone = len(labels) == 1 and hasattr(labels[0], "shape")
        return labels[0] if alone else as_tensor(names[0], labels)
    if len(labels) != len(names):
        raise ValueError(
            f"Labels must be as many as their names, {list(names)}. Received: "
            f"a {type(labels).__name__} of {len(labels)}. Pass one for each, "
            "in this order, or a dict by these names."
        )
    return dict(zip(names, labels, strict=True))


def infer_problem_type(labels: Any, config: LongformerConfig) -> str:
    """Returns the config's problem type, or what the labels look like.

    Args:
        labels: labels of a sequence classification.
        config: the model's config.

    Returns:
        `"regression"` where there is one label, otherwise
        `"multi_label_classification"` for rows of floats and
        `"single_label_classification"` for one number a row.
    """
    if config.problem_type is not None:
        return config.problem_type
    if config.num_labels == 1:
        return "regression"
    if is_float(labels) and len(labels.shape) > 1 and labels.shape[1] != 1:
        return "multi_label_classification"
    return "single_label_classification"


def check_class_labels(
    labels: Any, num_labels: int | None, shape: tuple | None = None
) -> Any:
    """Checks class numbers.

    Args:
        labels: tensor of class numbers, -100 where no loss is wanted. Floats
            must be whole.
        num_labels: int, number of classes, or `None` where it isn't known
            yet.
        shape: static shape of what is classified, `[batch]` or
            `[batch, seq]`, or `None` where it isn't known yet.

    Returns:
        The labels; in a TensorFlow graph they wait for the check.

    Raises:
        ValueError: for another shape; and in eager mode for values out of
            range, or not whole.
    """
    _check_shape("labels", labels, shape)
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
    labels: Any, problem_type: str, num_labels: int, batch: tuple | None = None
) -> Any:
    """Checks the labels of a sequence classification.

    Args:
        labels: the labels.
        problem_type: one of the three types.
        num_labels: int, the model's outputs.
        batch: static shape `[batch]`, or `None` where it isn't known yet.

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
        return check_class_labels(labels, num_labels, batch)
    columns = shape[1] if len(shape) == 2 else 1
    if (
        len(shape) not in (1, 2)
        or columns not in (num_labels, None)
        or not fits(shape[:1], batch or (None,))
    ):
        here = "" if batch is None else f" (batch={batch[0]})"
        raise ValueError(
            f"`labels` must be [batch, {num_labels}]{here} for "
            f"problem_type='{problem_type}'. Received: shape {shape}. Give "
            "each row one number for each of the `num_labels` outputs."
        )
    if is_traced(labels) or not is_float(labels):
        return labels
    values = ops.convert_to_numpy(labels)
    if not np.all(np.isfinite(values)):
        raise ValueError(
            "`labels` must be finite. Received: NaN or infinity. Remove "
            "those rows."
        )
    return labels


def check_span_labels(
    name: str, labels: Any, batch: tuple | None = None
) -> None:
    """Checks positions of an answer.

    Args:
        name: the argument's name.
        labels: `[batch]` or `[batch, 1]`.
        batch: static shape `[batch]`, or `None` where it isn't known yet.

    Raises:
        ValueError: for another shape, or floats.
    """
    _check_shape(name, labels, (None,) if batch is None else batch)
    check_dtype(name, labels)


def _check_shape(name: str, labels: Any, expected: tuple | None) -> None:
    """Checks for one label each; there may be a last axis of size 1."""
    if expected is None:
        return
    given = shape = tuple(labels.shape)
    if len(given) == len(expected) + 1 and given[-1] in (1, None):
        given = given[:-1]
    if not fits(given, expected):
        of_rows = len(expected) == 1
        axes = "[batch]" if of_rows else "[batch, seq]"
        raise ValueError(
            f"`{name}` must be {axes}, here {tuple(expected)}. Received: "
            f"shape {shape}. Pass one integer for each "
            f"{'row' if of_rows else 'token'}."
        )

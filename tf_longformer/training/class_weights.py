"""Weights of classes, as weights of rows or of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tf_longformer.errors import shown
from tf_longformer.training.keras_steps import labels_among_inputs

SINGLE = "single_label_classification"


def weights_of_classes(
    labels: Any,
    class_weight: Mapping[int, float],
    sample_weight: Any = None,
    problem_type: str | None = None,
) -> np.ndarray:
    """Returns the sample weights that weights of classes amount to.

    Keras does this for one label a row; with labels of tokens it would
    weigh each row by the position of its largest label.

    Args:
        labels: integer array, of any shape.
        class_weight: dict from a label to its weight; others have 1.
        sample_weight: array of the first axes of `labels` to multiply with,
            or `None`.
        problem_type: the config's, or `None`.

    Returns:
        float array like `labels`, without a last axis of one element.

    Raises:
        ValueError: if the labels are not integers.
    """
    labels = keras.ops.convert_to_numpy(labels)
    if labels.dtype.kind not in "iu" or problem_type not in (None, SINGLE):
        raise ValueError(
            "`class_weight` needs integer labels, a class each. Received: "
            f"labels of dtype {labels.dtype}, "
            f"problem_type={shown(problem_type)}. "
            "Cast class numbers to int32; for other labels pass "
            "`sample_weight`."
        )
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    weights = np.ones(labels.shape, keras.config.floatx())
    for label, weight in class_weight.items():
        weights[labels == label] = weight
    if sample_weight is None:
        return weights
    sample_weight = keras.ops.convert_to_numpy(sample_weight)
    extra = labels.ndim - sample_weight.ndim
    return weights * sample_weight.reshape(sample_weight.shape + (1,) * extra)


def has_row_labels(model: Any, data: Any) -> bool:
    """Returns whether a `tf.data.Dataset` pairs inputs with one label a row.

    Args:
        model: the model.
        data: a dataset, or anything else.
    """
    spec = getattr(data, "element_spec", None)
    if not isinstance(spec, tuple) or len(spec) < 2:
        return False
    if labels_among_inputs(model, *spec[:2]):
        # Keras would weigh by the dummies beside them.
        return False
    shape = getattr(spec[1], "shape", None)
    return shape is not None and (shape.rank == 1 or shape[1:] == [1])

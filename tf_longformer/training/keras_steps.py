"""What one step of `fit`, `evaluate` or `predict` does: labels, loss, metrics.

Labels come as `y` or among the inputs (`find_labels`), and find their outputs
by name. Keras would match them by the structure of the outputs, but an output
class with optional fields has no fixed structure.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_longformer.errors import shown
from tf_longformer.inputs.call_arguments import as_tensor
from tf_longformer.inputs.call_arguments import by_name
from tf_longformer.inputs.label_checks import name_labels
from tf_longformer.keras_private import compiled_metrics
from tf_longformer.keras_private import has_value_for_each
from tf_longformer.keras_private import is_function_of_keras
from tf_longformer.keras_private import is_updated_by_keras


def ask_for_names(data: Any) -> tuple:
    """Returns the data of a step with `return_dict=True` among the inputs.

    A step needs outputs by name, whatever `config.return_dict` says.
    """
    x, *rest = keras.utils.unpack_x_y_sample_weight(data)
    return ({**by_name(x), "return_dict": True}, *rest)


def without_labels(model: Any, data: Any) -> tuple:
    """Returns the data of a prediction without labels and weights."""
    x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
    names = model.label_names
    return ({k: v for k, v in by_name(x).items() if k not in names},)


def for_each_output(model: Any, metrics: Any) -> Any:
    """Returns metrics by output, where a list is for each of several.

    Such a list has another length than the outputs, whose metrics it would be
    to Keras.
    """
    count = len(model.label_names)
    if (
        count < 2
        or len(model.loss_outputs) == 1
        or not isinstance(metrics, list | tuple)
        or len(metrics) in (0, count)
    ):
        return metrics
    first, *others = (_output_of(model, label) for label in model.label_names)
    copies = {name: [_copy_of(x) for x in metrics] for name in others}
    return {first: list(metrics), **copies}


def _copy_of(metric: Any) -> Any:
    """Returns an equal metric of the same name, for another output."""
    if not isinstance(metric, keras.Metric):
        return metric
    return type(metric).from_config(metric.get_config())


def labels_among_inputs(model: Any, x: Any, y: Any) -> dict[str, Any]:
    """Returns the labels among the inputs by name, where they are meant.

    They win over `y`, as in transformers, whose scripts pass a dummy beside
    them. But a loss of the user's own is about `y`.
    """
    if not isinstance(x, Mapping) or (y is not None and model.loss_given):
        return {}
    return {n: x[n] for n in model.label_names if x.get(n) is not None}


def find_labels(model: Any, x: Any, y: Any) -> Any:
    """Returns the labels among the inputs, or else `y`, which may be `None`."""
    given = labels_among_inputs(model, x, y)
    if not given:
        return name_labels(model.label_names, y)
    several = len(model.label_names) > 1
    return given if several else given[model.label_names[0]]


def weights_like_labels(model: Any, y: Any, weight: Any) -> Any:
    """Returns weights by the names that labels have, as Keras wants arrays.

    Those of a label that has none are ones.
    """
    if not isinstance(y, Mapping):
        return _weights_by_name(model, weight, _output_of, [model.main_output])
    outputs = {name: _output_of(model, name) for name in y}
    weight = _weights_by_name(model, weight, _output_of, outputs.values())
    if not isinstance(weight, Mapping):
        return weight
    given = {name: weight[output] for name, output in outputs.items()}
    return {
        name: np.ones(len(y[name])) if value is None else value
        for name, value in given.items()
    }


def match_outputs(model: Any, y: Any, y_pred: Any, sample_weight: Any) -> tuple:
    """Returns labels, outputs and weights in structures that Keras can match.

    Args:
        model: the model.
        y: labels, or a mapping of them by the names of labels or outputs.
        y_pred: outputs by name.
        sample_weight: weights, or a mapping of them by such names, or `None`.
    """
    if isinstance(y, Mapping):
        y = {_output_of(model, name): value for name, value in y.items()}
        unknown = sorted(set(y) - set(y_pred))
        if unknown:
            raise ValueError(
                "The keys of `y` must be outputs or labels of the model. "
                f"Received: {shown(unknown)}; the outputs are "
                f"{shown(sorted(y_pred))}. Correct the key."
            )
        weight = _weights_by_name(model, sample_weight, _output_of, y)
        return y, {name: y_pred[name] for name in y}, weight
    name = model.main_output
    weight = _weights_by_name(model, sample_weight, _output_of, [name])
    if len(model.loss_outputs) == 1:
        (name,) = model.loss_outputs
        return {name: y}, {name: y_pred[name]}, weight
    return y, y_pred[name], weight


def _weights_by_name(
    model: Any,
    weight: Any,
    rename: Callable[[Any, str], str],
    names: Collection[str],
) -> Any:
    """Returns weights by these names, `None` for those without.

    Weights of one name, or without a name, are returned as they are.
    """
    weight = name_labels(model.label_names, weight)
    if not isinstance(weight, Mapping):
        return weight
    if len(weight) == len(names) == 1:
        return next(iter(weight.values()))
    given = {rename(model, name): value for name, value in weight.items()}
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise ValueError(
            f"The keys of `sample_weight` must be of {sorted(names)}. "
            f"Received: {shown(unknown)}. Correct the key."
        )
    return {name: given.get(name) for name in names}


def head_loss(
    model: Any, x: Any, y: Any, y_pred: Any, sample_weight: Any
) -> Any:
    """Returns the head's own loss of a batch, and the layers' `add_loss`."""
    if not model.label_names:
        # Raises: a model that takes no labels has no loss.
        model.loss_terms({}, y_pred)
    labels = find_labels(model, x, y)
    if labels is None:
        raise ValueError(
            "Training needs labels. Received: none. Put "
            f"{list(model.label_names)} among the inputs, or pass `y`."
        )
    if not isinstance(labels, Mapping):
        labels = {model.label_names[0]: labels}
    labels = {_label_of(model, name): value for name, value in labels.items()}
    labels = {name: as_tensor(name, value) for name, value in labels.items()}
    sample_weight = _weights_by_name(model, sample_weight, _label_of, labels)
    add = sum_over_replicas()
    loss = model.internal_loss(labels, y_pred, sample_weight, add)
    if add is not None:
        # Every replica reports the loss of all, as Keras weighs what they
        # report by their rows. The gradient is of its own part.
        everywhere = add(ops.stop_gradient(loss))
        share = everywhere / count_replicas()
        loss = loss + ops.stop_gradient(share - loss)
    for extra in model.losses:
        # Every replica adds it, and Keras sums gradients over replicas.
        extra = ops.sum(ops.cast(extra, loss.dtype))
        loss = loss + extra / count_replicas()
    return loss


def update_metrics(model: Any, y: Any, y_pred: Any, sample_weight: Any) -> None:
    """Updates the compiled metrics, by the labels that count.

    Keras gives plain metrics no weights, so that they would count the labels
    that the loss ignores.
    """
    y, y_pred, weights = match_outputs(model, y, y_pred, sample_weight)
    for name, plain, weighted in compiled_metrics(model, y, y_pred):
        by_name = isinstance(y, Mapping)
        labels, outputs = (y[name], y_pred[name]) if by_name else (y, y_pred)
        weight = weights[name] if isinstance(weights, Mapping) else weights
        counted = model.counted_labels(
            name or model.main_output, labels, outputs
        )
        for metric in plain:
            _update_metric(metric, labels, outputs, counted)
        for metric in weighted:
            _update_metric(metric, labels, outputs, counted, True, weight)


def _update_metric(
    metric: keras.Metric,
    labels: Any,
    outputs: Any,
    counted: Any,
    is_weighted: bool = False,
    weight: Any = None,
) -> None:
    """Updates a metric by the labels that count, of these weights.

    Ignored labels are errors to Keras's own functions; a user's may look for
    them. A user's function that reduces rows or tokens by itself, and a plain
    metric with an `update_state` of the user's, are called as Keras does it.
    """
    if counted is not None:
        takes_weights = is_weighted
        if is_updated_by_keras(metric):
            if is_function_of_keras(metric):
                if len(labels.shape) > len(counted.shape):
                    labels = ops.reshape(labels, ops.shape(counted))
                labels = ops.where(counted, labels, ops.zeros_like(labels))
            takes_weights = has_value_for_each(metric, labels, outputs)
        if takes_weights:
            weight = _as_weights(counted, weight)
    metric.update_state(labels, outputs, sample_weight=weight)


def _as_weights(counted: Any, sample_weight: Any) -> Any:
    """Returns weights that are zero where a label doesn't count."""
    counted = ops.cast(counted, keras.config.floatx())
    if sample_weight is None:
        return counted
    sample_weight = ops.cast(sample_weight, counted.dtype)
    extra = len(sample_weight.shape) - len(counted.shape)
    if extra > 0:
        sample_weight = ops.reshape(sample_weight, ops.shape(counted))
    for _ in range(-extra):
        sample_weight = ops.expand_dims(sample_weight, -1)
    return counted * sample_weight


def _output_of(model: Any, label: str) -> str:
    """Turns a label's name into that of its output, and leaves others."""
    if label not in model.label_names:
        return label
    if label == "labels":
        return model.main_output
    return label.replace("_positions", "_logits")


def _label_of(model: Any, name: str) -> str:
    """Turns an output's name into that of its label."""
    for label in model.label_names:
        if name in (label, _output_of(model, label)):
            return label
    raise ValueError(
        "`y` and `sample_weight` must name "
        f"{list(model.label_names)} or their outputs. "
        f"Received: {shown(name)}. Correct the key."
    )


def count_replicas() -> int:
    """Returns how many replicas train in step."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def sum_over_replicas() -> Any:
    """Returns a function that sums a number over replicas, `None` for one.

    The loss is a sum of losses divided by a sum of weights. As Keras sums
    gradients over replicas, each replica divides its own losses by the
    weights of all replicas.
    """
    if count_replicas() == 1:
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None:
        return None
    return lambda weight: context.all_reduce(tf.distribute.ReduceOp.SUM, weight)

"""What `fit`, `evaluate` and their like do before Keras's loop begins.

What happens in each step of that loop, such as finding the labels of the
head's loss, is in `keras_steps`.
"""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import keras

from tf_longformer.backend import is_dataset
from tf_longformer.inputs.call_arguments import as_tensor
from tf_longformer.inputs.call_arguments import by_name
from tf_longformer.inputs.call_arguments import refuse_text
from tf_longformer.keras_private import data_without_tuner
from tf_longformer.keras_private import register_encoding_class
from tf_longformer.keras_private import train_validation_split
from tf_longformer.tokenization import BatchEncoding
from tf_longformer.training.class_weights import has_row_labels
from tf_longformer.training.class_weights import weights_of_classes
from tf_longformer.training.data_checks import check_if_compiled
from tf_longformer.training.freed_memory import keep_freed_memory
from tf_longformer.training.keras_steps import find_labels
from tf_longformer.training.keras_steps import labels_among_inputs
from tf_longformer.training.keras_steps import weights_like_labels

# What Keras warns of where no token is global.
_UNUSED_PROJECTIONS = (
    r"Gradients do not exist for variables \[('\S+_global/\w+'(, )?)+\]"
)

# Generators and `keras.utils.PyDataset`s may hand encodings over.
register_encoding_class(BatchEncoding)


def prepare_arguments(
    model: Any,
    method: Callable[..., Any],
    x: Any,
    y: Any,
    args: tuple,
    kwargs: dict[str, Any],
) -> dict[str, Any]:
    """Returns the arguments of Keras's method by name, ready for its loop.

    Data are checked, labels have names, and weights of classes have become
    weights of rows or tokens.

    Args:
        model: the model.
        method: Keras's `fit` or `evaluate`, or that of one batch.
        x: as for the model's method.
        y: the same.
        args: its further positional arguments.
        kwargs: its keyword arguments.
    """
    given = inspect.signature(method).bind(as_plain_dict(x), y, *args, **kwargs)
    given = {**given.arguments, **given.arguments.get("kwargs", {})}
    given.pop("kwargs", None)
    given = _split_off_validation(model, given)
    if given.get("validation_data") is not None:
        validation = keras.utils.unpack_x_y_sample_weight(
            given["validation_data"]
        )
        x, y, weight = validation
        x, y = _separate_labels(model, x, y, weight is not None)
        weight = weights_like_labels(model, y, weight)
        # Keras makes its iterator of these, not of what `evaluate` is given.
        x = _ready_batches(model, x, y)
        given["validation_data"] = x, y, weight
    given = _weigh_classes(model, given)
    given["x"] = _ready_batches(model, given["x"], given["y"])
    return _without_tuner(method, given)


def prepare_prediction(
    model: Any, method: Callable[..., Any], x: Any, args: tuple, kwargs: dict
) -> dict[str, Any]:
    """Returns the arguments of Keras's `predict` by name, as above."""
    x = _ready_batches(model, as_plain_dict(x))
    given = inspect.signature(method).bind(x, *args, **kwargs)
    return _without_tuner(method, given.arguments)


def _ready_batches(model: Any, x: Any, y: Any = None) -> Any:
    """Returns `x`, checked or to be checked batch by batch."""
    keep_freed_memory(x)
    return check_if_compiled(model, x, y)


def _without_tuner(
    method: Callable[..., Any], given: dict[str, Any]
) -> dict[str, Any]:
    """Has a loop over batches end when it ends (see `data_without_tuner`)."""
    parameters = inspect.signature(method).parameters
    steps = {"steps", "steps_per_epoch"} & set(parameters)
    if (
        keras.backend.backend() != "tensorflow"
        # One batch; or rows that Keras splits, or doesn't look at.
        or not steps
        or given.get("validation_split")
        or given.get("_use_cached_eval_dataset")
        or is_dataset(given["x"])
    ):
        return given
    given = dict(given)
    names = ("x", "y", "sample_weight", "class_weight")
    data = {name: given.pop(name, None) for name in names}
    data["batch_size"] = given.get("batch_size")
    data["steps_per_epoch"] = given.get(steps.pop())
    if "shuffle" in parameters:
        default = parameters["shuffle"].default
        data["shuffle"] = given.pop("shuffle", default)
    return {**given, "x": data_without_tuner(**data)}


@contextlib.contextmanager
def ready_to_train(model: Any) -> Iterator[None]:
    """Makes the optimizer's variables, and silences a needless warning.

    Where no token is global, the projections of global tokens get no
    gradient and stay as they are. Keras would ask whether the loss was
    forgotten.
    """
    build_optimizer(model)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _UNUSED_PROJECTIONS, UserWarning)
        yield


def build_optimizer(model: Any) -> None:
    """Makes the optimizer's variables before the step is traced.

    TensorFlow traces a function a second time if the first trace made
    variables. Of twelve layers one trace takes half a minute.
    """
    optimizer = getattr(model, "optimizer", None)
    # Without one Keras says that `compile` has to come first.
    if optimizer is None or optimizer.built:
        return
    scope: Any = contextlib.nullcontext()
    if keras.backend.backend() == "tensorflow":
        scope = model.distribute_strategy.scope()
    with scope:
        optimizer.build(model.trainable_variables)


def as_plain_dict(x: Any) -> Any:
    """Turns an encoding, or lists, into the dict of arrays that Keras wants.

    Text is refused here: Keras would try to make floats of it.
    """
    if isinstance(x, list | tuple):
        x = by_name(x)
    if isinstance(x, Mapping):
        return {name: as_tensor(name, value) for name, value in x.items()}
    refuse_text(x)
    return x


def _separate_labels(model: Any, x: Any, y: Any, has_weights: bool) -> tuple:
    """Returns inputs and labels, with the labels in one place.

    Labels among the inputs stay there unless there are weights of samples,
    which Keras drops if there is no `y`.
    """
    x = as_plain_dict(x)
    among_inputs = labels_among_inputs(model, x, y)
    if among_inputs and not has_weights:
        return x, None
    y = find_labels(model, x, y)
    refuse_text(y if isinstance(y, Mapping) else {"labels": y})
    if among_inputs:
        x = {k: v for k, v in x.items() if k not in among_inputs}
    return x, y


def _split_off_validation(model: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Makes `validation_data` of `validation_split`, if classes have weights.

    Keras weighs the classes of training rows only. Here their weights become
    weights of rows, which must not reach the rows that are split off.
    """
    if (
        given.get("class_weight") is None
        or not given.get("validation_split")
        or given.get("validation_data") is not None
    ):
        return given
    x, y = _separate_labels(model, given["x"], given["y"], has_weights=True)
    weight = weights_like_labels(model, y, given.get("sample_weight"))
    (x, y, weight), validation = train_validation_split(
        (x, y, weight), given["validation_split"]
    )
    kept = {"x": x, "y": y, "sample_weight": weight}
    split = {"validation_split": 0.0, "validation_data": validation}
    return {**given, **kept, **split}


def _weigh_classes(model: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Turns weights of classes into weights of rows or tokens."""
    classes = given.get("class_weight")
    weight = given.get("sample_weight")
    has_weights = classes is not None or weight is not None
    x, y = _separate_labels(model, given["x"], given["y"], has_weights)
    weight = weights_like_labels(model, y, weight)
    given = {**given, "x": x, "y": y, "sample_weight": weight}
    # With a loss of the user's own, labels may be one-hot.
    if classes is None or (model.loss_given and _is_one_hot(y)):
        return given
    if isinstance(y, Mapping) and len(y) == 1:
        (y,) = y.values()
    if y is None and has_row_labels(model, x):
        return given
    if y is None or isinstance(y, Mapping):
        labels = f"no labels, inputs of {type(x).__name__}"
        if y is not None:
            labels = f"labels {sorted(y)}"
        raise ValueError(
            "`class_weight` needs arrays of labels, or a `tf.data.Dataset` "
            f"of inputs and one label a row. Received: {labels}. Pass "
            "`sample_weight` instead, in a dataset as the third element."
        )
    given["sample_weight"] = weights_of_classes(
        y, classes, weight, getattr(model.config, "problem_type", None)
    )
    given["class_weight"] = None
    return given


def _is_one_hot(labels: Any) -> bool:
    return hasattr(labels, "dtype") and "float" in str(labels.dtype)

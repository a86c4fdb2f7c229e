"""Checks of the data that XLA's programs get, before they get them.

XLA drops assertions, and moves indices that are out of range into it. So
where `fit`, `evaluate` and `predict` compile with XLA, they look at the data
before, on the host.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from types import GeneratorType
from typing import Any

import keras

from tf_longformer.backend import is_dataset
from tf_longformer.inputs.call_arguments import gather_arguments
from tf_longformer.inputs.checks import check_shapes
from tf_longformer.inputs.checks import check_values
from tf_longformer.inputs.label_checks import name_labels


def check_if_compiled(model: Any, x: Any, y: Any = None) -> Any:
    """Checks settings and values that a program of XLA's could not check.

    Returns `x`, or what yields the same batches and checks each. Where no
    program will be compiled, the model checks by itself.
    """
    if model.run_eagerly or not model.jit_compile:
        return x
    config = model.config
    if config.output_attentions and config.attention_slots is None:
        raise ValueError(
            "Under XLA the attentions need a fixed number of columns for "
            "global tokens. Received: jit_compile=True, "
            "config.output_attentions=True and "
            "config.attention_slots=None. Set `attention_slots` in the "
            "config to the most global tokens that a row has."
        )
    return check_each_batch(model, x, y)


def check_each_batch(model: Any, x: Any, y: Any = None) -> Any:
    """Checks arrays at once, and batches of other data as they come.

    Args:
        model: a Longformer model.
        x: array or dict of arrays, `tf.data.Dataset`, `PyDataset` or
            generator, as `fit` takes them.
        y: the labels, where `x` holds arrays.

    Returns:
        `x`, or what yields the same batches and checks each. Batches that
        other processes make are not checked, and a warning says so.

    Raises:
        ValueError: if an array breaks a rule.
    """

    def check(*batch: Any) -> Any:
        check_batch(model, *batch[:2])
        return batch if len(batch) > 1 else batch[0]

    if isinstance(x, keras.utils.PyDataset):
        if x.use_multiprocessing:
            warnings.warn(
                "Where XLA compiles the model, batches are checked in this "
                "process. Received: a `PyDataset` with "
                "use_multiprocessing=True, whose batches go unchecked: an id "
                "that is out of range becomes another one. Pass "
                "use_multiprocessing=False to have them checked.",
                stacklevel=2,
            )
            return x
        return _CheckedDataset(x, check)
    if isinstance(x, GeneratorType):
        return _checked_generator(x, check)
    if is_dataset(x):
        # Its graph is TensorFlow's, where no other backend can look.
        is_ours = keras.backend.backend() == "tensorflow"
        return x.map(check) if is_ours else x
    if isinstance(x, Mapping) or hasattr(x, "shape"):
        check_batch(model, x, y)
    return x


def check_batch(model: Any, x: Any, y: Any = None) -> None:
    """Checks the inputs and the labels of one batch.

    Args:
        model: a Longformer model.
        x: array or tensor of ids, or a mapping of the model's arguments.
        y: labels, a mapping of them by name, a tuple in the order of their
            names, or `None`.

    Raises:
        ValueError: if one breaks a rule; in a TensorFlow graph the run
            raises `InvalidArgumentError`.
    """
    names = model.label_names
    inputs = gather_arguments(type(model).__name__, names, x, None, (), {})
    check_shapes(inputs, model.config, model.input_rank)
    labels = {name: inputs.pop(name) for name in names if name in inputs}
    check_values(model.flatten_inputs(inputs), model.config)
    if model.loss_given:
        # The user's own loss decides what labels look like.
        return
    y = name_labels(names, None if labels else y)
    if isinstance(y, Mapping):
        labels = {name: y[name] for name in names if name in y}
    elif y is not None and len(names) == 1:
        labels = {names[0]: y}
    if names and len(labels) == len(names):
        model.check_labels(labels)


def _checked_generator(
    batches: Iterator[Any], check: Callable[..., Any]
) -> Iterator[Any]:
    for batch in batches:
        check(*_as_tuple(batch))
        yield batch


class _CheckedDataset(keras.utils.PyDataset):
    """A `PyDataset` whose batches are checked before they are handed out."""

    def __init__(
        self, dataset: keras.utils.PyDataset, check: Callable[..., Any]
    ):
        super().__init__(
            workers=dataset.workers,
            max_queue_size=dataset.max_queue_size,
        )
        self._dataset = dataset
        self._check = check

    @property
    def num_batches(self) -> int | None:
        return self._dataset.num_batches

    def __getitem__(self, index: int) -> Any:
        batch = self._dataset[index]
        self._check(*_as_tuple(batch))
        return batch

    def on_epoch_begin(self) -> None:
        self._dataset.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self._dataset.on_epoch_end()


def _as_tuple(batch: Any) -> tuple:
    return batch if isinstance(batch, tuple) else (batch,)

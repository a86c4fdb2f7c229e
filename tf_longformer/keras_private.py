"""Names outside the public API of Keras and TensorFlow that we touch.

All of them are here, so that a new release is checked in one place.
"""

from __future__ import annotations

import contextlib
import itertools
import weakref
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import keras
import optree
from keras import ops


def register_output_class(cls: type) -> None:
    """Makes Keras, and JAX where it is the backend, look into a dict class.

    `keras.tree` is optree under the namespace "keras"; it has no public
    function to register a class.

    Args:
        cls: subclass of `dict` whose constructor takes pairs and
            `keep_none`. Keras maps leaves to `None` and packs them again, so
            that unflattening keeps what the constructor would drop.
    """

    def flatten(output: Any) -> tuple:
        keys = tuple(output.keys())
        return [output[key] for key in keys], keys, keys

    def unflatten(keys: tuple, values: Any) -> Any:
        return cls(zip(keys, values, strict=True), keep_none=True)

    optree.register_pytree_node(cls, flatten, unflatten, namespace="keras")
    if keras.backend.backend() == "jax":
        import jax

        jax.tree_util.register_pytree_node(
            cls, lambda output: flatten(output)[:2], unflatten
        )


def register_encoding_class(cls: type) -> None:
    """Has Keras look into a mapping class, as it does into a dict.

    Args:
        cls: a mapping class that is no `dict`, for which Keras would see one
            leaf.
    """

    def flatten(encoding: Any) -> tuple:
        keys = tuple(encoding.keys())
        return [encoding[key] for key in keys], keys, keys

    optree.register_pytree_node(
        cls,
        flatten,
        lambda keys, values: cls(dict(zip(keys, values, strict=True))),
        namespace="keras",
    )


def current_path() -> str:
    """Returns the path of the layer whose weights are being created."""
    from keras.src.backend.common.name_scope import current_path

    return current_path()


def in_symbolic_scope() -> bool:
    """Returns whether Keras is working out shapes, with no data at all."""
    from keras.src.backend.common.symbolic_scope import in_symbolic_scope

    return in_symbolic_scope()


def train_validation_split(
    arrays: tuple[Any, ...], validation_split: float
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Returns what `fit` trains on and what it measures with, of all rows."""
    from keras.src.trainers.data_adapters import array_slicing

    return array_slicing.train_validation_split(arrays, validation_split)


def data_without_tuner(**given: Any) -> Any:
    """Returns data for Keras's loop, of which TensorFlow tunes nothing.

    TensorFlow (2.21) deletes an iterator no sooner than the thread wakes that
    tunes it, at 10 ms, 30 ms, 70 ms... from its start: in most passes `fit`,
    `evaluate` and `predict` ended that much later, up to twice as late, and at
    most by a minute (benchmarks/feeding.py).

    Args:
        **given: what Keras's `get_data_adapter` takes; `x` is not a
            `tf.data.Dataset`, which has options of its own.
    """
    from keras.src.trainers import data_adapters

    class Untuned(data_adapters.data_adapter.DataAdapter):
        def __init__(self, adapter: Any) -> None:
            self._adapter = adapter

        def get_tf_dataset(self) -> Any:
            import tensorflow as tf

            dataset = self._adapter.get_tf_dataset()
            # A strategy that distributes each batch makes it by itself.
            if isinstance(dataset, tf.data.Dataset):
                options = tf.data.Options()
                options.autotune.enabled = False
                dataset = dataset.with_options(options)
            return dataset

        @property
        def num_batches(self) -> int | None:
            return self._adapter.num_batches

        def on_epoch_begin(self) -> None:
            self._adapter.on_epoch_begin()

        def on_epoch_end(self) -> None:
            self._adapter.on_epoch_end()

    return Untuned(data_adapters.get_data_adapter(**given))


def sublayers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Returns all layers within a layer, at any depth."""
    return list(layer._flatten_layers(include_self=False))


def keep_in_checkpoints(
    layer: keras.layers.Layer, parts: Iterable[keras.layers.Layer]
) -> None:
    """Has `tf.train.Checkpoint` store the layers that a layer has in a list.

    TensorFlow doesn't know Keras's lists, and leaves out what they hold.
    """
    if keras.backend.backend() == "tensorflow":
        for part in parts:
            layer._track_trackable(part, part.name)


def stored_value(variable: keras.Variable) -> Any:
    """Returns a variable's value as a tensor of its own type.

    Within the call of a layer Keras casts all values to the type that the
    layer computes in.
    """
    from keras.src.backend import AutocastScope

    with AutocastScope(None):
        # TensorFlow's functions with a custom gradient mustn't use variables.
        return ops.copy(variable)


def quantization_mode(layer: keras.layers.Layer) -> str | None:
    """Returns how a layer's own weights are quantized, or `None`."""
    return layer.dtype_policy.quantization_mode


def replace_variable(
    layer: keras.layers.Layer, attribute: str, value: Any
) -> None:
    """Gives a built layer a variable of another shape in place of one.

    Keras locks what a built layer holds.

    Args:
        layer: the layer.
        attribute: str, where it keeps the variable.
        value: array, the new variable's value.
    """
    old = getattr(layer, attribute)
    new = keras.Variable(
        value, dtype=old.dtype, trainable=old.trainable, name=old.name
    )
    new._path = old.path
    layer._untrack_variable(old)
    layer._tracker.unlock()
    setattr(layer, attribute, new)
    layer._tracker.lock()


def resize_table(table: keras.layers.Embedding, rows: Any) -> None:
    """Gives an embedding layer another table.

    Args:
        table: the layer, built.
        rows: array `[rows, width]`.
    """
    replace_variable(table, "_embeddings", rows)
    table.input_dim = len(rows)


def end_gradients_with_graph() -> None:
    """Has custom gradients of the graph being built live no longer than it.

    TensorFlow enters each call of `tf.custom_gradient` in a graph, Keras's own
    for the sum over replicas too, into a table, where it stays for ever. It
    holds all of the graph: tens of megabytes for each model that is trained.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    if not tf.executing_eagerly():
        for op in tf.compat.v1.get_default_graph().get_operations():
            if op.type == "IdentityN":
                end_with_graph(op)


def end_with_graph(op: Any) -> None:
    """Has the operation hold its gradient, if it is a custom one."""
    from tensorflow.python.framework import ops as framework

    table = framework.gradient_registry._registry
    try:
        name = op.get_attr("_gradient_op_type").decode()
    except ValueError:
        return
    if name not in table or hasattr(op, "custom_gradient"):
        return
    gradient = op.custom_gradient = table[name]["type"]
    known = weakref.ref(gradient)
    table[name]["type"] = lambda op, *upstream: known()(op, *upstream)
    weakref.finalize(gradient, table.pop, name, None)


class TrainsOnReplicas:
    """A mixin for `keras.Model`: what Keras misses of TensorFlow's strategies.

    Metrics are built by one replica. Keras builds them by the mean of the
    first batch over replicas, which makes floats of integers, and fails where
    replicas have different numbers of rows, or are in other processes.

    With several workers, logs of a step get an axis before they leave it, the
    one over which Keras takes the mean; it fails on scalars (keras#20585).
    """

    def _maybe_symbolic_build(
        self, iterator: Any = None, data_batch: Any = None
    ) -> None:
        strategy = self._distribute_strategy
        if strategy is not None and iterator is not None:
            data_batch = keras.tree.map_structure(
                lambda x: strategy.experimental_local_results(x)[0],
                next(next(iter(iterator))[-1]),
            )
            iterator = None
        super()._maybe_symbolic_build(iterator, data_batch)

    def train_step(self, *args: Any) -> Any:
        return self._for_the_mean(super().train_step(*args))

    def test_step(self, *args: Any) -> Any:
        return self._for_the_mean(super().test_step(*args))

    def _for_the_mean(self, logs: Any) -> Any:
        strategy = getattr(self, "_distribute_strategy", None)
        # Strategies of one process may have no such number.
        workers = getattr(
            getattr(strategy, "extended", None), "_num_workers", 1
        )
        if workers == 1:
            return logs
        return keras.tree.map_structure(
            lambda x: ops.expand_dims(ops.convert_to_tensor(x), 0), logs
        )


class ClipsSumOverReplicas:
    """A mixin for optimizers: `global_clipnorm` is of all replicas' gradients.

    Keras clips what each replica has before it adds them up.

    `sum_over_replicas` returns a function that does that, or `None` where
    there is one replica.
    """

    sum_over_replicas: Callable[[], Any]

    def _clip_gradients(self, grads: list) -> list:
        add = self.sum_over_replicas()
        if add is None or not self.global_clipnorm:
            return super()._clip_gradients(grads)
        dense = [ops.convert_to_tensor(gradient) for gradient in grads]
        norm = ops.sqrt(sum(ops.sum(ops.square(add(x))) for x in dense))
        share = self.global_clipnorm / ops.maximum(norm, self.global_clipnorm)
        return [gradient * share for gradient in dense]


# The methods of an optimizer that change weights.
_UPDATES = ("update_step", "_apply_weight_decay")


@contextlib.contextmanager
def replaced_updates(
    optimizer: Any, update: Callable[[Any, Any, Any], bool]
) -> Iterator[None]:
    """Has an optimizer update weights, and let them decay, by a function.

    Args:
        optimizer: an optimizer of the TensorFlow backend.
        update: takes the gradient, the `tf.Variable` and the rate. Where it
            returns `False`, the optimizer's own methods do it.
    """
    kind = type(optimizer)

    def update_step(gradient: Any, variable: Any, learning_rate: Any) -> None:
        if not update(gradient, variable, learning_rate):
            kind._apply_weight_decay(optimizer, [variable])
            kind.update_step(optimizer, gradient, variable, learning_rate)

    methods = (update_step, lambda variables: None)
    # Keras would track what is set in the usual way.
    vars(optimizer).update(zip(_UPDATES, methods, strict=True))
    try:
        yield
    finally:
        for name in _UPDATES:
            del vars(optimizer)[name]


def has_updates_of(kind: type, optimizer: Any) -> bool:
    """Returns whether an optimizer updates weights as a class of Keras does.

    Neither a subclass nor somebody else replaced the methods that do it.
    """
    return vars(optimizer).keys().isdisjoint(_UPDATES) and all(
        getattr(type(optimizer), name) is getattr(kind, name)
        for name in _UPDATES
    )


def weight_decay_of(optimizer: Any, variable: Any) -> Any:
    """Returns the decay that applies to a weight, 0 where it is excluded."""
    decay = optimizer.weight_decay
    if decay is None or not optimizer._use_weight_decay(variable):
        return 0.0
    return decay


def adam_moments(optimizer: Any, variable: Any) -> tuple[Any, Any]:
    """Returns the `tf.Variable`s of both moments that Adam has of a weight.

    Args:
        optimizer: `keras.optimizers.Adam` or a subclass, built.
        variable: `tf.Variable`, the weight.
    """
    index = optimizer._get_variable_index(variable)
    return optimizer._momentums[index].value, optimizer._velocities[index].value


def compiled_metrics(
    model: keras.Model, y: Any, y_pred: Any
) -> Iterator[tuple[str | None, list, list]]:
    """Yields an output's name, its metrics and its weighted metrics.

    Args:
        model: a model, compiled.
        y: labels, or a dict of them by output.
        y_pred: the output, without a name, or a dict of the outputs.
    """
    compiled = model._compile_metrics
    if compiled is None:
        return
    if not compiled.built:
        compiled.build(y, y_pred)
    # The order in which Keras flattens a dict. Without metrics, or weighted
    # ones, it may have an empty list.
    names = sorted(y_pred) if isinstance(y_pred, dict) else [None]
    for name, *both in itertools.zip_longest(
        names, compiled._flat_metrics, compiled._flat_weighted_metrics
    ):
        yield name, *(x.metrics if x else [] for x in both)


def is_updated_by_keras(metric: keras.Metric) -> bool:
    """Returns whether a metric's `update_state` is one of Keras's."""
    return _is_of_keras(type(metric).update_state)


def is_function_of_keras(metric: keras.Metric) -> bool:
    """Returns whether what a metric computes is Keras's, not a user's."""
    return _is_of_keras(getattr(metric, "_fn", keras.Metric))


def has_value_for_each(metric: keras.Metric, y: Any, y_pred: Any) -> bool:
    """Returns whether a metric has a value, and so a weight, for each label.

    Only a user's function is asked: others do, or take weights as they come.
    """
    if is_function_of_keras(metric):
        return True
    values = metric._fn(y, y_pred, **metric._fn_kwargs)
    is_column = len(y.shape) == len(y_pred.shape)
    return len(values.shape) >= len(y.shape) - is_column


def _is_of_keras(x: Any) -> bool:
    return (getattr(x, "__module__", None) or "").split(".")[0] == "keras"

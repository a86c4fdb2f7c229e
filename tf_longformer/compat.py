"""The names outside Keras's and TensorFlow's public API that we touch.

All of them are here, so that a new release is checked in one place.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import keras
import optree


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


def current_path() -> str:
    """Returns the path of the layer whose weights are being created."""
    from keras.src.backend.common.name_scope import current_path

    return current_path()


def sublayers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Returns all layers within a layer, at any depth."""
    return list(layer._flatten_layers(include_self=False))


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


def is_traced(x: Any) -> bool:
    """Returns whether a backend tensor has no value yet."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.is_tensor(x) and not hasattr(x, "numpy")
    if keras.backend.backend() == "jax":
        import jax

        return isinstance(x, jax.core.Tracer)
    return False


def compiling_with_xla() -> bool:
    """Returns whether a shape that depends on a value would be a mistake.

    TensorFlow does not tell a function that is being traced whether XLA will
    compile it, so that this looks for the `tf.function` that is tracing.
    """
    if keras.backend.backend() == "jax":
        return True
    if keras.backend.backend() != "tensorflow":
        return False
    frame = sys._getframe()
    while frame is not None:
        owner = frame.f_locals.get("self")
        if getattr(owner, "_jit_compile", None) is True:
            return True
        frame = frame.f_back
    return False


def after(x: Any, other: Any) -> Any:
    """Returns `x`, for use once `other` is there.

    A graph runs what it can as soon as it can: what the backward pass is to
    compute again from `x` would be computed in the forward pass and kept.

    Args:
        x: backend tensor.
        other: backend tensor that the backward pass begins with.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.control_dependencies([other]):
            return tf.identity(x)
    if keras.backend.backend() == "jax":
        import jax

        return jax.lax.optimization_barrier((x, other))[0]
    return x


def custom_gradient(function: Callable[..., tuple]) -> Callable:
    """`keras.ops.custom_gradient` for functions that close over tensors.

    Under `keras.remat`, JAX loses track of tensors that such a function uses
    and that aren't its arguments (masks, seeds). They are found by tracing
    it, and made arguments without a gradient.

    Args:
        function: takes tensors, returns a tensor or a tuple of them, and a
            function from the gradients of these to those of the arguments.

    Returns:
        Function of the same arguments that returns what comes first.
    """
    if keras.backend.backend() != "jax":
        return keras.ops.custom_gradient(function)
    import jax

    def call(*arguments: Any) -> Any:
        rules = []

        def run(*arguments: Any) -> tuple:
            output, gradients = function(*arguments)
            outputs = output if isinstance(output, tuple) else (output,)
            rules.append(jax.make_jaxpr(gradients)(*outputs))
            return output, rules[-1].consts

        traced, shapes = jax.make_jaxpr(run, return_shape=True)(*arguments)
        structure = jax.tree.structure(shapes)

        def forward(others: Any, *arguments: Any) -> tuple:
            results = jax.core.eval_jaxpr(traced.jaxpr, others, *arguments)
            return jax.tree.unflatten(structure, results)

        def backward(kept: Any, upstream: Any) -> tuple:
            upstream = jax.tree.leaves(upstream)
            return None, *jax.core.eval_jaxpr(rules[-1].jaxpr, kept, *upstream)

        @jax.custom_vjp
        def differentiable(others: Any, *arguments: Any) -> Any:
            return forward(others, *arguments)[0]

        differentiable.defvjp(forward, backward)
        return differentiable(traced.consts, *arguments)

    return call


def is_dataset(x: Any) -> bool:
    """Returns whether `x` is a `tf.data.Dataset`, without importing it."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(x, tensorflow.data.Dataset)

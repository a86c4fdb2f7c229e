"""The names outside Keras's and TensorFlow's public API that we touch.

All of them are here, so that a new release is checked in one place.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from collections.abc import Sequence
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


def after_assertion(
    value: Any, counted: Any, low: int, high: int, message: str
) -> Any:
    """Returns `value`, once `low <= counted < high` has been seen.

    Only TensorFlow's graph can do that, and not where XLA compiles it.

    Args:
        value: tensor of a graph.
        counted: integer tensor, or bool, which is always right.
        low: int, the least value.
        high: int, one past the largest value.
        message: str, what the run raises before it shows `counted`.
    """
    if keras.backend.backend() != "tensorflow":
        return value
    import tensorflow as tf

    if counted.dtype == tf.bool:
        return value
    inside = tf.reduce_all(
        tf.logical_and(
            counted >= tf.cast(low, counted.dtype),
            counted < tf.cast(high, counted.dtype),
        )
    )
    assertion = tf.debugging.Assert(inside, [message, counted], summarize=8)
    with tf.control_dependencies([assertion]):
        return tf.identity(value)


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

    The gradient works out anew what shapes depend on: where XLA compiles a
    layer that is `traced`, it would take what goes from one pass to the other
    for a value, and compile for each.

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


def factor(x: Any, dtype: str) -> Any:
    """Returns `x` as `wide_matmul` wants it for a product in `dtype`.

    JAX multiplies bfloat16 and float16 as they are and adds up in float32,
    which is exact and what GPUs are fast at. TensorFlow has no such product.
    """
    if keras.backend.backend() == "jax":
        return x
    return keras.ops.cast(x, dtype)


def wide_matmul(x: Any, y: Any, dtype: str) -> Any:
    """Returns the product of two `factor`s in `dtype`.

    Args:
        x: tensor `[..., m, k]`.
        y: tensor `[..., k, n]`.
        dtype: str, no narrower than theirs.
    """
    if keras.backend.backend() == "jax":
        import jax

        return jax.numpy.matmul(x, y, preferred_element_type=dtype)
    return keras.ops.matmul(x, y)


def map_numbers(
    function: Callable[[Any], Any], count: Any, together: int
) -> Any:
    """Stacks what a function returns for 0, 1, ..., `count - 1`.

    Args:
        function: takes an int32 scalar, returns a structure of tensors.
        count: int or int32 scalar tensor.
        together: int, how many at a time on a GPU, where one after another
            would leave most of it idle. On a CPU each would push the others
            out of the cache.
    """
    numbers = keras.ops.arange(count, dtype="int32")
    if keras.backend.backend() == "jax":
        import jax

        if jax.default_backend() != "cpu":
            return jax.lax.map(function, numbers, batch_size=together)
    return keras.ops.map(function, numbers)


def traced(function: Callable, like: Sequence[Any]) -> Callable:
    """Traces a function and its gradient, once for all of its calls.

    Where they are called they aren't inlined, so that TensorFlow optimizes
    them once too.

    Args:
        function: takes tensors, returns one. It may close over tensors, which
            get no gradient, as integers don't.
        like: tensors of the shapes and dtypes that it will be called with.

    Returns:
        Function of the same arguments.
    """
    if keras.backend.backend() == "tensorflow":
        return _traced_by_tensorflow(function, like)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


def _traced_by_tensorflow(function: Callable, like: Sequence[Any]) -> Callable:
    """Makes a graph of the forward and one of the backward pass.

    A `tf.function` called under a tape would do the same, but keep more: all
    that goes into a custom gradient, needed or not. And constants that its
    gradient takes out of it, such as the axes of a transpose, would make XLA
    take all that goes into it for constants, and compile for each value.
    """
    import tensorflow as tf

    backward: Any = None

    def run(*tensors: Any) -> list:
        nonlocal backward
        sources = [x for x in tensors if x.dtype.is_floating]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(sources)
            output = function(*tensors)

        def differentiate(upstream: Any) -> list:
            return tape.gradient(
                output, sources, upstream, unconnected_gradients="zero"
            )

        backward = _concrete(differentiate, [output])
        return [output, *backward.captured_inputs]

    forward = _concrete(run, like)

    @tf.custom_gradient
    def call(*tensors: Any) -> tuple:
        output, *kept = _call_concrete(
            forward, [*tensors, *forward.captured_inputs]
        )

        def grad(upstream: Any) -> list:
            captured = zip(backward.captured_inputs, kept, strict=True)
            gradients = _call_concrete(
                backward, [upstream, *(_as_known(*pair) for pair in captured)]
            )
            rest = iter(gradients)
            return [
                next(rest) if x.dtype.is_floating else None for x in tensors
            ]

        return output, grad

    return call


def _concrete(function: Callable, like: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.function(
        function,
        autograph=False,
        experimental_attributes={"_noinline": True},
    ).get_concrete_function(*(tf.TensorSpec(x.shape, x.dtype) for x in like))


def _call_concrete(function: Any, tensors: list) -> list:
    """Calls a function with all that it takes, what it captured too.

    The call and no more: `function(...)` would trace gradients of its own.
    """
    import tensorflow as tf

    outputs = tf.raw_ops.PartitionedCall(
        args=tensors, Tout=[x.dtype for x in function.outputs], f=function
    )
    for output, known in zip(outputs, function.outputs, strict=True):
        output.set_shape(known.shape)
    return outputs


def _as_known(source: Any, x: Any) -> Any:
    """Returns `x`, or under XLA the constant that it is where it comes from.

    Without XLA a call with constants would get a function to itself.
    """
    import tensorflow as tf

    value = tf.get_static_value(source) if compiling_with_xla() else None
    return x if value is None else tf.constant(value)


def is_dataset(x: Any) -> bool:
    """Returns whether `x` is a `tf.data.Dataset`, without importing it."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(x, tensorflow.data.Dataset)

"""What TensorFlow and JAX each do in a way of its own.

Everything here asks which backend runs, as `keras.ops` has no such function.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras

from tf_longformer.keras_private import end_with_graph


def has_only_cpus() -> bool:
    """Returns whether TensorFlow runs, and has no other kind of device."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    devices = tf.config.list_physical_devices()
    return all(device.device_type == "CPU" for device in devices)


def is_traced(x: Any) -> bool:
    """Returns whether a backend tensor has no value yet."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.is_tensor(x) and not hasattr(x, "numpy")
    if keras.backend.backend() == "jax":
        import jax

        return isinstance(x, jax.core.Tracer)
    return False


def refused_by_xla(x: Any, name: str) -> Any:
    """Returns an int32 scalar unchanged, by an operation that XLA lacks.

    Where XLA compiles the graph, its error names that operation, and so says
    what to do.

    Args:
        x: int32 scalar tensor of a TensorFlow graph.
        name: str, the operation's name, which says what to do instead.
    """
    import tensorflow as tf

    return tf.strings.to_number(tf.strings.as_string(x, name=name), tf.int32)


def after_assertion(
    value: Any, counted: Any, low: int, high: int, message: str
) -> Any:
    """Returns `value`, after an assertion that `low <= counted < high`.

    Only TensorFlow's graph has assertions, and XLA drops them.

    Args:
        value: tensor of a graph.
        counted: integer tensor; floats, which must be whole; or bool, which
            is always right.
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
    if counted.dtype.is_floating:
        whole = tf.reduce_all(tf.equal(counted, tf.floor(counted)))
        inside = tf.logical_and(inside, whole)
    assertion = tf.debugging.Assert(inside, [message, counted], summarize=8)
    with tf.control_dependencies([assertion]):
        return tf.identity(value)


def wait_for(x: Any, other: Any) -> Any:
    """Returns `x`, for operations that must not run before `other` is there.

    A graph runs operations as soon as their inputs are there. What the
    backward pass computes again from `x` alone would run in the forward pass,
    and its result would be kept.

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


def signature_function(function: Callable, signature: list[Any]) -> Any:
    """Returns a TensorFlow function of inputs by name.

    Args:
        function: takes a dict of tensors, returns another.
        signature: list of one dict of `keras.InputSpec`s by name.
    """
    import tensorflow as tf

    specs = {
        name: tf.TensorSpec(spec.shape, spec.dtype, name=name)
        for name, spec in signature[0].items()
    }
    return tf.function(function, input_signature=[specs])


def take_rows(table: Any, ids: Any) -> Any:
    """Returns rows of a table, whose gradient has each row once.

    TensorFlow's own gradient is a list with a row for each id. Keras's
    optimizers square it as it is: of a row that was taken n times Adam would
    take steps up to sqrt(n) times as long as its rate, and a norm to clip by
    would be another one.

    Args:
        table: float tensor `[rows, width]`.
        ids: int32 or int64 tensor of any shape.

    Returns:
        Tensor `[*ids.shape, width]`.
    """
    if keras.backend.backend() != "tensorflow":
        return keras.ops.take(table, ids, axis=0)
    import tensorflow as tf

    count, width = table.shape

    @_custom_gradient
    def take(table: Any) -> tuple:
        def gradient(upstream: Any) -> Any:
            # Sums of thousands need more digits than a bfloat16 has.
            rows = tf.cast(tf.reshape(upstream, (-1, width)), tf.float32)
            total = tf.math.unsorted_segment_sum(
                rows, tf.reshape(ids, (-1,)), count
            )
            return tf.cast(total, upstream.dtype)

        return keras.ops.take(table, ids, axis=0), gradient

    return take(table)


def value_of(weight: Any) -> Any:
    """Returns a weight's value as a tensor.

    In TensorFlow a function with a custom gradient must not use variables.
    """
    return keras.ops.copy(weight)


def custom_gradient(function: Callable[..., tuple]) -> Callable:
    """`keras.ops.custom_gradient` for functions that close over tensors.

    A gradient has to work out again what shapes depend on. Handed over from
    the forward pass of a function of `trace_once`, it is a value to XLA, which
    would compile again for each.

    Under `keras.remat`, JAX loses track of tensors that such a function uses
    and that aren't its arguments (masks, seeds). They are found by tracing
    it, and made arguments without a gradient.

    Args:
        function: takes tensors, returns a tensor or a tuple of them, and a
            function from the gradients of these to those of the arguments.

    Returns:
        Function of the same arguments that returns what comes first.
    """
    if keras.backend.backend() == "tensorflow":
        return _custom_gradient(function)
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


def _custom_gradient(function: Callable[..., tuple]) -> Callable:
    """`tf.custom_gradient`, whose gradients live no longer than their graph."""
    import tensorflow as tf

    differentiable = tf.custom_gradient(function)

    def call(*arguments: Any) -> Any:
        if tf.executing_eagerly():
            return differentiable(*arguments)
        graph = tf.compat.v1.get_default_graph()
        # In a branch of `tf.cond`, gradients may only use what is in it.
        arguments = tuple(
            x if getattr(x, "graph", None) is graph else tf.identity(x)
            for x in arguments
        )
        result = differentiable(*arguments)
        end_with_graph(tf.nest.flatten(result)[0].op)
        return result

    return call


def matmul_operand(x: Any, dtype: str) -> Any:
    """Returns `x` as `wide_matmul` wants it for a product in `dtype`.

    JAX multiplies bfloat16 and float16 as they are and adds up in float32,
    which is exact and what GPUs are fast at. TensorFlow has no such product.
    """
    if keras.backend.backend() == "jax":
        return x
    return keras.ops.cast(x, dtype)


def wide_matmul(x: Any, y: Any, dtype: str) -> Any:
    """Returns the product of two `matmul_operand`s in `dtype`.

    Args:
        x: tensor `[..., m, k]`.
        y: tensor `[..., k, n]`.
        dtype: str, no narrower than theirs.
    """
    if keras.backend.backend() == "jax":
        import jax

        return jax.numpy.matmul(x, y, preferred_element_type=dtype)
    return keras.ops.matmul(x, y)


def has_flash_attention(dtype: str, head_dim: int) -> bool:
    """Returns whether `flash_attention` runs by cuDNN's kernel here.

    Args:
        dtype: str, that of the queries.
        head_dim: int, their width.
    """
    if keras.backend.backend() != "jax":
        return False
    import jax

    return (
        jax.default_backend() == "gpu"
        and dtype in ("bfloat16", "float16")
        and head_dim % 8 == 0
        and head_dim <= 128
    )


def flash_attention(query: Any, key: Any, value: Any, visible: Any) -> Any:
    """Returns the values' means, weighted by the softmax of scaled scores.

    Args:
        query: tensor `[batch, queries, heads, head_dim]` of JAX.
        key: tensor `[batch, keys, heads, head_dim]`.
        value: tensor alike.
        visible: bool `[batch, 1, queries, keys]`, the keys that a query sees,
            at least one.

    Returns:
        Tensor like `query`.
    """
    import jax

    # Without a GPU the same by operations of XLA, for tests.
    gpu = jax.default_backend() == "gpu"
    return jax.nn.dot_product_attention(
        query,
        key,
        value,
        mask=visible,
        implementation="cudnn" if gpu else "xla",
    )


# Scores of the blocks that a GPU works on at once.
_SCORES_AT_A_TIME = 2**28


def map_blocks(
    function: Callable[[Any], Any], blocks: Any, scores_shape: tuple
) -> Any:
    """Stacks what a function returns for the blocks 0, 1, ..., `blocks - 1`.

    One block comes after another, as together they would not fit into the
    cache of a CPU. On a GPU that would be mostly idle then, JAX works on
    several at once.

    Args:
        function: takes an int32 scalar, returns a structure of tensors.
        blocks: int or int32 scalar tensor.
        scores_shape: shape of the scores of one block, the largest tensor
            within; static on JAX.
    """
    numbers = keras.ops.arange(blocks, dtype="int32")
    if keras.backend.backend() == "jax":
        import jax

        if jax.default_backend() != "cpu":
            scores = max(1, math.prod(scores_shape))
            together = max(1, _SCORES_AT_A_TIME // scores)
            return jax.lax.map(function, numbers, batch_size=together)
    return keras.ops.map(function, numbers)


def trace_once(function: Callable, like: Sequence[Any]) -> Callable:
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
        return _trace_in_tensorflow(function, like)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


def can_scan() -> bool:
    """Returns whether the backend has `scan`: only JAX gains by it."""
    return keras.backend.backend() == "jax"


def scan(
    function: Callable,
    first: Any,
    arguments: Sequence[Sequence[Any]],
    keep_all: bool,
) -> list[Any]:
    """Calls a function again and again, compiled once, on its own results.

    Args:
        function: takes a tensor and what an element of `arguments` holds, and
            returns a tensor like the first one.
        first: what the first call takes.
        arguments: for each call, tensors or `None`, alike in all calls. They
            are copied.
        keep_all: bool, whether to return the result of each call.

    Returns:
        List of the results, or of the last one.
    """
    import jax

    stacked = jax.tree.map(
        lambda *of_calls: jax.numpy.stack(of_calls), *arguments
    )

    def step(value: Any, of_call: Sequence[Any]) -> tuple[Any, Any]:
        value = function(value, *of_call)
        return value, value if keep_all else None

    last, results = jax.lax.scan(step, first, stacked)
    return list(results) if keep_all else [last]


def _trace_in_tensorflow(function: Callable, like: Sequence[Any]) -> Callable:
    """Makes a graph of the forward and one of the backward pass.

    A `tf.function` called under a tape would do the same, but keep more: all
    that goes into a custom gradient, needed or not.
    """
    import tensorflow as tf

    backward: Any = None
    kept: list = []

    def run(*tensors: Any) -> list:
        nonlocal backward, kept
        sources = [x for x in tensors if x.dtype.is_floating]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(sources)
            output = function(*tensors)

        def differentiate(upstream: Any) -> list:
            return tape.gradient(
                output, sources, upstream, unconnected_gradients="zero"
            )

        backward, kept = _without_constants(
            _trace(differentiate, [output]), output
        )
        return [output, *kept]

    forward = _trace(run, like, call_as_one=True)

    @_custom_gradient
    def call(*tensors: Any) -> tuple:
        output, *kept = _call_graph(
            forward, [*tensors, *forward.captured_inputs]
        )

        def grad(upstream: Any) -> list:
            gradients = iter(_call_graph(backward, [upstream, *kept]))
            return [
                next(gradients) if x.dtype.is_floating else None
                for x in tensors
            ]

        return output, grad

    return call


def _without_constants(backward: Any, output: Any) -> tuple[Any, list]:
    """Has the backward pass make constants itself, not take the forward's.

    The gradient of a transpose, say, takes its axes. Handed over from one
    function to the other, they are values to XLA, which would compile anew
    for whatever the forward pass hands over.

    Returns:
        The backward pass as a function of the upstream gradient and of what
        isn't constant, and these tensors of the forward pass.
    """
    import tensorflow as tf

    captured = backward.captured_inputs
    constants = [tf.get_static_value(x) for x in captured]
    kept = [
        x
        for x, constant in zip(captured, constants, strict=True)
        if constant is None
    ]

    def run(upstream: Any, *kept: Any) -> list:
        rest = iter(kept)
        inputs = [
            next(rest) if constant is None else tf.constant(constant)
            for constant in constants
        ]
        return _call_graph(backward, [upstream, *inputs])

    return _trace(run, [output, *kept], call_as_one=True), kept


def _trace(
    function: Callable, like: Sequence[Any], call_as_one: bool = False
) -> Any:
    """Traces a function; `call_as_one` forbids to inline it."""
    import tensorflow as tf

    return tf.function(
        function,
        autograph=False,
        experimental_attributes={"_noinline": call_as_one},
    ).get_concrete_function(*(tf.TensorSpec(x.shape, x.dtype) for x in like))


def _call_graph(function: Any, tensors: list) -> list:
    """Calls a traced function with all that it takes, what it captured too.

    The call and no more: `function(...)` would trace gradients of its own.
    """
    import tensorflow as tf

    outputs = tf.raw_ops.PartitionedCall(
        args=tensors, Tout=[x.dtype for x in function.outputs], f=function
    )
    for output, known in zip(outputs, function.outputs, strict=True):
        output.set_shape(known.shape)
    return outputs


def pull_back(function: Callable, x: Any, upstream: Any) -> Any:
    """Returns the gradient of `x` from that of `function(x)`, compiled.

    Args:
        function: takes a floating-point tensor, returns another.
        x: the tensor.
        upstream: tensor like what the function returns.
    """
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(lambda x, g: jax.vjp(function, x)[1](g)[0])(x, upstream)
    import tensorflow as tf

    def run(x: Any, upstream: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            value = function(x)
        return tape.gradient(value, x, upstream, unconnected_gradients="zero")

    return _trace(run, [x, upstream])(x, upstream)


def compile_inference(
    function: Callable,
    variables: Sequence[keras.Variable],
    tensors: int,
    rank: int = 2,
    shape: tuple[int, ...] | None = None,
) -> Callable:
    """Compiles a function of tensors that has no gradient.

    Args:
        function: takes int32 tensors, returns a structure of tensors.
        variables: what it reads. Each call sees the values of that moment.
        tensors: int, how many tensors it takes.
        rank: int, their axes. Defaults to `2`.
        shape: tuple of ints, the only shape that they will have, which takes
            a third of the time to trace. Defaults to any.

    Returns:
        Function of the same arguments, or of arrays. TensorFlow traces it
        once, for all shapes; JAX once for each shape (see `common_size`).
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        like = [tf.TensorSpec(shape or [None] * rank, tf.int32)] * tensors
        traced = tf.function(function, autograph=False)
        concrete = traced.get_concrete_function(*like)
        return lambda *arrays: concrete(*map(tf.convert_to_tensor, arrays))
    if keras.backend.backend() == "jax":
        import jax

        @jax.jit
        def run(values: Any, *tensors: Any) -> Any:
            state = list(zip(variables, values, strict=True))
            with keras.StatelessScope(state_mapping=state):
                return function(*tensors)

        return lambda *tensors: run([v.value for v in variables], *tensors)
    return function


def common_size(size: int) -> int:
    """Returns the size that an axis is padded to, for few shapes in all.

    JAX compiles for each shape: sizes become one of four for each power of
    two, at most a quarter larger. TensorFlow needs no padding.
    """
    if keras.backend.backend() != "jax":
        return size
    step = 2 ** max((size - 1).bit_length() - 3, 0)
    return -(-size // step) * step


def is_dataset(x: Any) -> bool:
    """Returns whether `x` is a `tf.data.Dataset`, without importing it."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(x, tensorflow.data.Dataset)

"""Adam's update of a weight, compiled, where TensorFlow trains on a CPU.

Keras's is fifteen operations, each of which reads or writes the whole weight,
and most of which make new memory. XLA makes a few passes of them: a tenth of
the time (`benchmarks/README.md`).
"""

from __future__ import annotations

import contextlib
import functools
import numbers
import sys
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import keras

from tf_longformer.backend import has_only_cpus
from tf_longformer.keras_private import adam_moments
from tf_longformer.keras_private import has_updates_of
from tf_longformer.keras_private import replaced_updates
from tf_longformer.keras_private import weight_decay_of

# AdamW among them, and what updates weights as these do.
_CLASSES = (keras.optimizers.Adam,)


@contextlib.contextmanager
def compiled_adam(model: Any) -> Iterator[None]:
    """Has a model's optimizer make its updates by a compiled function.

    Only Keras's Adam and AdamW do, and subclasses that don't change how weights
    are updated, with numbers as hyperparameters, on Linux, on one CPU device,
    without a strategy of `tf.distribute`, in graphs that XLA doesn't compile as
    a whole. The numbers are Keras's but for rounding, and all else of the
    optimizer is as it was: rates, clipping, averages, accumulation, and its
    state in files.

    Args:
        model: the model, compiled.
    """
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if (
        isinstance(optimizer, _CLASSES)
        and not optimizer.amsgrad
        and has_updates_of(keras.optimizers.Adam, optimizer)
        and not model.jit_compile
        and not model.run_eagerly
        and _can_compile()
    ):
        update = functools.partial(_update, optimizer)
        with replaced_updates(optimizer, update):
            yield
    else:
        yield


def _can_compile() -> bool:
    # TensorFlow doesn't come with XLA everywhere.
    if sys.platform != "linux" or not has_only_cpus():
        return False
    import tensorflow as tf

    # XLA's call would be placed on the first device, and the weights may be
    # on another.
    if len(tf.config.list_logical_devices()) > 1:
        return False
    return not tf.distribute.has_strategy()


def _update(
    optimizer: Any, gradient: Any, variable: Any, learning_rate: Any
) -> bool:
    """Updates a weight and its moments, or returns that it didn't."""
    import tensorflow as tf

    hyperparameters = (
        optimizer.beta_1,
        optimizer.beta_2,
        optimizer.epsilon,
        weight_decay_of(optimizer, variable),
    )
    # They are a part of what is compiled, while Keras also takes tensors.
    if (
        isinstance(gradient, tf.IndexedSlices)
        or variable.dtype != tf.float32
        or not all(isinstance(x, numbers.Real) for x in hyperparameters)
    ):
        return False
    update = _compiled_update(
        tuple(variable.shape), *map(float, hyperparameters)
    )
    update(
        variable,
        *adam_moments(optimizer, variable),
        tf.cast(gradient, tf.float32),
        tf.cast(learning_rate, tf.float32),
        tf.cast(optimizer.iterations + 1, tf.float32),
    )
    return True


@functools.cache
def _compiled_update(
    shape: tuple[int, ...],
    beta_1: float,
    beta_2: float,
    epsilon: float,
    decay: float,
) -> Callable[..., None]:
    """Returns the function for weights of a shape, the same for all models.

    TensorFlow warns of one function that is traced for many shapes.
    """
    import tensorflow as tf

    @tf.function(jit_compile=True, autograph=False)
    def update(
        weight: Any,
        momentum: Any,
        velocity: Any,
        gradient: Any,
        rate: Any,
        step: Any,
    ) -> None:
        """Makes a step (Kingma and Ba, 2015), after decoupled weight decay."""
        momentum.assign_add((gradient - momentum) * (1 - beta_1))
        velocity.assign_add((tf.square(gradient) - velocity) * (1 - beta_2))
        correction = tf.sqrt(1 - tf.pow(beta_2, step))
        alpha = rate * correction / (1 - tf.pow(beta_1, step))
        kept = weight - weight * decay * rate if decay else weight
        weight.assign(kept - momentum * alpha / (tf.sqrt(velocity) + epsilon))

    return update

"""Training in step on several devices."""

from __future__ import annotations

from typing import Any

import keras


def count_replicas() -> int:
    """Returns how many replicas train in step."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def sum_over_replicas() -> Any:
    """Returns what adds a number up over replicas, `None` for a single one.

    The loss is a sum over a sum. Gradients are added over replicas, so that
    each divides its own sum by the weight of all.
    """
    if count_replicas() == 1:
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None:
        return None
    return lambda weight: context.all_reduce(tf.distribute.ReduceOp.SUM, weight)

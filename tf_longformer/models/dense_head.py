"""The dense layer that ends a head."""

from __future__ import annotations

import keras

from tf_longformer.layers.initializers import Normal


def dense_head(model: keras.Model, units: int, name: str) -> keras.layers.Dense:
    """Returns a dense layer with a model's initialisation and policy.

    Args:
        model: model with a `config`.
        units: int, outputs.
        name: str, the layer's name.
    """
    return keras.layers.Dense(
        units,
        kernel_initializer=Normal(model.config.initializer_range),
        name=name,
        dtype=model.dtype_policy,
    )

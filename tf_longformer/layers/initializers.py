"""How new weights get their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_longformer.keras_private import current_path

# From a layer's path and the name of a dtype to the values that the layer's
# matrix starts from, or to `None` where they are to be drawn.
InitialValues = Callable[[str, str], "np.ndarray | None"]


@keras.saving.register_keras_serializable("tf_longformer")
class Normal(keras.initializers.RandomNormal):
    """Normal values around zero, or those of a file.

    To draw values first and assign a file's later would take a model's memory
    twice, as TensorFlow's allocator keeps what it once had. So
    `from_pretrained` passes a file's values before the weights are made.

    Args:
        stddev: float, standard deviation.
        zero_row: int, index of a row that is zero, as PyTorch's
            `padding_idx` has it. Defaults to none.
        seed: int or `None`.
        initial_values: `InitialValues`, or `None` to draw them. No part of
            the configuration.
    """

    def __init__(
        self,
        stddev: float = 0.02,
        zero_row: int | None = None,
        seed: int | None = None,
        initial_values: InitialValues | None = None,
    ):
        super().__init__(stddev=stddev, seed=seed)
        self.zero_row = zero_row
        self.initial_values = initial_values

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        dtype = keras.backend.standardize_dtype(dtype)
        if self.initial_values is not None:
            values = self.initial_values(current_path(), dtype)
            if values is not None:
                return ops.convert_to_tensor(values, dtype)
        values = super().__call__(shape, dtype=dtype)
        if self.zero_row is None:
            return values
        keep = (np.arange(shape[0]) != self.zero_row)[:, None]
        return values * ops.cast(keep, values.dtype)

    def clone(self) -> Normal:
        """Returns one that draws other values, unless it has a seed."""
        other = super().clone()
        other.initial_values = self.initial_values
        return other

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["mean"]
        return {**config, "zero_row": self.zero_row}


def dense(
    owner: keras.layers.Layer,
    units: int,
    name: str,
    activation: str | None = None,
) -> keras.layers.Dense:
    """Returns a dense layer within another layer, or a model.

    Args:
        owner: what gives `initializer_range`, `initial_values` and the dtype
            policy.
        units: int, its outputs.
        name: str, its name.
        activation: str, Keras's name of one. Defaults to none.
    """
    return keras.layers.Dense(
        units,
        activation=activation,
        kernel_initializer=Normal(
            owner.initializer_range, initial_values=owner.initial_values
        ),
        name=name,
        dtype=owner.dtype_policy,
    )

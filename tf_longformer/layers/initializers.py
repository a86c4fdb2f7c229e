"""How new weights are drawn."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("tf_longformer")
class ZeroRowNormal(keras.initializers.Initializer):
    """Normal values with one row of zeros, as PyTorch's `padding_idx` has.

    Args:
        stddev: float, standard deviation.
        zero_row: int, index of the row that is zero.
        seed: int or `None`.
    """

    def __init__(self, stddev: float, zero_row: int, seed: int | None = None):
        self.stddev = stddev
        self.zero_row = zero_row
        self.seed = seed
        self._normal = keras.initializers.RandomNormal(stddev=stddev, seed=seed)

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        keep = (np.arange(shape[0]) != self.zero_row)[:, None]
        values = self._normal(shape, dtype=dtype)
        return values * ops.cast(keep, values.dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            "stddev": self.stddev,
            "zero_row": self.zero_row,
            "seed": self.seed,
        }

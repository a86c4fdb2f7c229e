"""How new weights get their values."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_longformer.compat import current_path

Lookup = Callable[[str, str], "np.ndarray | None"]

_lookup: contextvars.ContextVar[Lookup | None] = contextvars.ContextVar(
    "lookup", default=None
)


@contextlib.contextmanager
def starting_from(lookup: Lookup) -> Iterator[None]:
    """Has matrices that are created in the block start from known values.

    Values that are drawn first and assigned later take a model's memory
    twice, as TensorFlow's allocator keeps what it has had.

    Args:
        lookup: function from a layer's path and the name of a dtype to the
            values of the layer's matrix, or to `None` where they are to be
            drawn.
    """
    token = _lookup.set(lookup)
    try:
        yield
    finally:
        _lookup.reset(token)


@keras.saving.register_keras_serializable("tf_longformer")
class Normal(keras.initializers.RandomNormal):
    """Normal values around zero, or the known ones of `starting_from`.

    Args:
        stddev: float, standard deviation.
        zero_row: int, index of a row that is zero, as PyTorch's
            `padding_idx` has it. Defaults to none.
        seed: int or `None`.
    """

    def __init__(
        self,
        stddev: float = 0.02,
        zero_row: int | None = None,
        seed: int | None = None,
    ):
        super().__init__(stddev=stddev, seed=seed)
        self.zero_row = zero_row

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        dtype = keras.backend.standardize_dtype(dtype)
        lookup = _lookup.get()
        known = lookup(current_path(), dtype) if lookup else None
        if known is not None:
            return ops.convert_to_tensor(known, dtype)
        values = super().__call__(shape, dtype=dtype)
        if self.zero_row is None:
            return values
        keep = (np.arange(shape[0]) != self.zero_row)[:, None]
        return values * ops.cast(keep, values.dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["mean"]
        return {**config, "zero_row": self.zero_row}

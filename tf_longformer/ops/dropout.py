"""Dropout that can be drawn twice.

The backward pass recomputes attention and must see the mask of the forward
pass, so that a seed is drawn once, outside, and every piece of the work
names the stream of that seed that it uses.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class _FixedSeed(keras.random.SeedGenerator):
    """A seed that does not advance: `next` gives the tensor it was made of."""

    def __init__(self, seed: Any):
        # No call of super: it would create a variable.
        self._seed = seed

    def next(self, ordered: bool = True) -> Any:
        return self._seed


class ReplayableDropout:
    """Dropout that gives the same mask whenever a stream is named again.

    Args:
        rate: float in [0, 1), the share of elements set to zero.
        seed: integer tensor `[2]`, as `SeedGenerator.next()` returns it.
    """

    def __init__(self, rate: float, seed: Any):
        self.rate = rate
        self._seed = seed

    def __call__(self, x: Any, stream: Any) -> Any:
        """Drops elements of `x`, scaling the others by `1 / (1 - rate)`.

        Args:
            x: float tensor.
            stream: int or integer scalar tensor; equal streams (and shapes)
                give equal masks.

        Returns:
            Tensor like `x`.
        """
        # A generator counts in the second number: streams take the first, or
        # one of them would repeat what the generator draws next.
        offset = ops.stack([ops.cast(stream, "int32"), ops.cast(0, "int32")])
        seed = self._seed + ops.cast(offset, self._seed.dtype)
        return keras.random.dropout(x, self.rate, seed=_FixedSeed(seed))

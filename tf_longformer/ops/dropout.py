"""Dropout that can be drawn twice.

The backward pass recomputes attention and must see the mask of the forward
pass, so that a seed is drawn once, outside, and every piece of the work
names the stream of that seed that it uses.
"""

from __future__ import annotations

import math
from typing import Any

from keras import ops

# The multipliers of Chris Wellons's hash prospector ("lowbias32").
_MULTIPLIERS = (0x7FEB352D, 0x846CA68B)


class ReplayableDropout:
    """Dropout that gives the same mask whenever a stream is named again.

    What becomes of an element is a hash of its position, of the stream and
    of the seed. Keras's generator would do, but inside a loop that XLA
    compiles it takes ten times as long as attention itself.

    Args:
        rate: float in [0, 1), the share of elements set to zero.
        seed: integer tensor `[2]`, as `SeedGenerator.next()` returns it.
    """

    def __init__(self, rate: float, seed: Any):
        self.rate = rate
        self._seed = ops.cast(seed, "uint32")

    def __call__(self, x: Any, stream: Any) -> Any:
        """Drops elements of `x`, scaling the others by `1 / (1 - rate)`.

        Args:
            x: float tensor of rank 1 or more.
            stream: int or integer scalar tensor; equal streams (and shapes)
                give equal masks.

        Returns:
            Tensor like `x`.
        """
        shape = ops.shape(x)
        rows = math.prod(shape[:-1])
        stream = _mix(ops.cast(stream, "uint32") + self._seed[0])
        row = _mix(_count(rows) + stream)
        column = _mix(_count(shape[-1]) + _mix(stream + self._seed[1]))
        bits = ops.reshape(row, (*shape[:-1], 1)) + column
        kept = ops.cast(_mix(bits) >= _threshold(self.rate), x.dtype)
        return x * (kept * (1 / (1 - self.rate)))


def _mix(x: Any) -> Any:
    """Hashes uint32; only the upper bits are for use."""
    for shift, factor in zip((16, 15), _MULTIPLIERS, strict=True):
        x = ops.bitwise_xor(x, ops.right_shift(x, _uint32(shift)))
        x = x * _uint32(factor)
    return x


def _count(size: Any) -> Any:
    return ops.cast(ops.arange(size, dtype="int32"), "uint32")


def _uint32(x: int) -> Any:
    return ops.convert_to_tensor(x, dtype="uint32")


def _threshold(rate: float) -> Any:
    return _uint32(min(round(rate * 2**32), 2**32 - 1))

"""Dropout that can be drawn twice.

The backward pass recomputes attention and must see the mask of the forward
pass, so that a seed is drawn once, outside, and every piece of the work
names the stream of that seed that it uses.
"""

from __future__ import annotations

import math
from typing import Any

from keras import ops

from tf_longformer.compat import after

# From Chris Wellons's hash prospector ("lowbias32").
_MULTIPLIER = 0x846CA68B


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
        return x * self.kept(ops.shape(x), stream, x.dtype)

    def after(self, x: Any) -> ReplayableDropout:
        """Returns the same dropout for use once a tensor is there.

        A mask depends on no tensor: a graph would draw those of all layers
        at its start, and keep them.

        Args:
            x: tensor that is to be dropped.
        """
        return ReplayableDropout(self.rate, after(self._seed, x))

    def kept(self, shape: tuple, stream: Any, dtype: Any) -> Any:
        """Returns what `x` of that shape is multiplied by.

        Args:
            shape: tuple of ints or scalar tensors.
            stream: as above.
            dtype: dtype of the result.

        Returns:
            Tensor of 0 and `1 / (1 - rate)`.
        """
        rows = math.prod(shape[:-1])
        stream = _mix(ops.cast(stream, "uint32") + self._seed[0])
        row = _mix(_mix(_count(rows) + stream))
        column = _mix(_mix(_count(shape[-1]) + _mix(stream + self._seed[1])))
        # Rows and columns are hashed well; of their products, that are as many
        # as elements, nothing more has to be done. Odd, so that none is lost.
        bits = ops.bitwise_or(ops.reshape(row, (*shape[:-1], 1)), _uint32(1))
        bits = bits * ops.bitwise_or(column, _uint32(1))
        scale = ops.cast(1 / (1 - self.rate), dtype)
        return ops.where(
            bits >= _threshold(self.rate), scale, ops.cast(0, dtype)
        )


def _mix(x: Any) -> Any:
    """A round of hashing uint32; the upper bits are those for use."""
    return ops.bitwise_xor(x, ops.right_shift(x, _uint32(16))) * _uint32(
        _MULTIPLIER
    )


def _count(size: Any) -> Any:
    return ops.cast(ops.arange(size, dtype="int32"), "uint32")


def _uint32(x: int) -> Any:
    return ops.convert_to_tensor(x, dtype="uint32")


def _threshold(rate: float) -> Any:
    return _uint32(min(round(rate * 2**32), 2**32 - 1))

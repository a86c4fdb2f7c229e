"""The few shapes that XLA compiles, and how requests are padded to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_longformer.export.request_checks import require
from tf_longformer.list_arguments import refuse_string

# Where none are asked for: these batches, and this many lengths, of which each
# is half of the one before.
_BATCHES = (1, 8)
_LENGTHS = 4


@dataclasses.dataclass(frozen=True)
class Buckets:
    """Lengths and numbers of rows for which XLA compiles a program.

    Args:
        lengths: increasing tuple of ints.
        batches: increasing tuple of ints.
    """

    lengths: tuple[int, ...]
    batches: tuple[int, ...]

    @classmethod
    def choose(
        cls,
        lengths: Sequence[int] | None,
        batches: Sequence[int] | None,
        longest: int,
    ) -> Buckets:
        """Returns the buckets that are asked for.

        Args:
            lengths: ints, or `None` for `longest` and its halves.
            batches: ints, or `None` for 1 and 8.
            longest: int, tokens that the model takes.

        Raises:
            TypeError: for a string.
            ValueError: if they aren't positive ints, or a length is more
                than the model takes.
        """
        if lengths is None:
            lengths = [max(longest >> i, 1) for i in range(_LENGTHS)]
        chosen = []
        for name, sizes, most in (
            ("xla_lengths", lengths, longest),
            ("xla_batches", _BATCHES if batches is None else batches, None),
        ):
            refuse_string(name, sizes)
            sizes = sorted(set(sizes))
            if (
                not sizes
                or sizes[0] < 1
                or not all(isinstance(size, int) for size in sizes)
                or (most is not None and sizes[-1] > most)
            ):
                limit = "" if most is None else f" up to {most}"
                raise ValueError(
                    f"`{name}` must be positive ints{limit}. Received: "
                    f"{sizes}. Name the sizes that requests are padded to."
                )
            chosen.append(tuple(sizes))
        return cls(*chosen)

    def run(
        self,
        compiled: Callable[..., dict[str, Any]],
        ids: Any,
        mask: Any,
        pad_token_id: int,
        per_token: Sequence[str],
    ) -> dict[str, Any]:
        """Pads a request to a bucket, runs it, and cuts the padding off.

        Args:
            compiled: function of int32 `[rows, seq]` ids and mask.
            ids: int32 `[batch, seq]` or `[batch, choices, seq]`.
            mask: int32 alike.
            pad_token_id: int.
            per_token: names of the outputs that are cut to `seq`.

        Returns:
            Dict of the outputs, shaped as if nothing had been padded.
        """
        shape = tf.shape(ids)
        seq = shape[-1]
        rows = tf.reduce_prod(shape[:-1])
        most, longest = self.batches[-1], self.lengths[-1]
        checked = require(
            {"ids": ids, "mask": mask},
            (
                seq <= longest,
                f"The signature `xla` takes up to {longest} tokens a row. "
                "Send shorter rows, or use `serving_default`. Received:",
                seq,
            ),
            (
                rows <= most,
                f"The signature `xla` takes up to {most} rows, with choices "
                "each of them. Send fewer, or use `serving_default`. "
                "Received:",
                rows,
            ),
        )
        paddings = [
            [0, _next(self.batches, rows) - rows],
            [0, _next(self.lengths, seq) - seq],
        ]
        padded = [
            tf.pad(tf.reshape(value, [-1, seq]), paddings, constant_values=fill)
            for value, fill in zip(
                checked.values(), (pad_token_id, 0), strict=True
            )
        ]
        outputs = {}
        for name, value in compiled(*padded).items():
            value = value[:rows]
            if name in per_token:
                value = value[:, :seq]
            if shape.shape[0] == 3:
                # [rows, 1] to [batch, choices]
                value = tf.reshape(value, shape[:-1])
            outputs[name] = value
        return outputs


def _next(sizes: Sequence[int], size: Any) -> Any:
    """Returns the smallest of `sizes` that has room for `size`."""
    place = tf.searchsorted(tf.constant(sizes), size[None])[0]
    return tf.gather(sizes, tf.minimum(place, len(sizes) - 1))

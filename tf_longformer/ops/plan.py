"""Who attends to whom, worked out once a call and shared by all layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any
from typing import NamedTuple

import numpy as np
from keras import ops

from tf_longformer.ops.blocks import ceil_div
from tf_longformer.ops.blocks import frame
from tf_longformer.ops.blocks import pad_axis

# Added to a score that must not count. Finite, so that 0 * it stays 0 and a
# row without any key gives a uniform softmax, never NaN; far below any real
# score and far above float32's limit, so that sums of two stay finite; a
# power of two, so that it is the same number in every dtype.
MASKED_SCORE = -(2.0**100)

# Global tokens are worked off this many at a time, by a loop whose trip
# count is the only thing that depends on how many there are.
GLOBAL_CHUNK = 16


@dataclasses.dataclass(frozen=True, eq=False)
class AttentionPlan:
    """The roles of the tokens, as tensors that do not depend on a layer.

    A plain object and not a structure that Keras would look into: mixed
    precision must not cast what is in it.

    Attributes:
        attended: bool `[batch, seq]`, tokens that may be attended to.
        is_global: bool `[batch, seq]`, attended tokens with global attention.
        order: int32 `[batch, slots]`, positions of the tokens, those of the
            global ones first and ascending; `slots` is `seq` rounded up to a
            multiple of `GLOBAL_CHUNK`, positions past the end are 0.
        rank: int32 `[batch, seq]`, the slot of a global token in `order`;
            elsewhere some slot, of no meaning.
        count: int32 `[batch]`, global tokens of a row.
        most: int32 scalar, the largest count. `order`, `rank`, `count` and
            `most` are `None` where it is known beforehand that no token is
            global.
        band_scores: dict from a radius to what is added to the scores of the
            band, float32 `[batch, 1, blocks, block, frame]`.
    """

    attended: Any
    is_global: Any
    order: Any
    rank: Any
    count: Any
    most: Any
    band_scores: dict[int, Any]


class BlockSizes(NamedTuple):
    """How the band is cut: queries of a block meet the keys of a frame."""

    block: int
    frame: int


def block_sizes(radius: int, seq: Any) -> BlockSizes:
    """Returns the block of queries and the frame of keys for a radius.

    A frame spans `block + 2 * radius` keys of which each query uses
    `2 * radius + 1`, so small blocks waste little arithmetic and large
    ones copy fewer keys and make better matrix products;
    `benchmarks/README.md` has the measurements behind the choice. A
    sequence known to be no longer than a block is one block.

    Args:
        radius: int >= 1, keys that a query sees on either side.
        seq: the sequence length, an int or, where it is not static, a tensor.

    Returns:
        `BlockSizes`.
    """
    block = min(128, max(32, radius))
    if isinstance(seq, int):
        block = min(block, max(seq, 1))
    return BlockSizes(block, block + 2 * radius)


def plan_attention(
    attention_mask: Any, global_attention_mask: Any, radii: Iterable[int]
) -> AttentionPlan:
    """Derives an `AttentionPlan` from the two masks.

    Args:
        attention_mask: integer or bool tensor `[batch, seq]`, 1 for tokens
            to attend to, 0 for padding.
        global_attention_mask: tensor alike, 1 for tokens with global
            attention, or `None` for none. Global attention of a token that
            `attention_mask` excludes is dropped, as in HF.
        radii: the radii of the layers that will use the plan.

    Returns:
        `AttentionPlan`.
    """
    attended = ops.cast(attention_mask, "bool")
    if global_attention_mask is None:
        return AttentionPlan(
            attended=attended,
            is_global=ops.zeros_like(attended),
            order=None,
            rank=None,
            count=None,
            most=None,
            band_scores=_all_band_scores(attended, radii),
        )
    is_global = ops.logical_and(
        attended, ops.cast(global_attention_mask, "bool")
    )
    seq = ops.shape(attended)[1]
    flags = ops.cast(is_global, "int32")
    count = ops.sum(flags, axis=1)
    # Global tokens keep their position as the key, the others come after.
    position = ops.expand_dims(ops.arange(seq, dtype="int32"), 0)
    order = ops.argsort(position + (1 - flags) * seq, axis=1)
    order = pad_axis(ops.cast(order, "int32"), 0, -seq % GLOBAL_CHUNK, axis=1)
    rank = ops.maximum(ops.cumsum(flags, axis=1) - 1, 0)
    local_key = ops.logical_and(attended, ops.logical_not(is_global))
    return AttentionPlan(
        attended=attended,
        is_global=is_global,
        order=order,
        rank=ops.cast(rank, "int32"),
        count=count,
        most=ops.max(count),
        band_scores=_all_band_scores(local_key, radii),
    )


def frame_keys(x: Any, radius: int, axis: int, seq: Any) -> Any:
    """Frames the keys that each block of queries can see.

    Args:
        x: tensor `[..., seq, ...]`.
        radius: int, keys on either side.
        axis: int, the axis of `seq`.
        seq: its length (int, or tensor where it is not static).

    Returns:
        Tensor `[..., blocks, frame, ...]`. Position `c` of a frame is the
        key at `block_start - radius + c`; outside the sequence it is zero.
    """
    sizes = block_sizes(radius, seq)
    blocks = ceil_div(seq, sizes.block)
    padded = pad_axis(x, radius, radius + blocks * sizes.block - seq, axis=axis)
    return frame(padded, sizes.frame, sizes.block, axis=axis)


def band(radius: int, block: int) -> np.ndarray:
    """Returns which keys of its frame a query of a block sees.

    For radius 1 and a block of 2, the frame is 4 keys and the band

        1 1 1 0      query 0 sees the keys at -1, 0, 1
        0 1 1 1      query 1 sees the keys at  0, 1, 2

    Args:
        radius: int, keys on either side.
        block: int, queries of a block.

    Returns:
        bool array `[block, block + 2 * radius]`.
    """
    offset = np.arange(block + 2 * radius) - np.arange(block)[:, None]
    return (offset >= 0) & (offset <= 2 * radius)


def _all_band_scores(local_key: Any, radii: Iterable[int]) -> dict[int, Any]:
    return {
        radius: _band_scores(local_key, radius) for radius in sorted(set(radii))
    }


def _band_scores(local_key: Any, radius: int) -> Any:
    seq = ops.shape(local_key)[1]
    sizes = block_sizes(radius, seq)
    # [batch, 1, blocks, 1, frame]
    seen = frame_keys(ops.cast(local_key, "int32"), radius, 1, seq)
    seen = ops.expand_dims(ops.expand_dims(seen, 1), 3)
    seen = seen * ops.convert_to_tensor(
        band(radius, sizes.block).astype("int32")
    )
    return ops.where(seen > 0, 0.0, MASKED_SCORE)

"""The window of every token, worked off block by block.

The queries of a block meet a frame of keys, which spans the windows of all
of them, and the first global keys beside it. The scores of one block stay in
the cache, and nothing of them is kept: memory doesn't grow with the window.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

from keras import ops

from tf_longformer.ops import plan as plans
from tf_longformer.ops.blocks import ceil_div
from tf_longformer.ops.blocks import pad_axis
from tf_longformer.ops.plan import MASKED_SCORE
from tf_longformer.ops.plan import AttentionPlan


class Band(NamedTuple):
    """How a sequence is cut.

    Attributes:
        radius: int, keys that a query sees on either side.
        seq: the sequence length, an int or, where it isn't static, a tensor.
        block: int, queries of a block.
        blocks: number of blocks, an int or tensor.
        frame: keys that a block of queries meets, an int or tensor.
        whole: bool, whether a frame is known to be the whole sequence.
            Then it holds the global keys too, and there are no columns.
    """

    radius: int
    seq: Any
    block: int
    blocks: Any
    frame: Any
    whole: bool

    def as_whole(self) -> Band:
        """Returns even blocks whose frame is the whole sequence."""
        block = ceil_div(self.seq, ops.maximum(self.blocks, 1))
        return self._replace(block=block, frame=self.seq, whole=True)


def cut_band(radius: int, seq: Any) -> Band:
    """Returns how a sequence is cut for a radius.

    Args:
        radius: int >= 1, keys that a query sees on either side.
        seq: the sequence length, an int or, where it isn't static, a tensor.

    Returns:
        `Band`.
    """
    block = plans.BLOCK
    blocks = ceil_div(seq, block)
    if not isinstance(seq, int):
        frame = ops.minimum(block + 2 * radius, seq)
        return Band(radius, seq, block, blocks, frame, False)
    # Even blocks: the last one is padded by less than there are blocks.
    block = ceil_div(seq, max(blocks, 1))
    frame = block + 2 * radius
    if seq <= frame:
        return Band(radius, seq, block, blocks, seq, True)
    return Band(radius, seq, block, blocks, frame, False)


class Frame(NamedTuple):
    """What a block of queries meets.

    Attributes:
        key: `[batch, heads, keys, head_dim]`.
        value: tensor alike.
        scores: `[batch, 1, block, keys]`, added to the scores.
    """

    key: Any
    value: Any
    scores: Any


def frames(
    band: Band,
    plan: AttentionPlan,
    key: Any,
    value: Any,
    columns: tuple | None,
    even: bool,
) -> Callable[[Any], Frame]:
    """Returns a function from the number of a block to its `Frame`.

    Args:
        band: `Band`.
        plan: `AttentionPlan`.
        key: tensor `[batch, heads, seq, head_dim]`.
        value: tensor alike.
        columns: keys and values of the first global tokens,
            `[batch, heads, GLOBAL_COLUMNS, head_dim]` each, which come after
            the frame; or `None`.
        even: bool, whether frames start `block` apart, at `-radius`, so that
            the gradients of their keys can be added up; otherwise no frame
            reaches out of the sequence, which needs no padding.

    Returns:
        Callable.
    """
    key_scores = plan.key_scores
    size = band.frame
    if even and not band.whole:
        size = band.block + 2 * band.radius
        after = band.blocks * band.block - band.seq + band.radius
        key, value = (
            pad_axis(x, band.radius, after, axis=2) for x in (key, value)
        )
        key_scores = pad_axis(
            key_scores, band.radius, after, axis=1, value=MASKED_SCORE
        )
    near = _near_scores(band, size)
    batch, heads, _, head_dim = ops.shape(key)

    def at(number: Any) -> Frame:
        start = number * band.block
        first = 0
        shift = -start
        if even and not band.whole:
            first, shift = start, -band.radius
        elif not band.whole:
            first = ops.clip(start - band.radius, 0, band.seq - size)
            shift = first - start
        keys, values, keys_scores = key, value, key_scores
        if not band.whole:
            shape = (batch, heads, size, head_dim)
            keys, values = (
                ops.slice(x, (0, 0, first, 0), shape) for x in (key, value)
            )
            keys_scores = ops.slice(key_scores, (0, first), (batch, size))
        scores = ops.minimum(
            ops.slice(near, (0, shift + size - 1), (band.block, size)),
            ops.expand_dims(keys_scores, 1),
        )
        if band.whole and plan.most is not None:
            scores = ops.maximum(scores, ops.expand_dims(plan.global_scores, 1))
        if columns is not None:
            keys = ops.concatenate([keys, columns[0]], axis=2)
            values = ops.concatenate([values, columns[1]], axis=2)
            used = ops.broadcast_to(
                ops.expand_dims(_column_scores(plan), 1),
                (batch, band.block, plans.GLOBAL_COLUMNS),
            )
            scores = ops.concatenate([scores, used], axis=2)
        return Frame(keys, values, ops.expand_dims(scores, 1))

    return at


def _near_scores(band: Band, size: Any) -> Any:
    """Returns 0 where a key is near enough, of any shift.

    Row `q`, column `size - 1 + s + c` belongs to query `q` of a block and
    key `c` of a frame that starts `s` after the block.
    """
    columns = ops.arange(2 * size - 1, dtype="int32") - (size - 1)
    rows = ops.arange(band.block, dtype="int32")
    offset = ops.expand_dims(columns, 0) - ops.expand_dims(rows, 1)
    return ops.where(ops.abs(offset) <= band.radius, 0.0, MASKED_SCORE)


def _column_scores(plan: AttentionPlan) -> Any:
    lanes = ops.arange(plans.GLOBAL_COLUMNS, dtype="int32")
    used = ops.expand_dims(lanes, 0) < ops.expand_dims(plan.count, 1)
    return ops.where(used, 0.0, MASKED_SCORE)

"""Who attends to whom, worked out once a call and shared by all layers."""

from __future__ import annotations

import dataclasses
from typing import Any

from keras import ops

from tf_longformer.ops.blocks import ceil_div
from tf_longformer.ops.blocks import pad_axis

# Added to a score that must not count. Finite, so that 0 * it stays 0 and a
# row without any key gives a uniform softmax, never NaN; far below any real
# score and far above float32's limit, so that sums of two stay finite; a
# power of two, so that it is the same number in every dtype.
MASKED_SCORE = -(2.0**100)

# Queries that are worked off at a time: their scores against a frame of keys
# stay in the cache (benchmarks/README.md has the measurements).
BLOCK = 128

# The first global keys of a row are columns beside the window, in the same
# softmax. What comes after them is worked off this many at a time, by a loop
# whose trip count is the only thing that depends on how many there are.
GLOBAL_COLUMNS = 16
GLOBAL_CHUNK = 64


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
            whole number of chunks, positions past the end are 0.
        rank: int32 `[batch, seq]`, the slot of a global token in `order`;
            elsewhere some slot, of no meaning.
        count: int32 `[batch]`, global tokens of a row.
        most: int32 scalar, the largest count. `order`, `rank`, `count` and
            `most` are `None` where it is known beforehand that no token is
            global.
        key_scores: float32 `[batch, seq]`, what is added to the scores of a
            key in the window: 0 where it counts, and `MASKED_SCORE` for
            padding and for global keys, which count elsewhere.
        global_scores: the same for keys that count wherever they are: 0 for
            global ones. `None` alike.
    """

    attended: Any
    is_global: Any
    order: Any
    rank: Any
    count: Any
    most: Any
    key_scores: Any
    global_scores: Any


def plan_attention(
    attention_mask: Any, global_attention_mask: Any
) -> AttentionPlan:
    """Derives an `AttentionPlan` from the two masks.

    Args:
        attention_mask: integer or bool tensor `[batch, seq]`, 1 for tokens
            to attend to, 0 for padding.
        global_attention_mask: tensor alike, 1 for tokens with global
            attention, or `None` for none. Global attention of a token that
            `attention_mask` excludes is dropped, as in HF.

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
            key_scores=_scores(attended),
            global_scores=None,
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
    chunks = ceil_div(seq - GLOBAL_COLUMNS, GLOBAL_CHUNK)
    # A loop that may run has to find a chunk, even where it turns out not to.
    chunks = max(chunks, 0) if isinstance(seq, int) else ops.maximum(chunks, 1)
    slots = GLOBAL_COLUMNS + chunks * GLOBAL_CHUNK
    order = pad_axis(ops.cast(order, "int32"), 0, slots - seq, axis=1)
    rank = ops.maximum(ops.cumsum(flags, axis=1) - 1, 0)
    local_key = ops.logical_and(attended, ops.logical_not(is_global))
    return AttentionPlan(
        attended=attended,
        is_global=is_global,
        order=order,
        rank=ops.cast(rank, "int32"),
        count=count,
        most=ops.max(count),
        key_scores=_scores(local_key),
        global_scores=_scores(is_global),
    )


def _scores(counts: Any) -> Any:
    return ops.where(counts, 0.0, MASKED_SCORE)

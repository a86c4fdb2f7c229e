"""The loop over global keys beyond the columns, so many at a time.

Under XLA no shape may depend on a value, yet no global token may be dropped:
the trip count of this loop is the only thing that follows their number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from tf_longformer.ops.blocks import ceil_div
from tf_longformer.ops.plan import GLOBAL_CHUNK
from tf_longformer.ops.plan import GLOBAL_COLUMNS
from tf_longformer.ops.plan import AttentionPlan
from tf_longformer.ops.tokens import write_tokens


def for_each_chunk(
    plan: AttentionPlan, body: Callable[..., tuple], state: tuple
) -> tuple:
    """Runs `body` for every chunk of global tokens beyond the columns.

    Args:
        plan: `AttentionPlan`.
        body: `body(chunk, index, used, *state) -> state`, where `chunk` is
            the int32 number of the chunk, `index` int32
            `[batch, GLOBAL_CHUNK]` the positions of its tokens and `used`
            bool alike, whether the row has that many global tokens.
        state: tuple of tensors.

    Returns:
        The last state.
    """
    chunks = ceil_div(plan.most - GLOBAL_COLUMNS, GLOBAL_CHUNK)
    batch = ops.shape(plan.order)[0]
    lanes = ops.expand_dims(ops.arange(GLOBAL_CHUNK, dtype="int32"), 0)

    def step(chunk: Any, *state: Any) -> tuple:
        start = GLOBAL_COLUMNS + chunk * GLOBAL_CHUNK
        index = ops.slice(plan.order, (0, start), (batch, GLOBAL_CHUNK))
        used = start + lanes < ops.expand_dims(plan.count, 1)
        return (chunk + 1, *body(chunk, index, used, *state))

    zero = ops.zeros((), dtype="int32")
    return ops.while_loop(
        lambda chunk, *_: chunk < chunks, step, (zero, *state)
    )[1:]


def write_chunk(slots: Any, chunk: Any, update: Any) -> Any:
    """Writes `[batch, heads, GLOBAL_CHUNK, d]` at its place in the slots."""
    start = GLOBAL_COLUMNS + chunk * GLOBAL_CHUNK
    return write_tokens(slots, start, update)


def empty_slots(plan: AttentionPlan, like: Any) -> Any:
    """Returns zeros `[batch, heads, slots, d]` for `like`'s heads and d."""
    batch, heads, _, depth = ops.shape(like)
    slots = ops.shape(plan.order)[1]
    return ops.zeros((batch, heads, slots, depth), dtype=like.dtype)

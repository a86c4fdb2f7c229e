"""Windowed attention by a kernel that keeps scores on the chip of a GPU.

cuDNN's, as JAX calls it, has windows only to the left of a query, and what it
returns of the log-sum-exp is rounded to the queries' dtype and has no
gradient, so that results can't be merged. So blocks of queries attend to
their keys and to the global columns in one softmax, as in `windowed`, all
blocks at once as rows of one batch.
"""

from __future__ import annotations

from typing import Any
from typing import NamedTuple

import keras
from keras import ops

from tf_longformer.attention.blocking import BLOCK
from tf_longformer.attention.roles import GLOBAL_COLUMNS
from tf_longformer.attention.roles import TokenRoles
from tf_longformer.attention.shapes import ceil_div
from tf_longformer.attention.shapes import pad_axis
from tf_longformer.attention.shapes import slice_axis
from tf_longformer.attention.shapes import take_tokens
from tf_longformer.attention.windowed import windowed_attention
from tf_longformer.backend import flash_attention

# cuDNN's backward pass wants even lengths, and is fastest with round ones.
_MULTIPLE = 8


def flash_windowed_attention(
    query: Any, key: Any, value: Any, roles: TokenRoles, radius: int
) -> Any:
    """Attends like `windowed_attention` without dropout, on JAX.

    Of a batch with more global tokens than there are columns it leaves all to
    `windowed_attention`.

    Args:
        query: bfloat16 or float16 tensor `[batch, heads, seq, head_dim]`, of
            static shape.
        key: tensor alike.
        value: tensor alike.
        roles: `TokenRoles`.
        radius: int >= 1, keys on either side (`attention_window // 2`).

    Returns:
        Tensor `[batch, seq, heads * head_dim]`. Rows of tokens that the mask
        excludes, and of global tokens, are zero.
    """
    blocks = _cut_into_blocks(radius, query.shape[2])

    # Neighbouring blocks have keys in common. The backward pass makes these
    # copies again.
    @keras.remat
    def attend(query: Any, key: Any, value: Any) -> Any:
        return _attend_blocks(query, key, value, roles, blocks)

    if blocks.see_all or roles.max_globals is None:
        return attend(query, key, value)
    return ops.cond(
        roles.max_globals > GLOBAL_COLUMNS,
        lambda: windowed_attention(query, key, value, roles, radius),
        lambda: attend(query, key, value),
    )


class _Blocks(NamedTuple):
    """How a sequence is cut: `count` blocks of `size` queries.

    Attributes:
        radius: keys that a query sees on either side.
        seq: tokens of the sequence.
        size: queries of a block.
        count: number of blocks.
        see_all: whether each block, the only one, has all keys; then global
            keys are among them and not columns.
    """

    radius: int
    seq: int
    size: int
    count: int
    see_all: bool

    def queries(self, x: Any) -> Any:
        """`[batch, groups, seq, d]` to `[batch * count, size, groups, d]`."""
        batch, groups, _, depth = x.shape
        x = pad_axis(x, 0, self.size * self.count - self.seq, axis=2)
        x = ops.reshape(x, (batch, groups, self.count, self.size, depth))
        x = ops.transpose(x, (0, 2, 3, 1, 4))
        return ops.reshape(x, (-1, self.size, groups, depth))

    def keys(self, x: Any) -> Any:
        """`[batch, groups, seq, d]` to `[batch * count, keys, groups, d]`."""
        if self.see_all:
            return self.queries(x)
        keys = self.size + 2 * self.radius
        pieces = ceil_div(keys, self.size)
        total = (self.count + pieces - 1) * self.size
        x = pad_axis(x, self.radius, total - self.radius - self.seq, axis=2)
        # [batch * (count + pieces - 1), size, groups, d]
        x = self._replace(seq=total, count=total // self.size).queries(x)
        x = ops.reshape(x, (-1, total // self.size, *x.shape[1:]))
        # Piece `i` of a block is piece 0 of the `i`-th block after it.
        x = ops.concatenate(
            [
                slice_axis(x, first, first + self.count, axis=1)
                for first in range(pieces)
            ],
            axis=2,
        )
        x = slice_axis(x, 0, keys, axis=2)
        return ops.reshape(x, (-1, *x.shape[2:]))


def _cut_into_blocks(radius: int, seq: int) -> _Blocks:
    if seq <= BLOCK + 2 * radius:
        size = ceil_div(seq, _MULTIPLE) * _MULTIPLE
        return _Blocks(radius, seq, size, 1, True)
    return _Blocks(radius, seq, BLOCK, ceil_div(seq, BLOCK), False)


def _attend_blocks(
    query: Any, key: Any, value: Any, roles: TokenRoles, blocks: _Blocks
) -> Any:
    """Attends to the window and the columns, by the kernel."""
    batch, heads, seq, head_dim = query.shape
    keys, values = blocks.keys(key), blocks.keys(value)
    visible = _visible_keys(roles, blocks, keys.shape[1])
    if roles.max_globals is not None and not blocks.see_all:
        index = slice_axis(roles.global_first_order, 0, GLOBAL_COLUMNS, axis=1)
        keys, values = (
            ops.concatenate([ranges, _columns(x, index, blocks)], axis=1)
            for x, ranges in ((key, keys), (value, values))
        )
        used = slice_axis(roles.slot_used, 0, GLOBAL_COLUMNS, axis=1)
        used = ops.repeat(used[:, None, None], blocks.count, axis=0)
        shape = (*visible.shape[:3], GLOBAL_COLUMNS)
        visible = ops.concatenate(
            [visible, ops.broadcast_to(used, shape)], axis=3
        )
    output = flash_attention(blocks.queries(query), keys, values, visible)
    # [batch * count, size, heads, head_dim] to [batch, seq, hidden]
    output = ops.reshape(output, (batch, -1, heads * head_dim))
    is_local = ops.expand_dims(ops.cast(roles.is_local, output.dtype), 2)
    return slice_axis(output, 0, seq, axis=1) * is_local


def _visible_keys(roles: TokenRoles, blocks: _Blocks, keys: int) -> Any:
    """Returns bool `[batch * count, 1, size, keys]`, without the columns."""

    def per_block(flags: Any) -> Any:
        # [batch, seq] to [batch * count, 1, 1, keys]
        flags = blocks.keys(ops.cast(flags, "int32")[:, None, :, None])
        return ops.cast(ops.transpose(flags, (0, 2, 3, 1)), "bool")

    first = 0 if blocks.see_all else -blocks.radius
    offset = ops.arange(first, first + keys) - ops.expand_dims(
        ops.arange(blocks.size), 1
    )
    visible = (ops.abs(offset) <= blocks.radius) & per_block(roles.is_local)
    if blocks.see_all:
        visible = visible | per_block(roles.is_global)
    # Queries of no meaning see themselves, as no softmax may be empty.
    return visible | (offset == 0)


def _columns(x: Any, index: Any, blocks: _Blocks) -> Any:
    """Returns the columns for each block, `[batch * count, columns, ...]`."""
    taken = ops.transpose(take_tokens(x, index), (0, 2, 1, 3))
    return ops.repeat(taken, blocks.count, axis=0)

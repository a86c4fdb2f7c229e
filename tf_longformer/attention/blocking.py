"""How the fast path cuts a sequence: blocks of queries and their keys.

A block of neighbouring queries attends to one range of keys, which holds the
windows of them all. The first global keys of the row follow as columns of the
same softmax. Any further global keys are worked off afterwards, in chunks.

Blocks of queries against neighbouring keys is how LongT5's local attention
works (flaxformer, `tensor_utils.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

from keras import ops

from tf_longformer.attention.roles import GLOBAL_CHUNK
from tf_longformer.attention.roles import GLOBAL_COLUMNS
from tf_longformer.attention.roles import TokenRoles
from tf_longformer.attention.scores import MASKED_SCORE
from tf_longformer.attention.scores import added_scores
from tf_longformer.attention.shapes import ceil_div
from tf_longformer.attention.shapes import pad_axis
from tf_longformer.attention.shapes import slice_axis
from tf_longformer.attention.shapes import take_tokens

# Queries of a block. So many scores stay in the cache of a CPU; see
# benchmarks/README.md for the measurements.
BLOCK = 128
# Where the sequence's length isn't known when the graph is made, the backward
# pass pads the keys by the window, however short the sequence turns out to be.
# With a larger radius its blocks attend to the whole sequence, masked, instead.
WIDEST_RADIUS = 2**13


class Blocking(NamedTuple):
    """How a sequence is cut for one radius.

    Lengths are ints, or tensors where the sequence's length is not static.

    Attributes:
        radius: int, keys that a query sees on either side.
        seq: tokens of the sequence.
        block: queries of a block.
        blocks: number of blocks.
        keys: length of the range of keys that a block attends to.
        sees_all: bool, whether that range is known to be the whole sequence.
            Then it holds the global keys too, and there are no columns.
        has_columns: bool, whether the first global keys follow that range as
            columns.
    """

    radius: int
    seq: Any
    block: Any
    blocks: Any
    keys: Any
    sees_all: bool
    has_columns: bool

    def seeing_all(self) -> Blocking:
        """Returns even blocks, each of which attends to the whole sequence."""
        block = ceil_div(self.seq, ops.maximum(self.blocks, 1))
        return self._replace(
            block=block, keys=self.seq, sees_all=True, has_columns=False
        )

    def pad_to_blocks(self, x: Any, axis: int) -> Any:
        """Pads `seq` to whole blocks."""
        missing = self.blocks * self.block - self.seq
        if isinstance(missing, int) and missing == 0:
            return x
        return pad_axis(x, 0, missing, axis=axis)

    def join_blocks(self, x: Any) -> Any:
        """`[blocks, batch, block, d]` to `[batch, seq, d]`."""
        _, batch, _, depth = ops.shape(x)
        x = ops.reshape(
            ops.transpose(x, (1, 0, 2, 3)),
            (batch, self.blocks * self.block, depth),
        )
        return slice_axis(x, 0, self.seq, axis=1)


def cut_into_blocks(
    radius: int, seq: Any, roles: TokenRoles, backward: bool
) -> Blocking:
    """Returns how a sequence is cut.

    Args:
        radius: int >= 1.
        seq: tokens, an int or tensor.
        roles: `TokenRoles`.
        backward: bool, whether for the backward pass, or a forward pass
            with dropout, whose blocks must be the same.
    """
    has_globals = roles.max_globals is not None
    block = BLOCK
    blocks = ceil_div(seq, block)
    if not isinstance(seq, int):
        keys = ops.minimum(block + 2 * radius, seq)
        blocking = Blocking(
            radius, seq, block, blocks, keys, False, has_globals
        )
        if backward and radius > WIDEST_RADIUS:
            return blocking.seeing_all()
        return blocking
    # Even blocks: the last one is padded by less than there are blocks.
    block = ceil_div(seq, max(blocks, 1))
    keys = block + 2 * radius
    if seq <= keys:
        return Blocking(radius, seq, block, blocks, seq, True, False)
    return Blocking(radius, seq, block, blocks, keys, False, has_globals)


class KeyBlocks:
    """The keys that each block of queries attends to.

    Args:
        blocking: `Blocking`.
        roles: `TokenRoles`.
        key: tensor `[batch, heads, seq, head_dim]`.
        value: tensor alike.
        evenly: bool, whether the ranges of keys start `block` apart, the
            first one `radius` before the sequence, which is padded for that.
            Then their gradients can be added up piece by piece. Otherwise
            ranges at the ends are moved into the sequence, and nothing is
            padded.
    """

    def __init__(
        self,
        blocking: Blocking,
        roles: TokenRoles,
        key: Any,
        value: Any,
        evenly: bool,
    ):
        self.blocking = blocking
        self.evenly = evenly and not blocking.sees_all
        self.size = blocking.keys
        self.columns = None
        if blocking.has_columns:
            # [batch, heads, GLOBAL_COLUMNS, head_dim]
            index = slice_axis(
                roles.global_first_order, 0, GLOBAL_COLUMNS, axis=1
            )
            self.columns = (take_tokens(key, index), take_tokens(value, index))
            used = slice_axis(roles.slot_used, 0, GLOBAL_COLUMNS, axis=1)
            # [batch, 1, GLOBAL_COLUMNS]
            self.column_scores = ops.expand_dims(added_scores(used), 1)
        # [batch, seq]: within the window global keys are masked, as they are
        # columns. Without columns they count, however far away they are.
        key_scores = added_scores(roles.is_local)
        self.global_scores = None
        if blocking.sees_all and roles.max_globals is not None:
            self.global_scores = added_scores(roles.is_global)
        if self.evenly:
            self.size = blocking.block + 2 * blocking.radius
            before = blocking.radius
            after = blocking.blocks * blocking.block - blocking.seq + before
            key = pad_axis(key, before, after, axis=2)
            value = pad_axis(value, before, after, axis=2)
            key_scores = pad_axis(
                key_scores, before, after, axis=1, value=MASKED_SCORE
            )
        self.key, self.value, self.key_scores = key, value, key_scores
        # [block, 2 * size - 1]: column `size - 1 + s + k` of row `q` is 0 if
        # query `q` of a block sees key `k`, where keys start `s` after it.
        columns = ops.arange(2 * self.size - 1, dtype="int32") - (self.size - 1)
        rows = ops.arange(blocking.block, dtype="int32")
        offset = ops.expand_dims(columns, 0) - ops.expand_dims(rows, 1)
        self.window_scores = added_scores(ops.abs(offset) <= blocking.radius)

    def take(self, number: Any) -> tuple[Any, Any, Any]:
        """Returns keys, values and what is added to the scores of one block.

        Args:
            number: int32 scalar, the block's.

        Returns:
            Two tensors `[batch, heads, keys, head_dim]` and one
            `[batch, 1, block, keys]`; columns come last.
        """
        size = self.size
        key, value, key_scores = self.key, self.value, self.key_scores
        start = number * self.blocking.block
        if self.blocking.sees_all:
            shift = -start
        else:
            if self.evenly:
                first, shift = start, -self.blocking.radius
            else:
                first = ops.clip(
                    start - self.blocking.radius, 0, self.blocking.seq - size
                )
                shift = first - start
            batch, heads, _, head_dim = ops.shape(key)
            shape = (batch, heads, size, head_dim)
            key = ops.slice(key, (0, 0, first, 0), shape)
            value = ops.slice(value, (0, 0, first, 0), shape)
            key_scores = ops.slice(key_scores, (0, first), (batch, size))
        window_scores = ops.slice(
            self.window_scores,
            (0, shift + size - 1),
            (self.blocking.block, size),
        )
        # [batch, block, keys]
        added = ops.minimum(window_scores, ops.expand_dims(key_scores, 1))
        if self.global_scores is not None:
            added = ops.maximum(added, ops.expand_dims(self.global_scores, 1))
        if self.columns is not None:
            key = ops.concatenate([key, self.columns[0]], axis=2)
            value = ops.concatenate([value, self.columns[1]], axis=2)
            column_scores = ops.broadcast_to(
                self.column_scores,
                (ops.shape(key)[0], self.blocking.block, GLOBAL_COLUMNS),
            )
            added = ops.concatenate([added, column_scores], axis=2)
        return key, value, ops.expand_dims(added, 1)


def for_each_chunk(
    roles: TokenRoles, body: Callable[..., tuple], state: tuple
) -> tuple:
    """Runs `body` for every chunk of global tokens beyond the columns.

    Under XLA no shape may depend on a value, yet no global token may be
    dropped. So only the number of this loop's steps depends on how many
    global tokens there are.

    Args:
        roles: `TokenRoles`.
        body: `body(chunk, index, used, *state) -> state`, where `chunk` is
            the int32 number of the chunk, `index` int32
            `[batch, GLOBAL_CHUNK]` the positions of its tokens and `used`
            bool alike, whether these slots hold a global token.
        state: tuple of tensors.

    Returns:
        The last state.
    """
    chunks = ceil_div(roles.max_globals - GLOBAL_COLUMNS, GLOBAL_CHUNK)
    shape = (ops.shape(roles.slot_used)[0], GLOBAL_CHUNK)

    def step(chunk: Any, *state: Any) -> tuple:
        first = (0, GLOBAL_COLUMNS + chunk * GLOBAL_CHUNK)
        index = ops.slice(roles.global_first_order, first, shape)
        used = ops.slice(roles.slot_used, first, shape)
        return (chunk + 1, *body(chunk, index, used, *state))

    zero = ops.zeros((), dtype="int32")
    return ops.while_loop(
        lambda chunk, *_: chunk < chunks, step, (zero, *state)
    )[1:]

"""What the passes of the local attention have in common."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

from keras import ops

from tf_longformer.compat import factor
from tf_longformer.compat import map_numbers
from tf_longformer.compat import wide_matmul
from tf_longformer.ops.band import Band
from tf_longformer.ops.blocks import pad_axis
from tf_longformer.ops.blocks import slice_axis
from tf_longformer.ops.dropout import ReplayableDropout
from tf_longformer.ops.plan import GLOBAL_COLUMNS
from tf_longformer.ops.plan import MASKED_SCORE
from tf_longformer.ops.plan import AttentionPlan
from tf_longformer.ops.tokens import score_dtype
from tf_longformer.ops.tokens import take_tokens

# Numbers, of a few blocks whose scores are made at once on a GPU.
_SCORES_AT_A_TIME = 2**28


class Work(NamedTuple):
    """What all steps need to know."""

    band: Band
    plan: AttentionPlan
    heads: int
    scale: float
    dropout: ReplayableDropout | None

    @property
    def has_columns(self) -> bool:
        return self.plan.most is not None and not self.band.whole

    def after(self, x: Any) -> Work:
        """Returns the same with masks that are drawn once `x` is there."""
        if self.dropout is None:
            return self
        return self._replace(dropout=self.dropout.after(x))

    def drop(self, weights: Any, stream: Any) -> Any:
        if self.dropout is None:
            return weights
        return self.dropout(weights, stream)

    def wanted(self, dtype: str) -> Any:
        """1 in the rows of local tokens, `[batch, seq, 1]`."""
        wanted = ops.logical_and(
            self.plan.attended, ops.logical_not(self.plan.is_global)
        )
        return ops.expand_dims(ops.cast(wanted, dtype), 2)

    def columns(self, key: Any, value: Any) -> tuple | None:
        if not self.has_columns:
            return None
        index = slice_axis(self.plan.order, 0, GLOBAL_COLUMNS, axis=1)
        return take_tokens(key, index), take_tokens(value, index)

    def scores(self, query: Any, key: Any, added: Any) -> Any:
        """Scores of two `factor`s, in the scores' dtype."""
        dtype = score_dtype(query.dtype)
        scores = wide_matmul(query, ops.swapaxes(key, 2, 3), dtype)
        return scores * self.scale + ops.cast(added, dtype)

    def for_each_block(self, function: Callable[[Any], Any]) -> Any:
        """Stacks what a function of a block's number returns."""
        band = self.band
        batch = self.plan.key_scores.shape[0]
        shape = (batch, self.heads, band.block, band.frame)
        together = 1
        if all(isinstance(size, int) for size in shape):
            scores = max(1, math.prod(shape))
            together = max(1, _SCORES_AT_A_TIME // scores)
        return map_numbers(function, band.blocks, together)

    def to_whole_blocks(self, x: Any, axis: int) -> Any:
        band = self.band
        missing = band.blocks * band.block - band.seq
        if isinstance(missing, int) and missing == 0:
            return x
        return pad_axis(x, 0, missing, axis=axis)

    def join_blocks(self, x: Any) -> Any:
        """`[blocks, batch, block, d]` to `[batch, seq, d]`."""
        _, batch, _, depth = ops.shape(x)
        x = ops.reshape(
            ops.transpose(x, (1, 0, 2, 3)),
            (batch, self.band.blocks * self.band.block, depth),
        )
        return slice_axis(x, 0, self.band.seq, axis=1)


def chunk_scores(
    work: Work, query: Any, key: Any, index: Any, used: Any
) -> Any:
    """Scores `[batch, heads, seq, chunk]` against a chunk of globals."""
    dtype = score_dtype(query.dtype)
    used = ops.where(used, 0.0, MASKED_SCORE)
    return work.scores(
        factor(query, dtype),
        factor(take_tokens(key, index), dtype),
        ops.expand_dims(ops.expand_dims(used, 1), 1),
    )


def chunk_stream(work: Work, chunk: Any) -> Any:
    """Blocks draw their dropout from the streams of their numbers."""
    return work.band.blocks + chunk

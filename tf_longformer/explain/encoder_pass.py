"""One document's way through the encoder and back, a layer at a time.

Whatever its length, only one layer's intermediate values are in memory; of
attention only one head's.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from tf_longformer.attention import assign_roles
from tf_longformer.backend import pull_back


class EncoderPass:
    """The forward pass of one row.

    Args:
        model: a model of the package.
        states: list of tensors `[1, seq, hidden]`: what goes into each layer,
            and the last one's output.
        is_global: bool array `[seq]`. No token is padding.

    Attributes:
        states: the same.
        is_global: the same.
    """

    def __init__(
        self, model: Any, states: Sequence[Any], is_global: np.ndarray
    ):
        self.states = states
        self.is_global = is_global
        self._blocks = model.longformer.encoder.blocks
        chosen = ops.convert_to_tensor(is_global[None])
        self._roles = assign_roles(
            ops.ones_like(chosen),
            chosen if is_global.any() else None,
            output_attentions=True,
        )

    def attention(
        self,
    ) -> Iterator[tuple[int, Iterator[tuple[np.ndarray, np.ndarray | None]]]]:
        """Yields for each layer its window and its heads' probabilities.

        These are, head by head, the local ones `[seq, slots + window + 1]` and
        the global ones `[seq, slots]` (`None` without global tokens), in HF's
        layout.
        """
        for block, states in zip(self._blocks, self.states, strict=False):
            layer = block.attention
            heads = layer.probabilities_by_head(states, self._roles)
            yield 2 * layer.radius, (map(_first_row, pair) for pair in heads)

    def differentiate(
        self, score: Callable[[Any], Any]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the states of the embeddings and the score's gradient there.

        Args:
            score: function of the last states `[1, seq, hidden]` that returns
                a tensor `[1]`.

        Returns:
            Two float32 arrays `[seq, hidden]`.
        """
        last = self.states[-1]
        gradient = pull_back(score, last, ops.ones((1,), dtype="float32"))
        steps = list(zip(self._blocks, self.states, strict=False))
        for block, states in reversed(steps):
            gradient = pull_back(
                lambda x, block=block: block(x, roles=self._roles)[0],
                states,
                gradient,
            )
        return _first_row(self.states[0]), _first_row(gradient)


def _first_row(x: Any) -> np.ndarray | None:
    """Returns the first row, and of attention the first head, as float32."""
    if x is None:
        return None
    array = ops.convert_to_numpy(ops.cast(x, "float32"))[0]
    return array[0] if array.ndim == 3 else array

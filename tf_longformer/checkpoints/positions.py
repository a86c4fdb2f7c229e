"""Copies a table of position embeddings to another length."""

from __future__ import annotations

import numpy as np


def copied_positions(
    table: np.ndarray, reserved: int, max_tokens: int
) -> np.ndarray:
    """Returns a table for texts of another length, its rows copied in turn.

    The rows of positions are repeated from the first one as often as they
    are needed, as Longformer's authors did with RoBERTa's. A shorter table is
    the beginning of the old one.

    Args:
        table: array `[reserved + positions, width]`.
        reserved: int, rows at the beginning that stand for no position and
            are kept: `pad_token_id + 1` of a Longformer or a RoBERTa, 0 of a
            BERT.
        max_tokens: int, positions of the new table.

    Returns:
        Array `[reserved + max_tokens, width]` of the same dtype.

    Raises:
        ValueError: if there is no row to copy, or none is asked for.

    Reference:
        - [Beltagy et al., 2020](https://arxiv.org/abs/2004.05150)
    """
    positions = len(table) - reserved
    if reserved < 0 or positions < 1 or max_tokens < 1:
        raise ValueError(
            "A table of positions must have a row for a token, and so must "
            f"the new one. Received: {len(table)} rows, {reserved} of them "
            f"reserved, and max_tokens={max_tokens}. Pass at least 1."
        )
    rows = reserved + np.arange(max_tokens) % positions
    return np.concatenate([table[:reserved], table[rows]])

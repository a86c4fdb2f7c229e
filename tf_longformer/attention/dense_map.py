"""Local and global attention scattered into one dense map, for a look."""

from __future__ import annotations

from typing import Any

import numpy as np


def to_dense_attention(
    attentions: Any,
    global_attentions: Any = None,
    global_attention_mask: Any = None,
    attention_mask: Any = None,
) -> np.ndarray:
    """Scatters one layer's attention into a `seq x seq` map.

    Args:
        attentions: `[batch, heads, seq, slots + window + 1]`, one element of
            a model's `attentions`.
        global_attentions: `[batch, heads, seq, slots]`, the same element of
            `global_attentions`; `None` where there are no global tokens.
        global_attention_mask: `[batch, seq]` of 0 and 1, the mask that the
            model used (where none was given, its default). Required with
            `global_attentions`.
        attention_mask: `[batch, seq]` of 0 and 1. Defaults to all ones.

    Returns:
        Array `[batch, heads, seq, seq]`: the share that query `i` (row)
        gives to key `j` (column). Rows of tokens that were attended to sum
        to one, those of padding are zero.

    Raises:
        ValueError: if the shapes do not fit each other, if only one of
            `global_attentions` and its mask is given, or if a row has more
            global tokens than there are slots.
    """
    local = np.asarray(attentions)
    if local.ndim != 4:
        raise ValueError(
            "`attentions` must be one layer's array [batch, heads, seq, "
            f"slots + window + 1]. Received: shape {local.shape}. Pass one "
            "element, such as `outputs.attentions[0]`."
        )
    batch, heads, seq, width = local.shape
    if (global_attentions is None) != (global_attention_mask is None):
        raise ValueError(
            "`global_attentions` and `global_attention_mask` belong together."
            f" Received: global_attentions given="
            f"{global_attentions is not None}, global_attention_mask given="
            f"{global_attention_mask is not None}. Pass both or neither."
        )
    if global_attentions is None:
        global_ = np.zeros((batch, heads, seq, 0), local.dtype)
        flags = np.zeros((batch, seq), bool)
    else:
        global_ = np.asarray(global_attentions)
        flags = _mask("global_attention_mask", global_attention_mask, local)
    if attention_mask is not None:
        flags = flags & _mask("attention_mask", attention_mask, local)
    slots = global_.shape[-1]
    window = width - slots - 1
    if global_.shape[:3] != (batch, heads, seq) or window < 2 or window % 2:
        raise ValueError(
            "`global_attentions` must be [batch, heads, seq, slots] of the "
            "layer that `attentions` is of. Received: attentions "
            f"{local.shape}, global_attentions {global_.shape}. Pass the same "
            "element of both."
        )
    if flags.sum(axis=1).max(initial=0) > slots:
        raise ValueError(
            "A row must not have more global tokens than the attentions have "
            f"slots. Received: {flags.sum(axis=1).max()} global tokens, "
            f"{slots} slots. Raise `config.attention_slots`, or pass the mask "
            "that the model used."
        )
    dense = np.zeros((batch, heads, seq, seq), local.dtype)
    radius = window // 2
    for offset in range(-radius, radius + 1):
        rows = np.arange(max(0, -offset), min(seq, seq - offset))
        dense[:, :, rows, rows + offset] = local[
            :, :, rows, slots + radius + offset
        ]
    for row in range(batch):
        for slot, position in enumerate(np.flatnonzero(flags[row])):
            dense[row, :, :, position] += local[row, :, :, slot]
        for slot, position in enumerate(np.flatnonzero(flags[row])):
            dense[row, :, position, :] = global_[row, :, :, slot]
    return dense


def _mask(name: str, mask: Any, local: np.ndarray) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.shape != (local.shape[0], local.shape[2]):
        raise ValueError(
            f"`{name}` must be [batch, seq] = "
            f"{(local.shape[0], local.shape[2])}. Received: shape "
            f"{mask.shape}. Pass the mask that the model used."
        )
    return mask.astype(bool)

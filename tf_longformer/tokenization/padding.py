"""Rows of ids filled up to one length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_longformer.tokenization import tensors
from tf_longformer.tokenization.arguments import Layout


def pad_rows(
    inputs: Any,
    layout: Layout,
    pad_token_id: int | None,
    with_attention_mask: bool,
) -> tuple[dict[str, Any], bool]:
    """Fills up `input_ids` and the masks beside them.

    Args:
        inputs: mapping of names to a row or to rows, or a list of mappings.
        layout: `Layout`.
        pad_token_id: int, or `None` if nothing is to be filled up.
        with_attention_mask: bool, whether to make one where there is none.

    Returns:
        A dict of lists, and whether arrays or tensors were given.

    Raises:
        TypeError: if the inputs aren't mappings.
        ValueError: if `input_ids` are missing, or rows are of unequal number.
    """
    data = _as_mapping(inputs)
    first = data["input_ids"]
    arrays = hasattr(first, "shape") or (
        isinstance(first, list | tuple)
        and any(hasattr(row, "shape") and np.ndim(row) for row in first)
    )
    data = {name: tensors.to_lists(value) for name, value in data.items()}
    ids = data["input_ids"]
    single = bool(ids) and not isinstance(ids[0], list)
    if single:
        data = {name: [value] for name, value in data.items()}
    rows = data["input_ids"]
    if with_attention_mask and "attention_mask" not in data:
        data["attention_mask"] = [[1] * len(row) for row in rows]
    for name, value in data.items():
        if len(value) != len(rows):
            raise ValueError(
                "All inputs must have as many rows as `input_ids`, "
                f"{len(rows)}. Received: {len(value)} of `{name}`. Leave it "
                "out, or give each row its own."
            )
    length = row_length([len(row) for row in rows], layout)
    fillings = {
        "input_ids": pad_token_id,
        "attention_mask": 0,
        "token_type_ids": 0,
        "special_tokens_mask": 1,
        "global_attention_mask": 0,
    }
    if length is not None:
        for name, filling in fillings.items():
            if name in data:
                data[name] = [
                    _fill(row, filling, length, layout.padding_side)
                    for row in data[name]
                ]
    if single:
        data = {name: value[0] for name, value in data.items()}
    return data, arrays


def row_length(lengths: list[int], layout: Layout) -> int | None:
    """Returns the length that rows are filled up to, `None` for no filling."""
    if layout.padding is None or not lengths:
        return None
    if layout.padding == "longest":
        length = max(lengths)
    else:
        length = layout.max_length or 0
    multiple = layout.pad_to_multiple_of or 1
    return -(-length // multiple) * multiple


def _fill(row: list[Any], filling: Any, length: int, side: str) -> list[Any]:
    more = [filling] * (length - len(row))
    return [*more, *row] if side == "left" else [*row, *more]


def _as_mapping(inputs: Any) -> dict[str, Any]:
    if isinstance(inputs, list | tuple) and inputs:
        if all(isinstance(one, Mapping) for one in inputs):
            names = list(inputs[0])
            uneven = [one for one in inputs if set(one) != set(names)]
            if uneven:
                raise ValueError(
                    "All rows must have the same inputs. Received: "
                    f"{sorted(names)} and {sorted(uneven[0])}. Add or remove "
                    "what differs."
                )
            inputs = {name: [one[name] for one in inputs] for name in names}
    if not isinstance(inputs, Mapping):
        raise TypeError(
            "Rows to pad must be a mapping, or a list of mappings, with "
            f"`input_ids`. Received: {type(inputs).__name__}. Pass what the "
            "tokenizer returned."
        )
    if "input_ids" not in inputs:
        raise ValueError(
            "Rows to pad must have `input_ids`. Received: "
            f"{sorted(inputs)}. Pass what the tokenizer returned."
        )
    return dict(inputs)

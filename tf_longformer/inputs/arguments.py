"""Brings what people pass to a model into one form: keyword tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

MASKS_AND_IDS = (
    "input_ids",
    "attention_mask",
    "global_attention_mask",
    "token_type_ids",
    "position_ids",
)
TENSORS = (*MASKS_AND_IDS, "inputs_embeds", "head_mask")
FLAGS = ("output_attentions", "output_hidden_states", "return_dict")


def gather_arguments(
    model_name: str,
    label_names: tuple[str, ...],
    first: Any,
    attention_mask: Any,
    extra: tuple,
    keywords: dict[str, Any],
) -> dict[str, Any]:
    """Collects the arguments of a model call by their names.

    Args:
        model_name: class name, for messages.
        label_names: names of the labels that the model takes.
        first: the first argument: ids, or a mapping of several inputs.
        attention_mask: the second argument.
        extra: further positional arguments, an error.
        keywords: keyword arguments.

    Returns:
        Dict of the arguments that are not `None`; sequences are arrays.

    Raises:
        TypeError: for positional arguments beyond the second, unknown names,
            names given twice, or a list of tensors.
        ValueError: for a ragged list.
    """
    if extra:
        raise TypeError(
            f"{model_name} takes `input_ids` and `attention_mask` by "
            "position, all else by keyword (transformers' classes disagree "
            f"on the order). Received: {2 + len(extra)} positional arguments."
            " Name them, e.g. `global_attention_mask=...`."
        )
    given = dict(keywords)
    if attention_mask is not None:
        given["attention_mask"] = attention_mask
    if isinstance(first, Mapping):
        twice = [key for key in first if given.get(key) is not None]
        if twice:
            raise TypeError(
                "An input must be given once. Received both in the first "
                f"argument and by name: {twice}. Leave one of them out."
            )
        given.update(first)
    elif first is not None:
        given["input_ids"] = first
    known = {*TENSORS, *FLAGS, *label_names, "training"}
    unknown = sorted(set(map(str, given)) - known)
    if unknown:
        raise TypeError(
            f"{model_name} takes {sorted(known)}. Received: unknown "
            f"{unknown}. Leave those out, or correct the name."
        )
    return {
        name: value
        if name in FLAGS or name == "training"
        else as_tensor(name, value)
        for name, value in given.items()
        if value is not None
    }


def as_tensor(name: str, value: Any) -> Any:
    """Returns lists as arrays, and arrays and tensors as they are.

    A flat list of ids is one row. Wide integers become int32 once they are
    known to fit.

    Args:
        name: the argument's name.
        value: tensor, array, number, or list of numbers or of rows.

    Returns:
        A tensor or an array.

    Raises:
        TypeError: for a list of tensors.
        ValueError: for a ragged list, or one that does not hold numbers.
    """
    if isinstance(value, list | tuple):
        if any(_is_tensor(item) for item in value):
            raise TypeError(
                "A list must hold ids or rows of ids; several tensors must "
                f"be named. Received: a list of {len(value)} tensors as "
                f"`{name}`. Pass them by keyword: `input_ids=..., "
                "attention_mask=...`."
            )
        try:
            value = np.asarray(value)
        except ValueError as error:
            raise ValueError(
                f"The rows of `{name}` must be of one length. Received: a "
                "ragged list. Pad the rows, e.g. "
                "`tokenizer(texts, padding=True)`."
            ) from error
        if name in MASKS_AND_IDS and value.ndim == 1 and value.size:
            value = value[None]
    if isinstance(value, str | bytes | int | float):
        value = np.asarray(value)
    if isinstance(value, np.ndarray | np.generic):
        is_number = value.dtype.kind in "biuf"
    else:
        # TensorFlow's.
        is_number = "string" not in str(getattr(value, "dtype", ""))
    if not is_number:
        raise ValueError(
            f"`{name}` must hold numbers. Received: dtype {value.dtype}. "
            "Turn text into ids with a tokenizer first."
        )
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype in (np.int64, np.uint64, np.uint32):
            limits = np.iinfo(np.int32)
            # What does not fit stays wide, for the range check to name it.
            if value.size == 0 or (
                value.min() >= limits.min and value.max() <= limits.max
            ):
                value = value.astype(np.int32)
        if value.dtype == np.float64:
            value = value.astype(keras.backend.floatx())
    return value


def _is_tensor(item: Any) -> bool:
    return (
        keras.ops.is_tensor(item)
        or isinstance(item, keras.KerasTensor)
        or (isinstance(item, np.ndarray) and item.ndim > 1)
    )


def refuse_text(x: Any) -> None:
    """Checks that what Keras's loops are given is no text.

    Args:
        x: array, list, dataset, or a mapping of such by name.

    Raises:
        ValueError: if it is.
    """
    given = x if isinstance(x, Mapping) else {"input_ids": x}
    for name, value in given.items():
        first = value[0] if isinstance(value, list | tuple) and value else value
        dtype = getattr(first, "dtype", None)
        # TensorFlow's dtypes have no kind.
        is_text = getattr(dtype, "kind", "") in ("U", "S", "O")
        if is_text or isinstance(first, str) or "string" in str(dtype):
            as_tensor(name, value)

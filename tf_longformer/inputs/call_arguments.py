"""Brings what people pass to a model into one form: tensors by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tf_longformer.errors import shown

MASKS_AND_IDS = (
    "input_ids",
    "attention_mask",
    "global_attention_mask",
    "token_type_ids",
    "position_ids",
)
TENSORS = (*MASKS_AND_IDS, "inputs_embeds", "head_mask")
# Names of inputs in old code, and those of today.
_OLD_NAMES = {
    "masked_lm_labels": "labels",
    "lm_labels": "labels",
    "label": "labels",
    "label_ids": "labels",
    "inputs": "input_ids",
    "input_mask": "attention_mask",
    "segment_ids": "token_type_ids",
}
FLAGS = (
    "output_attentions",
    "output_hidden_states",
    "return_dict",
    "reference_attention",
    "attention_slots",
    "training",
)


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
        first: the first argument, as `by_name` takes it.
        attention_mask: the second argument.
        extra: further positional arguments, an error.
        keywords: keyword arguments.

    Returns:
        Dict of the arguments that are not `None`; sequences are arrays.

    Raises:
        TypeError: for positional arguments beyond the second, unknown names,
            names given twice, or a list of more than two tensors.
        ValueError: for rows of several lengths.
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
    first = {} if first is None else by_name(first)
    twice = [key for key in first if given.get(key) is not None]
    if twice:
        raise TypeError(
            "An input must be given once. Received both in the first "
            f"argument and by name: {shown(twice)}. Leave one of them out."
        )
    given.update(first)
    known = {*TENSORS, *FLAGS, *label_names}
    unknown = sorted(set(map(str, given)) - known)
    if unknown:
        advice = [
            f"`{name}` is called `{_OLD_NAMES[name]}`."
            for name in unknown
            if _OLD_NAMES.get(name) in known
        ]
        raise TypeError(
            f"{model_name} takes {sorted(known)}. Received: unknown "
            f"{shown(unknown)}. "
            + (" ".join(advice) or "Leave those out, or correct the name.")
        )
    return {
        name: value if name in FLAGS else as_tensor(name, value)
        for name, value in given.items()
        if value is not None
    }


def by_name(first: Any) -> Mapping[str, Any]:
    """Returns what is passed as a model's first argument, by name.

    Args:
        first: a mapping of inputs; ids; or a list or tuple of one or two
            tensors or arrays, which are the ids and the attention mask.

    Raises:
        TypeError: for a list of more tensors.
    """
    if isinstance(first, Mapping):
        return first
    if not isinstance(first, list | tuple) or not any(map(_is_tensor, first)):
        return {"input_ids": first}
    if len(first) > 2:
        raise TypeError(
            "A list of tensors must be `[input_ids, attention_mask]` (what "
            "comes third differs between transformers' classes). Received: a "
            f"{type(first).__name__} of {len(first)} tensors. Pass them by "
            "keyword, e.g. `input_ids=..., global_attention_mask=...`, or as "
            "a dict by these names; stack rows into one tensor."
        )
    return dict(zip(("input_ids", "attention_mask"), first, strict=False))


def as_tensor(name: str, value: Any) -> Any:
    """Returns lists as arrays, and arrays and tensors as they are.

    A flat list of ids is one row, and a label that is a number that of one.
    Wide integers become int32 where they fit.

    Args:
        name: the argument's name.
        value: tensor, array, number, or list of numbers or of rows.

    Returns:
        A tensor or an array.

    Raises:
        TypeError: for a list of tensors.
        ValueError: for rows of several lengths, or values that aren't
            numbers.
    """
    if type(value).__name__ == "RaggedTensor" or getattr(value, "ragged", 0):
        raise ValueError(
            f"The rows of `{name}` must be of one length. Received: a "
            "RaggedTensor. Pad ids by `ids.to_tensor(config.pad_token_id)`, "
            "and mask what was added: `tf.ones_like(ids).to_tensor(0)`."
        )
    if isinstance(value, list | tuple):
        value = _list_as_array(name, value)
    elif isinstance(value, str | bytes | int | float):
        value = np.asarray(value)
    is_array = isinstance(value, np.ndarray | np.generic)
    dtype = getattr(value, "dtype", "")
    is_text = "string" in str(dtype)
    if is_text or (is_array and dtype.kind not in "biuf"):
        fix = "Turn text into ids with a tokenizer first."
        if name == "labels":
            fix = "Pass numbers of classes, e.g. `config.label2id[name]`."
        raise ValueError(
            f"`{name}` must hold numbers. Received: dtype {dtype}. {fix}"
        )
    if name not in TENSORS and getattr(value, "shape", None) == ():
        value = value[None]
    if not is_array:
        return value
    if dtype in (np.int64, np.uint64, np.uint32):
        int32 = np.iinfo(np.int32)
        # A number that doesn't fit stays, for the range check to name it.
        if value.size == 0 or (
            value.min() >= int32.min and value.max() <= int32.max
        ):
            return value.astype(np.int32)
    if dtype == np.float64:
        return value.astype(keras.backend.floatx())
    return value


def refuse_text(x: Any) -> None:
    """Raises a `ValueError` if `fit`, `predict` or `evaluate` are given text.

    `x` is an array, a list or a dataset, or a mapping of such by name.
    """
    given = x if isinstance(x, Mapping) else {"input_ids": x}
    for name, value in given.items():
        first = value[0] if isinstance(value, list | tuple) and value else value
        dtype = getattr(first, "dtype", None)
        # NumPy's dtypes have a kind; TensorFlow's have "string" in their name.
        is_text = getattr(dtype, "kind", "") in ("U", "S", "O")
        if is_text or isinstance(first, str) or "string" in str(dtype):
            # It raises the error of a call.
            as_tensor(name, value)


def _list_as_array(name: str, value: list | tuple) -> np.ndarray:
    if any(_is_tensor(item) for item in value):
        raise TypeError(
            f"A list as `{name}` must hold numbers or rows of them. Received: "
            f"a list of {len(value)} tensors. Stack them into one."
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"The rows of `{name}` must be of one length. Received: a "
            "ragged list. Pad the rows, e.g. "
            "`tokenizer(texts, padding=True)`."
        ) from error
    if name in MASKS_AND_IDS and array.ndim == 1 and array.size:
        return array[None]
    return array


def _is_tensor(item: Any) -> bool:
    return (
        keras.ops.is_tensor(item)
        or isinstance(item, keras.KerasTensor)
        or (isinstance(item, np.ndarray) and item.ndim > 1)
    )

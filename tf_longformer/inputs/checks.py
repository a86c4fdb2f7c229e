"""Checks of the inputs' shapes and values.

Shapes are checked always. Values are checked in eager mode, and in a graph by
assertions; XLA drops those, so that `fit` and `predict` check what they can
on the host.
"""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_longformer.compat import after_assertion
from tf_longformer.compat import is_traced
from tf_longformer.configuration import LongformerConfig
from tf_longformer.inputs.arguments import MASKS_AND_IDS


def check_shapes(
    inputs: dict[str, Any], config: LongformerConfig, rank: int = 2
) -> None:
    """Checks which inputs there are, their ranks, dtypes and sizes.

    Args:
        inputs: the model's inputs by name.
        config: the model's config.
        rank: int, rank of `input_ids`: 2, or 3 with choices.

    Raises:
        ValueError: if an input breaks a rule.
    """
    ids, embeds = inputs.get("input_ids"), inputs.get("inputs_embeds")
    if (ids is None) == (embeds is None):
        raise ValueError(
            "Exactly one of `input_ids` and `inputs_embeds` must be given. "
            f"Received: {'neither' if ids is None else 'both'}. "
            + ("Pass one of them." if ids is None else "Leave one out.")
        )
    axes = "[batch, seq]" if rank == 2 else "[batch, choices, seq]"
    if embeds is None:
        leading = tuple(ids.shape)
    else:
        leading = tuple(embeds.shape)[:-1]
        if (
            len(embeds.shape) != rank + 1
            or embeds.shape[-1] != config.hidden_size
        ):
            raise ValueError(
                f"`inputs_embeds` must be {axes[:-1]}, hidden_size="
                f"{config.hidden_size}]. Received: shape "
                f"{tuple(embeds.shape)}. Pass what `get_input_embeddings()` "
                "gives for ids."
            )
        if not is_float(embeds):
            raise ValueError(
                "`inputs_embeds` must be floating point. Received: dtype "
                f"{embeds.dtype}. Pass ids as `input_ids`."
            )
    for name in MASKS_AND_IDS:
        value = inputs.get(name)
        if value is None:
            continue
        if len(value.shape) != rank or not fits(value.shape, leading):
            raise ValueError(
                f"`{name}` must be {axes}"
                + (
                    ""
                    if name == "input_ids"
                    else f", here {leading} as the other inputs have it"
                )
                + f". Received: shape {tuple(value.shape)}. "
                + _shape_fix(len(value.shape), rank)
            )
        if not name.endswith("_mask") and is_float(value):
            raise ValueError(
                f"`{name}` must be integers. Received: dtype {value.dtype}. "
                "Cast it to int32 if its values are whole."
            )
    if leading[-1] == 0:
        raise ValueError(
            "A row must have at least one token. Received: shape "
            f"{leading}. Leave empty rows out."
        )
    head_mask = inputs.get("head_mask")
    expected = (config.num_hidden_layers, config.num_attention_heads)
    if head_mask is not None and tuple(head_mask.shape) != expected:
        raise ValueError(
            "`head_mask` must be [num_hidden_layers, num_attention_heads] = "
            f"{expected}. Received: shape {tuple(head_mask.shape)}. Pass one "
            "number for each head of each layer."
        )


def _shape_fix(rank: int, expected: int) -> str:
    if rank == expected - 1:
        return "Add the missing axis, e.g. `value[None]` for a single row."
    return "Give it the shape of the other inputs."


def is_float(value: Any) -> bool:
    """Returns whether an array or tensor holds floats."""
    return "float" in keras.backend.standardize_dtype(value.dtype)


def fits(shape: Any, expected: Any) -> bool:
    """Returns whether a static shape is the expected one; `None` is any."""
    return len(shape) == len(expected) and all(
        a is None or b is None or a == b
        for a, b in zip(shape, expected, strict=True)
    )


def check_values(
    inputs: dict[str, Any], config: LongformerConfig
) -> dict[str, Any]:
    """Checks ids, masks and positions against their ranges.

    Args:
        inputs: the model's inputs by name, past `check_shapes`.
        config: the model's config.

    Returns:
        The inputs. In a TensorFlow graph those that were checked wait for
        the check, so that its message comes first.

    Raises:
        ValueError: in eager mode, if a value breaks a rule. In a TensorFlow
            graph the run raises `InvalidArgumentError` with the same rule.
    """
    ranges = {
        "input_ids": (
            config.vocab_size,
            "Use the tokenizer of this model, or resize the embeddings.",
        ),
        "token_type_ids": (
            config.type_vocab_size,
            "Leave them out: Longformer checkpoints have one type, 0.",
        ),
        "attention_mask": (2, _MASK_FIX),
        "global_attention_mask": (2, _MASK_FIX),
        "position_ids": (config.max_position_embeddings, _length_fix(config)),
    }
    checked = dict(inputs)
    for name, (high, fix) in ranges.items():
        if inputs.get(name) is not None:
            checked[name] = check_range(name, inputs[name], 0, high, fix)
    if inputs.get("position_ids") is None:
        name = (
            "input_ids"
            if inputs.get("inputs_embeds") is None
            else ("inputs_embeds")
        )
        checked[name] = _check_length(checked[name], config)
    if inputs.get("inputs_embeds") is not None:
        checked["inputs_embeds"] = _check_finite(
            "inputs_embeds", checked["inputs_embeds"]
        )
    _warn_of_padding(inputs, config)
    return checked


_MASK_FIX = (
    "Pass 0 and 1; tokens with global attention have 1 in "
    "`global_attention_mask`."
)


def _length_fix(config: LongformerConfig) -> str:
    return (
        f"Cut the text to {config.max_tokens} tokens, e.g. "
        f"`tokenizer(text, truncation=True, max_length={config.max_tokens})`."
    )


def _warn_of_padding(inputs: dict[str, Any], config: LongformerConfig) -> None:
    ids = inputs.get("input_ids")
    if (
        ids is not None
        and inputs.get("attention_mask") is None
        and not is_traced(ids)
        and np.any(_host(ids) == config.pad_token_id)
    ):
        warnings.warn(
            f"`input_ids` contain padding (id {config.pad_token_id}) but "
            "there is no `attention_mask`, so that padding is attended to. "
            "Pass the mask that the tokenizer returns.",
            stacklevel=2,
        )


def _check_length(given: Any, config: LongformerConfig) -> Any:
    """Checks that every token of ids or embeddings has a position."""
    seq = given.shape[1]
    if seq is not None and seq <= config.max_tokens:
        return given
    rule = (
        "A row must not have more tokens than there are positions "
        f"(max_position_embeddings - pad_token_id - 1 = {config.max_tokens})."
    )
    is_ids = len(given.shape) == 2
    if is_ids and not is_traced(given):
        # Padding takes no position, so that only real tokens count.
        real = _host(given) != config.pad_token_id
        seq = int(np.sum(real, axis=1).max(initial=0))
    if isinstance(seq, int) and not (is_ids and is_traced(given)):
        if seq > config.max_tokens:
            raise ValueError(
                f"{rule} Received: {seq} tokens. {_length_fix(config)}"
            )
        return given
    if is_ids:
        real = ops.cast(ops.not_equal(given, config.pad_token_id), "int32")
        length = ops.max(ops.sum(real, axis=1))
    else:
        length = ops.shape(given)[1]
    message = f"{rule} {_length_fix(config)} Received (tokens):"
    return after_assertion(given, length, 0, config.max_tokens + 1, message)


def _check_finite(name: str, value: Any) -> Any:
    """Checks that no element is NaN or infinite."""
    rule = f"`{name}` must be finite. "
    fix = "Look for the NaN or infinity where they are computed."
    wrong = ops.cast(ops.logical_not(ops.isfinite(value)), "int32")
    if is_traced(wrong):
        message = f"{rule}{fix} Received (1 is not):"
        return after_assertion(value, wrong, 0, 1, message)
    count = int(ops.sum(wrong))
    if count:
        raise ValueError(
            f"{rule}Received: {count} of {np.prod(value.shape)} elements "
            f"that are not. {fix}"
        )
    return value


def check_range(
    name: str,
    value: Any,
    low: int,
    high: int,
    fix: str,
    ignored: int | None = None,
) -> Any:
    """Checks that `low <= value < high` everywhere.

    Args:
        name: the argument's name.
        value: tensor or array.
        low: int, the least value.
        high: int, one past the largest value.
        fix: str, what to do about it.
        ignored: int, a value that may occur too. Defaults to none.

    Returns:
        `value`; in a TensorFlow graph one that waits for the check.

    Raises:
        ValueError: in eager mode, if the rule is broken. In a TensorFlow
            graph the run raises `InvalidArgumentError`.
    """
    rule = f"`{name}` must lie in [{low}, {high})."
    if is_traced(value):
        counted = value
        if ignored is not None:
            counted = ops.where(ops.equal(value, ignored), low, value)
        message = f"{rule} {fix} Received:"
        return after_assertion(value, counted, low, high, message)
    array = _host(value)
    if array.dtype == bool:
        return value
    if ignored is not None:
        array = array[array != ignored]
    if array.size == 0:
        return value
    fractional = array.dtype.kind == "f" and np.any(array != np.floor(array))
    if fractional or array.min() < low or array.max() >= high:
        raise ValueError(
            f"{rule} Received: values from {array.min()} to {array.max()}"
            f"{', not all whole' if fractional else ''}. {fix}"
        )
    return value


def _host(value: Any) -> np.ndarray:
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    return ops.convert_to_numpy(value)

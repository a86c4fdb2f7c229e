"""Checks of a model's inputs: shapes and dtypes, then ids and other values.

Shapes are known in every mode. Values are known in eager mode; in a
TensorFlow graph assertions check them when it runs. XLA drops assertions, so
that `fit` and `predict` check on the host what they can before it compiles
(see `tf_longformer.training.data_checks`). A SavedModel checks requests by
itself (see `tf_longformer.export.request_checks`).
"""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_longformer.backend import after_assertion
from tf_longformer.backend import is_traced
from tf_longformer.configuration import LongformerConfig
from tf_longformer.errors import NoShapesOfFloatsError
from tf_longformer.inputs.call_arguments import MASKS_AND_IDS
from tf_longformer.keras_private import in_symbolic_scope


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
    for name, value in inputs.items():
        # TensorFlow's shapes alone may be without a rank.
        if getattr(getattr(value, "shape", ()), "rank", 0) is None:
            raise ValueError(
                f"`{name}` must have a known number of axes. Received: a "
                "tensor of unknown shape, as `tf.py_function` returns it. Call "
                "`tensor.set_shape([None])` where it is made."
            )
    if embeds is None:
        expected = tuple(ids.shape)
    else:
        _check_embeddings(embeds, axes, rank, config)
        expected = tuple(embeds.shape)[:-1]
    for name in MASKS_AND_IDS:
        value = inputs.get(name)
        if value is None:
            continue
        shape = tuple(value.shape)
        if len(shape) != rank or not fits(shape, expected):
            here = f", here {expected} as the other inputs have it"
            raise ValueError(
                f"`{name}` must be {axes}{'' if value is ids else here}. "
                f"Received: shape {shape}. "
                + (
                    "Add the missing axis, e.g. `value[None]` for a single "
                    "row, or `dataset.batch(...)`."
                    if len(shape) == rank - 1
                    else "Give it the shape of the other inputs."
                )
            )
        if not name.endswith("_mask"):
            check_dtype(name, value)
    if expected[-1] == 0:
        raise ValueError(
            "A row must have at least one token. Received: shape "
            f"{expected}. Leave empty rows out."
        )
    head_mask = inputs.get("head_mask")
    heads = (config.num_hidden_layers, config.num_attention_heads)
    if head_mask is not None and tuple(head_mask.shape) != heads:
        raise ValueError(
            "`head_mask` must be [num_hidden_layers, num_attention_heads] = "
            f"{heads}. Received: shape {tuple(head_mask.shape)}. Pass one "
            "number for each head of each layer."
        )


def _check_embeddings(
    embeds: Any, axes: str, rank: int, config: LongformerConfig
) -> None:
    shape, width = tuple(embeds.shape), config.hidden_size
    if len(shape) != rank + 1 or shape[-1] != width:
        raise ValueError(
            f"`inputs_embeds` must be {axes[:-1]}, hidden_size={width}]. "
            f"Received: shape {shape}. Pass what `get_input_embeddings()` "
            "gives for ids."
        )
    if not is_float(embeds):
        raise ValueError(
            "`inputs_embeds` must be floating point. Received: dtype "
            f"{embeds.dtype}. Pass ids as `input_ids`."
        )


def check_dtype(name: str, value: Any) -> None:
    """Raises a `ValueError` if integers were asked for and these are floats.

    Where Keras builds a model, floats may stand in for integers: it forgets
    the dtypes of a saved model's inputs, and takes the mean of the first
    batch over replicas. Layers cast them, as `keras.layers.Embedding` does.
    """
    if is_float(value) and not in_symbolic_scope():
        is_placeholder = isinstance(value, keras.KerasTensor)
        raise (NoShapesOfFloatsError if is_placeholder else ValueError)(
            f"`{name}` must be integers. Received: dtype "
            f"{keras.backend.standardize_dtype(value.dtype)}. Cast it to "
            "int32 if its values are whole, or give its `keras.Input` "
            "`dtype='int32'`."
        )


def is_float(value: Any) -> bool:
    """Returns whether an array or tensor holds floats."""
    return "float" in keras.backend.standardize_dtype(value.dtype)


def fits(shape: Any, expected: Any) -> bool:
    """Returns whether static shapes agree; `None` agrees with any size."""
    return len(shape) == len(expected) and all(
        a is None or b is None or a == b
        for a, b in zip(shape, expected, strict=True)
    )


def check_values(
    inputs: dict[str, Any], config: LongformerConfig
) -> dict[str, Any]:
    """Checks ids, masks and positions against their ranges.

    An id must be one of the vocabulary, a mask 0 or 1; every token must have
    a position, and embeddings must be finite.

    Args:
        inputs: the model's inputs by name, `[batch, seq]`, past
            `check_shapes`.
        config: the model's config.

    Returns:
        The inputs. In a TensorFlow graph those that were checked wait for
        the check, so that its message comes before any other error.

    Raises:
        ValueError: in eager mode, if a value breaks a rule. In a TensorFlow
            graph the run raises `InvalidArgumentError` with the same rule.
    """
    too_long = (
        f"Cut the text to {config.max_tokens} tokens, e.g. "
        f"`tokenizer(text, truncation=True, max_length={config.max_tokens})`."
    )
    no_mask = (
        "Pass 0 and 1; tokens with global attention have 1 in "
        "`global_attention_mask`."
    )
    # The limit that values are below, and what to do about a larger one.
    limits = {
        "input_ids": (
            config.vocab_size,
            "Use the tokenizer of this model, or resize the embeddings.",
        ),
        "token_type_ids": (
            config.type_vocab_size,
            "Leave them out: Longformer checkpoints have one type, 0.",
        ),
        "attention_mask": (2, no_mask),
        "global_attention_mask": (2, no_mask),
        "position_ids": (config.max_position_embeddings, too_long),
    }
    checked = dict(inputs)
    for name, (limit, fix) in limits.items():
        if inputs.get(name) is not None:
            checked[name] = check_range(name, inputs[name], 0, limit, fix)
    ids, embeds = checked.get("input_ids"), checked.get("inputs_embeds")
    name, tokens = (
        ("input_ids", ids) if embeds is None else ("inputs_embeds", embeds)
    )
    if inputs.get("position_ids") is None:
        tokens = _check_length(tokens, config, too_long)
    if embeds is not None:
        tokens = _check_finite(name, tokens)
    checked[name] = tokens
    if ids is not None and inputs.get("attention_mask") is None:
        _warn_of_padding(ids, config)
    return checked


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
    array = _as_numpy(value)
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


def _check_length(tokens: Any, config: LongformerConfig, fix: str) -> Any:
    """Checks that every token of ids or embeddings has a position."""
    limit = config.max_tokens
    length = tokens.shape[1]
    if length is not None and length <= limit:
        return tokens
    if len(tokens.shape) == 2:
        # Ids: padding takes no position, so that it doesn't count.
        real = ops.not_equal(tokens, config.pad_token_id)
        length = ops.max(ops.sum(ops.cast(real, "int32"), axis=1), initial=0)
    else:
        length = ops.shape(tokens)[1]
    rule = (
        "A row must not have more tokens than there are positions "
        f"(max_position_embeddings - pad_token_id - 1 = {limit})."
    )
    if is_traced(length):
        message = f"{rule} {fix} Received (tokens):"
        return after_assertion(tokens, length, 0, limit + 1, message)
    if int(length) > limit:
        raise ValueError(f"{rule} Received: {int(length)} tokens. {fix}")
    return tokens


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


def _warn_of_padding(ids: Any, config: LongformerConfig) -> None:
    if not is_traced(ids) and np.any(_as_numpy(ids) == config.pad_token_id):
        warnings.warn(
            f"`input_ids` contain padding (id {config.pad_token_id}) but "
            "there is no `attention_mask`, so that padding is attended to. "
            "Pass the mask that the tokenizer returns.",
            stacklevel=2,
        )


def _as_numpy(value: Any) -> np.ndarray:
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    return ops.convert_to_numpy(value)

"""What is changed or asked of a model as a whole, by transformers' names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_longformer.checkpoints.positions import copied_positions
from tf_longformer.configuration import LongformerConfig
from tf_longformer.configuration import rules
from tf_longformer.errors import shown
from tf_longformer.keras_private import quantization_mode
from tf_longformer.keras_private import replace_variable
from tf_longformer.keras_private import resize_table
from tf_longformer.models.keras_methods import forget_compiled
from tf_longformer.models.keras_methods import has_trained

# Names of transformers' TensorFlow classes, and what takes their place.
_ELSEWHERE = {
    "prepare_tf_dataset": (
        "Pass arrays or a `tf.data.Dataset` of dicts to `fit`; "
        "`tf_longformer.PaddingCollator` fills rows up."
    ),
    "hf_compute_loss": (
        "Pass the labels to the call, or `internal_loss(labels, outputs)`; "
        "`compile` uses it where it gets no `loss`."
    ),
    "serving": "Export with `tf_longformer.export_saved_model`.",
    "serving_output": "Export with `tf_longformer.export_saved_model`.",
    "prune_heads": "Pass `head_mask` to the call, 0 where a head is dropped.",
    "to": "Keras places a model: see `tf.device` and `keras.distribution`.",
    "parameters": "They are `model.trainable_weights` and `model.weights`.",
    "named_parameters": "A weight's name is its `path`: see `model.weights`.",
    "state_dict": "See `model.weights`, or write `model.save_pretrained`.",
    "load_state_dict": "Load with `from_pretrained(file)`.",
    "half": "Load with `from_pretrained(folder, dtype='mixed_float16')`.",
    "generate": "Fill masks with `tf_longformer.tasks.fill_mask`.",
    "train": "Pass `training=True` to the call; `fit` does.",
    "eval": "A call without `training=True` has no dropout.",
    "device": "Keras places a model: see `tf.device` and `keras.distribution`.",
    "add_adapter": "`enable_lora(rank)` adds one, `load_adapter` a saved one.",
    "merge_and_unload": (
        "`save_pretrained` writes the sums, and `from_pretrained` of an "
        "adapter's folder loads them."
    ),
    "get_bias": "The head's bias is `model.lm_head.bias`.",
    "get_lm_head": "It is `model.lm_head`.",
    "get_position_embeddings": (
        "They are `model.longformer.embeddings.position_embeddings`."
    ),
    "set_output_embeddings": (
        "A tied head follows `set_input_embeddings`; the matrix of one that "
        "isn't is `model.lm_head.decoder`, which has `assign`."
    ),
}


def no_attribute(model: Any, name: str) -> AttributeError:
    """Returns the error for a missing attribute, with advice on some."""
    return AttributeError(
        f"{type(model).__name__!r} object has no attribute {shown(name)}. "
        f"{_ELSEWHERE.get(name, '')}".rstrip()
    )


def set_input_embeddings(model: Any, value: Any) -> None:
    """Replaces the word embeddings, and the tied head with them."""
    if isinstance(value, keras.layers.Embedding):
        value = value.embeddings
    rows = ops.convert_to_numpy(value)
    if rows.ndim != 2 or rows.shape[1] != model.config.hidden_size:
        raise ValueError(
            "Word embeddings must be [rows, hidden_size="
            f"{model.config.hidden_size}]. Received: shape {rows.shape}. "
            "Pass a matrix of that width."
        )
    model.resize_token_embeddings(len(rows))
    model.get_input_embeddings().embeddings.assign(rows)


def resize_token_embeddings(
    model: Any, new_num_tokens: int | None, pad_to_multiple_of: int | None
) -> None:
    """Gives the vocabulary another size, and a language modelling head too."""
    size = model.config.vocab_size
    for name, value in (
        ("new_num_tokens", new_num_tokens),
        ("pad_to_multiple_of", pad_to_multiple_of),
    ):
        whole = isinstance(value, int | np.integer) and value > 0
        if value is not None and not whole:
            raise ValueError(
                f"`{name}` must be a positive integer. Received: "
                f"{shown(value)}, "
                "which is not an integer above 0. Pass one, or leave it out."
            )
    new = size if new_num_tokens is None else int(new_num_tokens)
    if pad_to_multiple_of is not None:
        new = -(-new // pad_to_multiple_of) * pad_to_multiple_of
    table = model.get_input_embeddings()
    if new == size:
        return
    if new <= model.config.pad_token_id:
        raise ValueError(
            "The vocabulary must keep the padding token (id "
            f"{model.config.pad_token_id}). Received: new_num_tokens="
            f"{new}. Pass a larger number."
        )
    _check_resizable(model, table, "word")
    stddev = model.config.initializer_range
    resize_table(table, _resized_matrix(table.embeddings, new, stddev))
    model.longformer.embeddings.vocab_size = new
    head = getattr(model, "lm_head", None)
    if head is not None:
        replace_variable(head, "bias", _resized_bias(head.bias, new))
        if not head.tied:
            decoder = _resized_matrix(head.decoder, new, stddev)
            replace_variable(head, "decoder", decoder)
        head.vocab_size = new
    model.config.vocab_size = new
    forget_compiled(model)


def extend_positions(model: Any, max_tokens: int) -> None:
    """Gives the table of positions room for texts of another length."""
    embeddings = model.longformer.embeddings
    table = embeddings.position_embeddings
    # Rows that no token has: positions count from `pad_token_id + 1`.
    reserved = model.config.pad_token_id + 1
    if not rules.is_int(max_tokens) or max_tokens < 1:
        raise ValueError(
            "`max_tokens` must be a number of tokens, at least 1. Received: "
            f"max_tokens={max_tokens!r}. Pass such as 8192."
        )
    _check_resizable(model, table, "position")
    old = ops.convert_to_numpy(table.embeddings)
    resize_table(table, copied_positions(old, reserved, max_tokens))
    embeddings.max_position_embeddings = reserved + max_tokens
    model.config.max_position_embeddings = reserved + max_tokens
    if model.vector_settings is not None:
        model.vector_settings = dataclasses.replace(
            model.vector_settings, max_length=max_tokens
        )
    forget_compiled(model)


def set_attention_window(model: Any, attention_window: Any) -> None:
    """Gives all layers, or each, another window."""
    fields = {**model.config.to_dict(), "attention_window": attention_window}
    # Checked before anything is changed.
    config = LongformerConfig.from_dict(fields)
    model.config.attention_window = config.attention_window
    encoder = model.longformer.encoder
    encoder.attention_window = [2 * radius for radius in config.radii]
    for block, window in zip(
        encoder.blocks, encoder.attention_window, strict=True
    ):
        block.attention_window = window
        block.attention.attention_window = window
    forget_compiled(model)


def copy_projections_to_global(model: Any) -> None:
    """Gives global tokens the projections that the others have."""
    pairs = list(_projections(model))
    for projection, of_globals in pairs:
        if len(projection.weights) != len(of_globals.weights):
            raise ValueError(
                "Projections of global tokens must have LoRA where those of "
                f"other tokens have it. Received: {projection.path} and "
                f"{of_globals.path}. Copy them before `enable_lora`."
            )
    for projection, of_globals in pairs:
        of_globals.set_weights(projection.get_weights())


def shares_projections(model: Any) -> bool:
    """Whether global tokens have the projections that the others have."""
    return all(
        len(one.weights) == len(other.weights)
        and all(map(np.array_equal, one.get_weights(), other.get_weights()))
        for one, other in _projections(model)
    )


def _projections(model: Any) -> Iterator[tuple[Any, Any]]:
    """Yields each projection and that of global tokens."""
    for block in model.longformer.encoder.blocks:
        for name in ("query", "key", "value"):
            yield (
                getattr(block.attention, name),
                getattr(block.attention, f"{name}_global"),
            )


def _check_resizable(
    model: Any, table: keras.layers.Embedding, kind: str
) -> None:
    """Raises if a table's values are kept elsewhere too."""
    if quantization_mode(table) or table.lora_enabled:
        raise ValueError(
            f"Only plain {kind} embeddings can be resized. Received: a model"
            " that is quantized or has LoRA. Resize it first."
        )
    if has_trained(model):
        raise ValueError(
            f"The {kind} embeddings must be resized before training: the "
            "optimizer keeps values for each weight. Received: a model that "
            "has trained. Save it, load it, resize it and compile it."
        )


def num_parameters(
    model: Any, only_trainable: bool, exclude_embeddings: bool
) -> int:
    """Returns how many numbers the weights hold."""
    weights = model.trainable_weights if only_trainable else model.weights
    skipped: set[int] = set()
    if exclude_embeddings:
        tables = model.longformer.embeddings
        skipped = {
            id(weight)
            for table in (
                tables.word_embeddings,
                tables.position_embeddings,
                tables.token_type_embeddings,
            )
            for weight in table.weights
        }
    return sum(
        int(np.prod(weight.shape))
        for weight in weights
        if id(weight) not in skipped
    )


def set_gradient_checkpointing(model: Any, value: bool) -> None:
    """Has training recompute the layers in the backward pass, or not."""
    model.config.gradient_checkpointing = value
    model.longformer.encoder.gradient_checkpointing = value
    # What is compiled already would go on as before.
    model.train_function = None


def _resized_matrix(weight: Any, size: int, stddev: float) -> np.ndarray:
    """Returns a matrix cut off, or with new rows."""
    old = ops.convert_to_numpy(weight)
    added = keras.random.normal(
        (max(size - len(old), 0), old.shape[1]), stddev=stddev
    )
    added = ops.convert_to_numpy(added).astype(old.dtype)
    return np.concatenate([old[:size], added])


def _resized_bias(bias: Any, size: int) -> np.ndarray:
    old = ops.convert_to_numpy(bias)
    return np.pad(old[:size], (0, max(size - len(old), 0)))

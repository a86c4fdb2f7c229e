"""What the fields of a `LongformerConfig` may hold.

One function per kind of rule. Every message states the rule, what was
received and what to do about it. Nothing here imports a backend.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral
from numbers import Real
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeGuard

from tf_longformer import _configuration_labels as labels

if TYPE_CHECKING:
    from tf_longformer.configuration import LongformerConfig

# All that transformers 4.57 and 5.23 both know but `prelu` and `xielu`, whose
# own weights a Longformer checkpoint has no names for. A test keeps this list
# and that of the layers the same; they can't be asked, as they need a backend.
HIDDEN_ACTIVATIONS = frozenset(
    {
        "gelu",
        "gelu_10",
        "gelu_accurate",
        "gelu_fast",
        "gelu_new",
        "gelu_python",
        "gelu_python_tanh",
        "gelu_pytorch_tanh",
        "laplace",
        "leaky_relu",
        "linear",
        "mish",
        "quick_gelu",
        "relu",
        "relu2",
        "relu6",
        "sigmoid",
        "silu",
        "swish",
        "tanh",
    }
)

_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
)
_FLAGS = ("onnx_export", "tie_word_embeddings", "is_encoder_decoder")
# transformers reads `null` here, and treats it as false.
_NULLABLE_FLAGS = ("output_attentions", "output_hidden_states", "return_dict")
_DTYPES = ("float16", "bfloat16", "float32", "float64")
_FLOATS = ("initializer_range", "layer_norm_eps")


def normalize(name: str, value: Any) -> Any:
    """Brings a field to the type that JSON and transformers expect of it.

    Tuples and arrays of windows become lists, NumPy's numbers Python's,
    whole numbers become `float` where transformers 5 insists on one, and the
    keys of `id2label` become `int`. Lists and dicts are copied, so that a
    config shares none with its caller. A value that fits no rule is returned
    as it came, for `check` to refuse.

    Args:
        name: string. The field.
        value: The value that is about to be stored in it.

    Returns:
        The value to store.
    """
    if name == "attention_window" and hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, list):
        return [_as_plain_number(item) for item in value]
    if name == "id2label" and isinstance(value, Mapping):
        names = {labels.label_id(key): label for key, label in value.items()}
        # Keys that fall together are kept, for `check` to show them.
        return names if len(names) == len(value) else dict(value)
    if name == "label2id" and isinstance(value, Mapping):
        return dict(value)
    if name in _FLOATS and is_int(value):
        return float(value)
    return _as_plain_number(value)


def is_int(value: Any) -> TypeGuard[int]:
    """Whether `value` is a whole number (booleans don't count)."""
    return isinstance(value, int) and not isinstance(value, bool)


def check(config: Any) -> None:
    """Checks every field of `config` and how the fields fit together.

    Args:
        config: A `LongformerConfig`.

    Raises:
        ValueError: at the first field that breaks a rule.
    """
    for name in _SIZES:
        _check_int(config, name, minimum=1)
    if config.chunk_size_feed_forward is not None:
        _check_int(config, "chunk_size_feed_forward", minimum=0)
    _check_token_ids(config)
    _check_attention(config)
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
        _check_probability(config, name)
    _check_float(config, "initializer_range", zero=True)
    _check_float(config, "layer_norm_eps", zero=False)
    for name in _FLAGS:
        _check_flag(config, name, (True, False))
    for name in _NULLABLE_FLAGS:
        _check_flag(config, name, (True, False, None))
    act = config.hidden_act
    if not isinstance(act, str) or act not in HIDDEN_ACTIVATIONS:
        raise ValueError(
            "`hidden_act` must be the name of an activation. "
            f"Received: hidden_act={act!r}. Use one of "
            f"{', '.join(sorted(HIDDEN_ACTIVATIONS))}."
        )
    if config.dtype is not None and config.dtype not in _DTYPES:
        raise ValueError(
            f"`dtype` must be None or one of {', '.join(_DTYPES)}. "
            f"Received: dtype={config.dtype!r}. Leave it out: models are "
            "computed in the Keras policy, whatever a file holds."
        )
    labels.check(config)
    pruned = getattr(config, "pruned_heads", None)
    if pruned:
        raise ValueError(
            "`pruned_heads` must be empty: pruned checkpoints aren't "
            f"supported. Received: pruned_heads={pruned!r}. "
            "Use the checkpoint from before the pruning."
        )


def check_model_type(model_type: Any) -> None:
    """Checks a `model_type` that was given to the constructor.

    Args:
        model_type: The model type.

    Raises:
        ValueError: if it isn't the Longformer's.
    """
    if model_type != "longformer":
        raise ValueError(
            "`model_type` of a `LongformerConfig` must be 'longformer'. "
            f"Received: model_type={model_type!r}. Leave it out, or read "
            "another model's file with `LongformerConfig.from_dict`, which "
            "knows the kinds that can be converted."
        )


def _as_plain_number(value: Any) -> Any:
    # NumPy's float64 is a float, but one that shows its type.
    if isinstance(value, Real) and not isinstance(value, bool):
        return int(value) if isinstance(value, Integral) else float(value)
    return value


def _check_int(config: LongformerConfig, name: str, minimum: int) -> None:
    value = getattr(config, name)
    if not is_int(value) or value < minimum:
        raise ValueError(
            f"`{name}` must be an integer of {minimum} or more. "
            f"Received: {name}={value!r}. Pass a whole number, without "
            "quotes."
        )


def _check_flag(
    config: LongformerConfig, name: str, allowed: tuple[bool | None, ...]
) -> None:
    value = getattr(config, name)
    if not any(value is item for item in allowed):
        raise ValueError(
            f"`{name}` must be True or False. Received: {name}={value!r}. "
            "Pass a boolean (`true` or `false` in a config.json)."
        )


def _is_finite(value: Any) -> bool:
    if not (is_int(value) or isinstance(value, float)):
        return False
    return math.isfinite(value)


def _check_probability(config: LongformerConfig, name: str) -> None:
    value = getattr(config, name)
    if not _is_finite(value) or not 0 <= value < 1:
        raise ValueError(
            f"`{name}` must be a number in [0, 1). "
            f"Received: {name}={value!r}. Pass 0.0 for no dropout."
        )


def _check_float(config: LongformerConfig, name: str, *, zero: bool) -> None:
    value = getattr(config, name)
    if not _is_finite(value) or value < 0 or (value == 0 and not zero):
        least = "of 0 or more" if zero else "above 0"
        raise ValueError(
            f"`{name}` must be a finite number {least}. "
            f"Received: {name}={value!r}. Leave it out for the default."
        )


def _check_token_ids(config: LongformerConfig) -> None:
    pad = config.pad_token_id
    if not is_int(pad) or not 0 <= pad < config.vocab_size:
        raise ValueError(
            "`pad_token_id` must be an integer in [0, vocab_size). "
            f"Received: pad_token_id={pad!r}, "
            f"vocab_size={config.vocab_size}. Pass the tokenizer's pad id."
        )
    for name in ("sep_token_id", "bos_token_id", "eos_token_id"):
        value = getattr(config, name)
        several = name == "eos_token_id" and isinstance(value, list)
        items: list[Any] = value if several else [value]
        for item in items:
            if item is not None and (not is_int(item) or item < 0):
                raise ValueError(
                    f"`{name}` must be None or an integer of 0 or more. "
                    f"Received: {name}={value!r}. Pass the tokenizer's id."
                )
    if config.max_position_embeddings <= pad + 1:
        raise ValueError(
            "`max_position_embeddings` must be above pad_token_id + 1, "
            "since positions are counted from there. Received: "
            f"max_position_embeddings={config.max_position_embeddings}, "
            f"pad_token_id={pad}. For n tokens pass n + {pad + 1}."
        )


def _check_attention(config: LongformerConfig) -> None:
    heads, hidden = config.num_attention_heads, config.hidden_size
    if hidden % heads:
        raise ValueError(
            "`hidden_size` must be a multiple of `num_attention_heads`. "
            f"Received: hidden_size={hidden}, num_attention_heads={heads}. "
            "Change one of the two."
        )
    window, layers = config.attention_window, config.num_hidden_layers
    if isinstance(window, list) and len(window) != layers:
        raise ValueError(
            "`attention_window` must be one integer or a list of one per "
            f"layer. Received: a list of {len(window)}, with "
            f"num_hidden_layers={layers}. Pass {layers} windows, or one "
            "integer for all layers."
        )
    for item in window if isinstance(window, list) else [window]:
        if not is_int(item) or item <= 0 or item % 2:
            raise ValueError(
                "`attention_window` must hold even integers above 0: both "
                "sides together, each half of it. Received: "
                f"attention_window={window!r}. To see n tokens on either "
                "side pass 2 * n."
            )
    slots = config.attention_slots
    if slots is not None and (not is_int(slots) or slots < 0):
        raise ValueError(
            "`attention_slots` must be None or an integer of 0 or more. "
            f"Received: attention_slots={slots!r}. Pass the largest number "
            "of global tokens of any row."
        )

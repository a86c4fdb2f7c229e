"""Reads a `config.json` of any age: its fields as transformers has them now.

Three kinds of file are in use:

*   `model_type: "longformer"`, as transformers writes it. Its windows are
    two-sided. Hub files may carry `attention_mode: "longformer"`,
    `ignore_attention_mask` or `gradient_checkpointing`; they are kept.
*   AllenAI's own files from before the model was in transformers:
    `model_type: "roberta"` (or none) with `attention_dilation`, or with an
    `attention_mode` that names one of their kernels. Their windows are
    **one-sided**, and are doubled here. The mode chose a kernel when the
    program ran and isn't a part of the model, so it is dropped.
*   What the notebook that turns a RoBERTa into a Longformer leaves behind:
    one of `FAMILIES` with an `attention_window`, and neither
    `attention_dilation` nor such an `attention_mode`. The attention inside
    was transformers' own, so its windows are two-sided.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from tf_longformer.configuration import rules
from tf_longformer.errors import shown
from tf_longformer.families import FAMILIES
from tf_longformer.families import REFUSED
from tf_longformer.families import Family

logger = logging.getLogger("tf_longformer")

CONFIG_NAME = "config.json"
# Older names of fields, in files and as keywords.
OLD_NAMES = {"torch_dtype": "dtype", "use_return_dict": "return_dict"}

# The values of `attention_mode` in AllenAI's files: kernels for one and the
# same attention.
_ALLENAI_KERNELS = ("sliding_chunks", "tvm", "n2")
# Attributes of a config that are never written.
NEVER_WRITTEN = (
    "_attn_implementation_internal",
    "_auto_class",
    "_commit_hash",
    "_experts_implementation_internal",
    "_name_or_path",
)


def fields_of(config: Any) -> Mapping[str, Any]:
    """Returns the fields of a config, in whatever form it is given.

    Args:
        config: a mapping of fields; what `keras.saving` makes of a
            `LongformerConfig`; or an object whose `to_dict` returns fields,
            such as a config of transformers.

    Raises:
        TypeError: for anything else.
    """
    if hasattr(config, "to_dict") and not isinstance(config, type):
        config = config.to_dict()
    if not isinstance(config, Mapping):
        raise TypeError(
            "A config must be a `LongformerConfig`, a dict of its fields, or "
            "a config of transformers. Received: "
            f"{type(config).__name__}. A file or a folder is read by "
            "`from_pretrained`."
        )
    if config.get("class_name") == "LongformerConfig":
        return config["config"]
    return config


def rename(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Returns fields by their names of today.

    Where a field is given by its old and its new name, the new one counts.
    """
    renamed = dict(fields)
    for old, new in OLD_NAMES.items():
        if old in renamed:
            value = renamed.pop(old)
            if renamed.get(new) is None:
                renamed[new] = value
    return renamed


def modernize(
    fields: Mapping[str, Any], has_window: bool = False
) -> dict[str, Any]:
    """Returns the fields of a `config.json` as transformers writes them now.

    `has_window` says that the caller replaces the `attention_window`, so that
    the file needs none. The result has no `model_type`.
    """
    fields = rename(fields)
    kind = fields.pop("model_type", None)
    _check_kind(kind, has_window or "attention_window" in fields)
    _check_attention(fields)
    _check_positions(fields.get("position_embedding_type"), kind)
    if kind == "longformer":
        return fields
    if _is_allenai(fields):
        if "attention_window" in fields:
            fields["attention_window"] = _double(fields["attention_window"])
        for name in ("attention_mode", "attention_dilation", "autoregressive"):
            fields.pop(name, None)
    if str(kind) in FAMILIES:
        return _of_a_longformer(fields, FAMILIES[kind], kind)
    return fields


def _of_a_longformer(
    fields: dict[str, Any], family: Family, kind: str
) -> dict[str, Any]:
    """Returns the fields of the Longformer that an encoder becomes."""
    named = {family.fields.get(name, name): fields[name] for name in fields}
    absent = {n: v for n, v in family.defaults.items() if named.get(n) is None}
    fields = {**named, **absent}
    width = fields.get("hidden_size")
    embedding = fields.pop("embedding_size", width)
    if embedding != width:
        raise ValueError(
            "A Longformer's embeddings have the width of its layers: "
            "`embedding_size` must be `hidden_size`. Received: "
            f"{shown(kind)} with embedding_size={shown(embedding)} and "
            f"hidden_size={shown(width)}. Use a checkpoint without "
            "`embeddings_project`, such as a base or a large one."
        )
    if fields.get("is_decoder"):
        raise ValueError(
            "`is_decoder` must be false: causal attention isn't supported. "
            f"Received: {shown(kind)} with "
            f"is_decoder={shown(fields['is_decoder'])}. "
            "Use a checkpoint of a bidirectional model."
        )
    pad = fields.setdefault("pad_token_id", 1)
    rows = fields.setdefault("max_position_embeddings", 512)
    # Anything but whole numbers is left for the fields' own rules to refuse.
    if rules.is_int(pad) and rules.is_int(rows) and not family.counts_from_pad:
        fields["max_position_embeddings"] = rows + pad + 1
    # The tokenizer knows it where the file doesn't.
    last = fields.get("eos_token_id", 2)
    fields.setdefault("sep_token_id", last if rules.is_int(last) else None)
    activation = fields.get("hidden_act", "gelu")
    fields["architectures"] = [
        family.head_of(str(name), activation)
        for name in fields.get("architectures") or ()
    ] or None
    return fields


def has_one_sided_windows(fields: Mapping[str, Any]) -> bool:
    """Whether a `config.json` counts one side of a window, as AllenAI's do."""
    return fields.get("model_type") != "longformer" and _is_allenai(fields)


def _is_allenai(fields: Mapping[str, Any]) -> bool:
    return (
        fields.get("attention_dilation") is not None
        or fields.get("attention_mode") in _ALLENAI_KERNELS
    )


def _check_kind(kind: Any, has_window: bool) -> None:
    if kind == "longformer":
        return
    if kind is None or str(kind) in FAMILIES:
        if has_window:
            return
        what = f"model_type={shown(kind)}" if kind else "no `model_type`"
        raise ValueError(
            "A config must describe a Longformer: model_type='longformer', "
            f"or at least an `attention_window`. Received: {what} and no "
            "`attention_window`. Load a Longformer's folder, or pass "
            "`attention_window=512`, say, to make one of this."
        )
    raise ValueError(
        "A config must describe a Longformer (model_type='longformer') or an "
        f"encoder that becomes one ({', '.join(FAMILIES)}). Received: "
        f"model_type={shown(kind)}"
        + (f", which can't: {REFUSED[kind]}" if str(kind) in REFUSED else "")
        + ". Load a folder of one of these."
    )


def _check_attention(fields: dict[str, Any]) -> None:
    dilation = fields.get("attention_dilation")
    if dilation is not None and not _is_one_everywhere(dilation):
        raise ValueError(
            "`attention_dilation` must be 1 everywhere: dilated windows "
            "aren't supported. Received: "
            f"attention_dilation={shown(dilation)}. "
            "Use a checkpoint that was trained without dilation."
        )
    if fields.get("autoregressive"):
        raise ValueError(
            "`autoregressive` must be false: causal attention isn't "
            "supported. Received: "
            f"autoregressive={shown(fields['autoregressive'])}."
            " Use a checkpoint of the bidirectional model."
        )
    mode = fields.get("attention_mode")
    if mode == "sliding_chunks_no_overlap":
        raise ValueError(
            "`attention_mode` must be a sliding window. Received: "
            f"attention_mode={shown(mode)}, whose chunks don't overlap, which "
            "isn't supported. Use a checkpoint that was trained with "
            "'sliding_chunks' or 'tvm'."
        )


def _check_positions(position_type: Any, kind: Any) -> None:
    if position_type in (None, "absolute"):
        return
    if kind != "longformer":
        raise ValueError(
            "`position_embedding_type` must be 'absolute': a Longformer has a "
            f"table of positions. Received: {shown(position_type)} in a model "
            "of "
            f"the kind {shown(kind)}. Use a checkpoint with absolute positions."
        )
    # As transformers, which doesn't look at the field.
    logger.warning(
        "`position_embedding_type` must be 'absolute': a Longformer has a "
        "table of positions. Received: %.200r. The table is used; if the "
        "checkpoint was trained with other positions, its results are wrong.",
        position_type,
    )


def _is_one_everywhere(dilation: Any) -> bool:
    if isinstance(dilation, list | tuple):
        return all(map(_is_one_everywhere, dilation))
    return dilation == 1


def _double(window: Any) -> Any:
    if isinstance(window, list | tuple):
        return [_double(item) for item in window]
    # Anything but a whole number is left for the field's own rule to refuse.
    return 2 * window if rules.is_int(window) else window

"""Turns any `config.json` that describes a Longformer into today's fields.

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
    `model_type: "roberta"` with an `attention_window`, and neither
    `attention_dilation` nor such an `attention_mode`. The attention inside
    was transformers' own, so its windows are two-sided.
"""

from __future__ import annotations

from typing import Any

_KERNELS = ("sliding_chunks", "tvm", "n2")
# A different attention altogether: chunks that don't overlap.
_UNSUPPORTED_KERNELS = ("sliding_chunks_no_overlap",)


def modernize(
    fields: dict[str, Any], has_window: bool = False
) -> dict[str, Any]:
    """Returns the fields of a `config.json` as transformers writes them now.

    Args:
        fields: dict. The parsed file; it isn't changed.
        has_window: bool. Whether the caller gives an `attention_window` in
            place of the file's, so that it needs none. Defaults to `False`.

    Returns:
        dict. The same fields without `model_type`, windows two-sided.

    Raises:
        ValueError: if the file describes another model, or a Longformer
            with dilated or autoregressive attention.
    """
    fields = dict(fields)
    kind = fields.pop("model_type", None)
    _check_kind(kind, has_window or "attention_window" in fields)
    _check_supported(fields)
    if kind == "longformer":
        return fields
    early = fields.get("attention_dilation") is not None
    early = early or fields.get("attention_mode") in _KERNELS
    if early:
        if "attention_window" in fields:
            fields["attention_window"] = _double(fields["attention_window"])
        for name in ("attention_mode", "attention_dilation", "autoregressive"):
            fields.pop(name, None)
    if kind == "roberta":
        # Names of RoBERTa classes, which would be wrong in a file that says
        # longformer from now on.
        fields.pop("architectures", None)
    return fields


def _check_kind(kind: Any, has_window: bool) -> None:
    if kind == "longformer":
        return
    if kind is None or kind == "roberta":
        if has_window:
            return
        what = "no `model_type`" if kind is None else "model_type='roberta'"
        raise ValueError(
            "A config must describe a Longformer: model_type='longformer', "
            f"or at least an `attention_window`. Received: {what} and no "
            "`attention_window`. Load a Longformer's folder, or pass "
            "`attention_window=512`, say, to make one of a RoBERTa."
        )
    raise ValueError(
        "A config must describe a Longformer (model_type='longformer'). "
        f"Received: model_type={kind!r}. Load a Longformer's folder, or use "
        "a library that has this model."
    )


def _check_supported(fields: dict[str, Any]) -> None:
    dilation = fields.get("attention_dilation")
    if dilation is not None and any(item != 1 for item in _flat(dilation)):
        raise ValueError(
            "`attention_dilation` must be 1 everywhere: dilated windows "
            f"aren't supported. Received: attention_dilation={dilation!r}. "
            "Use a checkpoint that was trained without dilation."
        )
    if fields.get("autoregressive"):
        raise ValueError(
            "`autoregressive` must be false: causal attention isn't "
            f"supported. Received: autoregressive={fields['autoregressive']!r}."
            " Use a checkpoint of the bidirectional model."
        )
    mode = fields.get("attention_mode")
    if mode in _UNSUPPORTED_KERNELS:
        raise ValueError(
            "`attention_mode` must be a sliding window. Received: "
            f"attention_mode={mode!r}, whose chunks don't overlap, which "
            "isn't supported. Use a checkpoint that was trained with "
            "'sliding_chunks' or 'tvm'."
        )


def _flat(value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        return [value]
    return [item for part in value for item in _flat(part)]


def _double(window: Any) -> Any:
    if isinstance(window, (list, tuple)):
        return [_double(item) for item in window]
    # Anything but a whole number is left for the field's own check.
    whole = isinstance(window, int) and not isinstance(window, bool)
    return 2 * window if whole else window

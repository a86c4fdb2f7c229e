"""The heads and their losses in float64 NumPy, on top of `dense_reference`.

Weights are a dict by the names of HF PyTorch, with the prefix `longformer.`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from oracles import dense_reference as reference

BODY = "longformer."
IGNORED = -100


def forward(
    head: str,
    weights: dict[str, np.ndarray],
    config: dict[str, Any],
    inputs: dict[str, Any],
) -> dict[str, Any]:
    """Returns outputs by name, those of the body too; loss where labelled.

    Args:
        head: HF's class name without `Longformer`.
        weights: by name.
        config: fields of HF's config.
        inputs: arrays by the model's names of its arguments. Without a
            `global_attention_mask` it has the head's own.
    """
    weights = {name: np.float64(array) for name, array in weights.items()}
    inputs = dict(inputs)
    labels = {
        name: inputs.pop(name)
        for name in ("labels", "start_positions", "end_positions")
        if name in inputs
    }
    choices = None
    if head == "ForMultipleChoice":
        choices = next(
            inputs[name].shape[1]
            for name in ("input_ids", "inputs_embeds")
            if name in inputs
        )
        for name, value in inputs.items():
            if name != "head_mask":
                rows = len(value) * choices
                inputs[name] = value.reshape(rows, *value.shape[2:])
    tokens = inputs.get("input_ids")
    shape = (inputs["inputs_embeds"] if tokens is None else tokens).shape[:2]
    attended = inputs.get("attention_mask", np.ones(shape, int)).astype(int)
    # Row 0 where all is padding.
    first = attended.argmax(axis=1)
    if "global_attention_mask" not in inputs:
        inputs["global_attention_mask"] = default_globals(
            head, tokens, shape, first, config["sep_token_id"]
        )
    body = {
        name.removeprefix(BODY): array
        for name, array in weights.items()
        if name.startswith(BODY)
    }
    outputs = reference.forward(body, config, **inputs)
    outputs.pop("pooler_output", None)
    x = outputs["last_hidden_state"]
    at_first = x[np.arange(len(x)), first]
    if "pooler.dense.weight" in body:
        outputs["pooler_output"] = np.tanh(
            reference.dense_layer(at_first, body, "pooler.dense")
        )
    if head == "Model":
        return outputs
    del outputs["last_hidden_state"]
    pooled = outputs.pop("pooler_output", None)
    if head == "ForMaskedLM":
        y = reference.dense_layer(x, weights, "lm_head.dense")
        y = reference.ACTIVATIONS["gelu"](y)
        epsilon = config["layer_norm_eps"]
        y = reference.layer_norm(y, weights, "lm_head.layer_norm", epsilon)
        matrix = weights.get(
            "lm_head.decoder.weight",
            weights[f"{BODY}embeddings.word_embeddings.weight"],
        )
        bias = weights.get("lm_head.decoder.bias")
        bias = weights["lm_head.bias"] if bias is None else bias
        outputs["logits"] = y @ matrix.T + bias
    elif head == "ForQuestionAnswering":
        y = reference.dense_layer(x, weights, "qa_outputs")
        outputs["start_logits"], outputs["end_logits"] = y[..., 0], y[..., 1]
    elif head == "ForTokenClassification":
        outputs["logits"] = reference.dense_layer(x, weights, "classifier")
    elif head == "ForSequenceClassification":
        y = np.tanh(
            reference.dense_layer(at_first, weights, "classifier.dense")
        )
        y = reference.dense_layer(y, weights, "classifier.out_proj")
        outputs["logits"] = y
    else:
        y = reference.dense_layer(pooled, weights, "classifier")
        outputs["logits"] = y.reshape(-1, choices)
    if labels:
        outputs["loss"] = loss(head, config, outputs, labels)
    return outputs


def default_globals(
    head: str,
    ids: np.ndarray | None,
    shape: tuple[int, int],
    first: np.ndarray,
    separator: int,
) -> np.ndarray:
    """Returns the mask of the head's own global tokens."""
    position = np.arange(shape[1])
    if head == "ForSequenceClassification":
        return (position == first[:, None]).astype(int)
    if head not in ("ForQuestionAnswering", "ForMultipleChoice") or ids is None:
        return np.zeros(shape, int)
    separators = ids == separator
    end = separators.argmax(axis=1)[:, None]
    chosen = (
        position < end if head == "ForQuestionAnswering" else position > end + 1
    )
    is_pair = separators.sum(axis=1)[:, None] >= 3
    return (chosen & is_pair).astype(int)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean over labels that count; zero without any."""
    logits = logits.reshape(-1, logits.shape[-1])
    labels = np.asarray(labels).reshape(-1)
    counted = labels != IGNORED
    if not counted.any():
        return 0.0
    logits, labels = logits[counted], labels[counted]
    peak = logits.max(axis=-1)
    total = peak + np.log(np.exp(logits - peak[:, None]).sum(axis=-1))
    return float((total - logits[np.arange(len(labels)), labels]).mean())


def loss(
    head: str,
    config: dict[str, Any],
    outputs: dict[str, Any],
    labels: dict[str, np.ndarray],
) -> float:
    """Returns the head's loss."""
    if head == "ForQuestionAnswering":
        losses = []
        for end in ("start", "end"):
            logits = outputs[f"{end}_logits"]
            places = labels[f"{end}_positions"].reshape(-1)
            inside = (places >= 0) & (places < logits.shape[1])
            places = np.where(inside, places, IGNORED)
            losses.append(cross_entropy(logits, places))
        return sum(losses) / 2
    wanted, logits = labels["labels"], outputs["logits"]
    kind = config.get("problem_type")
    if head == "ForSequenceClassification" and (
        kind == "regression" or (kind is None and logits.shape[-1] == 1)
    ):
        gap = logits - wanted.reshape(logits.shape)
        return float((gap**2).mean()) if gap.size else 0.0
    if head == "ForSequenceClassification" and (
        kind == "multi_label_classification"
        or (kind is None and wanted.dtype.kind == "f")
    ):
        each = np.logaddexp(0, logits) - wanted * logits
        return float(each.mean()) if each.size else 0.0
    return cross_entropy(logits, wanted)

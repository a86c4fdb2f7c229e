"""Longformer in float64 NumPy, written from its definition.

Attention is a dense map in which every pair of tokens has its place: no
blocks, no frames, no slots. Slow, and short enough to be read and believed.
Weights are a dict by the names of HF PyTorch, `[out, in]`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_erf = np.vectorize(math.erf, otypes=[np.float64])

ACTIVATIONS = {
    "gelu": lambda x: 0.5 * x * (1 + _erf(x / math.sqrt(2))),
    "gelu_new": lambda x: (
        0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    ),
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x / (1 + np.exp(-x)),
}


def softmax_over(scores: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Softmax of the allowed keys; zero in rows that allow none."""
    scores = np.where(allowed, scores, -np.inf)
    peak = scores.max(axis=-1, keepdims=True)
    weights = np.exp(scores - np.where(np.isfinite(peak), peak, 0))
    total = weights.sum(axis=-1, keepdims=True)
    return weights / np.where(total == 0, 1, total)


def attend(
    local: tuple[np.ndarray, np.ndarray, np.ndarray],
    far: tuple[np.ndarray, np.ndarray, np.ndarray],
    radius: int,
    attended: np.ndarray,
    is_global: np.ndarray,
    head_mask: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Attends (paper, section 3.1).

    Args:
        local: query, key and value `[batch, heads, seq, head_dim]`, the
            query not scaled yet.
        far: the same of the global projections.
        radius: keys on either side.
        attended: `[batch, seq]` of 0 (padding) and 1.
        is_global: `[batch, seq]` of 0 and 1 (global).
        head_mask: `[heads]`, factors of the probabilities.

    Returns:
        Context `[batch, seq, heads * head_dim]` and the map of probabilities
        `[batch, heads, seq, seq]`.
    """
    batch, heads, seq, head_dim = local[0].shape
    attended = np.asarray(attended, bool)
    is_global = np.asarray(is_global, bool) & attended
    position = np.arange(seq)
    near = np.abs(position[:, None] - position[None, :]) <= radius
    sees_all = is_global[:, None, :, None]
    probabilities = []
    for (query, key, _), allowed in (
        (local, near | is_global[:, None, None, :]),
        (far, True),
    ):
        scores = query @ key.swapaxes(-1, -2) / math.sqrt(head_dim)
        allowed = allowed & attended[:, None, None, :] & np.ones_like(near)
        probabilities.append(softmax_over(scores, allowed))
    dense = np.where(sees_all, probabilities[1], probabilities[0])
    dense = dense * attended[:, None, :, None]
    if head_mask is not None:
        dense = dense * np.asarray(head_mask, np.float64)[:, None, None]
    context = np.where(sees_all, dense @ far[2], dense @ local[2])
    return (
        context.swapaxes(1, 2).reshape(batch, seq, heads * head_dim),
        dense,
    )


def self_attention(
    x: np.ndarray,
    weights: dict[str, np.ndarray],
    heads: int,
    radius: int,
    attended: np.ndarray,
    is_global: np.ndarray,
    head_mask: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Projects by `query.weight`, `query.bias` and so on, and attends."""
    batch, seq, hidden = x.shape

    def project(name: str) -> np.ndarray:
        y = dense_layer(x, weights, name)
        return y.reshape(batch, seq, heads, hidden // heads).swapaxes(1, 2)

    local, far = (
        tuple(project(name + suffix) for name in ("query", "key", "value"))
        for suffix in ("", "_global")
    )
    return attend(local, far, radius, attended, is_global, head_mask)


def hf_layout(
    dense: np.ndarray,
    attended: np.ndarray,
    is_global: np.ndarray,
    radius: int,
    slots: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Lays a dense map out as HF returns it.

    Returns:
        `attentions` `[batch, heads, seq, slots + 2 * radius + 1]` and
        `global_attentions` `[batch, heads, seq, slots]`, unused slots zero.
    """
    batch, heads, seq, _ = dense.shape
    flags = np.asarray(is_global, bool) & np.asarray(attended, bool)
    local = np.zeros((batch, heads, seq, slots + 2 * radius + 1))
    far = np.zeros((batch, heads, seq, slots))
    for row in range(batch):
        globals_ = list(np.flatnonzero(flags[row]))
        for query in range(seq):
            if query in globals_:
                slot = globals_.index(query)
                far[row, :, :, slot] = dense[row, :, query]
                continue
            for key in range(seq):
                share = dense[row, :, query, key]
                if key in globals_:
                    local[row, :, query, globals_.index(key)] = share
                elif abs(key - query) <= radius:
                    offset = key - query + radius
                    local[row, :, query, slots + offset] = share
    return local, far


def dense_layer(
    x: np.ndarray, weights: dict[str, np.ndarray], name: str
) -> np.ndarray:
    """`x W^T + b`."""
    weight = weights[f"{name}.weight"].astype(np.float64)
    return x @ weight.T + weights[f"{name}.bias"].astype(np.float64)


def layer_norm(
    x: np.ndarray, weights: dict[str, np.ndarray], name: str, epsilon: float
) -> np.ndarray:
    """Normalises the last axis."""
    x = x - x.mean(axis=-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + epsilon)
    return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def forward(
    weights: dict[str, np.ndarray],
    config: dict[str, Any],
    input_ids: np.ndarray | None = None,
    attention_mask: np.ndarray | None = None,
    global_attention_mask: np.ndarray | None = None,
    token_type_ids: np.ndarray | None = None,
    position_ids: np.ndarray | None = None,
    inputs_embeds: np.ndarray | None = None,
    head_mask: np.ndarray | None = None,
) -> dict[str, Any]:
    """The bare model.

    Args:
        weights: by HF PyTorch's names, without the prefix `longformer.`.
        config: fields of HF's config.
        input_ids: and the others as the model takes them.

    Returns:
        Dict of `last_hidden_state`, `hidden_states`, `attentions` (the dense
        maps) and, where the weights have a pooler, `pooler_output`.
    """
    weights = {name: np.float64(array) for name, array in weights.items()}
    pad = config["pad_token_id"]
    if inputs_embeds is None:
        inputs_embeds = weights["embeddings.word_embeddings.weight"][input_ids]
    shape = inputs_embeds.shape[:2]
    if position_ids is None:
        if input_ids is None:
            real = np.ones(shape, int)
        else:
            real = (np.asarray(input_ids) != pad).astype(int)
        position_ids = np.cumsum(real, axis=1) * real + pad
    if token_type_ids is None:
        token_type_ids = np.zeros(shape, int)
    ones, zeros = np.ones(shape), np.zeros(shape)
    attended = ones if attention_mask is None else attention_mask
    is_global = (
        zeros if global_attention_mask is None else global_attention_mask
    )
    layers = config["num_hidden_layers"]
    windows = config["attention_window"]
    windows = [windows] * layers if isinstance(windows, int) else windows
    epsilon = config["layer_norm_eps"]

    x = (
        inputs_embeds
        + weights["embeddings.position_embeddings.weight"][position_ids]
        + weights["embeddings.token_type_embeddings.weight"][token_type_ids]
    )
    x = layer_norm(x, weights, "embeddings.LayerNorm", epsilon)
    hidden_states, attentions = [x], []
    for layer in range(layers):
        prefix = f"encoder.layer.{layer}."
        own = {
            name.removeprefix(prefix): array
            for name, array in weights.items()
            if name.startswith(prefix)
        }
        context, dense = self_attention(
            x,
            {
                name.removeprefix("attention.self."): array
                for name, array in own.items()
            },
            config["num_attention_heads"],
            windows[layer] // 2,
            attended,
            is_global,
            None if head_mask is None else head_mask[layer],
        )
        x = x + dense_layer(context, own, "attention.output.dense")
        x = layer_norm(x, own, "attention.output.LayerNorm", epsilon)
        inner = dense_layer(x, own, "intermediate.dense")
        inner = ACTIVATIONS[config["hidden_act"]](inner)
        x = x + dense_layer(inner, own, "output.dense")
        x = layer_norm(x, own, "output.LayerNorm", epsilon)
        hidden_states.append(x)
        attentions.append(dense)
    outputs = {
        "last_hidden_state": x,
        "hidden_states": hidden_states,
        "attentions": attentions,
    }
    if "pooler.dense.weight" in weights:
        pooled = np.tanh(dense_layer(x[:, 0], weights, "pooler.dense"))
        outputs["pooler_output"] = pooled
    return outputs

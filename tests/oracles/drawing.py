"""Draws configs and inputs of one kind; `cases.py` says which."""

from __future__ import annotations

from typing import Any

import numpy as np

SEP = 2
BASE, MASKED_LM, ANSWERING, SEQUENCE, TOKENS, CHOICE = (
    "Model",
    "ForMaskedLM",
    "ForQuestionAnswering",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForMultipleChoice",
)
WINDOWS = (8, [4, 8], [8, 4, 4], 4, [6], [16, 4], [4, 4, 12], 12, [4, 16, 8])
HEADS = ((3, 5), (2, 7), (1, 11), (4, 3))
ACTIVATIONS = ("gelu", "relu", "gelu", "gelu_new", "silu")


def plain(x: np.ndarray) -> np.ndarray:
    """Returns the types that PyTorch wants."""
    return x.astype("float32" if x.dtype.kind == "f" else "int64")


def draw_config(
    number: int, rng: np.random.Generator, fields: dict[str, Any]
) -> dict[str, Any]:
    """Draws a config."""
    windows = WINDOWS[(number + number // 9) % len(WINDOWS)]
    heads, head_dim = HEADS[(number + number // 4) % len(HEADS)]
    if isinstance(windows, list):
        layers = len(windows)
    else:
        layers = int(rng.integers(1, 4))
    return {
        "attention_window": windows,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "hidden_size": heads * head_dim,
        "intermediate_size": int(rng.choice([11, 19, 29])),
        "hidden_act": ACTIVATIONS[number % len(ACTIVATIONS)],
        "vocab_size": int(rng.choice([61, 97])),
        "max_position_embeddings": 103,
        "type_vocab_size": 1 + number // 2 % 2,
        "pad_token_id": number // 3 % 2,
        "sep_token_id": SEP,
        "layer_norm_eps": (1e-5, 1e-12)[number % 2],
        **fields,
    }


def draw_mask(
    rng: np.random.Generator, masks: str, shape: tuple, pairs: bool
) -> np.ndarray:
    """1 for tokens; one row is full, and pairs keep room for themselves."""
    seq = shape[-1]
    least = min(seq, 9 if pairs else 1)
    mask = np.ones((int(np.prod(shape[:-1])), seq), int)
    for row in range(1, len(mask)):
        padding = seq - int(rng.integers(least, seq + 1))
        if masks == "right" and padding:
            mask[row, -padding:] = 0
        elif masks == "left":
            mask[row, :padding] = 0
    if masks == "holes":
        mask = np.where(rng.random(mask.shape) < 0.3, 0, mask)
        mask[:, 0] = 1
    return mask.reshape(shape)


def draw_ids(
    rng: np.random.Generator,
    config: dict[str, Any],
    attended: np.ndarray,
    masks: str,
    pairs: bool,
) -> np.ndarray:
    """Draws ids; pairs get `A </s></s> B </s>` over what isn't padding."""
    ids = rng.integers(SEP + 1, config["vocab_size"], attended.shape)
    padding = attended == 0
    if masks == "holes":
        # Half of the holes are tokens like others.
        padding &= rng.random(attended.shape) < 0.5
    ids[padding] = config["pad_token_id"]
    if pairs:
        for index in np.ndindex(ids.shape[:-1]):
            real = np.flatnonzero(attended[index])
            end = int(rng.integers(1, max(2, len(real) - 3)))
            ids[index][real[end]] = SEP
            ids[index][real[end] + 1] = SEP
            ids[index][real[-1]] = SEP
    return ids


def draw_globals(
    rng: np.random.Generator, kind: str, shape: tuple
) -> np.ndarray:
    """May hit padding, where it must be without effect."""
    seq = shape[-1]
    mask = np.zeros((int(np.prod(shape[:-1])), seq), int)
    for row in range(len(mask)):
        count = {
            "zero": 0,
            "one": 1,
            "uneven": (0, 3, 17, 5)[row % 4],
            "many": seq // 2 + row,
            "all": seq,
        }[kind]
        chosen = rng.permutation(seq)[: min(count, seq)]
        mask[row, chosen] = 1
    return mask.reshape(shape)


def draw_labels(
    rng: np.random.Generator,
    head: str,
    config: dict[str, Any],
    attended: np.ndarray,
) -> dict[str, np.ndarray]:
    """Draws a head's labels, also such that do not count."""
    batch, seq = attended.shape[0], attended.shape[-1]
    labels = config.get("num_labels", 2)
    if head == BASE:
        return {}
    if head == ANSWERING:
        # An answer past the end does not count.
        return {
            "start_positions": np.append(
                rng.integers(0, seq, batch - 1), seq + 3
            ),
            "end_positions": rng.integers(0, seq, batch),
        }
    if head == CHOICE:
        return {"labels": rng.integers(0, attended.shape[1], batch)}
    if head == SEQUENCE:
        if labels == 1:
            return {"labels": rng.standard_normal(batch)}
        if config.get("problem_type") == "regression":
            return {"labels": rng.standard_normal((batch, labels))}
        if config.get("problem_type"):
            return {"labels": rng.integers(0, 2, (batch, labels)) * 1.0}
        return {"labels": rng.integers(0, labels, batch)}
    classes = config["vocab_size"] if head == MASKED_LM else labels
    drawn = rng.integers(0, classes, attended.shape)
    ignored = rng.random(attended.shape) < 0.4
    ignored[0, 0] = False
    return {"labels": np.where(ignored, -100, drawn)}

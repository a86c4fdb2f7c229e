"""Six small models and inputs for them; sizes are primes where they may."""

from __future__ import annotations

from typing import Any

import numpy as np

import tf_longformer
from tf_longformer import LongformerConfig

HEADS = (
    "Model",
    "ForMaskedLM",
    "ForQuestionAnswering",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForMultipleChoice",
)
# Those with labels.
TRAINED = HEADS[1:]
LABELS = 3
VOCABULARY = 61
BATCH, CHOICES, SEQ = 4, 2, 13
SEP = 2


def make_model(head: str, dtype: Any = None, **fields: Any) -> Any:
    """Makes a model without dropout; equal seeds give equal weights."""
    if head in ("ForSequenceClassification", "ForTokenClassification"):
        fields = {"num_labels": LABELS, **fields}
    config = LongformerConfig(
        **{
            "vocab_size": VOCABULARY,
            "hidden_size": 10,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 7,
            "attention_window": 8,
            "max_position_embeddings": 37,
            "type_vocab_size": 1,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            # Larger than usual, so that attention shows in the outputs.
            "initializer_range": 0.3,
            **fields,
        }
    )
    return getattr(tf_longformer, f"TFLongformer{head}")(config, dtype=dtype)


def make_inputs(head: str, globals_share: float = 0.3) -> dict[str, Any]:
    """Draws ids and masks, padding included."""
    rng = np.random.default_rng(7)
    choice = head == "ForMultipleChoice"
    shape = (BATCH, CHOICES, SEQ) if choice else (BATCH, SEQ)
    ids = rng.integers(5, VOCABULARY, shape)
    # A pair in every row, before the padding.
    ids[..., 3] = ids[..., 4] = ids[..., 9] = SEP
    mask = np.ones(shape, int)
    mask[1, ..., 11:] = 0
    ids[1, ..., 11:] = 1
    inputs = {
        "input_ids": ids,
        "attention_mask": mask,
        "global_attention_mask": rng.random(shape) < globals_share,
    }
    return {name: value.astype("int32") for name, value in inputs.items()}


def make_labels(head: str) -> dict[str, Any]:
    """Draws labels, also such that are ignored."""
    rng = np.random.default_rng(11)
    if head == "ForQuestionAnswering":
        labels = {
            "start_positions": rng.integers(0, 5, BATCH),
            "end_positions": rng.integers(5, SEQ, BATCH),
        }
    elif head == "ForMaskedLM":
        labels = {"labels": rng.integers(5, VOCABULARY, (BATCH, SEQ))}
    elif head == "ForTokenClassification":
        labels = {"labels": rng.integers(0, LABELS, (BATCH, SEQ))}
    elif head == "ForSequenceClassification":
        labels = {"labels": np.array([2, 0, 1, 2])}
    else:
        labels = {"labels": np.array([1, 0, 0, 1])}
    for value in labels.values():
        if value.ndim == 2:
            value[:, ::3] = -100
            value[0, 5:] = -100
    return {name: value.astype("int32") for name, value in labels.items()}

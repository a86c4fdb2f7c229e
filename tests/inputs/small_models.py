"""Models of a few weights, ids for them, and ids of which one is changed."""

from typing import Any

import keras
import numpy as np

import tf_longformer

FIELDS = {
    "vocab_size": 37,
    "hidden_size": 6,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 5,
    "attention_window": 4,
    # Room for 20 tokens.
    "max_position_embeddings": 22,
    "type_vocab_size": 1,
}
IDS = np.full((2, 7), 5, "int32")


def make(name: str = "Model", **fields: Any) -> Any:
    """Makes one of our models; `name` is what follows `TFLongformer`."""
    keras.utils.set_random_seed(0)
    cls = getattr(tf_longformer, f"TFLongformer{name}")
    return cls(tf_longformer.LongformerConfig(**{**FIELDS, **fields}))


def changed(value: Any, dtype: str = "int32") -> np.ndarray:
    """Returns zeros in the shape of `IDS`, but for one element."""
    array = np.zeros(IDS.shape, dtype)
    array[1, 3] = value
    return array

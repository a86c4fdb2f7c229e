"""Users' own layers and models around ours; a new process imports them too.

Run as a program, it loads what `save` wrote and compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# In this order in the new process: what is imported first finds the other.
import tf_longformer  # isort: skip
import keras
import numpy as np
from helpers import tiny


@keras.saving.register_keras_serializable("tests")
class Wrapper(keras.Model):
    """Makes its encoder from a config's fields, and has a head."""

    def __init__(self, head: str, fields: dict[str, Any], **kwargs: Any):
        super().__init__(**kwargs)
        self.head, self.fields = head, fields
        self.encoder = getattr(tf_longformer, f"TFLongformer{head}")(fields)
        self.out = keras.layers.Dense(2)

    def call(self, inputs: Any) -> Any:
        return self.out(self.encoder(inputs)[0])

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {**config, "head": self.head, "fields": self.fields}


@keras.saving.register_keras_serializable("tests")
class Encoded(keras.Model):
    """Has its encoder serialized by Keras."""

    def __init__(self, encoder: keras.Model, **kwargs: Any):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.out = keras.layers.Dense(2)

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self.out(self.encoder(inputs, training=training)[0])

    def get_config(self) -> dict[str, Any]:
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {**super().get_config(), "encoder": encoder}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Encoded:
        encoder = keras.saving.deserialize_keras_object(config.pop("encoder"))
        return cls(encoder, **config)


@keras.saving.register_keras_serializable("tests")
class Embedder(keras.layers.Layer):
    """Has a `LongformerConfig` in its own config; builds its encoder."""

    def __init__(self, config: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.encoder = tf_longformer.TFLongformerModel(config)

    def build(self, input_shape: Any) -> None:
        self.encoder.build(input_shape)

    def call(self, ids: Any, mask: Any = None) -> Any:
        return self.encoder([ids, mask])[0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "config": self.encoder.config}


def save(folder: Path, heads: Iterable[str]) -> None:
    """Writes models, their weights and what they give."""
    for head in heads:
        model = tiny.make_model(head)
        _save(Wrapper(head, model.config.to_dict()), head, folder / head)
    head = "ForSequenceClassification"
    _save(Encoded(tiny.make_model(head)), head, folder / "Encoded")
    ids = keras.Input((None,), dtype="int32", name="words")
    config = tiny.make_model("Model", num_labels=5).config
    body = tiny.make_model("Model").longformer(ids).last_hidden_state
    outputs = keras.layers.Add()([Embedder(config)(ids), body])
    _save(keras.Model(ids, outputs), "Model", folder / "functional")


def _save(model: keras.Model, head: str, path: Path) -> None:
    outputs = model(_inputs(model, head))
    model.save(path.with_suffix(".keras"))
    model.save_weights(path.with_suffix(".weights.h5"))
    np.save(path.with_suffix(".npy"), outputs)


def _inputs(model: keras.Model, head: str) -> Any:
    # The first row, which has no padding.
    inputs = {name: x[:1] for name, x in tiny.make_inputs(head).items()}
    if isinstance(model, Wrapper | Encoded):
        return inputs
    return inputs["input_ids"]


def main(folder: Path) -> None:
    paths = sorted(folder.glob("*.keras"))
    assert len(paths) > 2
    for path in paths:
        head = path.stem if path.stem in tiny.HEADS else "Model"
        model = keras.models.load_model(path)
        inputs = _inputs(model, head)
        expected = np.load(path.with_suffix(".npy"))
        np.testing.assert_array_equal(model(inputs), expected, path.name)
        for weight in model.weights:
            weight.assign(keras.ops.zeros_like(weight))
        model.load_weights(path.with_suffix(".weights.h5"))
        np.testing.assert_array_equal(model(inputs), expected, path.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

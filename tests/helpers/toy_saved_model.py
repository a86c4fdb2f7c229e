"""A small SavedModel of plain TensorFlow, whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

VOCABULARY = 61
# Weights of the tags, so that each has another value.
TAGS = np.array([1.0, 0.5, -2.0], "float32")

_IDS = tf.TensorSpec([None, None], tf.int32, name="input_ids")
_MASK = tf.TensorSpec([None, None], tf.int32, name="attention_mask")
_TEXT = tf.TensorSpec([None], tf.string, name="text")


class Toy(tf.Module):
    """Sums, tags and lengths in the place of a model's outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable(2.0)

    @tf.function(input_signature=[_IDS, _MASK])
    def sums(self, input_ids, attention_mask):
        check = tf.debugging.Assert(
            tf.reduce_all(input_ids < VOCABULARY),
            ["`input_ids` must lie in [0, 61). Received:", input_ids],
        )
        with tf.control_dependencies([check]):
            kept = tf.cast(input_ids * attention_mask, tf.float32)
        count = tf.cast(tf.reduce_sum(attention_mask, 1), tf.float32)
        total = tf.reduce_sum(kept, 1)
        return {"logits": self.weight * tf.stack([total, count], 1)}

    @tf.function(input_signature=[_IDS, _MASK])
    def tags(self, input_ids, attention_mask):
        kept = tf.cast(input_ids * attention_mask, tf.float32)
        # [batch, seq, tags]
        return {"logits": kept[..., None] * TAGS, "count": kept[:, 0]}

    @tf.function(input_signature=[_TEXT])
    def text(self, text):
        length = tf.strings.length(text)
        return {
            "label": tf.strings.join([text, tf.constant("!")]),
            "score": tf.cast(length, tf.float32) / 2,
        }

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.int32, name="steps")]
    )
    def spin(self, steps):
        x = tf.fill([200, 200], 0.005)
        for _ in tf.range(tf.reduce_max(steps)):
            x = tf.matmul(x, x)
        return {"value": tf.cast(steps, tf.float32) * x[0, 0]}


def save_toy(folder: Path) -> Path:
    """Writes the SavedModel and returns its folder."""
    module = Toy()
    tf.saved_model.save(
        module,
        str(folder),
        signatures={
            "serving_default": module.sums,
            "tags": module.tags,
            "text": module.text,
            "spin": module.spin,
        },
    )
    return folder


def sums(ids: list[int]) -> list[float]:
    """What `serving_default` says of a row without padding."""
    return [2.0 * sum(ids), 2.0 * len(ids)]

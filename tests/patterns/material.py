"""What the scripts share: texts, and numbers that every Keras draws alike."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

TEXTS = [
    "I think that students should learn to cook, since it saves money.",
    "Some people say no. They have a point, but a small one!",
    "In conclusion, phones belong at home; schools are for learning.",
    "My mother works in Paris, and Anna lives near the old river.",
]
QUESTIONS = ["What saves money?", "Who says no?", "Where are phones?", "Who?"]


@tf.keras.utils.register_keras_serializable("patterns")
class Drawn(tf.keras.initializers.Initializer):
    """Initializes layers of one's own, the same in Keras 2 and 3."""

    def __call__(self, shape, dtype=None, **kwargs):
        rng = np.random.default_rng([int(size) for size in shape])
        return tf.constant(rng.normal(0, 0.3, shape), tf.float32)


drawn = Drawn()

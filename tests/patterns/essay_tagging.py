"""Long essays on Kaggle: a backbone, fifteen classes, one-hot labels."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from patterns.material import TEXTS
from patterns.material import drawn

from tf_longformer import LongformerConfig
from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerModel

LENGTH = 32
CLASSES = 15


def encode(name):
    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    tokens = np.zeros((len(TEXTS), LENGTH), dtype="int32")
    attention = np.zeros((len(TEXTS), LENGTH), dtype="int32")
    targets = np.zeros((len(TEXTS), LENGTH, CLASSES), dtype="int32")
    for number, text in enumerate(TEXTS):
        encoding = tokenizer.encode_plus(
            text,
            max_length=LENGTH,
            padding="max_length",
            truncation=True,
            return_offsets_mapping=True,
        )
        tokens[number] = encoding["input_ids"]
        attention[number] = encoding["attention_mask"]
        for place, (start, end) in enumerate(encoding["offset_mapping"]):
            if start != end:
                targets[number, place, start % CLASSES] = 1
    return tokens, attention, targets


def build_model(name):
    tokens = tf.keras.layers.Input((LENGTH,), name="tokens", dtype=tf.int32)
    attention = tf.keras.layers.Input(
        (LENGTH,), name="attention", dtype=tf.int32
    )
    config = LongformerConfig.from_pretrained(f"{name}/config.json")
    backbone = TFLongformerModel.from_pretrained(
        f"{name}/tf_model.h5", config=config
    )
    x = backbone(tokens, attention_mask=attention)
    x = tf.keras.layers.Dense(24, activation="relu", kernel_initializer=drawn)(
        x[0]
    )
    x = tf.keras.layers.Dense(
        CLASSES, activation="softmax", dtype="float32", kernel_initializer=drawn
    )(x)
    model = tf.keras.Model(inputs=[tokens, attention], outputs=x)
    model.compile(
        optimizer=tf.keras.optimizers.SGD(learning_rate=1e-2),
        loss=[tf.keras.losses.CategoricalCrossentropy()],
        metrics=[tf.keras.metrics.CategoricalAccuracy()],
    )
    return model


def tag_essays(hub, scratch):
    tf.config.optimizer.set_experimental_options(
        {"auto_mixed_precision": False}
    )
    name = hub / "Model"
    tokens, attention, targets = encode(name)
    strategy = tf.distribute.MirroredStrategy()
    with strategy.scope():
        model = build_model(name)
    rates = [1e-2, 1e-3]
    schedule = tf.keras.callbacks.LearningRateScheduler(
        lambda epoch: rates[epoch], verbose=0
    )
    history = model.fit(
        x=[tokens, attention],
        y=targets,
        epochs=2,
        batch_size=2,
        shuffle=False,
        verbose=0,
        callbacks=[schedule],
    )
    path = str(scratch / "essays.weights.h5")
    model.save_weights(path)
    before = model.predict([tokens, attention], batch_size=2, verbose=0)
    again = build_model(name)
    again.load_weights(path)
    after = again.predict([tokens, attention], batch_size=2, verbose=0)
    np.testing.assert_allclose(before, after, atol=1e-6)
    return {"loss": history.history["loss"], "probabilities": before}

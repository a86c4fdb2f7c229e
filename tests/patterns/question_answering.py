"""Questions: labels among the inputs, spans by layers of one's own.

Predictions are of the weights as loaded: a span's loss reads padding too, whose
embeddings learn in transformers' TensorFlow classes alone.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from patterns.material import QUESTIONS
from patterns.material import TEXTS
from patterns.material import drawn

from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForQuestionAnswering
from tf_longformer import TFLongformerModel

STARTS = [8, 9, 10, 8]
ENDS = [9, 9, 12, 10]


def encode(name):
    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    encoding = tokenizer(
        QUESTIONS,
        TEXTS,
        truncation="only_second",
        max_length=40,
        stride=8,
        padding="max_length",
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    mapping = encoding.pop("overflow_to_sample_mapping")
    encoding.pop("offset_mapping")
    features = {key: np.array(rows) for key, rows in encoding.items()}
    for key, values in ("start_positions", STARTS), ("end_positions", ENDS):
        features[key] = np.array([values[sample] for sample in mapping])
    return features


def labels_beside_a_dummy(hub, scratch):
    """What `run_qa.py` feeds: labels in x, zeros in the place of y."""
    name = hub / "ForQuestionAnswering"
    features = encode(name)
    dummy = np.zeros(len(features["input_ids"]))
    dataset = tf.data.Dataset.from_tensor_slices((features, dummy)).batch(8)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    dataset = dataset.with_options(options)
    model = TFLongformerForQuestionAnswering.from_pretrained(name)
    predictions = model.predict(dataset, verbose=0)
    model.compile(optimizer=tf.keras.optimizers.SGD(0.01))
    history = model.fit(dataset, epochs=1, verbose=0).history
    return {
        "loss": history["loss"],
        "start_logits": predictions.start_logits,
        "end_logits": predictions.end_logits,
    }


def positions_as_y(hub, scratch):
    """A dict of positions, as `to_tf_dataset(label_cols=...)` yields it."""
    name = hub / "ForQuestionAnswering"
    features = encode(name)
    labels = {
        key: features.pop(key) for key in ("start_positions", "end_positions")
    }
    dataset = tf.data.Dataset.from_tensor_slices((features, labels)).batch(8)
    model = TFLongformerForQuestionAnswering.from_pretrained(name)
    model.compile(optimizer=tf.keras.optimizers.SGD(0.01))
    history = model.fit(dataset, validation_data=dataset, verbose=0).history
    assert history["val_loss"] < history["loss"]
    return {"loss": history["loss"]}


def a_span_from_two_dense_layers(hub, scratch):
    """The script of keras.io for BERT: two logits a token, then a softmax."""
    name = hub / "Model"
    features = encode(name)
    y = [features.pop("start_positions"), features.pop("end_positions")]
    encoder = TFLongformerModel.from_pretrained(name)
    ids = tf.keras.layers.Input((40,), dtype=tf.int32)
    types = tf.keras.layers.Input((40,), dtype=tf.int32)
    mask = tf.keras.layers.Input((40,), dtype=tf.int32)
    embedding = encoder(ids, token_type_ids=types, attention_mask=mask)[0]
    probabilities = []
    for side in ("start_logit", "end_logit"):
        x = tf.keras.layers.Dense(
            1, name=side, use_bias=False, kernel_initializer=drawn
        )(embedding)
        x = tf.keras.layers.Flatten()(x)
        x = tf.keras.layers.Activation(tf.keras.activations.softmax)(x)
        probabilities.append(x)
    model = tf.keras.Model([ids, types, mask], probabilities)
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=False)
    model.compile(tf.keras.optimizers.SGD(0.01), loss=[loss, loss])

    class ExactMatch(tf.keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            starts, ends = self.model.predict(x, verbose=0)
            hits = np.argmax(starts, axis=-1) == y[0]
            self.score = np.mean(hits & (np.argmax(ends, axis=-1) == y[1]))

    x = [
        features["input_ids"],
        np.zeros_like(features["input_ids"]),
        features["attention_mask"],
    ]
    match = ExactMatch()
    start, end = model.predict(x, verbose=0)
    history = model.fit(
        x, y, batch_size=8, epochs=1, shuffle=False, verbose=0,
        callbacks=[match],
    ).history  # fmt: skip
    assert 0 <= match.score <= 1
    return {"loss": history["loss"], "start": start, "end": end}


def a_span_from_convolutions(hub, scratch):
    """Kaggle's tweets: convolutions over the tokens, one-hot positions."""
    name = hub / "Model"
    features = encode(name)
    ids = tf.keras.layers.Input((40,), dtype=tf.int32)
    mask = tf.keras.layers.Input((40,), dtype=tf.int32)
    x = TFLongformerModel.from_pretrained(name)(ids, attention_mask=mask)
    sides = []
    for _ in range(2):
        side = tf.keras.layers.Conv1D(
            8, 2, padding="same", kernel_initializer=drawn
        )(x[0])
        side = tf.keras.layers.LeakyReLU()(side)
        side = tf.keras.layers.Dense(1, kernel_initializer=drawn)(side)
        side = tf.keras.layers.Flatten()(side)
        sides.append(tf.keras.layers.Activation("softmax")(side))
    model = tf.keras.models.Model(inputs=[ids, mask], outputs=sides)
    batch = [features["input_ids"], features["attention_mask"]]
    start, end = model.predict(batch, verbose=0)
    return {"start": start, "end": end}

"""Models with a head, their body, and their hidden states as layers."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from patterns.material import TEXTS
from patterns.material import drawn

from tf_longformer import LongformerTokenizer
from tf_longformer import TFLongformerForSequenceClassification
from tf_longformer import TFLongformerModel


def encode(name, length=32):
    encoding = LongformerTokenizer.from_pretrained(name)(
        TEXTS, padding="max_length", truncation=True, max_length=length,
        return_tensors="np",
    )  # fmt: skip
    return encoding["input_ids"], encoding["attention_mask"]


def sigmoids_of_many_topics(hub, scratch):
    """`model([ids, mask], training=True)[0]`, its body frozen."""
    name = hub / "ForSequenceClassification"
    transformer = TFLongformerForSequenceClassification.from_pretrained(name)
    transformer.layers[0].trainable = False
    ids = tf.keras.Input(shape=(32,), dtype="int32")
    mask = tf.keras.Input(shape=(32,), dtype="int32")
    logits = transformer([ids, mask], training=True)[0]
    output = tf.keras.layers.Activation("sigmoid")(logits)
    model = tf.keras.models.Model(inputs=[ids, mask], outputs=output)
    model.compile(
        optimizer=tf.keras.optimizers.SGD(0.1), loss="binary_crossentropy"
    )
    x = list(encode(name))
    y = np.eye(4, 3, dtype="float32")
    history = model.fit(x, y, batch_size=4, epochs=2, verbose=0).history
    return {"loss": history["loss"], "topics": model.predict(x, verbose=0)}


def body_beside_numbers(hub, scratch):
    """`model.longformer(ids)`, its first token beside numbers and classes."""
    name = hub / "ForSequenceClassification"
    base = TFLongformerForSequenceClassification.from_pretrained(name)
    inputs = {
        "input_ids": tf.keras.Input((32,), dtype=tf.int32, name="input_ids"),
        "lean": tf.keras.Input((1,), dtype=tf.float32, name="lean"),
        "kind": tf.keras.Input((3,), dtype=tf.float32, name="kind"),
    }
    x = base.longformer(inputs["input_ids"])
    x = x["last_hidden_state"][:, 0, :]
    x = tf.keras.layers.Concatenate(axis=-1)(
        [x, inputs["lean"], inputs["kind"]]
    )
    x = tf.keras.layers.Dense(8, "relu", kernel_initializer=drawn)(x)
    x = tf.keras.layers.Dense(1, "sigmoid", kernel_initializer=drawn)(x)
    model = tf.keras.Model(inputs, x)
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    ids, _ = encode(name, 16)
    ids = np.concatenate([ids, ids], axis=1)
    data = {
        "input_ids": np.where(ids == 1, 9, ids),
        "lean": np.linspace(-1, 1, 4, dtype="float32")[:, None],
        "kind": np.eye(4, 3, dtype="float32"),
    }
    history = model.fit(
        data, np.array([1, 0, 1, 0]), batch_size=4, verbose=0
    ).history
    return {"loss": history["loss"], "answers": model.predict(data, verbose=0)}


def the_last_layers_joined(hub, scratch):
    """A dict of Inputs, the last hidden states side by side, many heads."""
    name = hub / "Model"
    inputs = {
        key: tf.keras.Input((32,), dtype="int32", name=key)
        for key in ("input_ids", "token_type_ids", "attention_mask")
    }
    encoder = TFLongformerModel.from_pretrained(name, output_hidden_states=True)
    hidden_states = encoder(inputs).hidden_states
    x = tf.keras.layers.concatenate(
        tuple(hidden_states[i] for i in range(-2, 0)), axis=-1
    )
    outputs = [
        tf.keras.layers.Dense(
            4, activation="softmax", name=topic, kernel_initializer=drawn
        )(x[:, 0, :])
        for topic in ("room", "staff")
    ]
    model = tf.keras.Model(inputs, outputs)
    model.compile("sgd", loss="sparse_categorical_crossentropy")
    ids, mask = encode(name)
    data = {
        "input_ids": ids,
        "token_type_ids": np.zeros_like(ids),
        "attention_mask": mask,
    }
    y = [np.array([0, 1, 2, 3]), np.array([3, 2, 1, 0])]
    history = model.fit(data, y, batch_size=4, verbose=0).history
    room, staff = model.predict(data, verbose=0)
    return {"loss": history["loss"], "room": room, "staff": staff}


def lstm_over_the_tokens(hub, scratch):
    """Recurrent layers on top, and the features of an inner output."""
    name = hub / "Model"
    ids = tf.keras.Input((32,), dtype="int32", name="ids")
    mask = tf.keras.Input((32,), dtype="int32", name="mask")
    states = TFLongformerModel.from_pretrained(name)(
        ids, attention_mask=mask
    ).last_hidden_state
    x = tf.keras.layers.Bidirectional(
        tf.keras.layers.LSTM(
            4, kernel_initializer=drawn, recurrent_initializer=drawn
        ),
        name="reading",
    )(states)
    x = tf.keras.layers.Dense(2, "softmax", kernel_initializer=drawn)(x)
    model = tf.keras.Model([ids, mask], x)
    features = tf.keras.Model(
        inputs=model.input, outputs=model.get_layer("reading").output
    )
    batch = list(encode(name))
    return {
        "probabilities": model.predict(batch, verbose=0),
        "features": features.predict(batch, verbose=0),
    }

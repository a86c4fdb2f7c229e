"""How hard a text is to read: a number, from layers weighted and pooled."""

from __future__ import annotations

import tensorflow as tf
from patterns.material import TEXTS
from patterns.material import drawn

from tf_longformer import LongformerConfig
from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerModel

TARGETS = [-0.5, 0.25, -1.0, 0.75]


class WeightedLayers(tf.keras.layers.Layer):
    """A learned average of all layers' hidden states."""

    def build(self, shapes):
        self.share = self.add_weight(
            name="share", shape=(len(shapes), 1, 1, 1), initializer="ones"
        )

    def call(self, states):
        weights = self.share / tf.reduce_sum(self.share)
        return tf.reduce_sum(weights * tf.stack(states), axis=0)


class AttentionPooling(tf.keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.score = tf.keras.layers.Dense(1, kernel_initializer=drawn)

    def call(self, states, mask):
        scores = self.score(states)
        scores += (1.0 - tf.cast(mask, tf.float32)[:, :, None]) * -1e9
        return tf.reduce_sum(tf.nn.softmax(scores, axis=1) * states, axis=1)


def regress_from_all_layers(hub, scratch):
    name = hub / "Model"
    config = LongformerConfig.from_pretrained(name)
    config.update(
        {"output_hidden_states": True, "gradient_checkpointing": True}
    )
    backbone = TFLongformerModel.from_pretrained(name, config=config)
    ids = tf.keras.Input((None,), dtype=tf.int32, name="input_ids")
    mask = tf.keras.Input((None,), dtype=tf.int32, name="attention_mask")
    states = backbone(ids, attention_mask=mask).hidden_states
    x = WeightedLayers()(list(states))
    x = AttentionPooling()(x, mask)
    x = tf.keras.layers.Dense(1, kernel_initializer=drawn, name="target")(x)
    model = tf.keras.Model([ids, mask], x)
    model.compile(
        optimizer=tf.keras.optimizers.SGD(0.01),
        loss="mse",
        metrics=[tf.keras.metrics.RootMeanSquaredError()],
    )
    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    encoding = tokenizer(TEXTS, padding="longest", return_tensors="np")
    x = [encoding["input_ids"], encoding["attention_mask"]]
    history = model.fit(
        x, tf.constant(TARGETS), epochs=2, batch_size=4, verbose=0
    ).history
    return {
        "loss": history["loss"],
        "error": history["root_mean_squared_error"],
        "scores": model.predict(x, verbose=0),
    }


class SecondReading(tf.keras.layers.Layer):
    """Embeds the tokens itself, and hands the vectors on."""

    def __init__(self, name, **kwargs):
        super().__init__(**kwargs)
        self.model = TFLongformerModel.from_pretrained(name)
        self.table = tf.keras.layers.Embedding(
            700, 16, embeddings_initializer=drawn
        )

    def call(self, ids, attention_mask=None):
        outputs = self.model(
            input_ids=None,
            attention_mask=attention_mask,
            inputs_embeds=self.table(ids),
            token_type_ids=tf.zeros_like(ids),
        )
        return outputs.pooler_output


def vectors_instead_of_ids(hub, scratch):
    name = hub / "Model"
    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    # Rows of one length: HF counts the positions of vectors otherwise.
    encoding = tokenizer(
        TEXTS, max_length=12, truncation=True, return_tensors="tf"
    )
    layer = SecondReading(name)
    ids = tf.keras.Input((None,), dtype="int32")
    mask = tf.keras.Input((None,), dtype="int32")
    x = layer(ids, attention_mask=mask)
    outputs = tf.keras.layers.Dense(1, kernel_initializer=drawn)(x)
    model = tf.keras.Model([ids, mask], outputs)
    batch = [encoding["input_ids"], encoding["attention_mask"]]
    return {"scores": model.predict(batch, verbose=0)}


class Prototypes(tf.keras.Model):
    """`from_pt`, a window and `trainable` while loading; a vocabulary more."""

    def __init__(self, name, vocabulary, trainable=False, **kwargs):
        super().__init__(**kwargs)
        self.encoder = TFLongformerModel.from_pretrained(
            name, from_pt=True, attention_window=4, trainable=trainable
        )
        self.encoder.resize_token_embeddings(vocabulary)
        self.hidden = [
            tf.keras.layers.Dense(width, "gelu", kernel_initializer=drawn)
            for width in (8, 6)
        ]
        self.out = tf.keras.layers.Dense(1, "sigmoid", kernel_initializer=drawn)

    def call(self, inputs):
        x = self.encoder(inputs)[1]
        for layer in self.hidden:
            x = layer(x)
        return self.out(x)


def frozen_encoder(hub, scratch):
    name = hub / "Pytorch"
    tokenizer = LongformerTokenizerFast.from_pretrained(name, max_length=32)
    model = Prototypes(name, vocabulary=len(tokenizer))
    inputs = tokenizer(
        TEXTS, return_tensors="tf", padding="max_length", max_length=32,
        truncation=True,
    )  # fmt: skip
    inputs = {key: inputs[key] for key in ("input_ids", "attention_mask")}
    labels = tf.reshape(tf.constant([1, 0, 1, 0], tf.int32), (4, 1))
    data = tf.data.Dataset.zip(
        (
            tf.data.Dataset.from_tensor_slices(inputs),
            tf.data.Dataset.from_tensor_slices(labels),
        )
    )
    model.compile(
        optimizer=tf.keras.optimizers.SGD(0.1),
        loss="binary_crossentropy",
        metrics=["accuracy", tf.keras.metrics.Precision()],
    )
    history = model.fit(
        data.batch(2).repeat(2), epochs=2, steps_per_epoch=2, verbose=0
    )
    assert len(model.trainable_variables) == 6
    return {"loss": history.history["loss"], "scores": model(inputs)}

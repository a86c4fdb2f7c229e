"""Two texts through one encoder, and how near they come to each other."""

from __future__ import annotations

import tensorflow as tf
from patterns.material import QUESTIONS
from patterns.material import TEXTS
from patterns.material import drawn

from tf_longformer import LongformerTokenizer
from tf_longformer import TFLongformerModel


def rank_by_cosine(hub, scratch):
    name = hub / "Model"
    tokenizer = LongformerTokenizer.from_pretrained(
        name, model_max_len=32, truncation=True, padding=True
    )
    encoder = TFLongformerModel.from_pretrained(name)

    def tower(side):
        ids = tf.keras.Input((None,), dtype="int32", name=f"{side}_ids")
        mask = tf.keras.Input((None,), dtype="int32", name=f"{side}_mask")
        return [ids, mask], encoder([ids, mask])[1]

    left, one = tower("query")
    right, other = tower("document")
    cosine = tf.keras.layers.Dot(axes=1, normalize=True)([one, other])
    score = tf.keras.layers.Dense(
        1, activation="sigmoid", kernel_initializer=drawn
    )(cosine)
    model = tf.keras.Model([*left, *right], score)
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    queries, documents = (
        tokenizer(texts, padding=True, return_tensors="np")
        for texts in (QUESTIONS, TEXTS)
    )
    x = [
        queries["input_ids"],
        queries["attention_mask"],
        documents["input_ids"],
        documents["attention_mask"],
    ]
    y = tf.constant([1.0, 0.0, 1.0, 0.0])
    history = model.fit(x, y, batch_size=4, epochs=2, verbose=0)
    return {"loss": history.history["loss"], "scores": model(x)}


def siamese_averages(hub, scratch):
    """Tuples by `return_dict=False`, averages of two texts side by side."""
    name = hub / "Model"
    tokenizer = LongformerTokenizer.from_pretrained(name)
    encoder = TFLongformerModel.from_pretrained(name, return_dict=False)
    inputs, averages = [], []
    for _ in range(2):
        ids = tf.keras.layers.Input((24,), dtype=tf.int32)
        mask = tf.keras.layers.Input((24,), dtype=tf.int32)
        types = tf.keras.layers.Input((24,), dtype=tf.int32)
        sequence, _pooled = encoder(
            ids, attention_mask=mask, token_type_ids=types
        )
        averages.append(tf.keras.layers.GlobalAveragePooling1D()(sequence))
        inputs += [ids, mask, types]
    x = tf.keras.layers.Concatenate()(averages)
    x = tf.keras.layers.Dense(
        2, activation="softmax", kernel_initializer=drawn
    )(x)
    model = tf.keras.models.Model(inputs, x)
    data = []
    for texts in (QUESTIONS, TEXTS):
        encoding = tokenizer(
            texts, padding="max_length", truncation=True, max_length=24,
            return_token_type_ids=True, return_tensors="tf",
        )  # fmt: skip
        data += [
            encoding["input_ids"],
            encoding["attention_mask"],
            encoding["token_type_ids"],
        ]
    return {"probabilities": model.predict(data, verbose=0)}

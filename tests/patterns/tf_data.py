"""Pipelines of tf.data: ragged rows, generators, small integers, dicts."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from patterns.material import QUESTIONS
from patterns.material import TEXTS
from patterns.material import drawn

from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForSequenceClassification
from tf_longformer import TFLongformerModel


def two_scores_of_ragged_rows(hub, scratch):
    """`padded_batch` fills ids with 0, which is no padding token but masked."""
    name = hub / "Model"
    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    encoder = TFLongformerModel.from_pretrained(name)
    columns = {"input_ids": [], "attention_mask": [], "summary_mask": []}
    for summary, text in zip(QUESTIONS, TEXTS, strict=True):
        pair = tokenizer([(summary, text)], return_tensors="np")
        columns["input_ids"].append(pair.input_ids.squeeze())
        columns["attention_mask"].append(pair.attention_mask.squeeze())
        alone = tokenizer(summary, return_tensors="np").attention_mask.squeeze()
        rest = pair.attention_mask.shape[1] - len(alone)
        columns["summary_mask"].append(np.concatenate([alone, np.zeros(rest)]))
    columns = {
        name: tf.ragged.constant([list(map(int, row)) for row in rows])
        for name, rows in columns.items()
    }
    scores = [(0.5, -0.25), (1.0, 0.0), (-0.5, 0.75), (0.0, 0.25)]
    dataset = tf.data.Dataset.from_tensor_slices((columns, scores)).map(
        lambda x, y: (x, {"content": y[0], "wording": y[1]})
    )
    inputs = {
        name: tf.keras.layers.Input((None,), dtype=tf.int32, name=name)
        for name in columns
    }
    outputs = encoder(
        input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]
    )
    x = tf.keras.layers.GlobalAveragePooling1D()(
        outputs.last_hidden_state, mask=inputs["summary_mask"]
    )
    model = tf.keras.Model(
        inputs,
        {
            name: tf.keras.layers.Dense(1, name=name, kernel_initializer=drawn)(
                x
            )
            for name in ("content", "wording")
        },
    )
    model.compile(optimizer=tf.keras.optimizers.SGD(0.01), loss="mse")
    history = model.fit(dataset.padded_batch(2), epochs=2, verbose=0).history
    prediction = model(next(iter(dataset.padded_batch(4)))[0])
    return {"loss": history["loss"], **prediction}


def small_integers_from_a_generator(hub, scratch):
    """int16 ids, labels `[n, 1]`, endless data, weights of classes."""
    name = hub / "ForSequenceClassification"
    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    encoding = tokenizer(
        TEXTS, padding="max_length", max_length=32,
        truncation=True,
    )  # fmt: skip
    labels = [[2], [0], [1], [2]]

    def generate():
        for row, label in enumerate(labels):
            yield (
                {
                    "input_ids": encoding["input_ids"][row],
                    "attention_mask": encoding["attention_mask"][row],
                },
                label,
            )

    dataset = tf.data.Dataset.from_generator(
        generate,
        output_signature=(
            {
                "input_ids": tf.TensorSpec([32], tf.int16),
                "attention_mask": tf.TensorSpec([32], tf.int8),
            },
            tf.TensorSpec([1], tf.int8),
        ),
    )
    dataset = dataset.batch(2, drop_remainder=True).prefetch(tf.data.AUTOTUNE)
    model = TFLongformerForSequenceClassification.from_pretrained(name)
    model.compile(
        optimizer=tf.keras.optimizers.SGD(0.01),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[tf.keras.metrics.SparseCategoricalAccuracy("accuracy")],
    )
    history = model.fit(
        dataset.repeat(),
        steps_per_epoch=2,
        epochs=2,
        validation_data=dataset,
        class_weight={0: 1.0, 1: 2.0, 2: 0.5},
        verbose=0,
    ).history
    assert 0 <= history["val_accuracy"][-1] <= 1
    return {"loss": history["loss"], "val_loss": history["val_loss"]}


def wide_integers_of_a_dict(hub, scratch):
    """int64 from NumPy, shuffled by nobody, an encoding handed over whole."""
    name = hub / "ForSequenceClassification"
    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    encodings = tokenizer(TEXTS, truncation=True, padding=True)
    dataset = tf.data.Dataset.from_tensor_slices(
        (dict(encodings), np.array([2, 0, 1, 2]))
    )
    model = TFLongformerForSequenceClassification.from_pretrained(name)
    predictions = model.predict(dataset.batch(2), verbose=0)
    probabilities = tf.nn.softmax(predictions.logits, axis=-1)
    by_key = model.predict(
        {key: np.array(value) for key, value in encodings.items()}, verbose=0
    )["logits"]
    np.testing.assert_allclose(by_key, predictions.logits, atol=1e-5)
    return {"probabilities": probabilities}

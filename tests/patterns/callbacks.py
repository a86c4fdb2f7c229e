"""Callbacks that people pass to `fit`, and what they leave behind."""

from __future__ import annotations

import csv

import numpy as np
import tensorflow as tf
from patterns.material import TEXTS

from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForSequenceClassification


class MetricCallback(tf.keras.callbacks.Callback):
    """What `KerasMetricCallback` did: predict, score, add to the logs."""

    def __init__(self, metric_fn, dataset):
        super().__init__()
        self.metric_fn, self.dataset = metric_fn, dataset

    def on_epoch_end(self, epoch, logs=None):
        labels = np.concatenate([y for _, y in self.dataset])
        logits = self.model.predict(self.dataset, verbose=0)["logits"]
        logs.update(self.metric_fn((logits, labels)))


def accuracy(predictions):
    logits, labels = predictions
    return {"my_accuracy": float(np.mean(np.argmax(logits, -1) == labels))}


def all_at_once(hub, scratch):
    name = hub / "ForSequenceClassification"
    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    encoding = tokenizer(TEXTS, padding=True, return_tensors="np")
    dataset = tf.data.Dataset.from_tensor_slices(
        (dict(encoding), np.array([2, 0, 1, 2]))
    ).batch(2)
    model = TFLongformerForSequenceClassification.from_pretrained(name)
    model.compile(
        optimizer=tf.keras.optimizers.SGD(0.05),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    best = str(scratch / "best.weights.h5")
    log = scratch / "log.csv"
    rates = []
    callbacks = [
        MetricCallback(accuracy, dataset),
        tf.keras.callbacks.ModelCheckpoint(
            best, monitor="val_loss", save_best_only=True,
            save_weights_only=True,
        ),
        tf.keras.callbacks.EarlyStopping(
            monitor="val_loss", patience=1, restore_best_weights=True
        ),
        tf.keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=1),
        tf.keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: rates.append(
                float(model.optimizer.learning_rate.numpy())
            )
        ),
        tf.keras.callbacks.CSVLogger(str(log)),
        tf.keras.callbacks.TerminateOnNaN(),
    ]  # fmt: skip
    history = model.fit(
        dataset, validation_data=dataset, epochs=2, callbacks=callbacks,
        verbose=0,
    ).history  # fmt: skip
    with log.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(rates) == 2
    again = TFLongformerForSequenceClassification.from_pretrained(name)
    again(dict(encoding))
    again.load_weights(best)
    return {
        "loss": history["loss"],
        "val_loss": history["val_loss"],
        "accuracy": history["my_accuracy"],
        "rates": rates,
        "logits": again(dict(encoding)).logits,
    }

"""Trains on one device and on two: `replicas_worker.py RESULTS [CASES]`.

A process of its own, as TensorFlow's devices are set before anything runs.
With TF_CONFIG it is one of several, and only trains with the others.
"""

import os
import sys

import keras
import numpy as np
import tensorflow as tf
from helpers import checks
from helpers import tiny

CASES = (
    *tiny.TRAINED,
    "own loss:ForQuestionAnswering",
    "own loss:Model",
)
# The last of batches of 4 leaves the second replica without rows.
ROWS = [0, 1, 2, 3, 1]


def run(head: str) -> dict[str, np.ndarray]:
    """Losses, metrics, weights and predictions, in the caller's strategy."""
    model = checks.seeded(tiny.make_model, head)
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        metrics=["accuracy"],
        weighted_metrics=["accuracy"],
    )
    inputs, labels = (
        {name: value[ROWS] for name, value in given.items()}
        for given in (tiny.make_inputs(head), tiny.make_labels(head))
    )
    both = {**inputs, **labels}
    y = labels["labels"] if len(labels) == 1 else labels
    weight = np.array([2.0, 0.0, 0.5, 1.0, 3.0], "float32")
    found = {
        **fit(model, both),
        **evaluate(model, inputs, y, weight),
        **predict(model, inputs),
    }
    for index, array in enumerate(checks.arrays(model.weights)):
        found[f"weight/{index}"] = array
    return found


@keras.saving.register_keras_serializable("tests")
class Classifier(keras.Model):
    """A user's model, for whose build Keras averages ids over replicas."""

    def __init__(self):
        super().__init__()
        self.encoder = tiny.make_model("Model")
        self.scores = keras.layers.Dense(
            tiny.LABELS,
            kernel_initializer=keras.initializers.Orthogonal(seed=1),
        )

    def call(self, input_ids, training=False):
        encoded = self.encoder(input_ids, training=training)
        return self.scores(encoded.pooler_output)


def run_own_loss(head: str) -> dict[str, np.ndarray]:
    """The same with losses of Keras's and weights, of batches that divide.

    Where they don't, Keras takes the mean of the replicas' means.
    """
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    x = tiny.make_inputs(head)
    if head == "Model":
        model, x = checks.seeded(Classifier), x["input_ids"]
        y = np.array([0, 2, 1, 1])
    else:
        model, y = checks.seeded(tiny.make_model, head), tiny.make_labels(head)
        loss = dict.fromkeys(("start_logits", "end_logits"), loss)
    model.compile(
        keras.optimizers.SGD(0.1),
        loss,
        metrics=["accuracy"],
        weighted_metrics=["accuracy"],
    )
    weight = np.array([2.0, 0.0, 0.5, 1.0], "float32")
    return evaluate(model, x, y, weight)


def fit(model, data):
    history = model.fit(
        data, batch_size=4, epochs=2, shuffle=False, verbose=0
    ).history
    return {f"fit/{name}": np.array(x) for name, x in history.items()}


def evaluate(model, x, y, weight):
    """In one batch, which may not divide either."""
    found = model.evaluate(
        x, y, sample_weight=weight, verbose=0, return_dict=True
    )
    return {f"evaluated/{name}": np.array(x) for name, x in found.items()}


def predict(model, inputs):
    found = model.predict(inputs, batch_size=4, verbose=0)
    return {f"predicted/{name}": value for name, value in found.items()}


def main(results: str, cases: str = ",".join(CASES)) -> None:
    alone = "TF_CONFIG" not in os.environ
    if alone:
        device = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(
            device, [tf.config.LogicalDeviceConfiguration()] * 2
        )
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    else:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    found = {"replicas": np.array(strategy.num_replicas_in_sync)}
    for name in cases.split(","):
        function, _, head = name.rpartition(":")
        function = run_own_loss if function else run
        if alone:
            found |= {f"{name}/one/{k}": v for k, v in function(head).items()}
        with strategy.scope():
            found |= {f"{name}/two/{k}": v for k, v in function(head).items()}
        print(name, flush=True)
    # Of several workers the first writes.
    if alone or strategy.cluster_resolver.task_id == 0:
        np.savez(results, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])

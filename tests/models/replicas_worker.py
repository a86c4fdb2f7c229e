"""Trains on one device and on two: `replicas_worker.py RESULTS HEAD`.

A process of its own, as TensorFlow's devices are set before anything runs.
"""

import sys

import checks
import keras
import numpy as np
import tensorflow as tf
from models import tiny


def run(head: str) -> dict[str, np.ndarray]:
    """Losses, weights and predictions in the strategy of the caller."""
    model = checks.seeded(tiny.make_model, head)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    inputs, labels = tiny.make_inputs(head), tiny.make_labels(head)
    both = {**inputs, **labels}
    losses = model.fit(
        both, batch_size=2, epochs=2, shuffle=False, verbose=0
    ).history["loss"]
    y = labels["labels"] if len(labels) == 1 else labels
    weight = np.array([2.0, 0.0, 0.5, 1.0], "float32")
    return {
        "losses": np.array(losses),
        "evaluated": np.array(model.evaluate(both, batch_size=4, verbose=0)),
        "weighted": np.array(
            model.evaluate(
                inputs, y, sample_weight=weight, batch_size=4, verbose=0
            )
        ),
        **{
            f"predicted/{name}": value
            for name, value in model.predict(
                inputs, batch_size=4, verbose=0
            ).items()
        },
        **{
            f"weight/{index}": array
            for index, array in enumerate(checks.arrays(model.weights))
        },
    }


def main(results: str, head: str) -> None:
    device = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        device, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    found = {f"one/{name}": value for name, value in run(head).items()}
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        found |= {f"two/{name}": value for name, value in run(head).items()}
    found["replicas"] = np.array(strategy.num_replicas_in_sync)
    np.savez(results, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])

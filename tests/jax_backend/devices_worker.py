"""Trains on one device and on four, under JAX: `devices_worker.py RESULTS`.

A process of its own, with XLA_FLAGS that make devices of a CPU.
"""

import sys
from pathlib import Path

import jax
import keras
import numpy as np
import pytest
from helpers import checks
from helpers import tiny
from keras import distribution

import tf_longformer
from tf_longformer import make_layout_map

# A way to train, besides on one device, of each head.
WAYS = {
    "ForTokenClassification": ("data", "model", "scanned"),
    # Whose embeddings are the head's matrix, too.
    "ForMaskedLM": ("model",),
}
# What four devices divide.
SIZES = {"vocab_size": 62, "hidden_size": 12, "intermediate_size": 8}


def run(head: str, folder: Path, scan_layers: bool) -> dict[str, np.ndarray]:
    """Losses, metrics, weights and outputs, under the current distribution."""
    model_class = getattr(tf_longformer, f"TFLongformer{head}")
    model = model_class.from_pretrained(folder)
    model.scan_layers = scan_layers
    inputs = tiny.make_inputs(head)
    both = {**inputs, **tiny.make_labels(head)}
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), metrics=["accuracy"])
    history = model.fit(both, epochs=2, shuffle=False, verbose=0).history
    found = {f"fit/{k}": x for k, x in history.items()}
    predicted = model.predict(inputs, verbose=0)
    found |= {f"predicted/{k}": x for k, x in predicted.items()}
    for index, weight in enumerate(model.weights):
        found[f"weight/{index}"] = weight.value
        # How much of it a device has.
        part = weight.value.addressable_shards[0].data
        found[f"share/{index}"] = part.size / weight.value.size
        found[f"name/{index}"] = weight.path.partition("/")[2]
    # What is saved is the whole.
    model.save_pretrained(folder.with_name("saved"))
    again = model_class.from_pretrained(folder.with_name("saved"))
    for one, two in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(one.value, two.value)
    return {name: np.asarray(value) for name, value in found.items()}


def main(results: Path) -> None:
    devices = distribution.list_devices()
    assert len(devices) == len(jax.devices()) == 4
    mesh = distribution.DeviceMesh((2, 2), ("batch", "model"), devices)
    with pytest.raises(ValueError, match="axes, which are batch, model"):
        make_layout_map(mesh, "heads")
    distributions = {
        "one": None,
        "data": distribution.DataParallel(devices=devices),
        "model": distribution.ModelParallel(
            layout_map=make_layout_map(mesh), batch_dim_name="batch"
        ),
    }
    distributions["scanned"] = distributions["model"]
    found = {}
    for head, ways in WAYS.items():
        folder = results.with_name(head)
        model = checks.seeded(tiny.make_model, head, **SIZES)
        model.save_pretrained(folder)
        for way in ("one", *ways):
            distribution.set_distribution(distributions[way])
            for key, value in run(head, folder, way == "scanned").items():
                found[f"{head}/{way}/{key}"] = value
        distribution.set_distribution(None)
    np.savez(results, **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

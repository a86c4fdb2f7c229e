"""A loop over layers, which JAX compiles as one of them."""

import importlib.util

import pytest
from helpers import processes
from helpers import tiny


@pytest.mark.skipif(
    importlib.util.find_spec("jax") is None,
    reason="JAX is not installed: pip install '.[jax]'",
)
def test_same_numbers_on_jax():
    processes.run(
        "jax_backend/scan_worker.py", KERAS_BACKEND="jax", JAX_PLATFORMS="cpu"
    )


def test_nothing_changes_on_tensorflow():
    model = tiny.make_model("ForTokenClassification", num_hidden_layers=2)
    inputs = tiny.make_inputs("ForTokenClassification")
    before = model.predict(inputs, verbose=0)["logits"]
    model.scan_layers = True
    assert model.longformer.encoder.scan_layers
    after = model.predict(inputs, verbose=0)["logits"]
    assert (before == after).all()

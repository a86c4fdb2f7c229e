"""Attention by a kernel for GPUs, as far as a CPU can tell."""

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
        "jax_backend/flash_worker.py", KERAS_BACKEND="jax", JAX_PLATFORMS="cpu"
    )


def test_nothing_changes_on_tensorflow():
    model = tiny.make_model("ForTokenClassification")
    inputs = tiny.make_inputs("ForTokenClassification")
    before = model.predict(inputs, verbose=0)["logits"]
    model.flash_attention = True
    assert model.longformer.encoder.flash_attention
    after = model.predict(inputs, verbose=0)["logits"]
    assert (before == after).all()

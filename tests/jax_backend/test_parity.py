"""The same code and weights on JAX give what they give on TensorFlow."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import checks
from helpers import tiny

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("jax") is None,
        reason="JAX is not installed: pip install '.[jax]'",
    ),
    # All tokens are global in one of the runs.
    pytest.mark.filterwarnings("ignore:A row has .* global tokens"),
]
TESTS = Path(__file__).parents[1]
TOLERANCE = 1e-5


def run_on_jax(folder, head):
    paths = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
    result = subprocess.run(
        [sys.executable, TESTS / "jax_backend/worker.py", folder, head],
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": os.pathsep.join(paths),
        },
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return dict(np.load(folder / f"{head}.jax.npz"))


@pytest.mark.parametrize(
    "head",
    [
        "ForMaskedLM",
        *(
            pytest.param(head, marks=pytest.mark.slow)
            for head in tiny.HEADS
            if head != "ForMaskedLM"
        ),
    ],
)
def test_parity(head, tmp_path):
    model = checks.seeded(tiny.make_model, head)
    model.save_weights(tmp_path / f"{head}.weights.h5")
    masks = {
        share: tiny.make_inputs(head, share)["global_attention_mask"]
        for share in (0.0, 0.3, 1.0)
    }
    inputs, labels = tiny.make_inputs(head), {}
    if model.label_names:
        labels = tiny.make_labels(head)
    np.savez(
        tmp_path / f"{head}.npz",
        **inputs,
        **labels,
        **{f"global_{share}": mask for share, mask in masks.items()},
    )
    jax = run_on_jax(tmp_path, head)
    for share, mask in masks.items():
        expected = model({**inputs, "global_attention_mask": mask})
        for name, value in expected.items():
            for mode in ("eager", "jit"):
                ours = jax[f"{name}/{share}/{mode}"]
                checks.assert_equal(ours, value, TOLERANCE)
    assert jax["programs"] == 1
    if not labels:
        return
    batch = {**inputs, **labels}
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    losses = model.fit(batch, epochs=3, verbose=0, shuffle=False).history
    np.testing.assert_allclose(jax["losses"], losses["loss"], rtol=TOLERANCE)
    largest = max(np.abs(w).max() for w in checks.arrays(model.weights))
    for index, weight in enumerate(model.trainable_weights):
        np.testing.assert_allclose(
            jax[f"weight/{index}"],
            weight.numpy(),
            atol=TOLERANCE * largest,
            err_msg=weight.path,
        )
    # Gradient checkpointing, with dropout.
    for name, kept in jax.items():
        if name.startswith("kept/"):
            np.testing.assert_allclose(
                jax[name.replace("kept", "recomputed")],
                kept,
                atol=TOLERANCE * largest,
                err_msg=name,
            )
    assert jax["bytes/True"] < 0.8 * jax["bytes/False"]
    assert abs(jax["kept/losses"] - jax["losses"]).min() > 1e-3
    model.compile(metrics=["accuracy"], weighted_metrics=["accuracy"])
    np.testing.assert_allclose(
        jax["evaluated"], model.evaluate(batch, verbose=0), rtol=TOLERANCE
    )
    # A batch of no rows.
    assert jax["nothing"] == 0
    for name, value in model.predict(batch, verbose=0).items():
        checks.assert_equal(jax[f"{name}/predicted"], value, TOLERANCE)
    assert tf.config.list_physical_devices("CPU")

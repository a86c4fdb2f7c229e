"""What is decoded on TensorFlow is decoded on JAX, also under its `jit`."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.skipif(
    importlib.util.find_spec("jax") is None,
    reason="JAX is not installed: pip install '.[jax]'",
)
def test_decoding():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", TESTS / "test_decoding.py"],
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]

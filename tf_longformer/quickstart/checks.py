"""Whether what was written gives the numbers of the model in memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

# XLA, plain TensorFlow and another process add numbers up in another order.
TOLERANCE = 1e-4


def require_equal(what: str, found: np.ndarray, expected: np.ndarray) -> float:
    """Compares logits.

    Args:
        what: string. The name of what gave `found`.
        found: float array.
        expected: float array.

    Returns:
        The largest difference relative to the largest expected value.

    Raises:
        RuntimeError: they differ.
    """
    if found.shape != expected.shape:
        raise RuntimeError(
            f"{what} gives logits of shape {found.shape}, the trained model "
            f"of {expected.shape}."
        )
    difference = float(
        np.max(np.abs(found - expected)) / np.max(np.abs(expected))
    )
    # Also false for NaN.
    if not difference <= TOLERANCE:
        raise RuntimeError(
            f"{what} differs from the trained model by {difference:.1e} "
            f"relative to its largest logit; {TOLERANCE:.0e} is allowed."
        )
    return difference


def run_with_tensorflow_only(
    folder: Path, inputs: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Runs a SavedModel in a process where Keras can't be imported.

    Args:
        folder: `Path` of the SavedModel.
        inputs: dict of int32 arrays.

    Returns:
        A dict of the outputs of `serving_default`.

    Raises:
        RuntimeError: the process failed; the message holds its last words.
    """
    script = Path(__file__).with_name("tensorflow_only.py")
    with tempfile.TemporaryDirectory() as scratch:
        inputs_file = Path(scratch, "inputs.npz")
        outputs_file = Path(scratch, "outputs.npz")
        np.savez(inputs_file, **inputs)
        finished = subprocess.run(
            # -I: nothing but what is installed can be imported.
            [
                sys.executable,
                "-I",
                str(script),
                str(folder),
                str(inputs_file),
                str(outputs_file),
            ],
            capture_output=True,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            check=False,
        )
        if finished.returncode:
            # The last line of a traceback says what went wrong.
            last_words = finished.stderr.strip().rpartition("\n")[2]
            raise RuntimeError(
                "The SavedModel doesn't run with TensorFlow alone: "
                f"{last_words or f'exit code {finished.returncode}'}"
            )
        with np.load(outputs_file) as arrays:
            return {name: arrays[name] for name in arrays.files}

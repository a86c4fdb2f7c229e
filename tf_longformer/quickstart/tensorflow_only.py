"""Runs a SavedModel where neither Keras nor this package can be imported.

Imported, it has `run_with_tensorflow_only`, which starts this file by its path
in a process of its own:

    python -I tensorflow_only.py FOLDER SIGNATURE INPUTS.npz OUTPUTS.npz
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

BLOCKED = ("keras", "tf_keras", "tf_longformer")


def run_with_tensorflow_only(
    folder: Path,
    inputs: dict[str, np.ndarray],
    signature: str = "serving_default",
) -> dict[str, np.ndarray]:
    """Runs a SavedModel in a process where Keras can't be imported.

    Args:
        folder: `Path` of the SavedModel.
        inputs: dict of arrays, of ids or of texts.
        signature: string, the signature to run. Defaults to the one of ids.

    Returns:
        A dict of those of its outputs that are numbers.

    Raises:
        RuntimeError: the process failed; the message holds its last words.
    """
    with tempfile.TemporaryDirectory() as scratch:
        inputs_file = Path(scratch, "inputs.npz")
        outputs_file = Path(scratch, "outputs.npz")
        np.savez(inputs_file, **inputs)
        finished = subprocess.run(
            # -I: nothing but what is installed can be imported.
            [
                sys.executable,
                "-I",
                __file__,
                str(folder),
                signature,
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


class _Blocker(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Refuses to import what a serving machine doesn't have.

    It finds the packages, as TensorFlow looks where Keras lies when it is
    imported itself, and fails when one is really to be loaded.
    """

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            return importlib.machinery.ModuleSpec(name, self)
        return None

    def create_module(self, spec):
        raise ImportError(f"{spec.name} may not be imported here")

    def exec_module(self, module):
        raise ImportError(f"{module.__name__} may not be imported here")


def main(folder: str, signature: str, inputs: str, outputs: str) -> None:
    """Runs a signature of `folder` on `inputs` and writes `outputs`."""
    import tensorflow as tf

    run = tf.saved_model.load(folder).signatures[signature]
    with np.load(inputs) as arrays:
        results = run(
            **{name: tf.constant(arrays[name]) for name in arrays.files}
        )
    loaded = sorted(set(BLOCKED) & set(sys.modules))
    if loaded:
        raise RuntimeError(f"{loaded} must not be needed to serve a model")
    numbers = {k: x.numpy() for k, x in results.items() if x.dtype != tf.string}
    np.savez(outputs, **numbers)


if __name__ == "__main__":
    sys.meta_path.insert(0, _Blocker())
    main(*sys.argv[1:])

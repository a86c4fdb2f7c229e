"""Runs a SavedModel where neither Keras nor this package can be imported.

A script, to be started by its path in a process of its own:

    python -I tensorflow_only.py FOLDER INPUTS.npz OUTPUTS.npz

`INPUTS.npz` holds `input_ids` and `attention_mask`; the outputs of
`serving_default` that are numbers are written to `OUTPUTS.npz` by their names.
"""

import importlib.abc
import importlib.machinery
import sys

BLOCKED = ("keras", "tf_keras", "tf_longformer")


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


def main(folder: str, inputs: str, outputs: str) -> None:
    """Loads `folder`, runs it on `inputs` and writes `outputs`."""
    import numpy as np
    import tensorflow as tf

    signature = tf.saved_model.load(folder).signatures["serving_default"]
    with np.load(inputs) as arrays:
        results = signature(
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

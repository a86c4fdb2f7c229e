"""Runs requests where neither Keras nor this package can be imported.

Usage: python -I consumer.py plain|cli FOLDER REQUESTS ANSWERS

`plain` is `tf.saved_model.load`, `cli` is `saved_model_cli run`. Both files
are pickles: of a list of a signature and its inputs, and of a list of the
outputs.
"""

import contextlib
import importlib.abc
import importlib.machinery
import io
import pickle
import sys
import tempfile
from pathlib import Path

BLOCKED = ("keras", "tf_keras", "tf_longformer")


class Blocker(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the packages, as TensorFlow asks where Keras is, loads none."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            return importlib.machinery.ModuleSpec(name, self)
        return None

    def create_module(self, spec):
        raise ImportError(f"{spec.name} may not be imported here")

    def exec_module(self, module):
        raise ImportError(f"{module.__name__} may not be imported here")


def plain(folder, requests):
    """`tf.saved_model.load`."""
    import tensorflow as tf

    signatures = tf.saved_model.load(folder).signatures
    for name, inputs in requests:
        outputs = signatures[name](
            **{key: tf.constant(value) for key, value in inputs.items()}
        )
        yield {key: value.numpy() for key, value in outputs.items()}


def cli(folder, requests):
    """`saved_model_cli run`, its entry point."""
    import numpy as np
    from tensorflow.python.tools import saved_model_cli

    for name, inputs in requests:
        with tempfile.TemporaryDirectory() as scratch:
            given = []
            for key, value in inputs.items():
                np.save(f"{scratch}/{key}.npy", np.asarray(value))
                given.append(f"{key}={scratch}/{key}.npy")
            sys.argv = [
                *("saved_model_cli", "run", "--dir", folder),
                *("--tag_set", "serve", "--signature_def", name),
                *("--inputs", ";".join(given), "--outdir", f"{scratch}/out"),
            ]
            # It ends the process, or wants to.
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.suppress(SystemExit),
            ):
                saved_model_cli.main()
            yield {
                path.stem: np.load(path, allow_pickle=True)
                for path in Path(scratch, "out").iterdir()
            }


if __name__ == "__main__":
    sys.meta_path.insert(0, Blocker())
    _, which, folder, requests, answers = sys.argv
    found = list(
        globals()[which](folder, pickle.loads(Path(requests).read_bytes()))
    )
    loaded = set(BLOCKED) & set(sys.modules)
    if loaded:
        raise RuntimeError(f"{loaded} must not be needed")
    Path(answers).write_bytes(pickle.dumps(found))

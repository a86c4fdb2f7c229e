"""Finds the scripts of this folder, and runs them.

As a command it runs them with transformers in the place of `tf_longformer`,
in an oracle's environment:

    python scripts.py HUB RESULTS

`HUB` has a folder of files for each head; `RESULTS` gets `KIND.SCRIPT.npz`, or
`KIND.SCRIPT.txt` with what went wrong.
"""

from __future__ import annotations

import ast
import importlib
import os
import sys
import tempfile
import traceback
from pathlib import Path

HERE = Path(__file__).parent
# Those that only Keras 3 and this package can run.
ONLY_HERE = "keras_three"


def names() -> list[str]:
    """Returns `kind.script` of all scripts: functions of `hub, scratch`."""
    return [
        f"{path.stem}.{node.name}"
        for path in sorted(HERE.glob("*.py"))
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
        and [argument.arg for argument in node.args.args] == ["hub", "scratch"]
    ]


def run(name: str, hub: Path, scratch: Path) -> dict:
    """Runs a script; returns its results as arrays by name."""
    import numpy as np
    import tensorflow as tf

    kind, _, script = name.partition(".")
    module = importlib.import_module(f"patterns.{kind}")
    # A tenth of the time. Models are still traced where they are saved.
    tf.config.run_functions_eagerly(True)
    try:
        results = getattr(module, script)(hub, scratch)
    finally:
        tf.config.run_functions_eagerly(False)
    return {key: np.asarray(value) for key, value in results.items()}


def main(hub: Path, results: Path) -> None:
    import numpy as np

    for name in names():
        if name.startswith(ONLY_HERE):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            try:
                found = run(name, hub, Path(scratch))
                np.savez(results / f"{name}.npz", **found)
            except Exception:
                text = traceback.format_exc()
                (results / f"{name}.txt").write_text(text, "utf-8")


if __name__ == "__main__":
    # Keras 2, which transformers needs, under the name of tf.keras.
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import transformers

    transformers.logging.set_verbosity_error()
    # The scripts' import, changed back.
    sys.modules["tf_longformer"] = transformers
    sys.path[:] = [str(HERE.parent), *sys.path[1:]]
    main(*map(Path, sys.argv[1:]))

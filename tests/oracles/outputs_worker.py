"""Opens models with HF and runs them; runs in an oracle's environment.

Usage: python outputs_worker.py FOLDER

Opens each folder that has a `case.json` {"class": ..., "inputs": ...} with
that class, and writes what it returns for the arrays of that `.npz` to
`hf.npz`. What loading had to report is written to `hf.json`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers


def main(folder: Path) -> None:
    """Opens and runs all models in a folder."""
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(2)
    for file in sorted(folder.rglob("case.json")):
        case = json.loads(file.read_text("utf-8"))
        model, info = getattr(transformers, case["class"]).from_pretrained(
            file.parent, output_loading_info=True
        )
        outputs = outputs_of(model, read_inputs(case["inputs"]))
        np.savez(file.parent / "hf.npz", **outputs)
        report = {name: sorted(map(str, value)) for name, value in info.items()}
        (file.parent / "hf.json").write_text(json.dumps(report), "utf-8")


def read_inputs(path: str) -> dict[str, np.ndarray]:
    """Returns the inputs as PyTorch wants them."""
    with np.load(path) as arrays:
        return {name: arrays[name].astype("int64") for name in arrays.files}


def outputs_of(
    model: Any, inputs: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Returns what a model gives, by name."""
    tensors = {name: torch.tensor(array) for name, array in inputs.items()}
    with torch.no_grad():
        outputs = model.eval()(**tensors)
    return {
        name: value.numpy()
        for name, value in outputs.items()
        if isinstance(value, torch.Tensor)
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))

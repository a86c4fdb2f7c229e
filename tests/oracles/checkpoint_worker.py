"""Writes and opens checkpoints with HF; runs in an oracle's environment.

Usage: python checkpoint_worker.py write FOLDER
       python checkpoint_worker.py open FOLDER

`write` makes a folder for each head with a tiny model in each format that
the version writes, and `state_dict.npz`. `open` opens each folder that has a
`case.json` {"class": ..., "reference": file or null} and writes `hf.json`:
what loading reported, and which tensors are not, bit by bit, those of the
reference (PyTorch's names).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / "oracles"), str(TESTS / "scripts")]

import make_checkpoint_fixtures as fixtures  # noqa: E402


def main(task: str, folder: Path) -> None:
    """Runs a task."""
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(2)
    if task == "write":
        for seed, head in enumerate(fixtures.HEADS):
            fixtures.write_head(folder / head, head, seed)
        return
    for file in sorted(folder.rglob("case.json")):
        case = json.loads(file.read_text("utf-8"))
        report = open_folder(file.parent, **case)
        text = json.dumps(report)
        (file.parent / "hf.json").write_text(text, "utf-8")


def open_folder(
    folder: Path, name: str, reference: str | None
) -> dict[str, Any]:
    """Opens a folder with a class; returns what that came to."""
    model, info = getattr(transformers, name).from_pretrained(
        folder, output_loading_info=True, ignore_mismatched_sizes=True
    )
    report = {
        "missing": sorted(info["missing_keys"]),
        "unexpected": sorted(info["unexpected_keys"]),
        # Version 4 has names there, version 5 tuples of name and shapes.
        "mismatched": sorted(
            item if isinstance(item, str) else item[0]
            for item in info["mismatched_keys"]
        ),
        "different": [],
    }
    if reference is not None:
        with np.load(reference) as file:
            expected = {key: file[key] for key in file.files}
        loaded = arrays_of(model)
        report["different"] = sorted(
            key
            for key in {*expected, *loaded}
            if key not in loaded
            or key not in expected
            or expected[key].astype(loaded[key].dtype).tobytes()
            != loaded[key].tobytes()
        )
    return report


def arrays_of(model: Any) -> dict[str, np.ndarray]:
    """Returns a model's arrays by PyTorch's names."""
    if isinstance(model, torch.nn.Module):
        return {n: t.numpy() for n, t in model.float().state_dict().items()}
    arrays = {}
    for weight in model.weights:
        name = weight.name.split("/", 1)[1].removesuffix(":0")
        array = weight.numpy()
        if name.endswith("kernel"):
            array = np.ascontiguousarray(array.T)
        name = name.replace("layer_._", "layer/").replace("/", ".")
        for ours, theirs in (
            ("kernel", "weight"),
            ("gamma", "weight"),
            ("beta", "bias"),
            ("_embeddings.embeddings", "_embeddings.weight"),
        ):
            if name.endswith(ours):
                name = name.removesuffix(ours) + theirs
        arrays[name] = array
    if "lm_head.bias" in arrays:
        words = "longformer.embeddings.word_embeddings.weight"
        arrays["lm_head.decoder.weight"] = arrays[words]
        arrays["lm_head.decoder.bias"] = arrays["lm_head.bias"]
    if type(model).__name__ == "TFLongformerModel":
        return {n.removeprefix("longformer."): a for n, a in arrays.items()}
    return arrays


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

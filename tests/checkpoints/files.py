"""Helpers of the tests: what is in files, ours and theirs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from tf_longformer.checkpoints import names
from tf_longformer.checkpoints import transfer
from tf_longformer.checkpoints.locate import locate
from tf_longformer.configuration import LongformerConfig

HEADS = (
    "Model",
    "ForMaskedLM",
    "ForQuestionAnswering",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForMultipleChoice",
)
# Folders of the archive, by what they are.
FORMATS = {
    "safetensors": "safetensors",
    "safetensors_sharded": "safetensors in 5 files",
    "torch": "PyTorch's",
    "torch_sharded": "PyTorch's in 5 files",
    "torch_legacy": "PyTorch's",
    "torch_half": "PyTorch's",
    "torch_bfloat16": "PyTorch's",
    "torch_double": "PyTorch's",
    "tensorflow": "HDF5",
    "tensorflow_safetensors": "safetensors",
    "tensorflow_sharded": "HDF5 in 5 files",
}


def state_dict(folder: Path) -> dict[str, np.ndarray]:
    """Returns PyTorch's arrays by its names with the body's prefix."""
    with np.load(folder / "state_dict.npz") as file:
        arrays = {name: file[name] for name in file.files}
    if any(name.startswith("embeddings.") for name in arrays):
        arrays = {f"longformer.{name}": a for name, a in arrays.items()}
    return arrays


def expected(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yields our paths and PyTorch's arrays in our layout.

    What PyTorch has twice, as it is tied, it has once here.
    """
    arrays = state_dict(folder)
    fields = json.loads((folder / "torch/config.json").read_text("utf-8"))
    head = fields["architectures"][0]
    config = LongformerConfig.from_dict(fields)
    for path, weight in names.weights(config, names.HEADS[head]).items():
        array = arrays.pop(weight.torch[0])
        # Kernels are PyTorch's transposed, by their name and not our flag.
        yield path, array.T if path.endswith("kernel") else array
    assert set(arrays) <= {"lm_head.decoder.weight", "lm_head.decoder.bias"}


def load(folder: Path, head: str) -> tuple[transfer.Matching, dict]:
    """Reads a checkpoint for a class, without a backend."""
    location = locate(folder)
    fields = location.config_fields()
    config = LongformerConfig.from_dict(fields)
    wanted = names.weights(config, names.HEADS[f"Longformer{head}"])
    matching = transfer.match(
        wanted.values(),
        location.open(),
        config,
        fields.get("model_type") == "roberta",
    )
    transfer.require_complete(matching)
    return matching, {w.path: array for w, array in matching.read()}


def datasets(path: Path) -> dict[str, np.ndarray]:
    """Returns all data sets of an HDF5 file."""
    found = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


def copy(source: Path, target: Path, **fields: object) -> Path:
    """Copies a checkpoint's folder, with other fields in its config."""
    shutil.copytree(source, target)
    path = target / "config.json"
    config = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**config, **fields}), "utf-8")
    return target


def assert_same_bits(
    ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]
) -> None:
    """Asserts equal names, types, shapes and bytes."""
    assert sorted(ours) == sorted(theirs)
    for name, array in theirs.items():
        assert ours[name].dtype == array.dtype, name
        assert ours[name].shape == array.shape, name
        assert ours[name].tobytes() == array.tobytes(), name

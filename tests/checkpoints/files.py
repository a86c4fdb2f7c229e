"""Helpers of the tests: what is in files, ours and theirs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from safetensors.numpy import load_file
from safetensors.numpy import save_file

from tf_longformer import LongformerTokenizer
from tf_longformer import heads
from tf_longformer.checkpoints import names
from tf_longformer.checkpoints.locate import locate
from tf_longformer.checkpoints.match import Matching
from tf_longformer.checkpoints.match import match
from tf_longformer.checkpoints.match import require_layers
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
    for path, weight in names.weights(config, heads.HEADS[head]).items():
        array = arrays.pop(weight.torch[0])
        # Kernels are PyTorch's transposed, by their name and not our flag.
        yield path, array.T if path.endswith("kernel") else array
    assert set(arrays) <= {"lm_head.decoder.weight", "lm_head.decoder.bias"}


def load(folder: Path, head: str) -> tuple[Matching, dict]:
    """Reads a checkpoint for a class, without a backend."""
    location = locate(folder)
    fields, open_file = location.read()
    config = LongformerConfig.from_dict(fields)
    file = open_file(config)
    # As `from_pretrained` does, before there is anything for each layer.
    require_layers(file, config)
    wanted = names.weights(config, heads.HEADS[f"Longformer{head}"])
    matching = match(wanted.values(), file, config, fields.get("model_type"))
    matching.require_complete()
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


def rewrite(
    hf: Path,
    head: str,
    target: Path,
    change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]],
    **fields: object,
) -> Path:
    """Copies a checkpoint, its tensors as `change` returns them."""
    copy(hf / head / "safetensors", target, **fields)
    path = target / "model.safetensors"
    tensors = {n: np.ascontiguousarray(a) for n, a in load_file(path).items()}
    changed = {
        name: np.ascontiguousarray(array)
        for name, array in change(tensors).items()
    }
    save_file(changed, path, {"format": "pt"})
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


SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def tokenizer(*tokens):
    vocab = {token: index for index, token in enumerate((*SPECIAL, *tokens))}
    return LongformerTokenizer(vocab=vocab)


def make_versions(hf: Path, target: Path) -> tuple[Path, Path]:
    """Returns two checkpoints that differ in config, weights and tokenizer."""
    source = hf / "ForTokenClassification/safetensors"
    old = copy(source, target / "old")
    theirs = tokenizer("a", "b")
    # In a file that the new tokenizer doesn't have.
    theirs.add_tokens("NEW")
    theirs.save_pretrained(old)
    new = copy(
        source,
        target / "new",
        type_vocab_size=1,
        id2label={"0": "a", "1": "b", "2": "c"},
        label2id={"a": 0, "b": 1, "c": 2},
    )
    tensors = load_file(new / "model.safetensors")
    for name, array in tensors.items():
        rows = 3 if name.startswith("classifier") else array.shape[0]
        rows = 1 if "token_type" in name else rows
        tensors[name] = (array[:rows] + 1).copy()
    save_file(tensors, new / "model.safetensors", {"format": "pt"})
    tokenizer("a").save_pretrained(new)
    return old, new

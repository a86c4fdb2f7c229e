"""`Dense` modules in folders of sentence-transformers.

Each has a folder with a `config.json` and a layer of PyTorch's, in
`model.safetensors` or `pytorch_model.bin`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from typing import NamedTuple

from tf_longformer.checkpoints.files import safetensors_file
from tf_longformer.checkpoints.files.safetensors_file import SafetensorsFile
from tf_longformer.checkpoints.files.tensor_file import FLOATS
from tf_longformer.checkpoints.files.tensor_file import Tensor
from tf_longformer.checkpoints.files.tensor_file import TensorFile
from tf_longformer.checkpoints.files.torch_file import TorchFile
from tf_longformer.errors import CheckpointError
from tf_longformer.errors import cut
from tf_longformer.errors import shown
from tf_longformer.json_files import read_json
from tf_longformer.projections import Projection

_CONFIG = "config.json"
# A folder is searched in this order; the first is written.
_READERS = {
    "model.safetensors": SafetensorsFile,
    "pytorch_model.bin": TorchFile,
}
_KERNEL, _BIAS = "linear.weight", "linear.bias"
# PyTorch's class of an activation by Keras's name of the function.
_CLASSES = {
    "linear": "torch.nn.modules.linear.Identity",
    "relu": "torch.nn.modules.activation.ReLU",
    "tanh": "torch.nn.modules.activation.Tanh",
    "sigmoid": "torch.nn.modules.activation.Sigmoid",
    "silu": "torch.nn.modules.activation.SiLU",
    "gelu": "torch.nn.modules.activation.GELU",
}
# What it takes for a key that is missing; those of old versions always are.
_DEFAULTS = {
    "in_features": None,
    "out_features": None,
    "bias": True,
    "activation_function": _CLASSES["tanh"],
    "module_input_name": "sentence_embedding",
    "module_output_name": "sentence_embedding",
    "use_residual": False,
}
# Of these only the default is known.
_FIXED = ("module_input_name", "module_output_name", "use_residual")


class DenseModule(NamedTuple):
    """A `Dense` module of which only the header is read.

    Attributes:
        file: the `TensorFile`, whose shapes are those of the configuration.
        activation: as in `Projection`.
    """

    file: TensorFile
    activation: str

    @property
    def shape(self) -> tuple[int, ...]:
        """How many numbers go in, and how many come out."""
        return self.file.tensors[_KERNEL].shape[::-1]

    def read(self) -> Projection:
        """Reads the weights."""
        arrays = {
            name: self.file.read(name).astype("float32")
            for name in self.file.tensors
        }
        return Projection(arrays[_KERNEL].T, arrays.get(_BIAS), self.activation)


def open_projection(
    find: Callable[[str], Path | None], folder: str
) -> DenseModule:
    """Opens a `Dense` module, and checks all but its numbers.

    Args:
        find: function from a file's name to its path, or to `None`.
        folder: str, the module's folder, a plain name.

    Raises:
        CheckpointError: if a file is missing or damaged, or the module does
            what `Projection` doesn't.
    """
    path = find(f"{folder}/{_CONFIG}")
    file = _open_weights(find, folder)
    if path is None or file is None:
        raise CheckpointError(
            f"A Dense module must have {_CONFIG} and {' or '.join(_READERS)}. "
            f"Received: {folder} without. Save or fetch the model again."
        )
    given = read_json(path, "A configuration of a Dense module")
    fields = {**_DEFAULTS, **given}
    unknown = [
        f"{cut(name)}={shown(value)}"
        for name, value in given.items()
        if name not in _DEFAULTS
        or (name in _FIXED and value not in (None, _DEFAULTS[name]))
    ]
    if unknown:
        raise CheckpointError(
            "A Dense module must be a layer of in_features, out_features, "
            f"bias and activation_function. Received: {unknown[0]} in {path}. "
            "Use sentence-transformers for it."
        )
    activation = _activation(fields["activation_function"], path)
    _check_weights(file, fields)
    return DenseModule(file, activation)


def write_projection(folder: Path, projection: Projection) -> None:
    """Writes a `Dense` module; its folder is made if need be."""
    folder.mkdir(exist_ok=True)
    kernel, bias = projection.kernel, projection.bias
    fields = {
        "in_features": kernel.shape[0],
        "out_features": kernel.shape[1],
        "bias": bias is not None,
        "activation_function": _CLASSES[projection.activation],
    }
    text = json.dumps(fields, indent=2) + "\n"
    (folder / _CONFIG).write_text(text, "utf-8")
    arrays = {_KERNEL: kernel.T}
    if bias is not None:
        arrays[_BIAS] = bias
    safetensors_file.write(
        folder / next(iter(_READERS)),
        {name: Tensor(x.dtype, x.shape) for name, x in arrays.items()},
        arrays.__getitem__,
        {"format": "pt"},
    )


def _open_weights(
    find: Callable[[str], Path | None], folder: str
) -> TensorFile | None:
    for name, read in _READERS.items():
        path = find(f"{folder}/{name}")
        if path is not None:
            return read(path)
    return None


def _activation(given: Any, path: Path) -> str:
    """Returns Keras's name of an activation that PyTorch has as a class."""
    module, _, name = (
        given.rpartition(".") if isinstance(given, str) else ("", "", "")
    )
    if module.startswith("torch.nn"):
        for ours, theirs in _CLASSES.items():
            if theirs.rpartition(".")[2] == name:
                return ours
    known = [one.rpartition(".")[2] for one in _CLASSES.values()]
    raise CheckpointError(
        "The activation of a Dense module must be one of torch.nn's "
        f"{', '.join(known)}. Received: {shown(given)} in {path}. Use "
        "sentence-transformers for it."
    )


def _check_weights(file: TensorFile, fields: dict[str, Any]) -> None:
    """Raises unless there are PyTorch's weight `[out, in]` and its bias."""
    sizes = fields["out_features"], fields["in_features"]
    wanted: dict[str, tuple[Any, ...]] = {_KERNEL: sizes}
    if fields["bias"]:
        wanted[_BIAS] = sizes[:1]
    found = {name: tensor.shape for name, tensor in file.tensors.items()}
    types = {tensor.dtype for tensor in file.tensors.values()}
    if found != wanted or not types <= {*FLOATS}:
        raise CheckpointError(
            "The weights of a Dense module must be floats of the shapes that "
            f"its {_CONFIG} says, {shown(wanted)}. Received: {shown(found)} of "
            f"{shown(sorted(map(str, types)))} in {file.path}. Save or fetch "
            "the model again."
        )

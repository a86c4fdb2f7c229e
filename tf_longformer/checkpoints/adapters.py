"""PEFT's LoRA adapters: small updates of a checkpoint, in files of their own.

An adapter is an `adapter_config.json` beside an `adapter_model.safetensors`
or `.bin`. It holds pairs of factors, whose scaled product is added to a matrix
of the base, and whole weights that take the place of the base's: a head
(`modules_to_save`) or biases. `Adapter` reads one; `AdaptedFile` is the file of
a base with an adapter applied, for whoever reads checkpoints; `write_adapter`
writes one.

Reference: https://github.com/huggingface/peft (the format)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_longformer.atomic import Replacement
from tf_longformer.checkpoints import dialects
from tf_longformer.checkpoints import names
from tf_longformer.checkpoints.adapter_config import ADAPTER_CONFIG_NAME
from tf_longformer.checkpoints.adapter_config import check_adapter_config
from tf_longformer.checkpoints.adapter_config import head_of_adapter
from tf_longformer.checkpoints.adapter_config import scale_of
from tf_longformer.checkpoints.files import safetensors_file
from tf_longformer.checkpoints.files.formats import reader_of
from tf_longformer.checkpoints.files.tensor_file import FLOATS
from tf_longformer.checkpoints.files.tensor_file import Tensor
from tf_longformer.checkpoints.files.tensor_file import TensorFile
from tf_longformer.checkpoints.name_patterns import NamePatterns
from tf_longformer.configuration import LongformerConfig
from tf_longformer.errors import CheckpointError
from tf_longformer.errors import cut
from tf_longformer.errors import listed
from tf_longformer.errors import shown
from tf_longformer.heads import HEADS
from tf_longformer.json_files import read_json

ADAPTER_WEIGHTS_NAME = "adapter_model.safetensors"
ADAPTER_WEIGHTS_NAMES = (ADAPTER_WEIGHTS_NAME, "adapter_model.bin")
# PEFT's models hold the base's under this name.
_PREFIX = "base_model.model."
# The two factors of a linear layer and of an embedding table.
_FACTOR = re.compile(
    r"(?P<module>.+)\.(lora_(?P<linear>[AB])\.weight"
    r"|lora_embedding_(?P<table>[AB]))"
)
# With `bias="all"` PEFT writes biases of saved modules under these names too.
_COPIES = (".modules_to_save.", ".original_module.")


class Update(NamedTuple):
    """What is added to a matrix: a scaled product of two factors.

    Attributes:
        a: str, the file's name of the factor `[rank, in]`.
        b: str, that of the factor `[out, rank]`.
        scale: float.
        rank: int.
        is_table: bool, whether the matrix is an embedding table `[in, out]`,
            and not a linear layer's, in PyTorch `[out, in]`.
        shape: that of the matrix in PyTorch.
    """

    a: str
    b: str
    scale: float
    rank: int
    is_table: bool
    shape: names.Shape


class Adapter:
    """A LoRA adapter, checked as a whole and read one tensor at a time.

    Names of weights are PyTorch's with the body's prefix.

    Args:
        find: function from a file's name to its path, or to `None`.
        where: str, what messages call the adapter.

    Attributes:
        where: str, the same.
        fields: what its `adapter_config.json` holds.
        file: the `TensorFile`.
        updates: `Update` by the name of the matrix.
        whole: the file's names of weights that replace the base's, by name.

    Raises:
        CheckpointError: if it is of another kind, damaged, or has tensors
            that LoRA doesn't have.
    """

    def __init__(self, find: Callable[[str], Path | None], where: str) -> None:
        self.where = where
        path = find(ADAPTER_CONFIG_NAME)
        if path is None:
            raise CheckpointError(
                f"An adapter must have an {ADAPTER_CONFIG_NAME}. Received: "
                f"{where} without it. Pass the folder that it was saved to."
            )
        self.fields = read_json(path, "An adapter's config")
        check_adapter_config(self.fields, where)
        self.file = _open(find, where)
        factors: dict[str, dict[str, str]] = {}
        whole = {}
        for name in self.file.tensors:
            plain = name.removeprefix(_PREFIX).replace(".base_layer.", ".")
            found = _FACTOR.fullmatch(plain)
            if found:
                kind = found["linear"] or f"embedding_{found['table']}"
                factors.setdefault(found["module"], {})[kind] = name
            elif not any(part in plain for part in _COPIES):
                whole[plain] = name
        self.updates: dict[str, Update] = {}
        self._patterns = NamePatterns()
        modules = {f"{module}.weight": module for module in factors}
        for full, name in _with_prefix(modules).items():
            module = modules[name]
            self.updates[full] = self._update(module, factors[module])
        self.whole = {
            full: whole[name] for full, name in _with_prefix(whole).items()
        }

    @property
    def head(self) -> str | None:
        """The class that it was trained in; `None` if it doesn't say."""
        head = head_of_adapter(self.fields)
        return head if head in HEADS else None

    @property
    def base(self) -> str | None:
        """What it calls the model that it was trained on."""
        base = self.fields.get("base_model_name_or_path")
        return base if isinstance(base, str) and base else None

    @property
    def summary(self) -> str:
        """What it is, in a few words."""
        ranks = sorted({update.rank for update in self.updates.values()})
        whole = f", {len(self.whole)} weights whole" if self.whole else ""
        return (
            f"LoRA of rank {cut(' and '.join(map(str, ranks)))} on "
            f"{len(self.updates)} matrices{whole}"
        )

    def factors(self, full: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns the factors `[in, rank]` and `[rank, out]` of an update."""
        update = self.updates[full]
        return self.file.read(update.a).T, self.file.read(update.b).T

    def delta(self, full: str) -> np.ndarray:
        """Returns what is added to a matrix, in PyTorch's layout, float32."""
        a, b = (x.astype("float32") for x in self.factors(full))
        update = self.updates[full]
        product = np.float32(update.scale) * (a @ b)
        return product if update.is_table else product.T

    def read_whole(self, full: str) -> np.ndarray:
        """Returns a weight that replaces the base's, in PyTorch's layout."""
        return self.file.read(self.whole[full])

    @property
    def unties(self) -> bool:
        """Whether the output matrix isn't that of the input any more.

        PEFT updates the word embeddings of the input only, and a saved
        language modelling head has a matrix of its own. It knows tied weights
        of models with other names only, so that `ensure_weight_tying` changes
        nothing.
        """
        return names.DECODER in self.whole or names.WORDS in self.updates

    def adapt_config(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the base's config, with the adapter's head and labels."""
        fields = dict(fields)
        if self.unties:
            fields["tie_word_embeddings"] = False
        if self.head is None:
            return fields
        fields["architectures"] = [self.head]
        for row in HEADS[self.head].layers:
            name = self.whole.get(f"{names.torch_name(row)}.weight")
            shape = self.file.tensors[name].shape if name else ()
            if len(shape) == 2 and row.sizes[-1] == "labels":
                if shape[0] != LongformerConfig.from_dict(fields).num_labels:
                    fields.pop("id2label", None)
                    fields.pop("label2id", None)
                    fields["num_labels"] = shape[0]
        return fields

    def _update(self, module: str, factors: dict[str, str]) -> Update:
        """Checks a pair of factors."""
        is_table = "embedding_A" in factors
        kind = "embedding_{}" if is_table else "{}"
        first, second = (factors.get(kind.format(x), "") for x in "AB")
        a, b = (self.file.tensors.get(name) for name in (first, second))
        if a is None or b is None or len(factors) > 2 or not _is_pair(a, b):
            shapes = {n: self.file.tensors[n].shape for n in factors.values()}
            raise CheckpointError(
                "An update must be two matrices of floats [rank, in] and "
                f"[out, rank]. Received: {shown(shapes)} in {self.file.path}. "
                "Save the adapter again."
            )
        rank = a.shape[0]
        scale = scale_of(self.fields, module, rank, self.where, self._patterns)
        shape = (a.shape[1], b.shape[0])
        if not is_table:
            shape = shape[::-1]
        return Update(first, second, scale, rank, is_table, shape)


class AdaptedFile(TensorFile):
    """The file of a base, as if the adapter's changes were in it.

    Args:
        file: the `TensorFile` of the base.
        adapter: `Adapter`.
        config: `LongformerConfig` of the model that is read.

    Raises:
        CheckpointError: if the adapter is for weights that the base lacks,
            or of other shapes.
    """

    def __init__(
        self, file: TensorFile, adapter: Adapter, config: LongformerConfig
    ) -> None:
        self.path, self.format = file.path, file.format
        self.dialect, self.offsets = file.dialect, {}
        self._file, self._adapter = file, adapter
        table = {w.torch[0]: w for w in names.weights_of_all_heads(config)}
        given = dialects.translate(file.tensors, file.dialect, config).names
        # By the names that the weights have in this file.
        self._updated: dict[str, str] = {
            given.get(full, full): full for full in adapter.updates
        }
        self._replaced: dict[str, str] = {
            given.get(full, full): full for full in adapter.whole
        }
        # PyTorch's matrices are stored as we have them.
        self._turned = {
            given.get(full, full)
            for full, weight in table.items()
            if weight.transposed and self.dialect != dialects.PYTORCH
        }
        self.tensors = dict(file.tensors)
        # The output matrix that was the base's word embeddings.
        self._output = (
            given.get(names.WORDS) if names.DECODER in table else None
        )
        if self._output and names.DECODER not in given:
            self.tensors[names.DECODER] = file.tensors[self._output]
        for name, full in self._replaced.items():
            dtype, shape = adapter.file.tensors[adapter.whole[full]]
            self.tensors[name] = Tensor(dtype, self._shape(name, shape))
        self._check(table)

    def _check(self, known: Collection[str]) -> None:
        """Raises if the adapter has something that the base has no place for.

        A head of a user's class has names that aren't `known`.
        """
        unfit = []
        for name, full in self._updated.items():
            shape = self._adapter.updates[full].shape
            tensor = self.tensors.get(name)
            if tensor is None or tensor.shape != self._shape(name, shape):
                unfit.append(f"{full} {shape}")
        unfit += [
            full
            for name, full in self._replaced.items()
            if (full.startswith(names.BODY) or "lora_" in full)
            and full not in known
            and name not in self._file.tensors
        ]
        if unfit:
            raise CheckpointError(
                "An adapter must be for weights that its base has, of the "
                f"same shapes. Received: {self._adapter.where} for "
                f"{listed(unfit)}, and {self.path} without. Use the base that "
                "it was trained on."
            )

    def read(self, name: str) -> np.ndarray:
        adapter = self._adapter
        if name in self._replaced:
            array = adapter.read_whole(self._replaced[name])
            array = self._as_stored(name, array)
        elif name == names.DECODER and name not in self._file.tensors:
            array = self._file.read(str(self._output))
        else:
            array = self._file.read(name)
        if name in self._updated:
            delta = self._as_stored(name, adapter.delta(self._updated[name]))
            wide = np.promote_types(array.dtype, np.float32)
            array = array.astype(wide) + delta
        return array

    def _as_stored(self, name: str, array: np.ndarray) -> np.ndarray:
        """Turns an array from PyTorch's layout into this file's."""
        return array.T if name in self._turned else array

    def _shape(self, name: str, shape: names.Shape) -> names.Shape:
        return shape[::-1] if name in self._turned else shape


def write_adapter(
    replacement: Replacement,
    fields: Mapping[str, Any],
    tensors: Mapping[str, np.ndarray],
) -> None:
    """Writes an adapter; an older one's files go.

    Args:
        replacement: the `Replacement` of its folder.
        fields: what its `adapter_config.json` holds.
        tensors: arrays by PyTorch's names in the model that was trained, the
            factors' last parts as PEFT has them.
    """
    text = json.dumps(fields, indent=2) + "\n"
    (replacement.path / ADAPTER_CONFIG_NAME).write_text(text, "utf-8")
    arrays = {f"{_PREFIX}{name}": array for name, array in tensors.items()}
    safetensors_file.write(
        replacement.path / ADAPTER_WEIGHTS_NAME,
        {name: Tensor(x.dtype, x.shape) for name, x in arrays.items()},
        arrays.__getitem__,
        {"format": "pt"},
    )
    replacement.removed.update(ADAPTER_WEIGHTS_NAMES)


def _open(find: Callable[[str], Path | None], where: str) -> TensorFile:
    for name in ADAPTER_WEIGHTS_NAMES:
        path = find(name)
        reader = path and reader_of(path)
        if path and reader:
            return reader(path)
    raise CheckpointError(
        f"An adapter must have one of {', '.join(ADAPTER_WEIGHTS_NAMES)} "
        f"beside its {ADAPTER_CONFIG_NAME}. Received: {where} without. "
        "Download or save it again."
    )


def _with_prefix(given: Mapping[str, Any]) -> dict[str, str]:
    """Returns names by what they are with the body's prefix."""
    # One block is enough: what the table lacks keeps its form.
    config = LongformerConfig(num_hidden_layers=1, attention_window=2)
    return dialects.translate(given, dialects.PYTORCH, config).names


def _is_pair(a: Tensor, b: Tensor) -> bool:
    return (
        a.dtype in FLOATS
        and b.dtype in FLOATS
        and len(a.shape) == len(b.shape) == 2
        and a.shape[0] == b.shape[1] > 0
    )

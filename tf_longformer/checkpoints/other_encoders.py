"""Reads the weights of another encoder as those of a Longformer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_longformer.checkpoints import dialects
from tf_longformer.checkpoints import names
from tf_longformer.checkpoints.files.tensor_file import Tensor
from tf_longformer.checkpoints.files.tensor_file import TensorFile
from tf_longformer.checkpoints.files.tensor_file import unreadable
from tf_longformer.checkpoints.positions import copied_positions
from tf_longformer.configuration import LongformerConfig
from tf_longformer.errors import CheckpointError
from tf_longformer.families import FAMILIES
from tf_longformer.families import Family
from tf_longformer.heads import BARE
from tf_longformer.heads import HEADS

_CLASSIFIER = "LongformerForSequenceClassification"


def as_longformer(
    file: TensorFile,
    config: LongformerConfig,
    fields: Mapping[str, Any],
    resized: bool = False,
) -> TensorFile:
    """Returns a file of weights as a Longformer's, whatever encoder it is of.

    Args:
        file: `TensorFile`.
        config: `LongformerConfig` of the model that is wanted. It no longer
            names a head that the file of another family lacks.
        fields: those of the checkpoint's `config.json`.
        resized: bool, whether the table of positions is copied to the length
            of `config`, as that of an encoder of another family always is.
            Defaults to `False`.

    Raises:
        CheckpointError: if names or the table of positions are no encoder's.
        ValueError: if windows reach further than the table of positions.
    """
    family = FAMILIES.get(str(fields.get("model_type")))
    if family is None and not resized:
        return file
    widest = max(config.radii)
    if widest > config.max_tokens:
        raise ValueError(
            "`attention_window` must not reach beyond the longest text on "
            f"either side. Received: a window of {2 * widest} for texts of up "
            f"to max_tokens={config.max_tokens}. Pass a smaller window."
        )
    counts_from_pad = family is None or family.counts_from_pad
    if family is not None:
        file = _RenamedFile(file, family, config)
        if not _has_named_head(file, config):
            config.architectures = None
    rows = fields.get("max_position_embeddings", 512)
    return _ResizedFile(file, config, rows, counts_from_pad)


class _RenamedFile(TensorFile):
    """Another encoder's file with PyTorch's names of a Longformer.

    Token types that the encoder doesn't have are zeros.
    """

    dialect = dialects.PYTORCH

    def __init__(
        self, file: TensorFile, family: Family, config: LongformerConfig
    ) -> None:
        if file.dialect == dialects.KERAS:
            raise unreadable(
                file.path, "has Keras's names, by which only ours are known"
            )
        self.path, self.format = file.path, file.format
        self._file = file
        self._names = _translate(file, family, config)
        self.tensors = {
            name: self._describe(given) for name, given in self._names.items()
        }
        words = self.tensors.get(names.WORDS)
        if words is not None and names.TOKEN_TYPES not in self.tensors:
            row = words._replace(shape=(1, *words.shape[1:]))
            self.tensors[names.TOKEN_TYPES] = row

    def _describe(self, given: str) -> Tensor:
        tensor = self._file.tensors[given]
        shape = tensor.shape[::-1] if _is_transposed(given) else tensor.shape
        return tensor._replace(shape=shape)

    def read(self, name: str) -> np.ndarray:
        if name not in self._names:
            tensor = self.tensors[name]
            return np.zeros(tensor.shape, tensor.dtype)
        given = self._names[name]
        array = self._file.read(given)
        return array.T if _is_transposed(given) else array

    def are_equal(self, one: str, other: str) -> bool:
        return self._file.are_equal(self._names[one], self._names[other])


def _has_named_head(file: TensorFile, config: LongformerConfig) -> bool:
    """Whether a file has the head that its configuration names.

    Embedding models have lost the one that they were trained from, and the
    configuration still names it.
    """
    head = HEADS.get((config.architectures or [""])[0])
    return (
        head is None
        or not head.layers
        or any(
            f"{names.torch_name(row)}.weight" in file.tensors
            for row in head.layers
        )
    )


class _ResizedFile(TensorFile):
    """A file whose table of positions, of `rows`, has another length.

    The rows before those of tokens are kept, or, where the encoder has none,
    are zeros.
    """

    def __init__(
        self,
        file: TensorFile,
        config: LongformerConfig,
        rows: int,
        counts_from_pad: bool,
    ) -> None:
        self.path, self.format = file.path, file.format
        self.dialect = file.dialect
        self.tensors = dict(file.tensors)
        self._file = file
        self._max_tokens = config.max_tokens
        before = config.pad_token_id + 1
        self._reserved, self._added = (
            (before, 0) if counts_from_pad else (0, before)
        )
        found = dialects.translate(file.tensors, file.dialect, config).names
        self._name = found.get(names.POSITIONS, "")
        table = self.tensors.get(self._name)
        if table is None:
            return
        if table.shape[:1] != (rows,) or rows <= self._reserved:
            raise CheckpointError(
                "A table of positions must have the rows that its "
                f"configuration counts. Received: shape {table.shape} in "
                f"{self.path}, with max_position_embeddings={rows}. Use the "
                "configuration that it was saved with."
            )
        self.tensors[self._name] = table._replace(
            shape=(before + self._max_tokens, *table.shape[1:])
        )

    def read(self, name: str) -> np.ndarray:
        array = self._file.read(name)
        if name != self._name:
            return array
        array = copied_positions(array, self._reserved, self._max_tokens)
        return np.pad(array, ((self._added, 0), (0, 0)))

    def are_equal(self, one: str, other: str) -> bool:
        return self._file.are_equal(one, other)


def _translate(
    file: TensorFile, family: Family, config: LongformerConfig
) -> dict[str, str]:
    """Returns a Longformer's names, and for each the one in the file."""
    given = {name: name for name in file.tensors}
    if file.dialect == dialects.TENSORFLOW:
        given = {_torch_name(name): name for name in file.tensors}
    wrapper, prefix = dialects.find_prefixes(
        set(given), (names.BODY, f"{family.body}.", "")
    )
    lm_head = family.lm_head if family.has_lm_head(config.hidden_act) else {}
    # A head that computes something else than a Longformer's isn't read.
    has_head = config.architectures != [BARE]
    is_classifier = config.architectures == [_CLASSIFIER]
    classifier = family.classifier if is_classifier else {}
    found = {}
    for name, source in given.items():
        name = name.removeprefix(wrapper)
        inner = _rename(name.removeprefix(prefix), family.layers)
        renamed = _rename(inner, classifier)
        if renamed != inner:
            found[renamed] = source
        if name.startswith(prefix) and inner.startswith(dialects.BARE_PARTS):
            found[f"{names.BODY}{inner}"] = source
        elif renamed == inner and has_head:
            found[_rename(name, lm_head)] = source
        elif renamed == inner:
            found[f"{family.body}: {name}"] = source
    return found


def _rename(name: str, table: Mapping[str, str]) -> str:
    """Replaces the names of layers within a longer one."""
    if not table:
        return name
    layers = "|".join(map(re.escape, table))
    return re.sub(
        rf"(?<![^.])({layers})(?![^.])", lambda found: table[found[1]], name
    )


def _torch_name(name: str) -> str:
    """Returns PyTorch's name for one of HF TensorFlow's.

    What stands before three underscores is TensorFlow's only.
    """
    parts = [
        part.rpartition("___")[2]
        for part in name.removesuffix(":0").replace("_._", "/").split("/")
    ]
    if parts[-1] in ("kernel", "embeddings"):
        parts[-1] = "weight"
    return ".".join(parts)


def _is_transposed(name: str) -> bool:
    """Whether PyTorch's files hold the transpose of a tensor."""
    return name.endswith("/kernel:0")

"""Writes weights to a folder, in any of the formats that are written."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tf_longformer import atomic
from tf_longformer.atomic import Replacement
from tf_longformer.checkpoints import names
from tf_longformer.checkpoints.adapter_config import ADAPTER_CONFIG_NAME
from tf_longformer.checkpoints.files import hdf5_file
from tf_longformer.checkpoints.files import sharded_file
from tf_longformer.checkpoints.files.formats import FORMATS
from tf_longformer.checkpoints.files.formats import SAVE_FORMATS
from tf_longformer.checkpoints.files.formats import Format
from tf_longformer.checkpoints.files.tensor_file import BFLOAT16
from tf_longformer.checkpoints.files.tensor_file import FLOATS
from tf_longformer.checkpoints.files.tensor_file import Tensor
from tf_longformer.checkpoints.names import Weight
from tf_longformer.errors import cut
from tf_longformer.errors import shown
from tf_longformer.heads import HEADS

DEFAULT_SHARD_SIZE = "5GB"
_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {f"{unit[0]}IB": 1 << 10 * n for n, unit in enumerate(_UNITS) if n}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?I?B?)", re.IGNORECASE)


@dataclasses.dataclass
class Source:
    """Weights to be written, and where their numbers come from.

    Attributes:
        head: str, the class that they are of, a key of `HEADS`.
        weights: the weights.
        dtypes: the type that each is to be written in, by `Weight.path`.
        get: function from a weight to its array in our layout, of any float
            type. It is called when the array is written, so that one array
            is in memory at a time.
    """

    head: str
    weights: list[Weight]
    dtypes: dict[str, np.dtype]
    get: Callable[[Weight], np.ndarray]

    def tensors(
        self, names_of: Callable[[Weight], Iterable[str]], torch: bool = False
    ) -> tuple[dict[str, Tensor], Callable[[str], np.ndarray]]:
        """Returns types and shapes by name, and a function for the arrays.

        Args:
            names_of: function from a weight to its names in the file.
            torch: bool, whether matrices are transposed, as PyTorch has
                them. Defaults to `False`.
        """
        by_name = {
            name: weight for weight in self.weights for name in names_of(weight)
        }
        tensors = {
            name: Tensor(
                self.dtypes[weight.path],
                weight.torch_shape if torch else weight.shape,
            )
            for name, weight in by_name.items()
        }

        def get(name: str) -> np.ndarray:
            weight = by_name[name]
            array = cast(self.get(weight), self.dtypes[weight.path])
            return array.T if torch and weight.transposed else array

        return tensors, get


class Target(NamedTuple):
    """Where weights are to be written to, and how.

    Attributes:
        folder: the folder.
        form: the `Format`.
        dtype: the type of all weights; `None` leaves each as it is.
        shard_size: int, the most bytes of one file of safetensors.
    """

    folder: Path
    form: Format
    dtype: np.dtype | None
    shard_size: int


def check_target(
    folder: str | os.PathLike,
    save_format: str,
    dtype: str | None = None,
    max_shard_size: int | str = DEFAULT_SHARD_SIZE,
) -> Target:
    """Checks arguments of `save_pretrained` before any work is done.

    Raises:
        ValueError: for a format, type or size that isn't known, or where the
            folder has weights that would be read in place of the new ones.
    """
    if save_format not in SAVE_FORMATS:
        raise ValueError(
            f"`save_format` must be one of {', '.join(SAVE_FORMATS)}. "
            f"Received: {shown(save_format)}. Leave it out for safetensors."
        )
    target = Target(
        Path(folder),
        SAVE_FORMATS[save_format],
        _check_dtype(dtype, save_format),
        _shard_bytes(max_shard_size),
    )
    _check_not_hidden(target.folder, target.form)
    return target


def _check_dtype(dtype: str | None, save_format: str) -> np.dtype | None:
    """Returns the type of a name; raises if the format doesn't have it."""
    if dtype is None:
        return None
    known = {str(one): one for one in FLOATS}
    if dtype not in known:
        raise ValueError(
            f"`dtype` must be one of {', '.join(known)}. Received: "
            f"{shown(dtype)}. Leave it out to keep the model's own."
        )
    if save_format == "h5" and known[dtype] == BFLOAT16:
        raise ValueError(
            "A `tf_model.h5` has no bfloat16. Received: dtype='bfloat16'. "
            "Use 'float16' or another `save_format`."
        )
    return known[dtype]


def _shard_bytes(size: int | str) -> int:
    """Returns the bytes of a size such as 1000, "5GB", "200MB" or "1GiB"."""
    found = _SIZE.fullmatch(str(size).strip())
    count = 0
    if found and not isinstance(size, bool):
        unit = found[2].upper().removesuffix("B")
        unit = f"{unit}B" if unit else ""
        count = int(float(found[1]) * _UNITS.get(unit, 0))
    if count < 1:
        raise ValueError(
            "`max_shard_size` must be a number of bytes, or one with KB, MB, "
            f"GB or TB. Received: {shown(size)}. Write '5GB', for example."
        )
    return count


def _check_not_hidden(folder: Path, form: Format) -> None:
    """Raises if the folder has a format that is read before the new one."""
    if not folder.is_dir():
        return
    if atomic.find(folder, ADAPTER_CONFIG_NAME):
        raise ValueError(
            "A folder's adapter is added to its weights when they are read. "
            f"Received: {folder} with {ADAPTER_CONFIG_NAME}. Use another "
            "folder, or remove the adapter first."
        )
    for earlier in FORMATS[: FORMATS.index(form)]:
        for name in (earlier.file_name, earlier.index_name):
            if atomic.find(folder, name):
                raise ValueError(
                    f"A folder's {earlier.file_name} is read before its "
                    f"{form.file_name}. Received: {folder} with {name}. Use "
                    "another folder, or remove the old weights first."
                )


def check_adapter_target(folder: Path) -> None:
    """Raises if the folder has weights, which an adapter would change.

    Raises:
        ValueError: that names them.
    """
    for form in FORMATS:
        for name in (form.file_name, form.index_name):
            if folder.is_dir() and atomic.find(folder, name):
                raise ValueError(
                    "An adapter must be saved apart from weights, to which it "
                    f"would be added. Received: {folder} with {name}. Use "
                    "another folder."
                )


def cast(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Returns an array in a type; raises if a number is too large for it."""
    if array.dtype == dtype:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        cast_array = array.astype(dtype)
    if dtype.itemsize < array.dtype.itemsize:
        lost = np.isinf(cast_array.astype("float32")) & ~np.isinf(array)
        if lost.any():
            raise ValueError(
                f"Weights must fit `dtype`. Received: {dtype}, and a weight "
                f"of {float(np.abs(array[lost]).max()):.3g}. Use 'bfloat16' "
                "or 'float32'."
            )
    return cast_array


def write(replacement: Replacement, target: Target, source: Source) -> None:
    """Writes weights, and has old ones of the same format removed.

    Args:
        replacement: the `Replacement` of the target's folder.
        target: `Target`, of any format but `"keras"`, which only Keras can
            write.
        source: `Source`.

    Raises:
        ValueError: if the weights don't fit the format or its type.
    """
    form = target.form
    path = replacement.path / form.file_name
    _WRITERS[form.save_format](path, source, target.shard_size)
    replacement.removed |= {
        path.name
        for path in target.folder.iterdir()
        if path.name in (form.file_name, form.index_name)
        or (form.sharded and sharded_file.is_shard(path.name, form.file_name))
    }


def write_safetensors(path: Path, source: Source, shard_size: int) -> None:
    """Writes weights as HF's PyTorch classes do, in shards if need be."""

    def names_of(weight: Weight) -> list[str]:
        every_name = weight.written_under_all
        found = weight.torch if every_name else weight.torch[:1]
        return [names.in_class(name, source.head) for name in found]

    tensors, get = source.tensors(names_of, torch=True)
    sharded_file.write(path.parent, path.name, tensors, get, shard_size)


def write_tensorflow(path: Path, source: Source, shard_size: int = 0) -> None:
    """Writes weights as HF's TensorFlow classes do, in one file."""
    _require_places(source, "tensorflow", "HF's TensorFlow classes")
    if BFLOAT16 in source.dtypes.values():
        _check_dtype("bfloat16", "h5")
    tensors, get = source.tensors(lambda w: [w.tensorflow or ""])
    model = HEADS[source.head].tensorflow_name
    hdf5_file.write_tensorflow(path, tensors, get, model)


def write_keras_weights(
    path: Path, source: Source, shard_size: int = 0
) -> None:
    """Writes weights for Keras's `load_weights`, in one file."""
    _require_places(source, "keras", "files that Keras doesn't write itself")
    tensors, get = source.tensors(lambda w: [w.keras or ""])
    hdf5_file.write_keras(path, tensors, get)


def _require_places(source: Source, name: str, whose: str) -> None:
    lacking = [w.path for w in source.weights if getattr(w, name) is None]
    if lacking:
        raise ValueError(
            f"The format must have a place for each weight: {whose} have "
            f"none for some. Received: {cut(', '.join(lacking))}. Use "
            "safetensors."
        )


# By `Format.save_format`.
_WRITERS: dict[str | None, Callable[[Path, Source, int], None]] = {
    "safetensors": write_safetensors,
    "h5": write_tensorflow,
    "weights.h5": write_keras_weights,
}

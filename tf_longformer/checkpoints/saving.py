"""Writes a model to a folder, in any of the formats that are written."""

from __future__ import annotations

import dataclasses
import json
import re
import uuid
from collections.abc import Callable
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tf_longformer import atomic_folder
from tf_longformer.atomic_folder import Replacement
from tf_longformer.checkpoints import hdf5_file
from tf_longformer.checkpoints import names
from tf_longformer.checkpoints import safetensors_file
from tf_longformer.checkpoints.formats import FORMATS
from tf_longformer.checkpoints.formats import SAVE_FORMATS
from tf_longformer.checkpoints.formats import Format
from tf_longformer.checkpoints.names import Weight
from tf_longformer.checkpoints.sharded_file import SAVE_ID
from tf_longformer.checkpoints.tensor_file import BFLOAT16
from tf_longformer.checkpoints.tensor_file import FLOATS
from tf_longformer.checkpoints.tensor_file import Tensor

DEFAULT_SHARD_SIZE = "5GB"
_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {f"{unit[0]}IB": 1 << 10 * n for n, unit in enumerate(_UNITS) if n}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?I?B?)", re.IGNORECASE)


@dataclasses.dataclass
class Source:
    """Weights to be written.

    Attributes:
        head: str, a key of `names.HEADS`.
        weights: the weights.
        dtypes: the type that each is to be written in, by our path.
        get: function from a weight to its array in our layout, of any float
            type.
    """

    head: str
    weights: list[Weight]
    dtypes: dict[str, np.dtype]
    get: Callable[[Weight], np.ndarray]

    def tensors(
        self, names_of: Callable[[Weight], Iterable[str]], torch: bool = False
    ) -> tuple[dict[str, Tensor], Callable[[str], np.ndarray]]:
        """Returns types and shapes by name, and what gives the arrays.

        Args:
            names_of: function from a weight to its names in the file.
            torch: bool, whether matrices are PyTorch's. Defaults to `False`.
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


def check_format(save_format: str) -> Format:
    """Returns the format that a caller names.

    Raises:
        ValueError: for another one.
    """
    if save_format not in SAVE_FORMATS:
        raise ValueError(
            f"`save_format` must be one of {', '.join(SAVE_FORMATS)}. "
            f"Received: {save_format!r}. Leave it out for safetensors."
        )
    return SAVE_FORMATS[save_format]


def check_dtype(dtype: str | None, save_format: str) -> np.dtype | None:
    """Returns the type that a caller names.

    Raises:
        ValueError: for another one, or one that the format doesn't have.
    """
    if dtype is None:
        return None
    known = {str(one): one for one in FLOATS}
    if dtype not in known:
        raise ValueError(
            f"`dtype` must be one of {', '.join(known)}. Received: {dtype!r}. "
            "Leave it out to keep the model's own."
        )
    if save_format == "h5" and known[dtype] == BFLOAT16:
        raise ValueError(
            "A `tf_model.h5` has no bfloat16. Received: dtype='bfloat16'. "
            "Use 'float16' or another `save_format`."
        )
    return known[dtype]


def shard_bytes(size: int | str) -> int:
    """Returns a size in bytes.

    Args:
        size: int, or text such as "5GB", "200MB" or "1GiB".

    Raises:
        ValueError: for anything else.
    """
    found = _SIZE.fullmatch(str(size).strip())
    count = 0
    if found and not isinstance(size, bool):
        unit = found[2].upper().removesuffix("B")
        unit = f"{unit}B" if unit else ""
        count = int(float(found[1]) * _UNITS.get(unit, 0))
    if count < 1:
        raise ValueError(
            "`max_shard_size` must be a number of bytes, or one with KB, MB, "
            f"GB or TB. Received: {size!r}. Write '5GB', for example."
        )
    return count


def cast(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Returns an array in a type.

    Raises:
        ValueError: if a number is too large for it.
    """
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


def check_hiding(folder: Path, form: Format) -> None:
    """Raises if a folder has weights that would be read in place of new ones.

    Args:
        folder: the folder.
        form: the format that is to be written.

    Raises:
        ValueError: if there are some.
    """
    if not folder.is_dir():
        return
    for earlier in FORMATS[: FORMATS.index(form)]:
        for name in (earlier.file_name, earlier.index_name):
            if atomic_folder.find(folder, name):
                raise ValueError(
                    f"A folder's {earlier.file_name} is read before its "
                    f"{form.file_name}. Received: {folder} with {name}. Use "
                    "another folder, or remove the old weights first."
                )


def write(
    replacement: Replacement,
    folder: Path,
    form: Format,
    source: Source,
    max_shard_size: int | str = DEFAULT_SHARD_SIZE,
) -> None:
    """Writes weights; old ones of the format go when the new ones come.

    Args:
        replacement: the `Replacement` of the folder.
        folder: the folder, for the old weights.
        form: any format but Keras's archive, which Keras writes.
        source: `Source`.
        max_shard_size: bytes of a file, as an int or text. Defaults to
            5 GB; only safetensors are split.

    Raises:
        ValueError: if the weights don't fit the format or its type.
    """
    target = replacement.path / form.file_name
    if form.save_format == "safetensors":
        limit = shard_bytes(max_shard_size)
        _write_safetensors(replacement.path, form, source, limit)
    elif form.save_format == "h5":
        _require(source, "tensorflow", "HF's TensorFlow classes")
        if BFLOAT16 in source.dtypes.values():
            check_dtype("bfloat16", form.save_format)
        tensors, get = source.tensors(lambda w: [w.tensorflow or ""])
        model = names.TENSORFLOW_MODELS[source.head]
        hdf5_file.write_tensorflow(target, tensors, get, model)
    else:
        write_keras_weights(target, source)
    replacement.removed |= _old_files(folder, form)


def write_keras_weights(path: Path, source: Source) -> None:
    """Writes weights for Keras's `load_weights`.

    Args:
        path: the file, which is replaced.
        source: `Source`.

    Raises:
        ValueError: if there are weights that only Keras can place.
    """
    _require(source, "keras", "files that Keras doesn't write itself")
    tensors, get = source.tensors(lambda w: [w.keras or ""])
    hdf5_file.write_keras(path, tensors, get)


def _require(source: Source, name: str, whose: str) -> None:
    lacking = [w.path for w in source.weights if getattr(w, name) is None]
    if lacking:
        raise ValueError(
            f"The format must have a place for each weight: {whose} have "
            f"none for some. Received: {', '.join(lacking)}. Use safetensors."
        )


def _write_safetensors(
    folder: Path, form: Format, source: Source, limit: int
) -> None:
    def names_of(weight: Weight) -> list[str]:
        found = weight.torch if weight.all_torch else weight.torch[:1]
        # PyTorch's class without a head has no name for its body.
        prefix = names.BODY if source.head == names.BARE else ""
        return [name.removeprefix(prefix) for name in found]

    tensors, get = source.tensors(names_of, torch=True)
    shards = _split(tensors, limit)
    if len(shards) == 1:
        safetensors_file.write(
            folder / form.file_name, tensors, get, {"format": "pt"}
        )
        return
    save_id = uuid.uuid4().hex
    weight_map = {}
    for number, shard in enumerate(shards, 1):
        name = form.shard_name(number, len(shards))
        weight_map.update(dict.fromkeys(shard, name))
        safetensors_file.write(
            folder / name,
            {key: tensors[key] for key in shard},
            get,
            {"format": "pt", SAVE_ID: save_id},
        )
    total = sum(tensor.nbytes for tensor in tensors.values())
    index = {
        "metadata": {"total_size": total, SAVE_ID: save_id},
        "weight_map": dict(sorted(weight_map.items())),
    }
    text = json.dumps(index, indent=2) + "\n"
    (folder / form.index_name).write_text(text, "utf-8")


def _split(tensors: dict[str, Tensor], limit: int) -> list[list[str]]:
    """Returns the names of each shard; a tensor is never split."""
    shards: list[list[str]] = [[]]
    size = 0
    for name, tensor in tensors.items():
        if shards[-1] and size + tensor.nbytes > limit:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += tensor.nbytes
    return shards


def _old_files(folder: Path, form: Format) -> set[str]:
    """Returns the names of the files that an earlier save has left."""
    shard = re.compile(
        re.escape(form.shard_name(0, 0)).replace("00000", r"\d{5}")
    )
    return {
        path.name
        for path in folder.iterdir()
        if path.name in (form.file_name, form.index_name)
        or (form.sharded and shard.fullmatch(path.name))
    }

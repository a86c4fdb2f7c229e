"""From one format to another, one tensor at a time, without a backend."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from tf_longformer import atomic_folder
from tf_longformer.atomic_folder import Replacement
from tf_longformer.checkpoints import names
from tf_longformer.checkpoints import saving
from tf_longformer.checkpoints import transfer
from tf_longformer.checkpoints.description import find_head
from tf_longformer.checkpoints.locate import Location
from tf_longformer.configuration import LongformerConfig
from tf_longformer.errors import CheckpointError

TOKENIZER_FILES = (
    "vocab.json",
    "merges.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)


def convert(
    location: Location,
    folder: Path,
    save_format: str = "safetensors",
    *,
    head: str | None = None,
    dtype: str | None = None,
    max_shard_size: int | str = saving.DEFAULT_SHARD_SIZE,
) -> list[str]:
    """Writes a checkpoint in another format, its tokenizer's files along.

    Args:
        location: `Location` of the checkpoint.
        folder: the folder to write to.
        save_format: as for `save_pretrained`, but for `"keras"`, which only
            Keras writes. Defaults to `"safetensors"`.
        head: str, HF's class to write it for. Defaults to the one that it
            was saved from.
        dtype: as for `save_pretrained`. Defaults to the type of each tensor.
        max_shard_size: as for `save_pretrained`.

    Returns:
        Names of the file that are left out, as the class has no place for
        them.

    Raises:
        CheckpointError: if the checkpoint is damaged or doesn't fill the
            class.
        OSError: if there is none, or the folder can't be written to.
        ValueError: for other arguments that are wrong.
    """
    form = saving.check_format(save_format)
    stored = saving.check_dtype(dtype, save_format)
    saving.shard_bytes(max_shard_size)
    saving.check_hiding(folder, form)
    fields = location.config_fields()
    config = LongformerConfig.from_dict(fields)
    file = location.open()
    head = check_head(head) if head else find_head(file, config)
    wanted = names.weights(config, names.HEADS[head or names.BARE])
    matching = transfer.match(
        wanted.values(), file, config, fields.get("model_type") == "roberta"
    )
    transfer.require_complete(matching)
    if head is None or matching.new_parts:
        raise CheckpointError(
            "A checkpoint must have all weights of the class that it is "
            f"written for. Received: {location.where}, which has none of "
            f"{', '.join(matching.new_parts) or 'a Longformer'}. Name "
            "another `head`.",
            [weight.torch[0] for weight in matching.missing],
        )
    given = {weight.path: name for weight, name in matching.found}
    dtypes: dict[str, np.dtype] = {
        path: stored or file.tensors[name].dtype for path, name in given.items()
    }
    config.architectures = [head]
    if len(set(dtypes.values())) == 1:
        config.dtype = str(next(iter(dtypes.values())))
    source = saving.Source(
        head,
        [weight for weight, _ in matching.found],
        dtypes,
        lambda weight: matching.read_one(weight, given[weight.path]),
    )
    with atomic_folder.replacing(folder) as replacement:
        saving.write(replacement, folder, form, source, max_shard_size)
        config.save_pretrained(replacement.path)
        copy_tokenizer(location, replacement)
    return matching.unexpected


def copy_tokenizer(location: Location, replacement: Replacement) -> None:
    """Copies the files of a tokenizer that lie beside a checkpoint.

    They take the place of all files of an older one.

    Args:
        location: `Location` of the checkpoint.
        replacement: `Replacement` of the folder to copy them to.
    """
    for name in TOKENIZER_FILES:
        path = location.find(name)
        if path is not None:
            shutil.copyfile(path, replacement.path / name)
            replacement.removed.update(TOKENIZER_FILES)


def check_head(head: str) -> str:
    """Returns HF's class that a caller names, with or without `TF`.

    Args:
        head: str, such as `"LongformerForMaskedLM"` or `"ForMaskedLM"`.

    Raises:
        ValueError: for another one.
    """
    plain = head.removeprefix("TF").removeprefix("Longformer")
    if f"Longformer{plain}" not in names.HEADS:
        raise ValueError(
            f"`head` must be one of {', '.join(names.HEADS)}. Received: "
            f"{head!r}. Leave it out for the one that was saved."
        )
    return f"Longformer{plain}"

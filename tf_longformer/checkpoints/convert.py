"""Converts a checkpoint to another format, one tensor at a time.

No backend is needed. Keras's own format is the exception: only Keras can
write it, see `tf_longformer.loading.convert_to_keras`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tf_longformer import atomic
from tf_longformer import folders
from tf_longformer.atomic import Replacement
from tf_longformer.checkpoints import names
from tf_longformer.checkpoints import save
from tf_longformer.checkpoints.find_head import find_head
from tf_longformer.checkpoints.find_head import head_named
from tf_longformer.checkpoints.locate import Location
from tf_longformer.checkpoints.match import match
from tf_longformer.checkpoints.match import require_layers
from tf_longformer.checkpoints.match import untie_what_differs
from tf_longformer.checkpoints.other_encoders import as_longformer
from tf_longformer.checkpoints.stated_tokens import find_separator
from tf_longformer.checkpoints.vector_settings import vector_settings_to_keep
from tf_longformer.checkpoints.vector_settings import write_vector_settings
from tf_longformer.configuration import LongformerConfig
from tf_longformer.errors import CheckpointError
from tf_longformer.families import FAMILIES
from tf_longformer.families import Family
from tf_longformer.heads import BARE
from tf_longformer.heads import HEADS
from tf_longformer.json_files import read_json
from tf_longformer.tokenization.files import CONFIG_FILE
from tf_longformer.tokenization.files import FILES_OF_ALL_KINDS

_MASKED_LM = "LongformerForMaskedLM"


def convert(
    location: Location,
    folder: Path,
    save_format: str = "safetensors",
    *,
    head: str | None = None,
    dtype: str | None = None,
    max_shard_size: int | str = save.DEFAULT_SHARD_SIZE,
    **overrides: Any,
) -> list[str]:
    """Writes a checkpoint in another format, with what belongs to it.

    That is its tokenizer's files, and in a folder of sentence-transformers
    how vectors are made.

    With an `attention_window` or `max_tokens` another encoder, one of
    `tf_longformer.families`, becomes a Longformer, and its tokenizer takes
    texts of that length.

    Args:
        location: `Location` of the checkpoint.
        folder: the folder to write to.
        save_format: as for `save_pretrained`, but not `"keras"`, which only
            Keras can write; see `tf_longformer.loading.convert_to_keras`.
            Defaults to `"safetensors"`.
        head: str, HF's class to write it for. Defaults to the one that it
            was saved from.
        dtype: as for `save_pretrained`. Defaults to the type of each tensor.
        max_shard_size: as for `save_pretrained`.
        **overrides: fields of the config, as for `LongformerConfig.from_dict`.

    Returns:
        Names of weights in the checkpoint that were left out, as the class
        has no place for them.

    Raises:
        CheckpointError: if the checkpoint is damaged or doesn't fill the
            class.
        OSError: if it lacks a file, or the folder can't be written to.
        ValueError: for other arguments that are wrong.
    """
    if save_format == "keras":
        raise ValueError(
            "`save_format` must be one that is written without Keras. "
            "Received: 'keras'. Use `tf_longformer.loading.convert_to_keras`, "
            "or on the command line `tf-longformer convert --format keras`."
        )
    target = save.check_target(folder, save_format, dtype, max_shard_size)

    def read(files: Location) -> tuple[Any, ...]:
        fields, open_file = files.read()
        config = LongformerConfig.from_dict(fields, **overrides)
        if config.sep_token_id is None:
            config.sep_token_id = find_separator(files)
        tokenizer = read_tokenizer(files)
        family = FAMILIES.get(str(fields.get("model_type")))
        length = overrides.get("max_tokens")
        if tokenizer and (family or length is not None):
            _set_length(tokenizer, files, length, family, config)
        vectors = vector_settings_to_keep(files, length)
        return fields, open_file, config, tokenizer, vectors

    fields, open_file, config, tokenizer, vectors = location.of_one_save(read)
    model_type = fields.get("model_type")
    family = FAMILIES.get(str(model_type))
    resized = "max_tokens" in overrides
    file = as_longformer(open_file(config), config, fields, resized)
    require_layers(file, config)
    head = head_named(head) if head else find_head(file, config)
    untie_what_differs(config, HEADS[head or BARE], file)
    matching = match(
        names.weights(config, HEADS[head or BARE]).values(),
        file,
        config,
        model_type,
    )
    matching.require_complete()
    # Of the other encoders, and of models of vectors, many have no pooler.
    may_be_new = ["pooler"] if (family or vectors) and head == BARE else []
    if head is None or matching.new_parts not in ([], may_be_new):
        config.architectures = None
        raise CheckpointError(
            "A checkpoint must have all weights of the class that it is "
            f"written for. Received: {location.where}, which has none of "
            f"{', '.join(matching.new_parts)}. By its weights it is a "
            f"{find_head(file, config)}.",
            [weight.torch[0] for weight in matching.missing],
        )
    given = {weight.path: name for weight, name in matching.found}
    dtypes: dict[str, np.dtype] = {
        path: target.dtype or file.tensors[name].dtype
        for path, name in given.items()
    }
    config.architectures = [head]
    if len(set(dtypes.values())) == 1:
        config.dtype = str(next(iter(dtypes.values())))
    source = save.Source(
        head,
        [weight for weight, _ in matching.found],
        dtypes,
        lambda weight: matching.read_one(weight, given[weight.path]),
    )
    with atomic.replacing_files(folder) as replacement:
        save.write(replacement, target, source)
        config.save_pretrained(folder)
        write_tokenizer(tokenizer, replacement)
        # Another head's body was trained for what the head makes of tokens.
        if head not in (BARE, _MASKED_LM):
            vectors = None
        write_vector_settings(replacement, vectors, config.hidden_size)
    return matching.unexpected


def read_tokenizer(files: Location) -> dict[str, bytes]:
    """Returns the files of a checkpoint's tokenizer by name; none, if none.

    Raises:
        CheckpointError: if a file of it is a link that leads elsewhere.
    """
    paths = {name: files.find(name) for name in FILES_OF_ALL_KINDS}
    found = {name: path for name, path in paths.items() if path is not None}
    for path in found.values():
        target = folders.target_elsewhere(path, path.parent)
        if target is not None:
            # A copy would publish it.
            raise CheckpointError(
                "A tokenizer that is copied must lie in its folder. Received: "
                f"{path}, which is a link to {target}. If you trust it, put "
                "the file itself there."
            )
    return {name: folders.read_bytes(path) for name, path in found.items()}


def write_tokenizer(
    tokenizer: dict[str, bytes], replacement: Replacement
) -> None:
    """Writes files of a tokenizer, if any; those of an older one go."""
    for name, content in tokenizer.items():
        (replacement.path / name).write_bytes(content)
    if tokenizer:
        replacement.removed.update(FILES_OF_ALL_KINDS)


def _set_length(
    tokenizer: dict[str, bytes],
    files: Location,
    length: int | None,
    family: Family | None,
    config: LongformerConfig,
) -> None:
    """Has a tokenizer take longer texts, or with `None` as many as it did.

    The folder's config no longer says of which class it is, so that it must.
    """
    path = files.find(CONFIG_FILE)
    options = read_json(path, "A tokenizer's file") if path else {}
    own = options.pop("max_len", config.max_tokens)
    own = options.get("model_max_length", own)
    own = own if isinstance(own, int | float) else config.max_tokens
    if family is not None:
        options.setdefault("tokenizer_class", family.tokenizer)
    options["model_max_length"] = length or int(min(own, config.max_tokens))
    tokenizer[CONFIG_FILE] = f"{json.dumps(options, indent=2)}\n".encode()

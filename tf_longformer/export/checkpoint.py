"""From the name of a checkpoint to what an export needs."""

from __future__ import annotations

from typing import Any

from tf_longformer.checkpoints.conversion import check_head
from tf_longformer.checkpoints.description import find_head
from tf_longformer.checkpoints.locate import locate
from tf_longformer.configuration import LongformerConfig
from tf_longformer.models.keras_conversion import CLASSES
from tf_longformer.tokenization import LongformerTokenizerFast

_TOKENIZER_FILES = ("vocab.json", "tokenizer.json")


def load_model(
    checkpoint: str,
    head: str | None = None,
    subfolder: str = "",
    revision: str | None = None,
) -> Any:
    """Loads a checkpoint into the class that it was saved from, in float32.

    Args:
        checkpoint: a folder, a file of weights, or an id of the hub.
        head: str, HF's class to load instead. Defaults to none.
        subfolder: str, folder within the folder. Defaults to none.
        revision: str, branch, tag or commit on the hub. Defaults to none.

    Raises:
        CheckpointError: if the checkpoint is damaged.
        OSError: if there is none.
        ValueError: if it doesn't have all weights of the class.
    """
    location = locate(checkpoint, subfolder, revision=revision)
    config = LongformerConfig.from_dict(location.config_fields())
    found = check_head(head) if head else find_head(location.open(), config)
    missing = ["a Longformer"]
    if found is not None:
        model, info = CLASSES[f"TF{found}"].from_pretrained(
            checkpoint,
            subfolder=subfolder,
            revision=revision,
            dtype="float32",
            output_loading_info=True,
        )
        missing = info["missing_keys"]
    if missing:
        raise ValueError(
            "A checkpoint that is exported must have all weights of its "
            f"class. Received: {location.where}, without "
            f"{', '.join(missing)}. Train the head first, or name another."
        )
    return model


def load_tokenizer(
    checkpoint: str, subfolder: str = "", revision: str | None = None
) -> LongformerTokenizerFast | None:
    """Loads the tokenizer that lies beside a checkpoint, if there is one.

    Args:
        checkpoint: as for `load_model`.
        subfolder: as for `load_model`.
        revision: as for `load_model`.

    Raises:
        ValueError: if its files are damaged.
    """
    location = locate(checkpoint, subfolder, revision=revision)
    if not any(map(location.find, _TOKENIZER_FILES)):
        return None
    return LongformerTokenizerFast.from_pretrained(
        checkpoint, subfolder=subfolder, revision=revision
    )

"""`tf-longformer convert`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from tf_longformer.cli.console import CheckpointName
from tf_longformer.cli.console import Revision
from tf_longformer.cli.console import Subfolder
from tf_longformer.cli.console import error_console
from tf_longformer.cli.console import import_backend
from tf_longformer.cli.console import say
from tf_longformer.errors import cut


class SaveFormat(str, Enum):
    """The formats, as `save_pretrained` calls them."""

    SAFETENSORS = "safetensors"
    H5 = "h5"
    WEIGHTS_H5 = "weights.h5"
    KERAS = "keras"


class FloatType(str, Enum):
    """The types that weights are stored as."""

    FLOAT64 = "float64"
    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"


# Of a Longformer that is made of another encoder.
_LENGTHS = {"max_tokens": 4096, "attention_window": 512}


def convert(
    checkpoint: CheckpointName,
    output: Annotated[Path, typer.Argument(help="The folder to write to.")],
    save_format: Annotated[
        SaveFormat,
        typer.Option(
            "--format",
            help="safetensors as PyTorch names it, h5 for HF's TensorFlow "
            "classes, weights.h5 or keras for Keras.",
        ),
    ] = SaveFormat.SAFETENSORS,
    dtype: Annotated[
        FloatType | None,
        typer.Option(help="Type of the weights; as they are, by default."),
    ] = None,
    max_shard_size: Annotated[
        str, typer.Option(help="Most bytes of a safetensors file.")
    ] = "5GB",
    head: Annotated[
        str | None,
        typer.Option(
            help="Class to write it for, such as LongformerForMaskedLM; the "
            "one that it was saved from, by default."
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            help="Make a Longformer for texts of that many tokens of an "
            "encoder, such as a BERT; 4096, if there is a window."
        ),
    ] = None,
    attention_window: Annotated[
        int | None,
        typer.Option(
            help="The same: tokens that each sees, both sides together; 512, "
            "if there is a length."
        ),
    ] = None,
    revision: Revision = None,
    subfolder: Subfolder = "",
) -> None:
    """Write a checkpoint in another format, or make a Longformer of a BERT.

    The files of the tokenizer come along. Only the format keras needs
    TensorFlow. Weights that the class has no place for are left out and
    named.
    """
    from tf_longformer.checkpoints.convert import convert as convert_checkpoint
    from tf_longformer.checkpoints.locate import locate

    location = locate(checkpoint, subfolder, revision=revision)
    overrides: dict[str, int] = {}
    if max_tokens is not None or attention_window is not None:
        is_longformer = (
            location.config_fields().get("model_type") == "longformer"
        )
        defaults = {} if is_longformer else _LENGTHS
        given = {"max_tokens": max_tokens, "attention_window": attention_window}
        overrides = defaults | {n: v for n, v in given.items() if v is not None}
    stored = dtype.value if dtype else None
    if save_format is SaveFormat.KERAS:
        import_backend()
        from tf_longformer.loading import convert_to_keras

        left_out = convert_to_keras(location, output, head, stored, **overrides)
    else:
        left_out = convert_checkpoint(
            location,
            output,
            save_format.value,
            head=head,
            dtype=stored,
            max_shard_size=max_shard_size,
            **overrides,
        )
    if left_out:
        error_console.print(
            f"left out: {cut(', '.join(left_out), 2000)}",
            markup=False,
            soft_wrap=True,
        )
    say(f"wrote {output}")

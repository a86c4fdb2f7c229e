"""`tf-longformer export`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated
from typing import Any

import typer

from tf_longformer.cli.console import CheckpointName
from tf_longformer.cli.console import Revision
from tf_longformer.cli.console import Subfolder
from tf_longformer.cli.console import import_backend
from tf_longformer.cli.console import say
from tf_longformer.cli.embed import Pooling


class ExportFormat(str, Enum):
    """The runtimes, by the names of their files."""

    SAVED_MODEL = "saved-model"
    LITERT = "litert"
    ONNX = "onnx"
    OPENVINO = "openvino"
    AOT = "aot"


class IdsDtype(str, Enum):
    """The types of ids and masks."""

    INT32 = "int32"
    INT64 = "int64"


class Weights(str, Enum):
    """The types that weights are stored as."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"


_SAVED_MODEL = (ExportFormat.SAVED_MODEL,)
_OTHERS = tuple(one for one in ExportFormat if one not in _SAVED_MODEL)
_AOT = (ExportFormat.AOT,)
# The formats of an option that not all have.
_FORMATS = {
    "text": _SAVED_MODEL,
    "ids": _SAVED_MODEL,
    "weights": _SAVED_MODEL,
    "xla": _SAVED_MODEL,
    "xla_length": _SAVED_MODEL,
    "xla_batch": _SAVED_MODEL,
    "top_k": _SAVED_MODEL,
    "max_answer_len": _SAVED_MODEL,
    "pooling": _SAVED_MODEL,
    "normalize": _SAVED_MODEL,
    "warmup": _SAVED_MODEL,
    "with_global_attention": _OTHERS,
    "batch": _AOT,
    "length": _AOT,
    "choices": _AOT,
    "target_cpu": _AOT,
}


def export(
    context: typer.Context,
    checkpoint: CheckpointName,
    output: Annotated[
        Path,
        typer.Argument(
            help="The folder to write, with its version: my-model/1."
        ),
    ],
    export_format: Annotated[
        ExportFormat,
        typer.Option("--format", help="The runtime that is to run it."),
    ] = ExportFormat.SAVED_MODEL,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what is there.")
    ] = False,
    head: Annotated[
        str | None,
        typer.Option(
            help="Class to load, such as LongformerForMaskedLM; the one that "
            "it was saved from, by default."
        ),
    ] = None,
    text: Annotated[
        bool,
        typer.Option(
            "--text/--no-text",
            help="Whether to add the signature for raw text, where the "
            "folder has a tokenizer.",
        ),
    ] = True,
    ids: Annotated[
        IdsDtype, typer.Option(help="Type of ids and masks.")
    ] = IdsDtype.INT32,
    weights: Annotated[
        Weights, typer.Option(help="Type that the weights are stored as.")
    ] = Weights.FLOAT32,
    xla: Annotated[
        bool,
        typer.Option("--xla", help="Add a signature that XLA compiles."),
    ] = False,
    xla_length: Annotated[
        list[int] | None,
        typer.Option(min=1, help="A length it pads to; may be repeated."),
    ] = None,
    xla_batch: Annotated[
        list[int] | None,
        typer.Option(
            min=1, help="A number of rows it pads to; may be repeated."
        ),
    ] = None,
    top_k: Annotated[
        int, typer.Option(min=1, help="Answers, and tokens for a mask.")
    ] = 5,
    max_answer_len: Annotated[
        int, typer.Option(min=1, help="Tokens of an answer at most.")
    ] = 15,
    pooling: Annotated[
        Pooling | None,
        typer.Option(
            help="How the signature embed makes vectors; as a folder of "
            "sentence-transformers says, else mean."
        ),
    ] = None,
    normalize: Annotated[
        bool | None,
        typer.Option(
            "--normalize/--no-normalize",
            help="Whether its vectors have the length 1; as such a folder "
            "says, else yes.",
        ),
    ] = None,
    warmup: Annotated[
        bool,
        typer.Option(
            "--warmup/--no-warmup",
            help="Whether to write requests for TensorFlow Serving's warm-up.",
        ),
    ] = True,
    with_global_attention: Annotated[
        bool,
        typer.Option(
            "--with-global-attention",
            help="Take the global mask as an input; for other formats than "
            "saved-model, which always has both.",
        ),
    ] = False,
    batch: Annotated[
        int, typer.Option(min=1, help="Rows, for --format aot.")
    ] = 1,
    length: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Tokens of a row, for --format aot; the model's limit, by "
            "default.",
        ),
    ] = None,
    choices: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Choices of a row, for --format aot and multiple choice; 2, "
            "by default.",
        ),
    ] = None,
    target_cpu: Annotated[
        str,
        typer.Option(
            help="The oldest CPU that runs it, as LLVM calls it, for --format "
            "aot."
        ),
    ] = "x86-64-v3",
    revision: Revision = None,
    subfolder: Subfolder = "",
) -> None:
    """Write a model in the form that another runtime loads.

    A SavedModel takes ids or, where the checkpoint has a tokenizer, texts,
    and gives labels, answers, entities or words. LiteRT, ONNX, OpenVINO and
    code compiled ahead of time take ids and give logits.
    """
    _check_options(context, export_format)
    import_backend()
    from tf_longformer.export import runtimes
    from tf_longformer.export.saved_model import export_saved_model
    from tf_longformer.heads import BARE
    from tf_longformer.loading import Checkpoint
    from tf_longformer.tasks import sentence_transformer_options

    loader = Checkpoint(checkpoint, head, subfolder, revision)
    vectors: dict[str, Any] = {}
    is_bare = loader.head is not None and loader.head.name == BARE
    if is_bare and export_format is ExportFormat.SAVED_MODEL:
        vectors = sentence_transformer_options(
            checkpoint, subfolder=subfolder, revision=revision
        )
        # Requests are as long as the model takes.
        vectors.pop("max_length", None)
    # A model of vectors may have no pooler, which they don't need.
    model = loader.load_model("pooler" if vectors else None, dtype="float32")
    shared = {"overwrite": overwrite}
    if export_format is ExportFormat.SAVED_MODEL:
        if pooling is not None:
            vectors["pooling"] = pooling.value
        if normalize is not None:
            vectors["normalize"] = normalize
        tokenizer = loader.load_tokenizer() if text else None
        export_saved_model(
            model,
            output,
            tokenizer,
            ids_dtype=ids.value,
            weights=weights.value,
            xla=xla,
            xla_lengths=xla_length or None,
            xla_batches=xla_batch or None,
            top_k=top_k,
            max_answer_len=max_answer_len,
            warmup_requests=warmup,
            **vectors,
            **shared,
        )
    else:
        shared["with_global_attention"] = with_global_attention
        if export_format is ExportFormat.AOT:
            shared["batch"] = batch
            shared["target_cpu"] = target_cpu
            shared["length"] = length or model.config.max_tokens
            if choices is not None:
                if model.input_rank == 2:
                    raise ValueError(
                        "--choices is for multiple choice. Received: a "
                        f"{type(model).__name__}. Leave the option out."
                    )
                shared["choices"] = choices
        write = getattr(runtimes, f"export_{export_format.value}")
        write(model, output, **shared)
    say(f"wrote {output}")


def _check_options(context: typer.Context, chosen: ExportFormat) -> None:
    """Refuses options that another format has."""
    for option in context.command.params:
        formats = _FORMATS.get(option.name, (chosen,))
        source = context.get_parameter_source(option.name)
        if chosen not in formats and source.name != "DEFAULT":
            spelled = "/".join([*option.opts, *option.secondary_opts])
            raise ValueError(
                f"{spelled} is for --format "
                f"{' or '.join(one.value for one in formats)}. "
                f"Received: --format {chosen.value}. Leave the option out, or "
                "choose another format."
            )

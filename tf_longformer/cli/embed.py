"""`tf-longformer embed`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from tf_longformer.cli.console import BatchRows
from tf_longformer.cli.console import BatchTokens
from tf_longformer.cli.console import Overwrite
from tf_longformer.cli.console import Source
from tf_longformer.cli.console import import_backend
from tf_longformer.cli.predict import check_source
from tf_longformer.cli.predict import run_over_file


class Pooling(str, Enum):
    """How a vector is made of tokens."""

    MEAN = "mean"
    CLS = "cls"


class Spans(str, Enum):
    """What has a vector in a document."""

    SENTENCES = "sentences"
    PARAGRAPHS = "paragraphs"


def embed(
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A checkpoint's folder, mini, or an id of the hub.",
        ),
    ],
    source: Source,
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUTPUT",
            help="Where to write: an array, if it ends in .npy, else JSON "
            "lines.",
        ),
    ],
    pooling: Annotated[
        Pooling | None,
        typer.Option(
            help="Mean of all tokens, or the first token; what a folder of "
            "sentence-transformers says, else mean."
        ),
    ] = None,
    normalize: Annotated[
        bool | None,
        typer.Option(
            "--normalize/--no-normalize",
            help="Whether vectors get the length 1; what a folder of "
            "sentence-transformers says, else yes.",
        ),
    ] = None,
    spans: Annotated[
        Spans | None,
        typer.Option(help="A vector for each of these, not for the text."),
    ] = None,
    batch_tokens: BatchTokens = 8192,
    batch_rows: BatchRows = 64,
    overwrite: Overwrite = False,
) -> None:
    """Make a vector of each document of a file.

    Each record is a text, or has one by the name of text, of any length. A
    run that was interrupted goes on where it stopped when it is started
    again.
    """
    if spans is not None and target.suffix == ".npy":
        raise ValueError(
            "Spans are written as JSON lines. Received: --spans "
            f"{spans.value}, and {target}. Give the output another name, such "
            "as spans.jsonl."
        )
    check_source(source)
    import_backend()
    from tf_longformer.batch.embedder import RESULT
    from tf_longformer.batch.embedder import Embedder
    from tf_longformer.batch.result_formats import format_of

    embedder = Embedder(
        checkpoint,
        None if pooling is None else pooling.value,
        normalize,
        None if spans is None else spans.value,
    )
    run_over_file(
        embedder,
        source,
        target,
        batch_tokens=batch_tokens,
        batch_rows=batch_rows,
        overwrite=overwrite,
        result_format=format_of(target, RESULT, embedder.width),
    )

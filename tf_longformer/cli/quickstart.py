"""`tf-longformer quickstart`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tf_longformer.cli.console import console
from tf_longformer.cli.console import import_backend


def quickstart(
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Folder for the model and the report."
        ),
    ] = Path("longformer-quickstart"),
    seed: Annotated[
        int,
        typer.Option(
            min=0, help="Chooses documents, split, weights and order."
        ),
    ] = 0,
    documents: Annotated[
        int,
        typer.Option(
            min=8, help="Most documents per project, train and held-out."
        ),
    ] = 100,
    max_length: Annotated[
        int,
        typer.Option(
            min=256, max=16384, help="Tokens of a document that are read."
        ),
    ] = 2048,
    steps: Annotated[
        int, typer.Option(min=1, help="Training steps of each model.")
    ] = 240,
    vocab_size: Annotated[
        int, typer.Option(min=300, help="Entries of the tokenizer.")
    ] = 4000,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Write into an output folder that holds other files.",
        ),
    ] = False,
) -> None:
    """Train, save, export and check a small Longformer on long documents.

    The documents are Python source files of the standard library and of
    installed packages, with names, imports and licences removed. The task is
    to say which project wrote each file. Takes some minutes on two cores;
    the options make it smaller without leaving a step out.
    """
    import_backend()
    from tf_longformer.quickstart.run import run_quickstart
    from tf_longformer.quickstart.settings import Settings

    settings = Settings(
        output=output,
        seed=seed,
        documents=documents,
        max_length=max_length,
        steps=steps,
        vocab_size=vocab_size,
        overwrite=overwrite,
    )
    run_quickstart(settings, console)

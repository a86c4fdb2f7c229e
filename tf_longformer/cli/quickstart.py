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
            min=256,
            max=4096,
            help="Tokens of a document that the classifiers read.",
        ),
    ] = 1024,
    steps: Annotated[
        int, typer.Option(min=1, help="Training steps of each classifier.")
    ] = 80,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Write into an output folder that holds other files.",
        ),
    ] = False,
) -> None:
    """See what a Longformer does, in five steps and five to ten minutes.

    It fills in words, searches long documents by meaning, learns to say which
    project wrote a source file, shows what its answer rests on, and is
    exported and served. The model comes with the package, and the documents
    lie on this machine: no network is needed. Each step says what to type
    next.
    """
    import_backend()
    from tf_longformer.quickstart.run import Settings
    from tf_longformer.quickstart.run import run_quickstart

    settings = Settings(
        output=output,
        seed=seed,
        documents=documents,
        max_length=max_length,
        steps=steps,
        overwrite=overwrite,
    )
    run_quickstart(settings, console)

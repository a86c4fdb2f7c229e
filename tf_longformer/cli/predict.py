"""`tf-longformer predict`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Annotated

import typer

from tf_longformer.cli.console import console
from tf_longformer.cli.console import error_console
from tf_longformer.cli.console import import_backend

if TYPE_CHECKING:
    from rich.progress import Progress


def predict(
    model: Annotated[
        str,
        typer.Argument(
            help="A SavedModel, or a folder with one for each version; or a "
            "checkpoint: a folder, or an id of the hub."
        ),
    ],
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="JSON lines, or a file of columns that ends in .csv.",
        ),
    ],
    target: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="JSON lines to write.")
    ],
    signature: Annotated[
        str | None,
        typer.Option(
            help="Signature of a SavedModel; text, if it has that, else "
            "serving_default."
        ),
    ] = None,
    batch_tokens: Annotated[
        int, typer.Option(min=1, help="Most tokens of a batch, with padding.")
    ] = 8192,
    batch_rows: Annotated[
        int, typer.Option(min=1, help="Most records of a batch.")
    ] = 64,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace the output, or one that was begun otherwise.",
        ),
    ] = False,
) -> None:
    """Run an exported model or a checkpoint over a file, line by line.

    Each record holds the inputs by name, texts or ids, as the signature has
    them; a checkpoint takes text, question and context, prompt and choices,
    or input_ids. Files may be of any size. A run that was interrupted goes
    on where it stopped when it is started again.
    """
    from tf_longformer.serving import folders

    path = Path(model)
    exported = folders.is_model(path)
    if signature is not None and not exported:
        raise ValueError(
            "Only a SavedModel has signatures. Received: --signature "
            f"{signature} for {model}, which is none. Leave the option out, "
            "or give the folder that `tf-longformer export` wrote."
        )
    if not source.is_file():
        raise FileNotFoundError(
            f"The input must be a file. Received: {source}, which is none. "
            "Check the path."
        )
    import_backend(keras=not exported)
    from tf_longformer.serving.prediction import predict_file

    if exported:
        from tf_longformer.serving.predictors import SavedModelPredictor

        predictor = SavedModelPredictor(folders.find_version(path), signature)
    else:
        from tf_longformer.serving.checkpoint_predictor import (
            CheckpointPredictor,
        )

        predictor = CheckpointPredictor(model)
    with _progress() as bar:
        task = bar.add_task("predicting", total=source.stat().st_size, rows=0)
        rows = predict_file(
            predictor,
            source,
            target,
            batch_tokens=batch_tokens,
            batch_rows=batch_rows,
            overwrite=overwrite,
            progress=lambda offset, rows: bar.update(
                task, completed=offset, rows=rows
            ),
        )
    console.print(
        f"wrote {rows} lines to {target}", markup=False, soft_wrap=True
    )


def _progress() -> Progress:
    from rich.progress import BarColumn
    from rich.progress import Progress
    from rich.progress import TaskProgressColumn
    from rich.progress import TextColumn
    from rich.progress import TimeRemainingColumn

    class Bars(Progress):
        def stop(self) -> None:
            # Before rich 15 it prints an empty line, disabled or not.
            if not self.disable:
                super().stop()

    return Bars(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} lines"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=error_console,
        # A log isn't to be filled with bars.
        disable=not error_console.is_terminal,
    )

"""`tf-longformer predict`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Annotated
from typing import Any

import typer

from tf_longformer.cli.console import BatchRows
from tf_longformer.cli.console import BatchTokens
from tf_longformer.cli.console import Overwrite
from tf_longformer.cli.console import Source
from tf_longformer.cli.console import error_console
from tf_longformer.cli.console import import_backend
from tf_longformer.cli.console import say

if TYPE_CHECKING:
    from rich.progress import Progress

    from tf_longformer.batch.prediction import Predictor


def predict(
    model: Annotated[
        str,
        typer.Argument(
            help="A SavedModel, or a folder with one for each version; or a "
            "checkpoint: a folder, mini, or an id of the hub."
        ),
    ],
    source: Source,
    target: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="JSON lines to write.")
    ],
    signature: Annotated[
        str | None,
        typer.Option(
            help="Signature of a SavedModel, with all its outputs. By default "
            "what people read of text, if it has that, else serving_default."
        ),
    ] = None,
    redact: Annotated[
        bool,
        typer.Option(
            "--redact",
            help="Write texts without the entities that are found in them.",
        ),
    ] = False,
    types: Annotated[
        str | None,
        typer.Option(
            help="Types of entities to redact, with commas between. All by "
            "default.",
        ),
    ] = None,
    min_score: Annotated[
        float, typer.Option(help="Least score of an entity to redact.")
    ] = 0.0,
    replacement: Annotated[
        str,
        typer.Option(
            help="What takes an entity's place, {label} for its type; or a "
            "character, for each of its own.",
        ),
    ] = "[{label}]",
    aggregation: Annotated[
        str | None,
        typer.Option(
            help="How words of a checkpoint's entities get their labels: "
            "first, simple, average, max or none."
        ),
    ] = None,
    batch_tokens: BatchTokens = 8192,
    batch_rows: BatchRows = 64,
    overwrite: Overwrite = False,
) -> None:
    """Run an exported model or a checkpoint over a file, line by line.

    Each record holds the inputs by name, texts or ids, as the signature has
    them; a checkpoint takes text, question and context, prompt and choices,
    or input_ids. Of texts the results are labels, entities, answers, choices
    or words for masks. Files may be of any size. A run that was interrupted
    goes on where it stopped when it is started again.
    """
    from tf_longformer.exported import versions

    path = Path(model)
    exported = versions.is_model(path)
    if signature is not None and not exported:
        raise ValueError(
            "Only a SavedModel has signatures. Received: --signature "
            f"{signature} for {model}, which is none. Leave the option out, "
            "or give the folder that `tf-longformer export` wrote."
        )
    if not redact and (types is not None or min_score):
        raise ValueError(
            "--types and --min-score are of --redact. Received: them without "
            "it. Add --redact."
        )
    if aggregation is not None and exported:
        raise ValueError(
            "An exported model has its way to make entities. Received: "
            f"--aggregation {aggregation}. Give a checkpoint."
        )
    check_source(source)
    import_backend(keras=not exported)
    redaction = None
    if redact:
        from tf_longformer.batch.redaction_options import Redaction

        names = None if types is None else tuple(types.split(","))
        redaction = Redaction(names, min_score, replacement)
    if exported:
        from tf_longformer.batch.saved_model_predictor import (
            SavedModelPredictor,
        )

        predictor = SavedModelPredictor(path, signature, redaction)
    else:
        from tf_longformer.batch.checkpoint_predictor import CheckpointPredictor

        options = {}
        if aggregation is not None:
            options["aggregation_strategy"] = aggregation
        predictor = CheckpointPredictor(model, redaction=redaction, **options)
    run_over_file(
        predictor,
        source,
        target,
        batch_tokens=batch_tokens,
        batch_rows=batch_rows,
        overwrite=overwrite,
    )


def check_source(source: Path) -> None:
    """Raises a `FileNotFoundError` for an input that is no file."""
    if not source.is_file():
        raise FileNotFoundError(
            f"The input must be a file. Received: {source}, which is none. "
            "Check the path."
        )


def run_over_file(
    predictor: Predictor, source: Path, target: Path, **options: Any
) -> None:
    """Calls `predict_file` with a bar of its progress."""
    from tf_longformer.batch.prediction import predict_file

    with progress_bar("predicting", source) as progress:
        rows = predict_file(
            predictor, source, target, **options, progress=progress
        )
    say(f"wrote {rows} lines to {target}")


@contextlib.contextmanager
def progress_bar(
    name: str, source: Path
) -> Iterator[Callable[[int, int], None]]:
    """Yields the function that `predict_file` shows its progress by."""
    with _progress() as bar:
        task = bar.add_task(name, total=source.stat().st_size, rows=0)
        yield lambda offset, rows: bar.update(task, completed=offset, rows=rows)


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

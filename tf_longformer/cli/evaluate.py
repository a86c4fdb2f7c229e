"""`tf-longformer evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tf_longformer import atomic
from tf_longformer.cli.console import BatchRows
from tf_longformer.cli.console import BatchTokens
from tf_longformer.cli.console import Overwrite
from tf_longformer.cli.console import Source
from tf_longformer.cli.console import console
from tf_longformer.cli.console import import_backend
from tf_longformer.cli.console import say
from tf_longformer.cli.predict import check_source
from tf_longformer.cli.predict import progress_bar


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            help="A checkpoint: a folder, mini, or an id of the hub; or a "
            "SavedModel that takes text."
        ),
    ],
    source: Source,
    output: Annotated[
        Path | None, typer.Option(help="JSON file for the metrics.")
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="JSON lines to write, what the model says of each example "
            "and what is right; a run that was killed goes on from there."
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a column, as NAME=COLUMN; may be given several times."
        ),
    ] = None,
    max_length: Annotated[
        int | None,
        typer.Option(min=1, help="Tokens of a window; the model's limit."),
    ] = None,
    doc_stride: Annotated[
        int | None,
        typer.Option(min=0, help="Tokens that two windows share."),
    ] = None,
    max_answer_length: Annotated[
        int, typer.Option(min=1, help="Most tokens of an answer.")
    ] = 30,
    null_threshold: Annotated[
        float | None,
        typer.Option(
            help="How much surer than of its answer a model must be that there "
            "is none (log of probabilities); 0 where some questions have none."
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Count only entities whose labels follow the scheme.",
        ),
    ] = False,
    scheme: Annotated[
        str | None,
        typer.Option(help="BIO, IOB1, BIOES or BILOU; what labels show."),
    ] = None,
    aggregation: Annotated[
        str | None,
        typer.Option(
            help="How words of texts get their labels: first, simple, average "
            "or max; what the checkpoint says."
        ),
    ] = None,
    probability: Annotated[
        float, typer.Option(help="Share of tokens to hide, of masked-lm.")
    ] = 0.15,
    seed: Annotated[int, typer.Option(help="Of which tokens are hidden.")] = 0,
    batch_tokens: BatchTokens = 8192,
    batch_rows: BatchRows = 64,
    overwrite: Overwrite = False,
) -> None:
    """Measure a model by a file of examples.

    The file is as of finetune: text and label; tokens and labels, or text and
    entities; question, context and answers; prompt, choices and label; text
    alone for masked-lm. Documents past the model's limit are cut into windows,
    as predict does it. The metrics are those of scikit-learn, seqeval and
    SQuAD's script.
    """
    from tf_longformer.data.examples import read_columns
    from tf_longformer.exported import versions

    columns = read_columns(column or [])
    path = Path(model)
    exported = versions.is_model(path)
    check_source(source)
    if output is not None and output.exists() and not overwrite:
        raise FileExistsError(
            "An existing file is replaced only on request. Received: "
            f"{output}. Give another path or ask to overwrite it (--overwrite)."
        )
    import_backend(keras=not exported)
    from tf_longformer.batch.evaluation import Settings
    from tf_longformer.batch.evaluation import evaluate_file

    if exported:
        from tf_longformer.batch.saved_model_predictor import (
            SavedModelPredictor,
        )

        predictor = SavedModelPredictor(path)
    else:
        from tf_longformer.batch.checkpoint_predictor import CheckpointPredictor

        predictor = CheckpointPredictor(model)
    settings = Settings(
        columns,
        max_answer_length,
        null_threshold,
        strict,
        scheme,
        aggregation,
        doc_stride,
        max_length,
        probability,
        seed,
    )
    with progress_bar("measuring", source) as progress:
        found = evaluate_file(
            predictor,
            source,
            settings,
            predictions,
            batch_tokens=batch_tokens,
            batch_rows=batch_rows,
            overwrite=overwrite,
            progress=progress,
        )
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(output, json.dumps(found, indent=2) + "\n")
    _show(found)
    if output is not None:
        say(f"wrote {output}")


def _show(found: dict[str, object]) -> None:
    from rich.table import Table

    table = Table("metric", show_edge=False)
    table.add_column("value", justify="right")
    for name, value in found.items():
        shown = f"{value:.4f}" if isinstance(value, float) else f"{value}"
        table.add_row(name, shown)
    console.print(table)

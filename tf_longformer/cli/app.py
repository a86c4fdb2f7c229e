"""The program: its commands, its exit codes and its own options."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated
from typing import NoReturn

import typer

from tf_longformer import __version__
from tf_longformer.cli.bench import bench
from tf_longformer.cli.console import INTERRUPTED
from tf_longformer.cli.console import LOG_LEVEL
from tf_longformer.cli.console import console
from tf_longformer.cli.console import error_console
from tf_longformer.cli.console import report_error
from tf_longformer.cli.convert import convert
from tf_longformer.cli.embed import embed
from tf_longformer.cli.evaluate import evaluate
from tf_longformer.cli.explain import explain
from tf_longformer.cli.export import export
from tf_longformer.cli.finetune import finetune
from tf_longformer.cli.info import info
from tf_longformer.cli.predict import predict
from tf_longformer.cli.quickstart import quickstart
from tf_longformer.cli.serve import serve

DEBUG = "--debug"
VERBOSE = "--verbose"

app = typer.Typer(
    name="tf-longformer",
    help="Longformer in Keras 3: attention over long documents.",
    epilog="Example: tf-longformer quickstart",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(epilog="Example: tf-longformer quickstart --output my-first-model")(
    quickstart
)
app.command(epilog="Example: tf-longformer info longformer-base-4096")(info)
app.command(
    epilog="Example: tf-longformer convert bert-base-uncased bert-4096 "
    "--max-tokens 4096 --attention-window 512"
)(convert)
app.command(
    epilog="Example: tf-longformer finetune text-classification --model "
    "longformer-base-4096 --train train.jsonl --eval dev.jsonl --output "
    "my-classifier"
)(finetune)
app.command(
    epilog="Example: tf-longformer export my-classifier models/classifier/1"
)(export)
app.command(
    epilog="Example: tf-longformer bench --length 4096 --policy mixed_bfloat16"
)(bench)
app.command(
    epilog="Example: tf-longformer predict savedmodels/my-classifier "
    "documents.jsonl labels.jsonl"
)(predict)
app.command(
    epilog="Example: tf-longformer evaluate my-classifier test.jsonl "
    "--output metrics.json"
)(evaluate)
app.command(
    epilog="Example: tf-longformer embed my-encoder documents.jsonl vectors.npy"
)(embed)
app.command(
    epilog="Example: tf-longformer explain report.txt --model my-classifier "
    "--html report.html"
)(explain)
app.command(
    epilog="Example: tf-longformer serve savedmodels/my-classifier --port 8501"
)(serve)


def _show_version(wanted: bool) -> None:
    if wanted:
        console.print(f"tf-longformer {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(DEBUG, help="Show the traceback of an error."),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(VERBOSE, help="Show TensorFlow's own messages."),
    ] = False,
) -> None:
    """The options that stand before a command."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the program and exits.

    The exit code is 0 when all went well, 2 with one line on standard error
    for bad input, 1 for any other error, 130 when interrupted.

    Args:
        arguments: list of strings. Defaults to the command line's.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Wherever they stand, so that they can be added to the end of a line.
    rest = [x for x in given if x not in (DEBUG, VERBOSE)]
    if VERBOSE in given:
        os.environ[LOG_LEVEL] = "0"
    sys.exit(_run(rest, debug=DEBUG in given))


def _run(arguments: list[str], debug: bool) -> int:
    try:
        code = app(arguments, prog_name="tf-longformer", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        return report_error(error, debug)
    if code == INTERRUPTED:
        error_console.print("\nInterrupted.")
    return code or 0

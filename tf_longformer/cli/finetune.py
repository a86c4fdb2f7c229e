"""`tf-longformer finetune`, whose options are the fields of `Arguments`."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Annotated
from typing import Any

import typer

from tf_longformer.cli.console import console
from tf_longformer.cli.console import import_backend
from tf_longformer.cli.console import say
from tf_longformer.finetuning.arguments import TASK_NAMES
from tf_longformer.finetuning.arguments import Arguments
from tf_longformer.finetuning.arguments import kind_of
from tf_longformer.finetuning.arguments import read_arguments

if TYPE_CHECKING:
    from tf_longformer.finetuning.fine_tune import Result

Task = Enum("Task", {x.replace("-", "_").upper(): x for x in TASK_NAMES})


def _options_of_arguments(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command an option for each field, `None` where it isn't given."""
    parameters = []
    for field in dataclasses.fields(Arguments):
        kind, _ = kind_of(field)
        if field.name == "task":
            continue
        if kind == tuple[str, ...]:
            kind = list[str]
        default = field.default
        option = typer.Option(
            help=field.metadata["help"],
            show_default=str(default) if default or default == 0 else False,
            **{
                name: limit if kind is float else int(limit)
                for name, limit in field.metadata["limits"].items()
            },
        )
        parameters.append(
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[kind | None, option],
            )
        )
    own = [
        parameter
        for parameter in inspect.signature(
            function, eval_str=True
        ).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    signature = inspect.Signature([*own, *parameters])
    function.__signature__ = signature  # pyright: ignore
    function.__annotations__ = {
        parameter.name: parameter.annotation
        for parameter in signature.parameters.values()
    }
    return function


@_options_of_arguments
def finetune(
    task: Annotated[
        Task | None,
        typer.Argument(help="What to train for; else the file's."),
    ] = None,
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            help="JSON (or .toml) with any of these arguments; those of the "
            "command line count more."
        ),
    ] = None,
    **given: Any,
) -> None:
    """Train a model on a file of examples, and keep the best one.

    A line of text-classification has text and label (a name, a list of names
    or a float); of token-classification tokens and labels, or text and
    entities (start, end, label); of question-answering question, context and
    answers as SQuAD has them; of multiple-choice prompt, choices and label;
    of masked-lm text.

    The output folder has the model and its tokenizer, metrics.json, a picture
    of the learning curve, and what --resume goes on from.
    """
    values: dict[str, Any] = {"task": ""}
    if config is not None:
        values |= read_arguments(config)
    if task is not None:
        values["task"] = task.value
    values |= {
        name: value
        for name, value in given.items()
        # A list that isn't given is empty.
        if value is not None and value != []
    }
    arguments = Arguments(**values)
    import_backend(untouched=arguments.strategy == "multiworker")
    from tf_longformer.finetuning.fine_tune import fine_tune

    result = fine_tune(arguments, say, verbose=1 if console.is_terminal else 2)
    if result.is_chief:
        _show(result, arguments)


def _show(result: Result, arguments: Arguments) -> None:
    from rich.table import Table

    if result.history:
        names = list(
            dict.fromkeys(name for entry in result.history for name in entry)
        )
        table = Table()
        for name in names:
            table.add_column(name, justify="right")
        for entry in result.history[-12:]:
            table.add_row(
                *(
                    f"{entry[name]:,}"
                    if name == "step"
                    else f"{entry[name]:.4g}"
                    if name in entry
                    else ""
                    for name in names
                )
            )
        console.print(table)
    best = ", ".join(
        f"{name} {value:.4g}" for name, value in list(result.best.items())[:6]
    )
    say(f"wrote {arguments.output}" + (f": {best}" if best else ""))

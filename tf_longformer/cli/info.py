"""`tf-longformer info`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Annotated
from typing import Any

import typer

from tf_longformer.cli.console import CheckpointName
from tf_longformer.cli.console import Revision
from tf_longformer.cli.console import Subfolder
from tf_longformer.cli.console import console
from tf_longformer.cli.console import say
from tf_longformer.errors import cut

if TYPE_CHECKING:
    from tf_longformer.checkpoints.describe import Description
    from tf_longformer.checkpoints.describe import Fit

_MOST_NAMES = 3


def info(
    checkpoint: CheckpointName,
    revision: Revision = None,
    subfolder: Subfolder = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all of it as JSON.")
    ] = False,
    memory: Annotated[
        bool,
        typer.Option("--memory", help="Estimate the memory that it will take."),
    ] = False,
    batch: Annotated[int, typer.Option(min=1, help="Rows, for --memory.")] = 1,
    length: Annotated[
        int, typer.Option(min=1, help="Tokens of a row, for --memory.")
    ] = 4096,
) -> None:
    """Say what a checkpoint is, what would load from it, and what is wrong.

    Reads the configuration, the tokenizer's files and the headers of the
    weights. Nothing is executed, and no TensorFlow is needed.
    """
    from tf_longformer.checkpoints.describe import describe
    from tf_longformer.checkpoints.doctor import find_problems
    from tf_longformer.checkpoints.locate import locate

    location = locate(checkpoint, subfolder, revision=revision)
    try:
        found = describe(location)
    except (TypeError, ValueError) as error:
        problems = [] if as_json else find_problems(location)
        if not problems:
            raise
        # It is no Longformer: what it is says more than the first error.
        raise ValueError(" ".join(problems)) from error
    if as_json:
        import dataclasses

        data = dataclasses.asdict(found)
        if memory:
            data["memory"] = _estimates(found.config, batch, length)
        console.print_json(data=data)
        return
    _print_description(found)
    _print_problems(found.problems)
    if memory:
        console.print(f"peak memory, {batch} x {length} tokens, about")
        for name, size in _estimates(found.config, batch, length).items():
            console.print(f"  {name:24}  {size / 2**30:6.1f} GiB")


def _estimates(config: dict[str, Any], batch: int, length: int) -> dict:
    """Returns bytes by what is done with the checkpoint."""
    from tf_longformer.configuration import LongformerConfig
    from tf_longformer.memory import estimate_memory

    parsed = LongformerConfig.from_dict(config)
    return {
        name: estimate_memory(parsed, batch, length, *rest).total
        for name, *rest in (
            ("forward", False),
            ("training", True),
            ("training, mixed_bfloat16", True, "mixed_bfloat16"),
            ("training, checkpointing", True, "float32", True),
        )
    }


def _print_description(found: Description) -> None:
    config: dict[str, Any] = found.config
    windows = sorted(set(config["attention_window"]))
    types = ", ".join(found.dtypes)
    rows = {
        "checkpoint": f"{found.where} ({found.file})",
        "format": f"{found.format}, named as {found.dialect} has it",
        "adapter": found.adapter or "none",
        "head": found.head or "none: the names are of no Longformer",
        "size": (
            f"{found.parameters:,} numbers in {types}, "
            f"{found.nbytes / 1e6:,.1f} MB"
        ),
        "layers": (
            f"{config['num_hidden_layers']} of width "
            f"{config['hidden_size']}, {config['num_attention_heads']} heads, "
            f"{config['intermediate_size']} inside"
        ),
        "windows": f"{' and '.join(map(str, windows))} tokens, both sides",
        "positions": (
            f"{config['max_position_embeddings']}, for texts of up to "
            f"{config['max_tokens']} tokens"
        ),
        "vocabulary": f"{config['vocab_size']} tokens",
    }
    rows |= {name: _summarize_fit(fit) for name, fit in found.fits.items()}
    width = max(map(len, rows))
    for name, text in rows.items():
        say(f"{name:{width}}  {text}")


def _print_problems(problems: list[str]) -> None:
    for problem in problems:
        say(f"! {problem}")


def _summarize_fit(fit: Fit) -> str:
    """Returns in a few words what loading into a class would come to."""
    notes = []
    if fit.loads:
        if fit.new:
            notes.append(f"newly drawn: {', '.join(fit.new)}")
        if fit.unused:
            notes.append(f"{len(fit.unused)} tensors not used")
        return f"loads; {'; '.join(notes)}" if notes else "loads completely"
    mismatched = [
        f"{name} {file} for {ours}" for name, file, ours in fit.mismatched
    ]
    for title, items in (
        ("missing", fit.missing),
        ("unexpected", fit.unexpected),
        ("of another shape", mismatched),
    ):
        if items:
            shown = ", ".join(cut(item) for item in items[:_MOST_NAMES])
            more = ", ..." if len(items) > _MOST_NAMES else ""
            notes.append(f"{len(items)} {title} ({shown}{more})")
    return f"does not load: {'; '.join(notes)}"

"""Options that commands share: where a checkpoint is."""

from __future__ import annotations

from typing import Annotated

import typer

Checkpoint = Annotated[
    str,
    typer.Argument(help="A folder, a file of weights, or an id of the hub."),
]
Revision = Annotated[
    str | None, typer.Option(help="Branch, tag or commit, on the hub.")
]
Subfolder = Annotated[str, typer.Option(help="Folder within the folder.")]

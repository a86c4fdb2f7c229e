"""`tf-longformer serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tf_longformer.cli.console import import_backend
from tf_longformer.cli.console import say

_LARGEST = 2**30


def _bounded(value: float) -> float:
    # `nan` is within any bounds of the parser's.
    if not value <= _LARGEST:
        raise typer.BadParameter(
            f"{value} is no number up to {_LARGEST}. Give one."
        )
    return value


def serve(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A SavedModel, or a folder with one for each version: the "
            "highest is served."
        ),
    ],
    host: Annotated[
        str,
        typer.Option(help="Address to listen at; 0.0.0.0 for all."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="0 for any that is free.")
    ] = 8501,
    name: Annotated[
        str | None,
        typer.Option(help="The model's name; its folder's, by default."),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Requests computed at the same time.")
    ] = 2,
    queue: Annotated[
        int, typer.Option(min=0, help="Requests that may wait.")
    ] = 64,
    max_body: Annotated[
        float,
        typer.Option(
            min=0.001, callback=_bounded, help="Most MiB of a request."
        ),
    ] = 16,
    max_batch: Annotated[
        int, typer.Option(min=1, help="Most rows of a request.")
    ] = 64,
    max_tokens: Annotated[
        int,
        typer.Option(min=1, help="Most tokens of a request, rows x length."),
    ] = 262144,
    max_values: Annotated[
        int, typer.Option(min=1, help="Most numbers of an answer.")
    ] = 2**24,
    max_held: Annotated[
        float,
        typer.Option(
            min=0.001,
            callback=_bounded,
            help="Most MiB of all requests and answers together that are on "
            "their way or wait.",
        ),
    ] = 256,
    max_connections: Annotated[
        int,
        typer.Option(
            min=1,
            help="Most connections; fewer where the process may open fewer "
            "files.",
        ),
    ] = 1024,
    max_seconds: Annotated[
        float,
        typer.Option(
            min=0.001,
            callback=_bounded,
            help="Most seconds from request to answer.",
        ),
    ] = 60,
) -> None:
    """Serve an exported model over TensorFlow Serving's REST protocol.

    GET /v1/models/NAME, GET /v1/models/NAME/metadata and POST
    /v1/models/NAME:predict answer as TensorFlow Serving does; beside them
    are /v2/health/live, /v2/health/ready and, for Prometheus,
    /monitoring/prometheus/metrics. SIGTERM lets requests finish. Needs the
    extra named serve.

    Memory is bounded by --max-held, 128 KiB for each connection, and for each
    worker --max-body, what the model takes for --max-tokens, and 4 bytes for
    each of --max-values.
    """
    import_backend(keras=False)
    try:
        from tf_longformer.serving.requests import Limits
        from tf_longformer.serving.server import run_server
    except ModuleNotFoundError as error:
        raise ImportError(
            f"This command needs a web server. Received: {error}. Install "
            "it: pip install 'tf-longformer[serve]'."
        ) from error

    limits = Limits(
        body_bytes=int(max_body * 2**20),
        rows=max_batch,
        tokens=max_tokens,
        values=max_values,
        seconds=max_seconds,
        held_bytes=int(max_held * 2**20),
        connections=max_connections,
    )
    run_server(
        folder,
        host=host,
        port=port,
        name=name,
        limits=limits,
        workers=workers,
        queue=queue,
        announce=say,
    )

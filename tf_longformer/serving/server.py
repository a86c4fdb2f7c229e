"""Listens, loads, answers, and stops when all is answered."""

from __future__ import annotations

import math
import os
import signal
import socket
from collections.abc import Callable

import uvicorn

from tf_longformer.serving.application import Application
from tf_longformer.serving.connections import connections
from tf_longformer.serving.folders import find_version
from tf_longformer.serving.requests import Limits
from tf_longformer.serving.saved_model import SavedModel
from tf_longformer.serving.warmup import warm_up

# Connections that wait to be taken; uvicorn's.
_BACKLOG = 2048


def run_server(
    folder: str | os.PathLike,
    *,
    host: str = "127.0.0.1",
    port: int = 8501,
    name: str | None = None,
    limits: Limits | None = None,
    workers: int = 2,
    queue: int = 64,
    announce: Callable[[str], None] = print,
) -> None:
    """Serves a SavedModel until the process is told to stop.

    Requests that the folder brings to warm up are run before it answers;
    whoever connects meanwhile waits. SIGTERM and SIGINT stop it: it takes no
    more connections, and requests that have come are answered first.

    Args:
        folder: string or path, see `find_version`.
        host: string, the address to listen at. Defaults to this machine
            alone.
        port: int. Defaults to `8501`, as TensorFlow Serving; `0` for any.
        name: string, of the model. Defaults to that of its folder.
        limits: `Limits`. Defaults to its defaults.
        workers: int, requests that are computed at the same time. Defaults
            to `2`.
        queue: int, requests that may wait. Defaults to `64`.
        announce: function that takes a line of text. Defaults to `print`.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it isn't a SavedModel, the name can't stand in a URL, or
            the address is taken.
    """
    version = find_version(folder)
    if name is not None:
        version = version._replace(name=name)
    if not version.name or set(version.name) & set("/:"):
        raise ValueError(
            "A model's name must not be empty or have a slash or a colon, as "
            f"it stands in the URL. Received: {version.name!r}. Give another."
        )
    limits = limits or Limits()
    with _bind(host, port) as listener:
        model = SavedModel(version.path)
        warm_up(model, version.path)
        application = Application(version, model, limits, workers, queue)
        address = listener.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        server = _Server(
            uvicorn.Config(
                application.asgi(),
                loop="asyncio",
                http=connections(limits.seconds),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # As proxies keep theirs; idle ones don't delay a stop.
                timeout_keep_alive=75,
                timeout_graceful_shutdown=math.ceil(limits.seconds) + 1,
            ),
            lambda: announce(
                f"serving {version.path}, version {version.number}, at "
                f"http://{shown}:{address}/v1/models/{version.name}"
            ),
        )
        # The server handles the signal itself, then sends it again, when
        # nothing is left to do.
        previous = signal.signal(signal.SIGTERM, _leave)
        try:
            server.run(sockets=[listener])
        finally:
            signal.signal(signal.SIGTERM, previous)


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(
        self, config: uvicorn.Config, started: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._when_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._when_started()


def _leave(number: int, frame: object) -> None:
    raise SystemExit(0)


def _bind(host: str, port: int) -> socket.socket:
    """Takes the address.

    Two sockets may be bound to one, but only one can listen, so that it does
    before the model is loaded.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, as asyncio only then turns off the delay of
    # small packets, of 40 ms a request.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ValueError(
            "The address must be free and this machine's. Received: host "
            f"{host!r}, port {port} ({error.strerror or error}). Give another "
            "--port or --host."
        ) from error
    return listener

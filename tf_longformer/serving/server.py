"""Listens, loads the model, serves it, and stops when all is answered.

uvicorn does the work. Added to it are a time limit for the head of a request
and for the taking of an answer, a limit of connections that lets go who keeps
the server waiting, errors in JSON, and a socket that is opened before the model
is loaded.
"""

from __future__ import annotations

import asyncio
import gc
import http
import json
import logging
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tf_longformer.errors import shown
from tf_longformer.exported.loaded_model import load_version
from tf_longformer.exported.versions import find_version
from tf_longformer.exported.warmup import warm_up
from tf_longformer.serving.application import Application
from tf_longformer.serving.requests import Limits

# How many connections may wait to be accepted; uvicorn's default.
_BACKLOG = 2048
# How many are accepted at once. asyncio accepts some times as many before the
# first is known here, so that more might take all of the process's files.
_ACCEPTED = 8
# Files that may be opened beside the connections that are counted.
_SPARE_FILES = 8 * _ACCEPTED
# Seconds after which a connection without a request counts as idle. Before, its
# request may have come already, and only isn't read yet.
_IDLE_AFTER = 1.0
# Bytes that are read of a connection before others have a turn: of heads and of
# chunks, which h11 looks at one by one, and of bodies of a known length.
_TURN, _TURN_OF_BODY = 2**12, 2**18
# A failure that is logged again and again is logged once in so many seconds.
_LOG_SECONDS = 10
_LOGGERS = ("asyncio", "uvicorn.error", "tf_longformer.serving.application")


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
            f"it stands in the URL. Received: {shown(version.name)}. Give "
            "another."
        )
    limits = limits or Limits()
    with _bind(host, port) as listener:
        found, model, _ = load_version(folder)
        version = found._replace(name=version.name)
        warm_up(model, version.path)
        # What is loaded stays, so that no search for garbage walks it.
        gc.collect()
        gc.freeze()
        application = Application(version, model, limits, workers, queue)
        connections = min(limits.connections, _connections_of_process())
        address = listener.getsockname()[1]
        place = f"[{host}]" if ":" in host else host
        server = _Server(
            uvicorn.Config(
                application.asgi(),
                loop="asyncio",
                http=_connection_class(
                    limits.seconds, connections, application.count_refusal
                ),
                # Not `limit_concurrency`, which answers requests with 503 but
                # takes any number of connections.
                backlog=_ACCEPTED,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # As long as proxies keep theirs. Idle connections don't delay
                # a stop.
                timeout_keep_alive=75,
                timeout_graceful_shutdown=math.ceil(limits.seconds) + 1,
            ),
            lambda: announce(
                f"serving {version.path}, version {version.number}, at "
                f"http://{place}:{address}/v1/models/{version.name}"
            ),
        )
        # uvicorn handles the signal, and sends it again when it has stopped.
        # Then it ends the process with status 0.
        previous = signal.signal(signal.SIGTERM, _leave)
        seldom = _Seldom()
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(seldom)
        try:
            server.run(sockets=[listener])
        finally:
            for name in _LOGGERS:
                logging.getLogger(name).removeFilter(seldom)
            signal.signal(signal.SIGTERM, previous)


class _Server(uvicorn.Server):
    """Calls a function when it listens."""

    def __init__(
        self, config: uvicorn.Config, started: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._when_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            # uvicorn made the queue as short as what is accepted at once.
            listener.listen(_BACKLOG)
        self._when_started()


class _Seldom(logging.Filter):
    """Lets each message through once in some seconds, whatever is in it."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[0] if record.exc_info else None
        # asyncio's messages have an object of the connection in them.
        kind = str(record.msg).partition("\n")[0], str(error)
        now = time.monotonic()
        if now - self._last.get(kind, -math.inf) < _LOG_SECONDS:
            return False
        self._last[kind] = now
        return True


def _connections_of_process() -> int:
    """Returns how many connections the process may have by its open files."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows, which has no such limit.
        return sys.maxsize
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most == resource.RLIM_INFINITY:
        return sys.maxsize
    left = most - len(os.listdir("/dev/fd")) - _SPARE_FILES
    if left < 1:
        raise ValueError(
            "The process must be able to open more files, one for each "
            f"connection. Received: a limit of {most}. Raise it, as with "
            "`ulimit -n 1024`."
        )
    return left


def _connection_class(
    seconds: float, most: int, count_refusal: Callable[[str], None]
) -> type[H11Protocol]:
    """Returns the class of connections, which bounds their time and number.

    uvicorn itself waits without end for the head of a request, and for a client
    that doesn't read its answer.

    Args:
        seconds: float, how long the head may take, from the connection or
            the head's first byte. If a part of it has come, the answer is
            408; otherwise the connection is closed. A client has as long to
            read its answer.
        most: int, how many connections there may be. For one more, another is
            ended: the one that has kept the server waiting for the longest
            time, those that are idle before others.
        count_refusal: function that takes the reason of a refusal.
    """
    # When each began to wait for the client, in this order.
    waiting: dict[Connection, float] = {}

    class Connection(H11Protocol):
        """Ends if it keeps the server waiting for too long."""

        _deadline: asyncio.TimerHandle | None = None
        _unread: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            transport.max_size = _TURN
            super().connection_made(transport)
            self._wait()
            self._deadline = self.loop.call_later(seconds, self._give_up)
            if len(self.connections) > most:
                before = self.loop.time() - _IDLE_AFTER
                idle = (
                    other
                    for other, since in waiting.items()
                    if other._is_idle and since < before
                )
                (next(idle, None) or next(iter(waiting)))._make_room()

        def connection_lost(self, exc: Exception | None) -> None:
            waiting.pop(self, None)
            self._stop_waiting()
            self._stop_sending()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            names = {name for name, _ in self.headers or ()}
            known = (
                self.conn.their_state is h11.SEND_BODY
                and b"transfer-encoding" not in names
            )
            transport: Any = self.transport
            transport.max_size = _TURN_OF_BODY if known else _TURN
            if self.conn.their_state is not h11.IDLE:
                self._stop_waiting()
            elif self._deadline is None:
                self._deadline = self.loop.call_later(seconds, self._give_up)

        def handle_events(self) -> None:
            super().handle_events()
            complete = self.conn.their_state in (h11.DONE, h11.MUST_CLOSE)
            if complete and not self._is_idle:
                # From here on it is the client that waits.
                waiting.pop(self, None)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._wait()
            if self._unread is None:
                self._unread = self.loop.call_later(
                    seconds, self.transport.abort
                )

        def resume_writing(self) -> None:
            super().resume_writing()
            if not self._is_idle:
                waiting.pop(self, None)

        def on_response_complete(self) -> None:
            self._wait()
            self._stop_sending()
            if self.transport.is_closing():
                # Only when the client has read the rest, or at last now.
                self._unread = self.loop.call_later(
                    seconds, self.transport.abort
                )
            super().on_response_complete()

        def timeout_keep_alive_handler(self) -> None:
            super().timeout_keep_alive_handler()
            self._end()

        @property
        def _is_idle(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def _wait(self) -> None:
            waiting.pop(self, None)
            waiting[self] = self.loop.time()

        def _make_room(self) -> None:
            count_refusal("connections")
            if self.conn.trailing_data[0] or not self._is_idle:
                self._refuse(
                    503,
                    f"The server has {most} connections and takes no more. "
                    "Send the request at once, or again in a moment.",
                )
            self._end()

        def _end(self) -> None:
            """Closes the connection, whether or not all of it is read."""
            waiting.pop(self, None)
            if self.cycle is not None:
                self.cycle.disconnected = True
            self.transport.close()
            if self.transport.get_write_buffer_size():
                self.transport.abort()

        def _stop_waiting(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _stop_sending(self) -> None:
            if self._unread is not None:
                self._unread.cancel()
                self._unread = None

        def _give_up(self) -> None:
            if self.transport.is_closing():
                return
            begun, _ = self.conn.trailing_data
            if begun:
                count_refusal("time")
                self._refuse(
                    408,
                    f"A request must be sent within {seconds:g} seconds. This "
                    "one was not. Send it at once.",
                )
            else:
                self.transport.close()

        def send_400_response(self, msg: str) -> None:
            # h11 knows a better status for some: a head that is too large.
            error = sys.exc_info()[1]
            status = getattr(error, "error_status_hint", 400)
            count_refusal("http")
            self._refuse(status, f"{msg} Send HTTP/1.1.")

        def _refuse(self, status: int, message: str) -> None:
            body = json.dumps({"error": message}).encode()
            headers = [
                ("content-type", "application/json"),
                ("content-length", str(len(body))),
                ("connection", "close"),
            ]
            events = [
                h11.Response(
                    status_code=status,
                    headers=headers,
                    reason=http.HTTPStatus(status).phrase.encode(),
                ),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ]
            # Unless an answer is already being sent.
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                for event in events:
                    self.transport.write(self.conn.send(event) or b"")
            self.transport.close()

    return Connection


def _leave(number: int, frame: object) -> None:
    raise SystemExit(0)


def _bind(host: str, port: int) -> socket.socket:
    """Opens the socket, so that a taken address is known before loading.

    It also listens already: two sockets may be bound to one address, but only
    one can listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, as only then asyncio turns off the delay of small
    # packets, which is 40 ms a request.
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
            f"{shown(host)}, port {port} ({error.strerror or error}). Give "
            "another --port or --host."
        ) from error
    return listener

"""Answers requests by TensorFlow Serving's REST protocol, for one model."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import threading
import time
from collections.abc import Iterator
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from typing import NamedTuple
from urllib.parse import unquote

import numpy as np
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request
from starlette.responses import Response
from starlette.responses import StreamingResponse
from starlette.routing import Route

from tf_longformer.errors import RequestError
from tf_longformer.errors import cut
from tf_longformer.exported.loaded_model import DEFAULT_SIGNATURE
from tf_longformer.exported.loaded_model import LoadedModel
from tf_longformer.exported.versions import Version
from tf_longformer.serving import requests
from tf_longformer.serving.metrics import CONTENT_TYPE
from tf_longformer.serving.metrics import Metrics

METRICS_PATH = "/monitoring/prometheus/metrics"
_WHICH = r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?"
_PREDICT = re.compile(rf"{_WHICH}:(predict|classify|regress)", re.IGNORECASE)
_STATUS = re.compile(rf"{_WHICH}(/metadata)?", re.IGNORECASE)
# Many clients read the answer only when they have sent everything. So a body
# that is refused is read and thrown away, up to so many times the limit.
_DRAINED = 16
# Bodies of so many bytes, and answers of so many values, don't count as held:
# whoever keeps much from the server, or on it, is in nobody's way.
_SMALL = 2**16
_logger = logging.getLogger(__name__)


class Application:
    """Answers requests for a model.

    Args:
        version: `Version`.
        model: `LoadedModel`.
        limits: `Limits`.
        workers: int, requests that are computed at the same time.
        queue: int, requests that may wait for that.
    """

    def __init__(
        self,
        version: Version,
        model: LoadedModel,
        limits: requests.Limits,
        workers: int,
        queue: int,
    ) -> None:
        self._version = version
        self._model = model
        self._limits = limits
        self._metrics = Metrics(version.name, version.number)
        self._executor = ThreadPoolExecutor(workers, "predict")
        self._places = threading.Semaphore(workers + queue)
        self._num_places = workers + queue
        self._held = _Held(max(limits.held_bytes, limits.body_bytes))

    def asgi(self) -> Starlette:
        """Returns the application for an ASGI server."""
        everything = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        return Starlette(
            routes=[
                Route("/v1/{rest:path}", self._answer, methods=everything),
                Route("/v2/health/live", _healthy("live")),
                Route("/v2/health/ready", _healthy("ready")),
                Route(METRICS_PATH, self._show_metrics),
            ],
            exception_handlers={404: _unknown_path, 405: _unknown_path},
        )

    def count_refusal(self, reason: str) -> None:
        """Counts a request, or a connection, that was refused."""
        self._metrics.refusals.labels(reason).inc()

    async def _show_metrics(self, request: Request) -> Response:
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    async def _answer(self, request: Request) -> Response:
        # Not decoded yet, as a name may hold an encoded slash or colon.
        path = request.scope.get("raw_path", request.url.path.encode())
        path = path.decode("ascii", "replace").partition("?")[0]
        method, headers = "unknown", {}
        try:
            if request.method == "POST" and (found := _PREDICT.fullmatch(path)):
                method = found[4].lower()
                response = await self._predict(request, found)
            elif request.method == "GET" and (found := _STATUS.fullmatch(path)):
                method = "metadata" if found[4] else "status"
                response = _json(self._describe(found))
            else:
                raise RequestError(
                    f"Malformed request: {cut(request.method)} {cut(path)}. "
                    "Send GET /v1/models/NAME, GET /v1/models/NAME/metadata "
                    "or POST /v1/models/NAME:predict."
                )
        except RequestError as error:
            self.count_refusal(error.reason)
            # The rest of the body is not waited for.
            if error.status in (408, 413, 503):
                headers = {"connection": "close"}
            response = _json(_error(str(error)), error.status, headers)
        except ClientDisconnect:
            response = _json(_error("The client has gone."), 499)
        self._metrics.requests.labels(method, str(response.status_code)).inc()
        return response

    def _check_model(self, found: re.Match[str], for_status: bool) -> None:
        name, number, label = unquote(found[1]), found[2], found[3]
        served = self._version
        if label is not None:
            raise RequestError(
                "Unrecognized servable version label: "
                f"{cut(unquote(label))}. This server has no labels; leave it "
                f"out or send /versions/{served.number}."
            )
        # Compared as text, as there may be more digits than `int` reads.
        digits = None if number is None else number.lstrip("0") or "0"
        if name == served.name and digits in (None, str(served.number)):
            return
        name = cut(name)
        wanted = f"Latest({name})"
        if number is not None:
            wanted = f"Specific({name}, {cut(number)})"
        rule = f"Servable not found for request: {wanted}"
        if for_status:
            which = "any versions"
            if number is not None:
                which = f"version {cut(number)}"
            rule = f"Could not find {which} of model {name}"
        raise RequestError(
            f"{rule}. This server has version {served.number} of model "
            f"{served.name}.",
            404,
        )

    def _describe(self, found: re.Match[str]) -> bytes:
        self._check_model(found, for_status=not found[4])
        number = str(self._version.number)
        answer: dict[str, Any] = {
            "model_version_status": [
                {
                    "version": number,
                    "state": "AVAILABLE",
                    "status": {"error_code": "OK", "error_message": ""},
                }
            ]
        }
        if found[4]:
            signatures = {"signature_def": self._model.metadata}
            answer = {
                "model_spec": {
                    "name": self._version.name,
                    "signature_name": "",
                    "version": number,
                },
                "metadata": {"signature_def": signatures},
            }
        return json.dumps(answer, indent=1).encode()

    async def _predict(
        self, request: Request, found: re.Match[str]
    ) -> Response:
        started = time.monotonic()
        with ExitStack() as held:
            body = await self._in_time(
                self._read(request, held), started, "sent", 408
            )
            # Only after the body: many clients read no answer before it is
            # sent.
            self._check_model(found, for_status=False)
            if found[4].lower() != "predict":
                raise RequestError(
                    "Only :predict is served, as the signatures take tensors "
                    f"and not examples. Received: :{found[4]}. Send the "
                    "inputs by name to :predict."
                )
            coding = request.headers.get("content-encoding", "")
            requests.check_coding(coding)
            # Only when the body is here, so that slow senders take no places.
            if not self._places.acquire(blocking=False):
                raise self._busy(f"{self._num_places} requests")
            held.callback(self._places.release)
            self._metrics.in_progress.inc()
            held.callback(self._metrics.in_progress.dec)
            future = self._executor.submit(self._compute, body, coding, started)
            # The computation can't be stopped, even if its time is over: what
            # it holds is given back when it ends.
            until_computed = held.pop_all()
            future.add_done_callback(lambda _: until_computed.close())
        answer = await self._in_time(
            asyncio.wrap_future(future), started, "answered", 504
        )
        if isinstance(answer, bytes):
            return _json(answer)
        with ExitStack() as held:
            self._hold(answer.size, held)
            return _Streamed(answer.pieces, held.pop_all())

    def _busy(self, what: str) -> RequestError:
        return RequestError(
            f"The server has {what} to answer and takes no more. Send this "
            "one again in a moment.",
            503,
            "busy",
        )

    def _hold(self, size: int, held: ExitStack) -> None:
        """Counts bytes as held, until `held` is closed."""
        if not self._held.take(size):
            raise self._busy(f"{self._held.most} bytes of requests")
        held.callback(self._held.give, size)

    async def _in_time(
        self, work: Any, started: float, done: str, status: int
    ) -> Any:
        left = self._limits.seconds - (time.monotonic() - started)
        try:
            return await asyncio.wait_for(work, max(left, 0))
        except (asyncio.TimeoutError, TimeoutError) as error:
            raise RequestError(
                f"A request must be {done} within {self._limits.seconds:g} "
                "seconds. This one was not. Send fewer rows or shorter ones.",
                status,
                "time",
            ) from error

    async def _read(self, request: Request, held: ExitStack) -> bytearray:
        most = self._limits.body_bytes
        body, size, counted = bytearray(), 0, _SMALL
        error: RequestError | None = None
        with ExitStack() as read:
            async for chunk in request.stream():
                size += len(chunk)
                if size > _DRAINED * most:
                    break
                body += chunk
                try:
                    if size > most:
                        raise requests.too_large(most)
                    while counted < size:
                        self._hold(_SMALL, read)
                        counted += _SMALL
                except RequestError as refusal:
                    error = error or refusal
                if error is not None:
                    body.clear()
                    read.close()
            if error is not None:
                raise error
            held.push(read.pop_all())
        return body

    def _compute(
        self, body: bytearray, coding: str, started: float
    ) -> bytes | _LargeAnswer:
        try:
            plain = requests.unpack(body, coding, self._limits.body_bytes)
            parsed = requests.parse(plain, self._model, self._limits)
            del plain
            outputs = parsed.signature.run(parsed.inputs)
            pieces = requests.encode(outputs, parsed.by_rows, self._limits)
            if sum(array.size for array in outputs.values()) > _SMALL:
                answer = _LargeAnswer(pieces, _size_of(outputs))
            else:
                answer = b"".join(pieces)
        except RequestError:
            raise
        except MemoryError as error:
            raise RequestError(
                "There isn't enough memory for this request. Send fewer rows "
                "or shorter ones.",
                429,
                "memory",
            ) from error
        except Exception as error:
            _logger.exception("A request failed")
            raise RequestError(
                f"The server failed: {type(error).__name__}. Its log says "
                "where.",
                500,
                "failure",
            ) from error
        seconds = time.monotonic() - started
        name = parsed.signature_name or DEFAULT_SIGNATURE
        self._metrics.seconds.labels(name).observe(seconds)
        first = next(iter(parsed.inputs.values()))
        self._metrics.rows.inc(first.shape[0] if first.ndim else 1)
        self._metrics.elements.inc(first.size)
        return answer


class _Held:
    """Counts the bytes that wait: for clients, or to be computed.

    Args:
        most: int.

    Attributes:
        most: int.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._now = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Counts bytes, if there is room; there is if none are counted."""
        with self._lock:
            if self._now and self._now + size > self.most:
                return False
            self._now += size
            return True

    def give(self, size: int) -> None:
        """Ends what `take` began."""
        with self._lock:
            self._now -= size


class _LargeAnswer(NamedTuple):
    """An answer that is written while it is sent, and its bytes in memory."""

    pieces: Iterator[bytes]
    size: int


def _size_of(outputs: Mapping[str, np.ndarray]) -> int:
    return sum(
        sum(map(sys.getsizeof, array.flat))
        if array.dtype == object
        else array.nbytes
        for array in outputs.values()
    )


class _Streamed(StreamingResponse):
    """Sends an answer piece by piece, and gives back what it holds."""

    def __init__(self, pieces: Iterator[bytes], held: ExitStack) -> None:
        super().__init__(pieces, media_type="application/json")
        self._held_until_sent = held

    async def __call__(self, *arguments: Any) -> None:
        with self._held_until_sent:
            await super().__call__(*arguments)


def _json(
    body: bytes, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return Response(body, status, headers, "application/json")


def _healthy(what: str) -> Any:
    async def healthy(request: Request) -> Response:
        return _json(json.dumps({what: True}).encode())

    return healthy


async def _unknown_path(request: Request, error: Exception) -> Response:
    message = (
        f"Nothing is at {cut(request.method)} {cut(request.url.path)}. Send "
        "GET /v1/models/NAME or POST /v1/models/NAME:predict."
    )
    return _json(_error(message), 404)


def _error(message: str) -> bytes:
    return json.dumps({"error": message}).encode()

"""The REST protocol of TensorFlow Serving, for one version of one model."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tf_longformer.serving import requests
from tf_longformer.serving.bodies import check_coding
from tf_longformer.serving.bodies import decode
from tf_longformer.serving.bodies import too_large
from tf_longformer.serving.errors import RequestError
from tf_longformer.serving.folders import Version
from tf_longformer.serving.metrics import CONTENT_TYPE
from tf_longformer.serving.metrics import Metrics
from tf_longformer.serving.saved_model import DEFAULT
from tf_longformer.serving.saved_model import SavedModel

METRICS_PATH = "/monitoring/prometheus/metrics"
_WHICH = r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?"
_PREDICT = re.compile(rf"{_WHICH}:(predict|classify|regress)", re.IGNORECASE)
_STATUS = re.compile(rf"{_WHICH}(/metadata)?", re.IGNORECASE)
# What is read of a body that is too large, so that its sender, who may read
# only when all is sent, sees the answer.
_DRAINED = 16
_logger = logging.getLogger(__name__)


class Application:
    """Answers requests for a model.

    Args:
        version: `Version`.
        model: `SavedModel`.
        limits: `Limits`.
        workers: int, requests that are computed at the same time.
        queue: int, requests that may wait for that.
    """

    def __init__(
        self,
        version: Version,
        model: SavedModel,
        limits: requests.Limits,
        workers: int,
        queue: int,
    ) -> None:
        self._version = version
        self._model = model
        self._limits = limits
        self._metrics = Metrics(version.name, version.number)
        self._executor = ThreadPoolExecutor(workers, "predict")
        self._room = threading.Semaphore(workers + queue)
        self._most = workers + queue
        # Bytes of bodies that are on their way.
        self._reading = 0

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

    async def _show_metrics(self, request: Request) -> Response:
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    async def _answer(self, request: Request) -> Response:
        # As it came: a name may hold an encoded slash or colon.
        path = request.scope.get("raw_path", request.url.path.encode())
        path = path.decode("ascii", "replace").partition("?")[0]
        method, headers = "unknown", {}
        try:
            if request.method == "POST" and (found := _PREDICT.fullmatch(path)):
                method = found[4].lower()
                body, status = await self._predict(request, found), 200
            elif request.method == "GET" and (found := _STATUS.fullmatch(path)):
                method = "metadata" if found[4] else "status"
                body, status = self._describe(found), 200
            else:
                raise RequestError(
                    f"Malformed request: {request.method} {path}. Send GET "
                    "/v1/models/NAME, GET /v1/models/NAME/metadata or POST "
                    "/v1/models/NAME:predict."
                )
        except RequestError as error:
            body, status = _error(str(error)), error.status
            # More of the body may come, or never come.
            if status in (408, 413, 503):
                headers = {"connection": "close"}
        except ClientDisconnect:
            body, status = _error("The client has gone."), 499
        self._metrics.requests.labels(method, str(status)).inc()
        return Response(body, status, headers, "application/json")

    def _check_model(self, found: re.Match[str], for_status: bool) -> None:
        name, number, label = unquote(found[1]), found[2], found[3]
        served = self._version
        if label is not None:
            raise RequestError(
                f"Unrecognized servable version label: {unquote(label)}. This "
                "server has no labels; leave it out or send "
                f"/versions/{served.number}."
            )
        # As text, which may have more digits than `int` reads.
        digits = None if number is None else number.lstrip("0") or "0"
        if name == served.name and digits in (None, str(served.number)):
            return
        wanted = f"Latest({name})"
        if number is not None:
            wanted = f"Specific({name}, {number})"
        rule = f"Servable not found for request: {wanted}"
        if for_status:
            which = "any versions" if number is None else f"version {number}"
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

    async def _predict(self, request: Request, found: re.Match[str]) -> bytes:
        started = time.monotonic()
        body = await self._in_time(self._read(request), started, "sent", 408)
        # After the body, which the sender may wait to be rid of.
        self._check_model(found, for_status=False)
        if found[4].lower() != "predict":
            raise RequestError(
                "Only :predict is served, as the signatures take tensors "
                f"and not examples. Received: :{found[4]}. Send the "
                "inputs by name to :predict."
            )
        coding = request.headers.get("content-encoding", "")
        check_coding(coding)
        # Not before: who sends slowly is to keep nobody waiting.
        if not self._room.acquire(blocking=False):
            raise self._busy()
        release = self._room.release
        try:
            self._metrics.in_progress.inc()
            future = self._executor.submit(self._compute, body, coding, started)
            # A request that runs can't be stopped, and keeps its place.
            future.add_done_callback(lambda _: self._room.release())
            release = _nothing
            return await self._in_time(
                asyncio.wrap_future(future), started, "answered", 504
            )
        finally:
            self._metrics.in_progress.dec()
            release()

    def _busy(self) -> RequestError:
        return RequestError(
            f"The server has {self._most} requests to answer and takes "
            "no more. Send this one again in a moment.",
            503,
        )

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
            ) from error

    async def _read(self, request: Request) -> bytes:
        most = self._limits.body_bytes
        chunks, size, held = [], 0, 0
        try:
            async for chunk in request.stream():
                size += len(chunk)
                if size <= most:
                    chunks.append(chunk)
                    held += len(chunk)
                    self._reading += len(chunk)
                    # As much as the places could hold.
                    if self._reading > self._most * most:
                        raise self._busy()
                    continue
                chunks.clear()
                self._reading -= held
                held = 0
                if size > _DRAINED * most:
                    break
        finally:
            self._reading -= held
        if size > most:
            raise too_large(most)
        return b"".join(chunks)

    def _compute(self, body: bytes, coding: str, started: float) -> bytes:
        try:
            body = decode(body, coding, self._limits.body_bytes)
            parsed = requests.parse(body, self._model, self._limits)
            outputs = parsed.signature.run(parsed.inputs)
            answer = requests.encode(outputs, parsed.by_rows, self._limits)
        except RequestError:
            raise
        except MemoryError as error:
            raise RequestError(
                "There isn't enough memory for this request. Send fewer rows "
                "or shorter ones.",
                429,
            ) from error
        except Exception as error:
            _logger.exception("A request failed")
            raise RequestError(
                f"The server failed: {type(error).__name__}. Its log says "
                "where.",
                500,
            ) from error
        seconds = time.monotonic() - started
        name = parsed.signature_name or DEFAULT
        self._metrics.seconds.labels(name).observe(seconds)
        first = next(iter(parsed.inputs.values()))
        self._metrics.rows.inc(first.shape[0] if first.ndim else 1)
        self._metrics.elements.inc(first.size)
        return answer


def _nothing() -> None:
    """Takes the place of what has been handed on."""


def _healthy(what: str) -> Any:
    async def healthy(request: Request) -> Response:
        return Response(json.dumps({what: True}), media_type="application/json")

    return healthy


async def _unknown_path(request: Request, error: Exception) -> Response:
    message = (
        f"Nothing is at {request.method} {request.url.path}. Send GET "
        "/v1/models/NAME or POST /v1/models/NAME:predict."
    )
    return Response(_error(message), 404, media_type="application/json")


def _error(message: str) -> bytes:
    return json.dumps({"error": message}).encode()

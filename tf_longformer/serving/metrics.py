"""What the server counts, in the text form of Prometheus."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client import CollectorRegistry
from prometheus_client import Counter
from prometheus_client import Gauge
from prometheus_client import Histogram
from prometheus_client import Info
from prometheus_client import ProcessCollector
from prometheus_client import generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The counters of one server.

    Args:
        name: string, the model's name.
        version: int.

    Attributes:
        requests: counter of answers, by method and status.
        refusals: counter of requests and connections that were refused, by
            reason: `"body"`, `"json"`, `"lists"`, `"values"`, `"text"`,
            `"rows"`, `"tokens"`, `"coding"`, `"http"`, `"time"`, `"busy"`,
            `"connections"`, `"memory"`, `"failure"`, or `"invalid"` for any
            other.
        seconds: histogram of the time of predict requests, by signature.
        rows: counter of rows that were predicted.
        elements: counter of elements of their inputs, tokens or texts.
        in_progress: gauge of predict requests that wait or run.
    """

    def __init__(self, name: str, version: int) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        Info("tf_longformer_model", "The model.", registry=self._registry).info(
            {"name": name, "version": str(version)}
        )
        self.requests = Counter(
            "tf_longformer_requests",
            "Answers.",
            ["method", "status"],
            registry=self._registry,
        )
        self.refusals = Counter(
            "tf_longformer_refusals",
            "Requests and connections that were refused.",
            ["reason"],
            registry=self._registry,
        )
        self.seconds = Histogram(
            "tf_longformer_predict_seconds",
            "Time of predict requests that were answered with 200.",
            ["signature"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.rows = Counter(
            "tf_longformer_rows",
            "Rows that were predicted.",
            registry=self._registry,
        )
        self.elements = Counter(
            "tf_longformer_elements",
            "Tokens, with padding, or texts that were predicted.",
            registry=self._registry,
        )
        self.in_progress = Gauge(
            "tf_longformer_in_progress",
            "Predict requests that wait or run.",
            registry=self._registry,
        )

    def text(self) -> bytes:
        """Returns all of it."""
        return generate_latest(self._registry)

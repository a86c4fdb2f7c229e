"""Mixed requests to one server for long: its memory, its answers, its life.

    PYTHONPATH=.:tests python tests/serving/soak.py --requests 10000

Four clients send rows of 1 to 4096 tokens, alone and padded in batches, texts
of as many, and in between requests that are wrong in every way known. Each
answer is compared with that of the Keras model in this process. Bounded by the
number of requests and by time; on loopback only.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any
from typing import NamedTuple

import keras
import numpy as np
from helpers import small_exports as small
from serving.client import Server

from tf_longformer import export_saved_model

LONGEST = 4096
CLIENTS = 4
POOL = 240
TOLERANCE = 1e-4
HEAD = "ForSequenceClassification"
MASK = "attention_mask"


class Request(NamedTuple):
    body: Any
    status: int
    # Of each row, for an answer.
    expected: list[np.ndarray]


class Soak:
    """A server, what to ask it, and what came back."""

    def __init__(self, folder: Path, pool: int = POOL, seed: int = 0) -> None:
        keras.utils.set_random_seed(seed)
        self.random = random.Random(seed)
        self.model = small.make(
            HEAD, max_position_embeddings=LONGEST + 2, attention_window=64
        )
        self.vocabulary = self.model.config.vocab_size
        export_saved_model(self.model, folder / "soak/1", small.tokenizer())
        self.rows = [self._draw() for _ in range(pool)]
        self.logits = [
            self.model(np.array([row])).logits.numpy()[0] for row in self.rows
        ]
        self.texts = [self._draw_text() for _ in range(pool // 4)]
        self.logits_of_texts = [
            self.model(**small.encode(HEAD, {"text": [text]})).logits.numpy()[0]
            for text in self.texts
        ]
        self.server = Server(folder / "soak", "--max-body", 1)
        self.errors: list[str] = []
        self.seconds: list[float] = []
        self.memory: list[int] = []
        self.counts = {200: 0, 400: 0, 404: 0, 413: 0}

    def _draw(self) -> list[int]:
        length = round(2 ** self.random.uniform(0, 12))
        return [
            self.random.randrange(3, self.vocabulary) for _ in range(length)
        ]

    def _draw_text(self) -> str:
        pieces = [*small.HOSTILE, "a dog", "and", "read", "it."]
        count = round(2 ** self.random.uniform(0, 8))
        return " ".join(self.random.choice(pieces) for _ in range(count))

    def requests(self, count: int) -> list[Request]:
        """Draws requests: two of three are good."""
        bad = itertools.cycle(self._bad())
        return [
            self._good() if self.random.random() < 2 / 3 else next(bad)
            for _ in range(count)
        ]

    def _good(self) -> Request:
        size = 1 if self.random.random() < 0.7 else self.random.randint(2, 4)
        if self.random.random() < 0.3:
            places = [
                self.random.randrange(len(self.texts)) for _ in range(size)
            ]
            texts = [self.texts[place] for place in places]
            return Request(
                {"signature_name": "text", "instances": texts},
                200,
                [self.logits_of_texts[place] for place in places],
            )
        places = [self.random.randrange(len(self.rows)) for _ in range(size)]
        longest = max(len(self.rows[place]) for place in places)
        rows = []
        for place in places:
            row = self.rows[place]
            missing = longest - len(row)
            rows.append(
                {
                    "input_ids": row + [1] * missing,
                    MASK: [1] * len(row) + [0] * missing,
                }
            )
        body: dict[str, Any] = {"instances": rows}
        if self.random.random() < 0.3:
            names = rows[0]
            body = {"inputs": {n: [row[n] for row in rows] for n in names}}
        return Request(body, 200, [self.logits[place] for place in places])

    def _bad(self) -> list[Request]:
        def of(ids: Any, mask: Any = None, **more: Any) -> dict:
            mask = [1] * len(ids) if mask is None else mask
            row = {"input_ids": ids, MASK: mask}
            return {"instances": [row], **more}

        def of_text(text: Any) -> dict:
            return {"signature_name": "text", "instances": [text]}

        bodies = [
            of_text("a dog " * LONGEST),
            of_text(3),
            of_text(None),
            # Not UTF-8, and half of a pair.
            of_text({"b64": "/w=="}),
            of_text("\ud800"),
            b"",
            b"{",
            b"\xff\xfe",
            b"[" * 50_000,
            b'{"instances": [{"input_ids": [1e999], "attention_mask": [1]}]}',
            {},
            [],
            {"instances": []},
            {"inputs": {"input_ids": [[3]]}},
            {"instances": [[3, 4]]},
            of([]),
            of([5] * (LONGEST + 1)),
            of([5] * 10_000),
            of([5, self.vocabulary]),
            of([5, -1]),
            of([5, 2**31]),
            of([5, 2**70]),
            of([5, 1.5]),
            of([5, True]),
            of([5, "6"]),
            of([5, None]),
            of([5, 6], [1]),
            of([5, 6], [1, 2]),
            of([5, 6], signature_name="none"),
            {"instances": [*of([5, 6])["instances"], *of([5])["instances"]]},
            {"instances": of([5])["instances"] * 65},
        ]
        found = [Request(body, 400, []) for body in bodies]
        return [*found, Request(b"x" * 3_000_000, 413, [])]

    def run(self, count: int, most_seconds: float) -> dict[str, Any]:
        """Sends requests and returns a summary; `errors` is to be empty."""
        self.server.predict({"instances": [{"input_ids": [3], MASK: [1]}]})
        queue = iter(self.requests(count))
        lock = threading.Lock()
        started = time.monotonic()

        def work() -> None:
            while time.monotonic() - started < most_seconds:
                with lock:
                    request = next(queue, None)
                if request is None:
                    return
                self._send(request, lock)

        threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed = time.monotonic() - started
        # TensorFlow's allocators have met all shapes in the first half.
        half = self.memory[len(self.memory) // 2 :]
        if len(half) > 4 and half[-1] > 1.05 * half[0]:
            self.errors.append("the memory grows")
        code, log = self.server.stop()
        if code or "Traceback" in log:
            self.errors.append(f"the server ended with {code}: {log[-2000:]}")
        return {
            "requests": len(self.seconds),
            "seconds": round(elapsed, 1),
            "answers": self.counts,
            "p50": float(np.percentile(self.seconds, 50)),
            "p99": float(np.percentile(self.seconds, 99)),
            "memory_mib": [round(m / 2**20) for m in self.memory],
            "errors": self.errors,
        }

    def _send(self, request: Request, lock: threading.Lock) -> None:
        start = time.perf_counter()
        try:
            status, answer = self.server.predict(request.body)
            problem = self._problem(request, status, answer)
        except (OSError, ValueError) as error:
            status, problem = 0, f"{type(error).__name__}: {error}"
        seconds = time.perf_counter() - start
        with lock:
            self.seconds.append(seconds)
            self.counts[status] = self.counts.get(status, 0) + 1
            if problem:
                shown = str(request.body)[:80]
                self.errors.append(f"{problem} for {shown}")
            if len(self.seconds) % 250 == 1:
                self.memory.append(self._resident())

    def _problem(self, request: Request, status: int, answer: Any) -> str:
        if status != request.status:
            return f"status {status}, not {request.status}: {answer}"
        if status != 200:
            sound = list(answer) == ["error"] and len(answer["error"]) > 20
            return "" if sound else f"no sentence in {answer}"
        found = answer.get("predictions", answer.get("outputs"))
        # Other outputs may be beside them.
        found = found["logits"] if isinstance(found, dict) else found
        if len(found) != len(request.expected):
            return f"{len(found)} rows, not {len(request.expected)}"
        for values, expected in zip(found, request.expected, strict=True):
            logits = values["logits"] if isinstance(values, dict) else values
            far = np.max(np.abs(np.array(logits) - expected))
            if far > TOLERANCE * np.max(np.abs(expected)):
                return f"logits {far} away"
        return ""

    def _resident(self) -> int:
        url = f"{self.server.root}/monitoring/prometheus/metrics"
        with urllib.request.urlopen(url, timeout=60) as response:
            for line in response.read().decode().splitlines():
                name, _, value = line.partition(" ")
                if name == "process_resident_memory_bytes":
                    return int(float(value))
        raise ValueError("The metrics have no memory.")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=1800)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder))
        print(json.dumps(soak.run(arguments.requests, arguments.seconds)))


if __name__ == "__main__":
    main()

"""Requests to `tf-longformer serve`: right numbers, or a clear refusal.

A request is damaged as files are, is a random tree of JSON, or is large in one
of the ways that keep a parser busy. After each the server says that it is
alive, in time.
"""

from __future__ import annotations

import gzip
import http.client
import json
import random
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import keras
import numpy as np
from fuzz import damage
from fuzz.target import LONGEST_MESSAGE
from fuzz.target import Target
from helpers import small_exports as small
from serving.client import Server

from tf_longformer import export_saved_model

HEAD = "ForSequenceClassification"
NAMES = ("input_ids", "attention_mask", "global_attention_mask")
SIGNATURES = ("serving_default", "with_global_attention", "text")
# Megabytes that a body may have.
MOST_BODY = 1
HEALTH_SECONDS = 5.0
LARGE = {
    "brackets": b"[" * 100_000,
    "closed brackets": b"[" * 50_000 + b"]" * 50_000,
    "empty lists": b'{"instances": [' + b"[]," * 300_000 + b"[]]}",
    "nested lists": b'{"instances": [' + b"[[[[[]]]]]," * 80_000 + b"[]]}",
    "rows": b'{"instances": [' + b"1," * 450_000 + b"1]}",
    "keys": b"{" + b",".join(b'"%d":0' % i for i in range(80_000)) + b"}",
    "text": b'{"signature_name": "text", "instances": ["'
    + b"a dog " * 150_000
    + b'"]}',
    "escapes": b'{"signature_name": "text", "instances": ["'
    + b"\\u00e9" * 150_000
    + b'"]}',
    "digits": b'{"instances": [' + b"9" * 900_000 + b"]}",
    "too much": b"x" * (2 * 2**20),
    "nothing": b"",
    "nul": b"\0" * 1000,
}
WORDS = ("a dog", "and", "read it.", *small.HOSTILE)


class Fuzzed(Target):
    seconds = 300.0
    cpu_seconds = 60.0
    simplest = {"packed": (False,)}

    def __init__(self, scratch: Path) -> None:
        super().__init__(scratch)
        keras.utils.set_random_seed(0)
        self.model = small.make(HEAD)
        export_saved_model(self.model, scratch / "model/1", small.tokenizer())
        self.server: Server | None = None
        self._start()

    def _start(self) -> None:
        if self.server is not None:
            self.server.stop()
        self.server = Server(self.scratch / "model", "--max-body", MOST_BODY)
        self.url = urlsplit(self.server.url)

    def draw(self, rng: random.Random, shared: random.Random) -> dict[str, Any]:
        case: dict[str, Any] = {"packed": rng.random() < 0.15}
        kind = rng.random()
        if kind < 0.02:
            return {**case, "large": rng.choice(list(LARGE))}
        if kind < 0.2:
            return {**case, "tree": self._draw_tree(rng, 4)}
        case["request"] = request = self._draw_request(rng)
        if kind < 0.4:
            return case
        data = json.dumps(request).encode()
        steps = []
        for _ in range(rng.choice((1, 1, 2))):
            steps.append(damage.draw(data, rng))
            data = damage.apply(steps[-1], data)
        return {**case, "damage": steps}

    def _draw_request(self, rng: random.Random) -> dict[str, Any]:
        signature = rng.choice(SIGNATURES)
        count = rng.choice((1, 1, 2, 3))
        if signature == "text":
            rows: list = [
                {"text": " ".join(rng.choices(WORDS, k=rng.randint(0, 2)))}
                for _ in range(count)
            ]
        else:
            length = rng.randint(1, 40)
            rows = []
            for _ in range(count):
                padding = rng.randint(0, length - 1)
                kept = length - padding
                row = {
                    "input_ids": [rng.randrange(3, 600) for _ in range(kept)]
                    + [small.PAD] * padding,
                    "attention_mask": [1] * kept + [0] * padding,
                }
                if signature == "with_global_attention":
                    row[NAMES[2]] = [rng.randrange(2) for _ in range(length)]
                rows.append(row)
        request: dict[str, Any] = {"signature_name": signature}
        if signature == "serving_default" and rng.random() < 0.5:
            request = {}
        if rng.random() < 0.5:
            return {**request, "instances": rows}
        return {**request, "inputs": {n: [r[n] for r in rows] for n in rows[0]}}

    def _draw_tree(self, rng: random.Random, depth: int) -> Any:
        kind = rng.random()
        if depth and kind < 0.3:
            count = rng.randint(0, 4)
            return [self._draw_tree(rng, depth - 1) for _ in range(count)]
        if depth and kind < 0.7:
            keys = ("instances", "inputs", "signature_name", *NAMES)
            keys += ("text", "b64", "", "x")
            return {
                rng.choice(keys): self._draw_tree(rng, depth - 1)
                for _ in range(rng.randint(0, 4))
            }
        return rng.choice(
            (0, 1, -1, 5, 3.5, 2**31, 2**70, True, None, "", "text", "é")
        )

    def run(self, case: dict[str, Any]) -> str:
        body = LARGE.get(case.get("large", ""))
        if body is None:
            tree = case["tree"] if "tree" in case else case["request"]
            body = json.dumps(tree).encode()
            for step in case.get("damage", ()):
                body = damage.apply(step, body)
        sent = gzip.compress(body, 1) if case["packed"] else body
        headers = {"Content-Encoding": "gzip"} if case["packed"] else {}
        try:
            status, answer = self._ask("POST", ":predict", sent, headers)
            started = time.monotonic()
            live = self._ask("GET", "/v2/health/live")
            seconds = time.monotonic() - started
        except (OSError, http.client.HTTPException):
            self._start()
            raise
        assert live == (200, {"live": True}), live
        assert seconds < HEALTH_SECONDS, f"health after {seconds:.1f} s"
        if status == 200:
            self._check(body, answer)
            return "answered" if "damage" in case else "answered as sent"
        assert 400 <= status < 500, (status, str(answer)[:300])
        assert list(answer) == ["error"], str(answer)[:300]
        assert 10 < len(answer["error"]) < LONGEST_MESSAGE, answer
        valid = "request" in case and "damage" not in case
        assert not valid, f"a request that is right: {answer}"
        return f"refused {status}"

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        where = path if path.startswith("/") else self.url.path + path
        connection = http.client.HTTPConnection(
            self.url.hostname or "", self.url.port, timeout=60
        )
        try:
            connection.request(method, where, body, headers or {})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def _check(self, body: bytes, answer: dict[str, Any]) -> None:
        """Compares an answer with the model's own."""
        request = json.loads(body)
        columns = request.get("inputs")
        if columns is None:
            rows = request["instances"]
            names = list(rows[0]) if isinstance(rows[0], dict) else ["text"]
            columns = {
                name: [
                    row[name] if isinstance(row, dict) else row for row in rows
                ]
                for name in names
            }
        elif not isinstance(columns, dict):
            columns = {"text": columns}
        if request.get("signature_name") == "text":
            given = columns["text"]
            given = given if isinstance(given, list) else [given]
            columns = small.encode(HEAD, {"text": given})
        inputs = {
            name: np.array(columns[name]) for name in NAMES if name in columns
        }
        assert all(value.dtype.kind in "iu" for value in inputs.values())
        expected = self.model(
            **{name: value.astype("int32") for name, value in inputs.items()}
        ).logits.numpy()
        found = answer.get("predictions", answer.get("outputs"))
        if isinstance(found, dict):
            found = found["logits"]
        elif found and isinstance(found[0], dict):
            found = [row["logits"] for row in found]
        small.assert_close({"logits": found}, {"logits": expected})

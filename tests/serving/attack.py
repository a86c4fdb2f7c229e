"""The worst that clients can send to one server, while another asks it.

    PYTHONPATH=.:tests python tests/serving/attack.py

In each scene several clients send the same at once: connections that say
nothing, bodies that are slow, deep, long or packed, answers that nobody reads.
Meanwhile one client asks for the server's health, each time on a connection of
its own, and for a small prediction. The table says how long these took, how
long the bad requests took to be refused and with which statuses, and how large
the process has become. On loopback only; the process of the server may open
200 files.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import NamedTuple
from urllib.parse import urlsplit

import keras
from helpers import small_exports as small
from serving.client import Server

from tf_longformer import export_saved_model

LONGEST = 4096
HANDLES = 200
MOST_SECONDS = 10
MIB = 2**20
CLOSE = "Host: x\r\nConnection: close"
# Asks again and again, in a process of its own; ends when its input ends.
POLL = """
import json, socket, sys, threading, time

def ask(request):
    try:
        with socket.create_connection(address, timeout=60) as client:
            client.sendall(request)
            return client.recv(12)[9:] == b"200"
    except OSError:
        return False

def poll(request, seconds):
    while not done.is_set():
        start = time.monotonic()
        if not ask(request):
            failures.append(request.decode())
        seconds.append(time.monotonic() - start)
        done.wait(0.02)

host, port, *requests = json.loads(sys.stdin.readline())
address, failures, done = (host, port), [], threading.Event()
seconds = [[] for _ in requests]
threads = [
    threading.Thread(target=poll, args=(request.encode(), into))
    for request, into in zip(requests, seconds)
]
for thread in threads:
    thread.start()
sys.stdin.read()
done.set()
for thread in threads:
    thread.join()
print(json.dumps([seconds, failures]))
"""


class Scene(NamedTuple):
    """What one client does, and how many do it at the same time.

    Args:
        name: string.
        act: function of `Attack`; it returns the status that it got, or 0
            where it waits for none.
        clients: int.
        statuses: the statuses that are right.
    """

    name: str
    act: Callable[[Attack], int]
    clients: int
    statuses: tuple[int, ...]


class Row(NamedTuple):
    """What was seen in a scene; times are seconds, the slowest of each."""

    name: str
    health: float
    prediction: float
    refusal: float
    statuses: dict[int, int]
    failures: int
    peak_mib: int


def envelope(inside: bytes, size: int = 15 * MIB) -> bytes:
    """Returns a body whose rows are `inside` again and again."""
    return b'{"instances": [' + inside * (size // len(inside)) + b"[]]}"


def texts(*values: str) -> bytes:
    return json.dumps(
        {"signature_name": "text", "instances": values}, ensure_ascii=False
    ).encode()


def numbers(rows: int, length: int, signature: str = "") -> bytes:
    inputs = {
        # Not the padding's id, which takes no position.
        "input_ids": [[5] * length] * rows,
        "attention_mask": [[1] * length] * rows,
    }
    return json.dumps({"signature_name": signature, "inputs": inputs}).encode()


def sends(body: bytes, *headers: str) -> Callable[[Attack], int]:
    """Returns an act: to send a body, and to read the answer."""
    return lambda attack: attack.post(body, *headers)


def packed(body: bytes) -> Callable[[Attack], int]:
    return sends(gzip.compress(body), "Content-Encoding: gzip")


def waits(start: bytes, connections: int) -> Callable[[Attack], int]:
    """Returns an act: to send the start of a request on many connections."""

    def act(attack: Attack) -> int:
        with contextlib.ExitStack() as stack:
            for _ in range(connections):
                client = attack.connect(stack)
                with contextlib.suppress(OSError):
                    client.sendall(start)
            attack.wait()
        return 0

    return act


def floods(start: bytes, piece: bytes) -> Callable[[Attack], int]:
    """Returns an act: to send pieces without an end, and to read nothing."""

    def act(attack: Attack) -> int:
        end = time.monotonic() + attack.seconds
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            client = attack.connect(stack)
            client.sendall(start)
            while time.monotonic() < end:
                client.sendall(piece)
        return 0

    return act


def leaves_unread(body: bytes, connections: int) -> Callable[[Attack], int]:
    """Returns an act: to ask for large answers, and to read none of them."""

    def act(attack: Attack) -> int:
        with contextlib.ExitStack() as stack:
            for _ in range(connections):
                client = attack.connect(stack)
                with contextlib.suppress(OSError):
                    client.sendall(attack.head(len(body)) + body)
            attack.wait()
        return 0

    return act


def scenes() -> Iterator[Scene]:
    post = b"POST /v1/models/attack:predict HTTP/1.1\r\nHost: x\r\n"
    chunked = post + b"Transfer-Encoding: chunked\r\n\r\n"
    row = b'{"input_ids":[1],"attention_mask":[1]},'
    text = b'{"signature_name":"text","instances":["'
    refused = (400, 413, 503)
    yield Scene("nothing", lambda attack: attack.wait(), 1, (0,))
    yield Scene("300 idle connections", waits(b"", 300), 1, (0,))
    yield Scene("300 half heads", waits(post, 300), 1, (0,))
    begun = post + b"Content-Length: 10000000\r\n\r\n" + b"[" * 50_000
    yield Scene("300 half bodies", waits(begun, 300), 1, (0,))
    yield Scene("[[[[[]]]]],", sends(envelope(b"[[[[[]]]]],")), 4, refused)
    yield Scene("[],", sends(envelope(b"[],")), 4, refused)
    yield Scene("{},", sends(envelope(b"{},")), 4, refused)
    yield Scene('"",', sends(envelope(b'"",')), 4, refused)
    yield Scene("true,", sends(envelope(b"true,")), 4, refused)
    yield Scene("1,", sends(envelope(b"1,")), 4, refused)
    yield Scene("200,000 rows", sends(envelope(row, 200_000 * 39)), 4, refused)
    yield Scene("gzip of [],", packed(envelope(b"[],")), 4, refused)
    yield Scene("gzip of 1 GiB", packed(b" " * 2**30), 4, refused)
    words = texts("a " * (5 * MIB))
    yield Scene("a text of 5 million tokens", sends(words), 4, refused)
    yield Scene("64 texts of 32 KiB", sends(texts(*["a " * 2**14] * 64)), 4,
                refused)  # fmt: skip
    yield Scene("a text of one word", sends(texts("x" * (15 * MIB))), 4,
                refused)  # fmt: skip
    escapes = text + rb"\u0041" * (2 * MIB) + b'"]}'
    yield Scene("a text of escapes", sends(escapes), 4, refused)
    yield Scene("most tokens", sends(numbers(64, LONGEST)), 4, (200, 503))
    yield Scene("a row of too many", sends(numbers(1, 250_000)), 4, refused)
    yield Scene("a number of 15 million digits", sends(envelope(b"1")), 4,
                refused)  # fmt: skip
    yield Scene("a name of 15 million letters",
                sends(b'{"' + b"x" * (15 * MIB) + b'": 1}'), 4,
                refused)  # fmt: skip
    yield Scene("chunks of a byte", floods(chunked, b"1\r\nx\r\n" * 10_000),
                4, (0,))  # fmt: skip
    yield Scene("an endless chunk", floods(chunked, b"10000\r\n"
                + b" " * 65536 + b"\r\n"), 4, (0,))  # fmt: skip
    yield Scene("an endless head", floods(post, b"a: b\r\n" * 10_000), 4, (0,))
    get = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    yield Scene("requests without a pause", floods(b"", get * 1000), 4, (0,))
    yield Scene("32 unread answers", leaves_unread(numbers(64, 2048), 8), 4,
                (0,))  # fmt: skip


class Attack:
    """A server, what is sent to it, and what was seen."""

    def __init__(self, folder: Path, seconds: float = 3, *options: Any) -> None:
        keras.utils.set_random_seed(0)
        model = small.make(
            "Model", max_position_embeddings=LONGEST + 2, attention_window=64
        )
        export_saved_model(model, folder / "attack/1", small.tokenizer())
        self.seconds = seconds
        self.server = Server(folder / "attack", *options, handles=HANDLES)
        parts = urlsplit(self.server.url)
        self.address = parts.hostname, parts.port
        self.path = f"{parts.path}:predict"

    def connect(self, stack: contextlib.ExitStack) -> socket.socket:
        return stack.enter_context(
            socket.create_connection(self.address, timeout=60)
        )

    def head(self, length: int, *headers: str) -> bytes:
        lines = [
            f"POST {self.path} HTTP/1.1",
            CLOSE,
            f"Content-Length: {length}",
            *headers,
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    def post(self, body: bytes, *headers: str) -> int:
        """Sends a body and returns the status of the answer."""
        return self.ask(self.head(len(body), *headers) + body)

    def ask(self, request: bytes) -> int:
        with contextlib.ExitStack() as stack:
            client = self.connect(stack)
            # Some answers come before all is sent.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.sendall(request)
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := client.recv(2**16):
                    answer = (answer + piece)[:99]
        return int(answer[9:12] or 0)

    def wait(self) -> int:
        time.sleep(self.seconds)
        return 0

    def peak_mib(self) -> int:
        """Returns the most memory that the server's process has had."""
        status = Path(f"/proc/{self.server.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) // 1024

    def play(self, scene: Scene) -> Row:
        """Plays a scene, and asks meanwhile."""
        refusals: list[float] = []
        statuses: dict[int, int] = {}
        lock = threading.Lock()

        def work() -> None:
            start = time.monotonic()
            status = scene.act(self)
            with lock:
                if status:
                    refusals.append(time.monotonic() - start)
                statuses[status] = statuses.get(status, 0) + 1

        poller = subprocess.Popen(
            [sys.executable, "-c", POLL],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        health = f"GET /v2/health/live HTTP/1.1\r\n{CLOSE}\r\n\r\n"
        body = numbers(1, 4, "embed_ids")
        requests = [health, (self.head(len(body)) + body).decode()]
        poller.stdin.write(json.dumps([*self.address, *requests]) + "\n")
        poller.stdin.flush()
        clients = [threading.Thread(target=work) for _ in range(scene.clients)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
        seen, _ = poller.communicate(timeout=120)
        seconds, failures = json.loads(seen)
        return Row(
            scene.name,
            *(max(times) for times in seconds),
            max(refusals, default=0.0),
            statuses,
            len(failures),
            self.peak_mib(),
        )


def show(row: Row) -> str:
    """Returns a line of the table."""
    times = (row.health, row.prediction, row.refusal)
    shown = "".join(f"{seconds:9.2f}" for seconds in times)
    return (
        f"{row.name:32}{shown}{row.failures:9}{row.peak_mib:7}  {row.statuses}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--only", default="", help="part of a scene's name")
    arguments = parser.parse_args()
    titles = ("health", "predict", "refusal", "failures")
    with tempfile.TemporaryDirectory() as folder:
        attack = Attack(Path(folder), arguments.seconds)
        print(" " * 32 + "".join(f"{title:>9}" for title in titles) + "    MiB")
        for scene in scenes():
            if arguments.only in scene.name:
                print(show(attack.play(scene)), flush=True)
        code, log = attack.server.stop()
        print(f"ended with {code}, {len(log)} characters of log")


if __name__ == "__main__":
    main()

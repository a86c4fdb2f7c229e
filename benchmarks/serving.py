"""Times `tf-longformer serve` under a closed loop of requests.

Usage: python benchmarks/serving.py [--layers N] [--hidden N] [--requests N]
    [--seconds N] [--rounds N]

The server runs in a process of its own; this one is the load, over loopback:
each of so many clients sends its next request when it has the answer to its
last. A cell ends after so many requests or seconds, whichever comes first.
Beforehand one client takes turns with the same SavedModel, and with the Keras
model, in this process, so that the load of the machine meets all three alike.
Results are kept in results/.
"""

from __future__ import annotations

import argparse
import datetime
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import results

HERE = Path(__file__).parent
VOCAB = 50265
# Tokens, rows of a request, clients.
CELLS = [
    (128, 1, 1),
    (128, 1, 4),
    (128, 8, 1),
    (512, 1, 1),
    (512, 1, 4),
    (2048, 1, 1),
    (2048, 1, 2),
    (4096, 1, 1),
    (4096, 1, 2),
]
TURNS = [(128, 1), (128, 8), (512, 1), (2048, 1), (4096, 1)]


def make_inputs(length: int, rows: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(length)
    ids = rng.integers(3, VOCAB, (rows, length)).astype("int32")
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def export(layers: int, hidden: int, folder: Path):
    """Writes a classifier and returns it."""
    import keras

    from tf_longformer import LongformerConfig
    from tf_longformer import TFLongformerForSequenceClassification
    from tf_longformer import export_saved_model

    keras.utils.set_random_seed(0)
    model = TFLongformerForSequenceClassification(
        LongformerConfig(
            vocab_size=VOCAB,
            num_hidden_layers=layers,
            hidden_size=hidden,
            intermediate_size=4 * hidden,
            num_attention_heads=hidden // 64,
            type_vocab_size=1,
            max_position_embeddings=4098,
        )
    )
    export_saved_model(model, folder)
    return model


class Client:
    """One connection, kept open."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.path = f"{parts.path}:predict"
        self.connection = http.client.HTTPConnection(
            parts.hostname, parts.port, timeout=300
        )

    def ask(self, body: bytes) -> float:
        """Returns the seconds from the first byte to the parsed answer."""
        start = time.perf_counter()
        self.connection.request("POST", self.path, body)
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        seconds = time.perf_counter() - start
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {answer}")
        return seconds


def body_of(inputs: dict[str, np.ndarray]) -> bytes:
    return json.dumps(
        {"inputs": {name: array.tolist() for name, array in inputs.items()}}
    ).encode()


def closed_loop(
    url: str, cell: tuple[int, int, int], requests: int, most: float
) -> dict:
    """Runs one cell."""
    length, rows, clients = cell
    body = body_of(make_inputs(length, rows))
    Client(url).ask(body)
    times: list[float] = []
    lock = threading.Lock()
    started = time.perf_counter()

    def work() -> None:
        client = Client(url)
        while time.perf_counter() - started < most:
            seconds = client.ask(body)
            with lock:
                if len(times) >= requests:
                    return
                times.append(seconds)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    return {
        "length": length,
        "rows": rows,
        "clients": clients,
        "requests": len(times),
        "p50": float(np.percentile(times, 50)),
        "p99": float(np.percentile(times, 99)),
        "requests_per_second": len(times) / elapsed,
        "tokens_per_second": len(times) * rows * length / elapsed,
    }


def in_process(model, folder: Path) -> dict[str, Callable[..., object]]:
    """Returns the model and the SavedModel as functions of tensors."""
    import tensorflow as tf

    spec = tf.TensorSpec([None, None], tf.int32)

    @tf.function(input_signature=[spec, spec])
    def call(input_ids, attention_mask):
        return model(input_ids, attention_mask, training=False).logits

    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    return {
        "model": lambda **x: call(**x).numpy(),
        "saved_model": lambda **x: signature(**x)["logits"].numpy(),
    }


def in_turn(
    url: str,
    functions: dict[str, Callable[..., object]],
    length: int,
    rows: int,
    rounds: int,
) -> dict:
    """Times model, SavedModel and server, one call of each after another."""
    import tensorflow as tf

    inputs = make_inputs(length, rows)
    tensors = {name: tf.constant(array) for name, array in inputs.items()}
    client, body = Client(url), body_of(inputs)

    times: dict[str, list[float]] = {name: [] for name in functions}
    times["server"] = []
    for turn in range(rounds + 1):
        for name, found in times.items():
            start = time.perf_counter()
            if name == "server":
                client.ask(body)
            else:
                functions[name](**tensors)
            # The first is warming up.
            if turn:
                found.append(time.perf_counter() - start)
    medians = {name: statistics.median(t) for name, t in times.items()}
    return {"length": length, "rows": rows, **medians}


def main() -> None:
    """Measures all cells and merges them into the results."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument(
        "--hidden", type=int, default=768, help="64 shows the server's own time"
    )
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "classifier/1"
        model = export(arguments.layers, arguments.hidden, folder)
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "tf_longformer", "serve"),
                *(str(folder), "--port", "0"),
            ],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(HERE.parent)},
        )
        url = server.stdout.readline().strip().rpartition(" ")[2]
        functions = in_process(model, folder)
        turns, cells = [], []
        try:
            for length, rows in TURNS:
                turns.append(
                    in_turn(url, functions, length, rows, arguments.rounds)
                )
                print(turns[-1], flush=True)
            for cell in CELLS:
                cells.append(
                    closed_loop(
                        url, cell, arguments.requests, arguments.seconds
                    )
                )
                print(cells[-1], flush=True)
        finally:
            server.terminate()
            server.wait()
    result = {
        "layers": arguments.layers,
        "in_turn": turns,
        "closed_loop": cells,
        "load": os.getloadavg()[1],
        "date": datetime.date.today().isoformat(),
    }
    results.keep("serving", f"hidden {arguments.hidden}", result)


if __name__ == "__main__":
    main()

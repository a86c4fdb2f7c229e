"""`tf-longformer serve`, asked over HTTP."""

from __future__ import annotations

import asyncio
import base64
import socket
import threading
import time
import urllib.request

import pytest
from helpers.toy_saved_model import TAGS
from helpers.toy_saved_model import save_toy
from helpers.toy_saved_model import sums
from serving.client import Server
from serving.client import needs_server

pytestmark = needs_server
ROW = {"input_ids": [3, 5, 7], "attention_mask": [1, 1, 1]}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    model = tmp_path_factory.mktemp("models") / "toy"
    for version in ("2", "10"):
        save_toy(model / version)
    (model / "11.partial").mkdir()
    server = Server(
        model, "--max-body", 0.05, "--max-batch", 8, "--max-tokens", 200,
        "--max-values", 300, "--max-seconds", 2, "--workers", 1, "--queue", 1,
    )  # fmt: skip
    yield server
    if server.process.poll() is None:
        server.stop()


def rows(*lists):
    return {
        "instances": [
            {"input_ids": list(ids), "attention_mask": [1] * len(ids)}
            for ids in lists
        ]
    }


def test_status_of_the_highest_version(server):
    assert server.url.endswith("/v1/models/toy")
    expected = {
        "model_version_status": [
            {
                "version": "10",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }
    assert server.ask("") == (200, expected)
    assert server.ask("/versions/10") == (200, expected)


def test_metadata(server):
    status, found = server.ask("/versions/10/metadata")
    assert status == 200
    assert found["model_spec"] == {
        "name": "toy",
        "signature_name": "",
        "version": "10",
    }
    signatures = found["metadata"]["signature_def"]["signature_def"]
    assert {"serving_default", "tags", "text", "spin"} <= set(signatures)
    default = signatures["serving_default"]
    assert default["method_name"] == "tensorflow/serving/predict"
    assert default["inputs"]["input_ids"] == {
        "dtype": "DT_INT32",
        "tensor_shape": {
            "dim": [{"size": "-1", "name": ""}] * 2,
            "unknown_rank": False,
        },
        "name": "serving_default_input_ids:0",
    }
    assert default["outputs"]["logits"]["dtype"] == "DT_FLOAT"


@pytest.mark.parametrize("path", [":predict", "/versions/10:predict"])
def test_rows(server, path):
    body = rows([3, 5, 7], [0, 0, 1])
    expected = {"predictions": [sums([3, 5, 7]), sums([0, 0, 1])]}
    assert server.ask(path, body) == (200, expected)


def test_columns(server):
    body = {
        "signature_name": "serving_default",
        "inputs": {
            "input_ids": [[3, 5, 7], [4, 9, 9]],
            "attention_mask": [[1, 1, 1], [1, 0, 0]],
        },
    }
    expected = {"outputs": [sums([3, 5, 7]), sums([4])]}
    assert server.predict(body) == (200, expected)


def test_several_outputs(server):
    tags = [[3 * tag for tag in TAGS.tolist()]]
    body = {"signature_name": "tags", **rows([3])}
    assert server.predict(body) == (
        200,
        {"predictions": [{"count": 3.0, "logits": tags}]},
    )
    body = {"signature_name": "tags", "inputs": rows([3])["instances"][0]}
    body["inputs"] = {name: [row] for name, row in body["inputs"].items()}
    assert server.predict(body) == (
        200,
        {"outputs": {"count": [3.0], "logits": [tags]}},
    )


def test_texts_in_every_form(server):
    text = "naïve\n\0 \U0001f600"
    encoded = {"b64": base64.b64encode(text.encode()).decode()}
    length = len(text.encode()) / 2
    expected = {"label": f"{text}!", "score": length}
    for form in (text, encoded):
        for value in (form, {"text": form}):
            body = {"signature_name": "text", "instances": [value]}
            assert server.predict(body) == (200, {"predictions": [expected]})
        for value in ([form], {"text": [form]}):
            body = {"signature_name": "text", "inputs": value}
            assert server.predict(body) == (
                200,
                {"outputs": {"label": [f"{text}!"], "score": [length]}},
            )


MASKS = {"attention_mask": [1, 1]}
BAD = {
    "nothing": (b"", 400, "the document is empty"),
    "not JSON": (b'{"instances": [', 400, "JSON Parse error"),
    "not UTF-8": (b'{"instances": ["\xff"]}', 400, "Encode it as UTF-8"),
    "deep": (b"[" * 40000, 400, "nested too deep"),
    "a long number": (
        b'{"inputs": %s}' % (b"1" * 5000), 400, "at most 1100 digits"
    ),
    "a name twice": (
        b'{"instances": [{"input_ids": [1], "input_ids": [2]}]}',
        400,
        "each name once. Received: 'input_ids' more than once",
    ),
    "a list": ([ROW], 400, "must be a JSON object. Received: a list"),
    "neither": ({}, 400, "Received: neither"),
    "both": ({"inputs": {}, **rows([1])}, 400, "Received: both"),
    "no rows": (rows(), 400, "at least one row. Received: an empty list"),
    "empty row": (rows([]), 400, "must not be empty"),
    "no list": ({"instances": 3}, 400, "at least one row"),
    "unnamed": ({"instances": [[1, 2]]}, 400, "Name the inputs"),
    "unnamed columns": ({"inputs": [[1, 2]]}, 400, "Name the inputs"),
    "missing": (
        {"instances": [ROW, {"input_ids": [1, 2, 3]}]},
        400,
        "instances[1] must have the inputs attention_mask, input_ids. "
        "Received: none named attention_mask. Add what is missing.",
    ),
    "missing column": ({"inputs": {}}, 400, "none named"),
    "unknown": ({"instances": [{**ROW, "x": 1}]}, 400, "'x' too"),
    "ragged": (rows([1, 2, 3], [1, 2]), 400, "Pad the rows"),
    "unlike": (
        {"instances": [{"input_ids": [1, 2, 3], **MASKS}]},
        400,
        "must agree in shape. Received: [1, 3] and [1, 2]",
    ),
    "unlike rows": (
        {"inputs": {"input_ids": [[1], [2]], "attention_mask": [[1]]}},
        400,
        "must agree in shape. Received: [2, 1] and [1, 1]",
    ),
    "too deep": (rows([[1]]), 400, "must have 2 axes, [any, any]"),
    "too shallow": (
        {"instances": [{"input_ids": 1, "attention_mask": 1}]},
        400,
        "Send lists nested 2 deep",
    ),
    "float": (rows([1, 2.0]), 400, "input_ids[0][1] must be of type int32"),
    "bool": (rows([1, True]), 400, "Received: true. Send whole numbers."),
    "null": (rows([None]), 400, "Received: null"),
    "text for ids": (rows(["a"]), 400, 'Received: "a"'),
    "NaN": (b'{"inputs": {"input_ids": [[NaN]], "attention_mask": [[1]]}}',
            400, "Received: NaN"),
    "past int32": (rows([2**31]), 400, "must fit in int32"),
    "out of range": (
        rows([1, 61]), 400,
        "`input_ids` must lie in [0, 61). Received: [1 61]",
    ),
    "too many rows": (rows(*[[1]] * 9), 400, "at most 8 rows. Received: 9"),
    "too many tokens": (rows([1] * 201), 400, "at most 200 elements"),
    "too large an answer": (
        {"signature_name": "tags", **rows([1] * 150)},
        400,
        "at most 300 values",
    ),
    "huge": (b"x" * 300_000, 413, "at most 52428 bytes"),
    "signature": (
        {"signature_name": "none", **rows([1])},
        400,
        'Serving signature name: "none" not found in signature def. Send '
        "one of these as `signature_name`: serving_default, spin, tags, text",
    ),
    "signature of another type": (
        {"signature_name": 1, **rows([1])}, 400, "must be a string",
    ),
    "surrogate": (
        b'{"signature_name": "text", "instances": ["\\ud800"]}',
        400,
        "must be valid UTF-8",
    ),
    "bytes that aren't UTF-8": (
        {"signature_name": "text", "instances": [{"b64": "/w=="}]},
        400,
        "must be valid UTF-8",
    ),
    "not base64": (
        {"signature_name": "text", "instances": [{"b64": "?"}]},
        400,
        "must be base64",
    ),
    "number for a text": (
        {"signature_name": "text", "instances": [3]},
        400,
        "must be of type string. Received: 3. Send texts.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_bodies(server, name):
    body, status, message = BAD[name]
    code, answer = server.predict(body)
    assert (code, list(answer)) == (status, ["error"])
    assert message in answer["error"]
    assert server.predict(rows([3])) == (200, {"predictions": [sums([3])]})


@pytest.mark.parametrize(
    ("path", "body", "method", "status", "message"),
    [
        ("/versions/2", None, "GET", 404, "Could not find version 2 of"),
        ("/versions/2:predict", {}, "POST", 404, "Specific(toy, 2)"),
        ("/versions/2/metadata", None, "GET", 404, "Servable not found"),
        ("/labels/stable:predict", {}, "POST", 400, "label: stable"),
        ("/../other", None, "GET", 404, "any versions of model other"),
        ("/../other:predict", {}, "POST", 404, "Latest(other)"),
        (":predict", None, "GET", 400, "Malformed request: GET /v1/models"),
        (":predict", {}, "PUT", 400, "Malformed request: PUT"),
        ("", {}, "POST", 400, "Malformed request: POST /v1/models/toy."),
        (":regress", {}, "POST", 400, "Only :predict is served"),
        ("/../../../elsewhere", None, "GET", 404, "Nothing is at GET"),
    ],
)
def test_bad_paths(server, path, body, method, status, message):
    path = path.replace("/../../../", f"{server.root}/")
    path = path.replace("/../", f"{server.root}/v1/models/")
    code, answer = server.ask(path, body, method)
    assert (code, list(answer)) == (status, ["error"])
    assert message in answer["error"]


def test_health_and_metrics(server):
    assert server.ask(f"{server.root}/v2/health/live") == (200, {"live": True})
    assert server.ask(f"{server.root}/v2/health/ready") == (
        200,
        {"ready": True},
    )
    server.predict(rows([3], [4]))
    server.predict({})
    url = f"{server.root}/monitoring/prometheus/metrics"
    with urllib.request.urlopen(url) as response:
        lines = response.read().decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if line[0] != "#")
    requests = 'tf_longformer_requests_total{method="predict",status="%s"}'
    assert float(values[requests % 200]) >= 1
    assert float(values[requests % 400]) >= 1
    assert float(values["tf_longformer_rows_total"]) >= 2
    assert values["tf_longformer_in_progress"] == "0.0"
    assert 'tf_longformer_model_info{name="toy",version="10"}' in values
    assert "process_resident_memory_bytes" in values


def test_small_packets_are_not_delayed():
    """An option of sockets, 40 ms a request; asyncio sets it or doesn't."""
    from tf_longformer.serving.server import _bind

    options = []

    async def connect():
        async def accept(reader, writer):
            accepted = writer.get_extra_info("socket")
            options.append(
                accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            )
            writer.close()

        with _bind("127.0.0.1", 0) as listener:
            server = await asyncio.start_server(accept, sock=listener)
            address = listener.getsockname()
            reader, writer = await asyncio.open_connection(*address)
            await reader.read()
            writer.close()
            server.close()

    asyncio.run(connect())
    assert options[0]


def count(server, name):
    url = f"{server.root}/monitoring/prometheus/metrics"
    with urllib.request.urlopen(url, timeout=60) as response:
        lines = response.read().decode().splitlines()
    return float(dict(line.rsplit(" ", 1) for line in lines)[name])


def spin(server, steps, results):
    """Sends a request of so many steps; returns when it has come."""
    body = {"signature_name": "spin", "instances": [steps]}
    busy = count(server, "tf_longformer_in_progress")
    thread = threading.Thread(
        target=lambda: results.append(server.predict(body))
    )
    thread.start()
    while thread.is_alive():
        if count(server, "tf_longformer_in_progress") > busy:
            break
    return thread


def test_time_load_and_stop(server):
    """Last, as it ends the server."""
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        server.predict({"signature_name": "spin", "instances": [400]})
        seconds.append(time.perf_counter() - start)
    second = int(400 / min(seconds))

    # One runs past the limit, one waits past it, and a third is too many.
    late = []
    threads = [spin(server, 4 * second, late), spin(server, 1, late)]
    status, answer = server.predict(rows([3]))
    assert status == 503
    assert "takes no more" in answer["error"]
    for thread in threads:
        thread.join()
    assert [status for status, _ in late] == [504, 504]
    assert "answered within 2 seconds" in late[0][1]["error"]
    while server.predict(rows([3]))[0] != 200:
        time.sleep(0.1)

    # What has come is answered after the signal.
    results = []
    thread = spin(server, second // 3, results)
    code, errors = server.stop()
    thread.join()
    assert results[0][0] == 200
    assert code == 0
    assert "Traceback" not in errors

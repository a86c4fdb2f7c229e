"""What `tf-longformer serve` does about requests that are late or large."""

from __future__ import annotations

import contextlib
import gzip
import json
import signal
import socket
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import numpy as np
import pytest
from helpers.toy_saved_model import save_toy
from serving.client import Server
from serving.client import needs_server

pytestmark = needs_server
TEXT = {"signature_name": "text", "instances": ["a"]}
SECONDS = 1
MOST = 2**18


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(
        save_toy(tmp_path_factory.mktemp("models") / "toy/0007"),
        *("--max-seconds", SECONDS, "--max-body", MOST / 2**20),
        *("--workers", 1, "--queue", 1, "--max-held", 0.4),
        handles=200,
    )
    yield server
    code, errors = server.stop()
    assert code == 0
    assert "Traceback" not in errors
    assert len(errors) < 20_000


def connect(server):
    parts = urlsplit(server.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=30)


def head(server, length=100):
    path = urlsplit(server.url).path
    return (
        f"POST {path}:predict HTTP/1.1\r\nHost: x\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def read_all(client):
    """Returns what comes until the server ends the connection."""
    return client.makefile("rb").read().decode()


def ask_health(client):
    client.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = b""
    while not answer.endswith(b'{"live": true}'):
        answer += client.recv(9999) or pytest.fail("It has ended.")


def in_time(started):
    return SECONDS / 2 < time.monotonic() - started < 15 * SECONDS


def test_a_connection_without_a_request(server):
    started = time.monotonic()
    with connect(server) as client:
        assert read_all(client) == ""
    assert in_time(started)


@pytest.mark.parametrize("after", ["nothing", "a request"])
def test_half_a_head(server, after):
    """On a new connection, and on one that is kept."""
    with connect(server) as client:
        if after == "a request":
            ask_health(client)
        started = time.monotonic()
        client.sendall(b"POST /v1/models/toy:predict HTTP/1.1\r\n")
        # Whoever sends a little now and then has no more time.
        time.sleep(SECONDS / 2)
        client.sendall(b"Host: x\r\n")
        answer = read_all(client)
    assert in_time(started)
    first, _, body = answer.partition("\r\n\r\n")
    assert first.startswith("HTTP/1.1 408 Request Timeout")
    assert "within 1 seconds" in json.loads(body)["error"]


def test_what_is_no_http(server):
    with connect(server) as client:
        client.sendall(b"\0\1\r\n\r\n")
        first, _, body = read_all(client).partition("\r\n\r\n")
    assert first.startswith("HTTP/1.1 400 ")
    assert "Invalid HTTP request" in json.loads(body)["error"]


def test_a_kept_connection_may_rest(server):
    """Longer than a request may take."""
    with connect(server) as client:
        for _ in range(2):
            ask_health(client)
            time.sleep(1.3 * SECONDS)


def test_bodies_that_do_not_come_keep_nobody_waiting(server):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(6)]
        for client in clients:
            client.sendall(head(server) + b'{"inst')
        assert server.predict(TEXT)[0] == 200
        for client in clients:
            assert read_all(client).startswith("HTTP/1.1 408 ")


def test_larger_bodies_together_have_a_limit(server):
    """Smaller ones are in nobody's way, and are answered."""
    half = head(server, MOST) + b" " * (MOST - 2**15)
    # When it has read them; and again, if it has given them up by then.
    statuses, start = [], time.monotonic()
    while 503 not in statuses and time.monotonic() < start + 30:
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(connect(server)).sendall(half)
            for _ in range(5):
                status, answer = server.predict(b" " * MOST)
                statuses.append(status)
                if status == 503:
                    break
    assert "bytes of requests to answer and takes no" in answer["error"]
    assert server.predict(TEXT)[0] == 200


@pytest.mark.parametrize("start", ["nothing", "half a head", "half a body"])
def test_more_connections_than_files(server, start):
    """Whoever sends a request is answered; the oldest others are let go."""
    sent = {
        "nothing": b"",
        "half a head": head(server)[:-2],
        "half a body": head(server) + b"[",
    }[start]
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(300):
            clients.append(stack.enter_context(connect(server)))
            # Some are gone already.
            with contextlib.suppress(OSError):
                clients[-1].sendall(sent)
        assert server.ask(f"{server.root}/v2/health/live")[0] == 200
        assert server.predict(TEXT)[0] == 200
        clients[0].settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert clients[0].recv(99)[9:12] in (b"", b"503", b"408")
    with urllib.request.urlopen(
        f"{server.root}/monitoring/prometheus/metrics"
    ) as answer:
        assert 'refusals_total{reason="connections"}' in answer.read().decode()


def test_a_request_that_comes_among_many(server):
    """A connection that is so new that its request isn't read yet stays."""
    half = head(server) + b"["
    with contextlib.ExitStack() as stack:

        def come():
            client = stack.enter_context(connect(server))
            with contextlib.suppress(OSError):
                client.sendall(half)

        for _ in range(200):
            come()
        # What comes meanwhile is accepted at once.
        server.process.send_signal(signal.SIGSTOP)
        try:
            client = stack.enter_context(connect(server))
            client.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            for _ in range(20):
                come()
        finally:
            server.process.send_signal(signal.SIGCONT)
        assert client.recv(12) == b"HTTP/1.1 200"


def tags(count):
    """Returns a request whose answer is a list of as many rows of three."""
    names = "input_ids", "attention_mask"
    inputs = {name: [[1] * count] for name in names}
    return {"signature_name": "tags", "inputs": inputs}


def test_a_large_answer_comes_in_pieces(server):
    status, answer = server.predict(tags(30_000))
    assert status == 200
    assert answer["outputs"]["logits"] == [[[1.0, 0.5, -2.0]] * 30_000]


@pytest.mark.slow
def test_an_answer_that_nobody_reads(tmp_path):
    """It is given up after a while; what it held is there for others."""
    server = Server(
        save_toy(tmp_path / "toy/1"),
        *("--max-seconds", 8, "--max-tokens", 10**6, "--max-body", 5),
        *("--max-held", 1),
    )
    assert server.predict(tags(30_000))[0] == 200
    # More than the system keeps for a connection.
    body = json.dumps(tags(700_000)).encode()
    with connect(server) as client:
        client.sendall(head(server, len(body)) + body)
        assert client.recv(12)[9:] == b"200"
        assert server.predict(tags(200_000))[0] == 503
        deadline = time.monotonic() + 60
        while server.predict(tags(200_000))[0] != 200:
            assert time.monotonic() < deadline
        # Its end is missing.
        with contextlib.suppress(ConnectionResetError):
            assert not read_all(client).endswith("0\r\n\r\n")
    code, errors = server.stop()
    assert code == 0
    assert "Traceback" not in errors


LONG = "x" * 200_000


@pytest.mark.parametrize(
    "body",
    [
        {LONG: 1},
        {"instances": [{LONG: 1}]},
        {"inputs": {LONG: 1}},
        {"signature_name": LONG, "inputs": [1]},
        {"instances": [{"input_ids": LONG, "attention_mask": [1]}]},
        {"instances": [{"input_ids": [[LONG]], "attention_mask": [1]}]},
        {"signature_name": "text", "instances": [[LONG]]},
        {"signature_name": "text", "instances": [{"b64": LONG + "?"}]},
        b'{"inputs": {"input_ids": [[' + b"1" * 200_000 + b"]]}}",
        b'{"' + LONG.encode() + b'": 1, "' + LONG.encode()[:9] + b'": ',
    ],
)
def test_an_error_repeats_little(server, body):
    status, answer = server.predict(body)
    assert status == 400
    assert len(answer["error"]) < 500


def test_paths_and_heads_that_are_long(server):
    for path in (
        f":{LONG[:9000]}",
        f"/labels/{LONG[:9000]}",
        f"/{LONG[:9000]}",
    ):
        status, answer = server.ask(path)
        assert status in (400, 404)
        assert len(answer["error"]) < 600
    with connect(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\nx: " + LONG[:17_000].encode())
        assert read_all(client).startswith("HTTP/1.1 431 ")


def send_packed(server, body, coding="gzip"):
    request = urllib.request.Request(
        f"{server.url}:predict", body, {"Content-Encoding": coding}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["error"]


PLAIN = json.dumps(TEXT).encode()
PACKED = gzip.compress(PLAIN)
BODIES = {
    "gzip": (PACKED, "gzip", 200, '"a!"'),
    "another spelling": (PACKED, "X-GZIP", 200, '"a!"'),
    "identity": (PLAIN, "identity", 200, '"a!"'),
    "as large as allowed": (gzip.compress(PLAIN.ljust(MOST)), "gzip", 200, "a"),
    "a byte more": (
        *(gzip.compress(PLAIN.ljust(MOST + 1)), "gzip", 413),
        "at most 262144 bytes, unpacked too",
    ),
    "a bomb": (
        gzip.compress(b" " * 10**6),
        "gzip",
        413,
        "at most 262144 bytes",
    ),
    "cut": (PACKED[:-9], "gzip", 400, "ends too early"),
    "two": (PACKED + PACKED, "gzip", 400, "something follows"),
    "not packed": (b"{}", "gzip", 400, "must be one gzip file"),
    "nothing": (b"", "gzip", 400, "ends too early"),
    "brotli": (PACKED, "br", 415, "Received: Content-Encoding br."),
    "twice": (PACKED, "gzip, gzip", 415, "Send it with gzip, or as it is"),
}


@pytest.mark.parametrize("name", BODIES)
def test_packed_bodies(server, name):
    body, coding, status, message = BODIES[name]
    code, answer = send_packed(server, body, coding)
    assert code == status
    assert message in answer


@pytest.mark.parametrize("number", ["7", "07", "0007"])
def test_zeros_before_the_number_of_a_version(server, number):
    status, answer = server.ask(f"/versions/{number}")
    assert status == 200
    assert answer["model_version_status"][0]["version"] == "7"
    assert server.ask(f"/versions/{number}:predict", TEXT)[0] == 200
    for other in ("0", "70", "7" * 5000):
        assert server.ask(f"/versions/{other}")[0] == 404


def test_a_large_answer_is_refused_before_it_is_computed(tmp_path, monkeypatch):
    from tf_longformer.errors import RequestError
    from tf_longformer.exported.loaded_model import LoadedModel
    from tf_longformer.serving import requests

    model = LoadedModel(save_toy(tmp_path / "toy/1"))

    def parse(name, rows, tokens, most):
        lists = [[1] * tokens] * rows
        inputs = {"input_ids": lists, "attention_mask": lists}
        if name == "text":
            inputs = {"text": ["a"] * rows}
        body = json.dumps({"signature_name": name, "inputs": inputs}).encode()
        return requests.parse(body, model, requests.Limits(values=most))

    # Three tags of each token; `count` has more, of which none is sure.
    for name, rows, tokens, values in (
        ("tags", 4, 25, 300),
        ("serving_default", 6, 90, 12),
        ("text", 5, 0, 5),
    ):
        assert parse(name, rows, tokens, values).signature_name == name
        with pytest.raises(RequestError, match=f"would have {values}") as error:
            parse(name, rows, tokens, values - 1)
        assert error.value.status == 400
    request = parse("tags", 4, 25, 300)
    outputs = request.signature.run(request.inputs)
    with pytest.raises(RequestError, match="would have 304"):
        requests.encode(outputs, True, requests.Limits(values=300))


@pytest.mark.parametrize("shape", [(3, 700), (700,), (5, 7, 90), (2, 2)])
def test_pieces_of_an_answer(shape, monkeypatch):
    from tf_longformer.serving import requests

    monkeypatch.setattr(requests, "_PIECE", 64)
    array = np.random.default_rng(0).normal(size=shape).astype("float32")
    array.flat[-1] = np.nan
    texts = np.array(["a", "b,["] * (array.size // 2), object)
    texts = np.char.encode(texts.astype(str)).astype(object).reshape(shape)
    limits = requests.Limits()
    for outputs in ({"a": array}, {"a": array, "b": array[..., None]}):
        for by_rows in (True, False):
            pieces = list(requests.encode(outputs, by_rows, limits))
            assert max(map(len, pieces)) < 2000
            found = json.loads(b"".join(pieces))
            found = found["predictions" if by_rows else "outputs"]
            for name, expected in outputs.items():
                values = found
                if len(outputs) == 2 and by_rows:
                    values = [row[name] for row in found]
                elif len(outputs) == 2:
                    values = found[name]
                values = np.array(values, "float32")
                np.testing.assert_array_equal(values, expected)
    pieces = requests.encode({"a": texts}, False, limits)
    found = json.loads(b"".join(pieces))["outputs"]
    assert np.array(found).tolist() == texts.astype(str).tolist()


def test_counts_refuse_nothing_that_fits(tmp_path, monkeypatch):
    """Not at the limits, and in the form that has most lists."""
    from tf_longformer.errors import RequestError
    from tf_longformer.exported.loaded_model import LoadedModel
    from tf_longformer.serving import requests

    monkeypatch.setattr(requests, "_SMALL_BODY", 0)
    model = LoadedModel(save_toy(tmp_path / "toy/1"))
    limits = requests.Limits(rows=30, tokens=300)
    names = "input_ids", "attention_mask"
    rows = [dict.fromkeys(names, [1] * 10)] * 30
    texts = [{"text": {"b64": "eHh4"}}] * 30
    for body in (
        {"instances": rows},
        {"inputs": {name: [[1] * 10] * 30 for name in names}},
        {"signature_name": "text", "instances": texts},
    ):
        requests.parse(json.dumps(body).encode(), model, limits)
    for inside, message in (
        ("[],", "lists and objects"),
        ("{},", "lists and objects"),
        ("[[[]]],", "lists and objects"),
        ("1,", "values"),
        ("true,", "values"),
        ('"",', "values"),
        ('"' + "x" * 3_000_000 + '",', "texts of a request"),
        ('"' + "\\u0041" * 3_000_000 + '",', "texts of a request"),
    ):
        count = 10_000 // len(inside) + 1
        body = f'{{"instances": [{inside * count}1]}}'.encode()
        with pytest.raises(RequestError, match=message):
            requests.parse(body, model, limits)


def test_one_address_for_two_servers():
    from tf_longformer.serving.server import _bind

    with _bind("127.0.0.1", 0) as first:
        with pytest.raises(ValueError, match="The address must be free"):
            _bind("127.0.0.1", first.getsockname()[1])

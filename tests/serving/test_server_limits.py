"""What `tf-longformer serve` does about requests that are late or large."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest
from serving.client import Server
from serving.client import needs_server
from serving.toy import save_toy

pytestmark = needs_server
TEXT = {"signature_name": "text", "instances": ["a"]}
SECONDS = 1
MOST = 2048


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(
        save_toy(tmp_path_factory.mktemp("models") / "toy/0007"),
        *("--max-seconds", SECONDS, "--max-body", MOST / 2**20),
        *("--workers", 1, "--queue", 1),
    )
    yield server
    code, errors = server.stop()
    assert code == 0
    assert "Traceback" not in errors


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


def test_bodies_together_have_a_limit(server):
    """That of as many as there are places."""
    half = MOST // 2 + 1
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(4)]
        for client in clients:
            client.sendall(head(server, MOST) + b" " * half)
        statuses = sorted(read_all(client)[9:12] for client in clients)
    assert statuses == ["408", "408", "408", "503"]
    assert server.predict(TEXT)[0] == 200


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
        "at most 2048 bytes, unpacked too",
    ),
    "a bomb": (gzip.compress(b" " * 10**6), "gzip", 413, "at most 2048 bytes"),
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
    from tf_longformer.serving import requests
    from tf_longformer.serving.errors import RequestError
    from tf_longformer.serving.saved_model import SavedModel

    model = SavedModel(save_toy(tmp_path / "toy/1"))

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


def test_one_address_for_two_servers():
    from tf_longformer.serving.server import _bind

    with _bind("127.0.0.1", 0) as first:
        with pytest.raises(ValueError, match="The address must be free"):
            _bind("127.0.0.1", first.getsockname()[1])

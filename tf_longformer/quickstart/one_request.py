"""Starts this package's server, sends it one request, and stops it."""

from __future__ import annotations

import http.client
import importlib.util
import json
import subprocess
import sys
import tempfile
import urllib.parse
from pathlib import Path
from typing import Any

# What the extra named serve brings.
_NEEDED = ("orjson", "prometheus_client", "starlette", "uvicorn")
_SECONDS = 60


def server_is_installed() -> bool:
    """Whether what `tf-longformer serve` needs is there."""
    return None not in map(importlib.util.find_spec, _NEEDED)


def request_body(text: str) -> str:
    """Returns the JSON of a request about one text."""
    return json.dumps({"signature_name": "text", "instances": [{"text": text}]})


def ask_server(folder: Path, text: str) -> dict[str, Any]:
    """Has a server of this machine alone answer about one text.

    Args:
        folder: `Path`, with a SavedModel for each version.
        text: string.

    Returns:
        The answer's outputs by name.

    Raises:
        RuntimeError: the server doesn't start, or doesn't answer; the message
            holds its words.
    """
    # A file, as a pipe that nobody reads would hold the server up.
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(
            [
                *(sys.executable, "-m", "tf_longformer", "serve"),
                *(str(folder), "--port", "0"),
            ],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process:
            try:
                # "serving FOLDER, version 1, at URL", when it listens.
                url = process.stdout.readline().strip().rpartition(" ")[2]
                if not url:
                    errors.seek(0)
                    last_words = errors.read().strip().rpartition("\n")[2]
                    raise RuntimeError(
                        f"The server doesn't start: {last_words}"
                    )
                _, place, path, *_ = urllib.parse.urlsplit(url)
                # Not `urlopen`, which might ask a proxy.
                connection = http.client.HTTPConnection(place, timeout=_SECONDS)
                connection.request(
                    "POST", f"{path}:predict", request_body(text)
                )
                answer = json.load(connection.getresponse())
                connection.close()
            finally:
                process.terminate()
    if "predictions" not in answer:
        raise RuntimeError(f"The server refuses the text: {answer}")
    return answer["predictions"][0]

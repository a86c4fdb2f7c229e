"""Starts servers and asks them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from importlib.util import find_spec
from typing import Any

import pytest

needs_server = pytest.mark.skipif(
    None
    in map(find_spec, ("orjson", "prometheus_client", "starlette", "uvicorn")),
    reason="needs the extra [serve]",
)
# Keras is looked for when TensorFlow is imported, and must not be loaded.
START = """
import importlib.abc, importlib.machinery, sys

class Blocker(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("keras", "tf_keras"):
            return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec):
        raise ImportError(f"{spec.name} may not be imported here")

    def exec_module(self, module):
        pass

sys.meta_path.insert(0, Blocker())
from tf_longformer.cli.app import main
main(sys.argv[1:])
"""


class Server:
    """`tf-longformer serve` in a process that can't import Keras.

    Args:
        *arguments: of the command.
        handles: int, files that the process may open. Defaults to no limit
            of its own.
        **environment: variables to add.
    """

    def __init__(
        self,
        *arguments: Any,
        handles: int | None = None,
        **environment: str,
    ) -> None:
        limited = ["sh", "-c", f'ulimit -n {handles}; exec "$@"', "sh"]
        # A file, as a pipe that nobody reads holds up whoever writes much.
        self._errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [
                *(limited if handles else ()),
                *(sys.executable, "-c", START, "serve"),
                *(str(argument) for argument in arguments),
                *("--port", "0"),
            ],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                **environment,
            },
        )
        line = self.process.stdout.readline()
        self.url = line.strip().rpartition(" ")[2]
        self.root = self.url.partition("/v1/")[0]

    def ask(
        self, path: str, body: Any = None, method: str | None = None
    ) -> tuple[int, Any]:
        """Returns status and document; a path starts at the model."""
        url = path if path.startswith("http") else self.url + path
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        request = urllib.request.Request(url, body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def predict(self, body: Any) -> tuple[int, Any]:
        """Returns status and document."""
        return self.ask(":predict", body)

    def stop(self) -> tuple[int, str]:
        """Ends the process; returns its code and what it said of errors."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)
        with self._errors:
            self._errors.seek(0)
            return self.process.returncode, self._errors.read()

"""A headless Chromium, spoken to through a pipe with nothing but Python."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
KEYS = {"Tab": 9, "Home": 36, "End": 35, "PageUp": 33, "PageDown": 34}
KEYS |= {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
_LONGEST = 120


def find_chromium() -> str | None:
    """Returns the program's path, or `None`."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """A page of the browser.

    Attributes:
        problems: list of strings, errors and warnings of the page.
        requests: list of strings, all that it asked for.
    """

    def __init__(self, to_browser: int, from_browser: int):
        self._to = to_browser
        self._from = from_browser
        self._numbers = itertools.count(1)
        self._rest = b""
        self._session: str | None = None
        self.problems: list[str] = []
        self.requests: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")
        attached = self.send(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method of the DevTools protocol, returns its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self._note(answer)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._from, 2**16)
            if not more:
                raise RuntimeError("The browser has ended.")
            self._rest += more
        one, _, self._rest = self._rest.partition(b"\0")
        return json.loads(one)

    def _note(self, event: dict[str, Any]) -> None:
        method, given = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(given["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.problems.append(json.dumps(given["args"]))
        elif method == "Log.entryAdded":
            self.problems.append(given["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])

    def open(self, path: Path) -> None:
        """Opens a file, and waits until it says that it is ready."""
        self.send("Page.navigate", url=path.absolute().as_uri())
        self.wait_for("document.documentElement?.hasAttribute('data-ready')")

    def wait_for(self, expression: str) -> None:
        """Waits until an expression is true, or the page has a problem."""
        end = time.monotonic() + _LONGEST
        while not self.evaluate(expression) and not self.problems:
            if time.monotonic() > end:
                raise RuntimeError(f"Never true: {expression}")
            time.sleep(0.1)

    def evaluate(self, expression: str) -> Any:
        """Returns the value of an expression in the page."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def press(self, key: str, times: int = 1) -> None:
        """Presses a key, as a person would."""
        for _ in range(times):
            for kind in ("rawKeyDown", "keyUp"):
                self.send(
                    "Input.dispatchKeyEvent",
                    type=kind,
                    key=key,
                    code=key,
                    windowsVirtualKeyCode=KEYS[key],
                )

    def resize(self, width: int, height: int, dark: bool = False) -> None:
        """Sets the size of the window and the preferred colours."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {
            "name": "prefers-color-scheme",
            "value": "dark" if dark else "light",
        }
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """Writes a PNG of the window, or of the whole page."""
        answer = self.send(
            "Page.captureScreenshot", captureBeyondViewport=whole
        )
        path.write_bytes(base64.b64decode(answer["data"]))

    def spoken(self) -> list[dict[str, Any]]:
        """Returns what a screen reader has: nodes with role and name."""
        nodes = self.send("Accessibility.getFullAXTree")["nodes"]
        return [
            {
                name: node.get(name, {}).get("value", "")
                for name in ("role", "name", "value")
            }
            for node in nodes
            if not node["ignored"]
        ]


@contextlib.contextmanager
def browser(program: str) -> Iterator[Page]:
    """Starts a Chromium with a profile of its own and ends it again."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        read_here, write_there = os.pipe()
        read_there, write_here = os.pipe()
        # It reads from descriptor 3, and writes to 4.
        command = f'exec "$@" 3<&{read_there} 4>&{write_there}'
        process = subprocess.Popen(
            [
                *("/bin/bash", "-c", command, "browser", program),
                *("--headless", "--no-sandbox", "--disable-gpu"),
                *("--disable-background-networking", "--no-first-run"),
                *("--disable-dev-shm-usage", "--remote-debugging-pipe"),
                *(f"--user-data-dir={profile}", "about:blank"),
            ],
            pass_fds=(read_there, write_there),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_there)
        os.close(write_there)
        try:
            yield Page(write_here, read_here)
        finally:
            process.terminate()
            process.wait(20)
            os.close(write_here)
            os.close(read_here)

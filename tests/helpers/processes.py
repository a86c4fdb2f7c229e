"""Python processes of tests: one alone, or workers that train in step."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]


def environment(**more: str) -> dict[str, str]:
    """This process's environment, for one that imports what tests share."""
    paths = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **more}


def run(script: str, *arguments: Any, **more: str) -> str:
    """Runs a script of `tests`, which must end well; returns its output."""
    done = subprocess.run(
        [sys.executable, TESTS / script, *arguments],
        env=environment(**more),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def run_workers(
    script: str, *arguments: Any, count: int = 2
) -> list[tuple[int, str]]:
    """Runs a script as workers of one cluster, on this machine.

    Returns:
        Of each the exit status, and what it wrote to either stream.
    """
    with contextlib.ExitStack() as stack:
        # Free for all of them at once.
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        hosts = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    processes = [
        subprocess.Popen(
            [sys.executable, TESTS / script, *arguments],
            env=environment(
                TF_CONFIG=json.dumps(
                    {
                        "cluster": {"worker": hosts},
                        "task": {"type": "worker", "index": index},
                    }
                )
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for index in range(count)
    ]
    try:
        outputs = [one.communicate(timeout=600)[0] for one in processes]
    finally:
        for one in processes:
            one.kill()
    return [
        (one.returncode, text)
        for one, text in zip(processes, outputs, strict=True)
    ]

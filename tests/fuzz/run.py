"""Looks for faults at random: one command, for any length of time.

    python tests/fuzz/run.py --minutes 1
    python tests/fuzz/run.py layers files --seed 3 --minutes 60
    python tests/fuzz/run.py layers --seed 3 --case 12345

Targets are run one after another, each in a process that is given the cases one
by one: a case that ends the process by a signal, takes too long, or raises what
it shouldn't, is a finding. It is made simpler while it goes on failing, and
printed with the command that runs it again.

A case hangs on seed, target and its number only, so that any can be run alone.
Where TF_LONGFORMER_ORACLE_4 names an interpreter with PyTorch and transformers
4, models are compared with HF's too.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import json
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
TARGETS = ("layers", "models", "files", "configs", "requests", "kills")
# A process that has grown beyond it makes place for a fresh one.
MEMORY_MIB = 2500
STARTUP_SECONDS = 600
# Runs of a case that fails, to make it simpler.
MOST_RUNS = 30
LONG_MESSAGE = "A message of"


@dataclasses.dataclass
class Summary:
    """What came of a target's cases.

    Attributes:
        target: its name.
        outcomes: how many cases came to which end.
        findings: for each kind of failure its first case, as text.
        seconds: how long all cases took.
    """

    target: str
    outcomes: collections.Counter = dataclasses.field(
        default_factory=collections.Counter
    )
    findings: dict[str, str] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0

    @property
    def cases(self) -> int:
        return sum(self.outcomes.values())


class Worker:
    """A process that runs cases of a target, with a fresh one in its place."""

    def __init__(self, target: str, seed: int) -> None:
        self.target, self.seed = target, seed
        self.process: subprocess.Popen | None = None
        self.seconds = 0.0

    def ask(self, **question: Any) -> dict[str, Any]:
        """Returns the answers; a process that ends or hangs is a finding."""
        answers: dict[str, Any] = {}
        try:
            if self.process is None:
                self._start()
            assert self.process is not None
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps(question).encode() + b"\n")
            self.process.stdin.flush()
            answers |= self._read(self.seconds)
            answers |= self._read(self.seconds)
        except (EOFError, BrokenPipeError):
            assert self.process is not None
            code = self.process.wait()
            why = signal.Signals(-code).name if code < 0 else f"code {code}"
            answers["finding"] = f"{self._errors()}\nThe process ended: {why}"
            self.stop()
        except TimeoutError as error:
            assert self.process is not None
            answers["finding"] = f"The process hangs: {error}"
            self.process.kill()
            self.stop()
        if answers.get("memory", 0) > MEMORY_MIB:
            self.stop()
        return answers

    def _start(self) -> None:
        path = os.environ.get("PYTHONPATH", "")
        # The checkout's package where none is installed.
        parts = [str(TESTS), *filter(None, [path]), str(TESTS.parent)]
        self._log = tempfile.TemporaryFile()
        self._scratch = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        arguments = [self.target, str(self.seed), self._scratch.name]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fuzz.worker", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            bufsize=0,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(parts),
                "TF_CPP_MIN_LOG_LEVEL": "3",
            },
            # Its children end with it.
            start_new_session=True,
        )
        self._rest = b""
        self.seconds = self._read(STARTUP_SECONDS)["seconds"]

    def _read(self, seconds: float) -> dict[str, Any]:
        """Returns the next line."""
        assert self.process is not None
        assert self.process.stdout is not None
        end = time.monotonic() + seconds
        while b"\n" not in self._rest:
            left = end - time.monotonic()
            readable, _, _ = select.select(
                [self.process.stdout], [], [], max(left, 0)
            )
            if not readable:
                raise TimeoutError(f"no answer in {seconds:.0f} seconds")
            more = os.read(self.process.stdout.fileno(), 1 << 20)
            if not more:
                raise EOFError
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def _errors(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-3000:]

    def stop(self) -> None:
        """Ends the process and its children."""
        if self.process is None:
            return
        assert self.process.stdin is not None
        self.process.stdin.close()
        if self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()
        self._scratch.cleanup()
        self.process = None


def fuzz(
    target: str,
    seed: int = 0,
    minutes: float = 1.0,
    first: int = 0,
    case: dict[str, Any] | None = None,
    count: int | None = None,
) -> Summary:
    """Runs cases of a target.

    Args:
        target: one of `TARGETS`.
        seed: of all cases.
        minutes: how long. Defaults to 1.
        first: the number of the first case. Defaults to 0.
        case: the only case, in place of those drawn.
        count: the most cases. Defaults to no bound.

    Returns:
        `Summary`.
    """
    summary = Summary(target)
    worker = Worker(target, seed)
    started = None
    index = first
    try:
        while True:
            question = {"index": index} if case is None else {"case": case}
            found = worker.ask(**question)
            # What it takes to get ready isn't counted.
            started = started or time.monotonic()
            if "finding" in found:
                summary.outcomes["finding"] += 1
                _report(summary, worker, question, found)
            else:
                summary.outcomes[found["outcome"]] += 1
            index += 1
            summary.seconds = time.monotonic() - started
            if summary.seconds > 60 * minutes or index - first == count:
                return summary
    except KeyboardInterrupt:
        return summary
    finally:
        worker.stop()


def _kind(finding: str) -> str:
    """Returns what failures of one kind have in common."""
    # Of the first of errors that led to one another.
    first = finding.partition("\n\n")[0]
    places = re.findall(r'File "([^"]*)", line (\d+)', first)[-1:]
    last = finding.strip().splitlines()[-1]
    if LONG_MESSAGE in last:
        # Whatever it says.
        last = LONG_MESSAGE
    return f"{places} {re.sub(r'[0-9]+', 'N', last)[:60]}"


def _report(
    summary: Summary,
    worker: Worker,
    question: dict[str, Any],
    found: dict[str, Any],
) -> None:
    """Prints a finding, the first of its kind, with its simplest case."""
    kind = _kind(found["finding"])
    if kind in summary.findings:
        return
    # Others of the kind, while this one is made simpler, are the same.
    summary.findings[kind] = ""
    case = found.get("case")
    runs = 0
    simpler = case is not None
    while simpler:
        simpler = False
        for other in worker.ask(case=case, simpler=True).get("simpler", ()):
            runs += 1
            if runs > MOST_RUNS:
                break
            again = worker.ask(case=other)
            if "finding" in again and _kind(again["finding"]) == kind:
                case, found, simpler = other, again, True
                break
    command = ["python", "tests/fuzz/run.py", summary.target, "--seed"]
    command += [str(worker.seed), "--case"]
    lines = [f"--- a finding in {summary.target}", found["finding"]]
    if "index" in question:
        lines += [shlex.join([*command, str(question["index"])]), "or simpler"]
    lines += [shlex.join([*command, json.dumps(case)])]
    summary.findings[kind] = "\n".join(lines)
    print(summary.findings[kind], flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "targets", nargs="*", metavar="target", help=", ".join(TARGETS)
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=1.0, help="for each")
    parser.add_argument("--first", type=int, default=0, help="case to begin at")
    parser.add_argument(
        "--case", help="the number of a case, or its values as JSON"
    )
    options = parser.parse_args(arguments)
    # As Ctrl-C does: a summary, and an end.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    targets = options.targets or TARGETS
    for target in targets:
        if target not in (*TARGETS, "planted"):
            parser.error(f"no target is named {target!r}")
    only: dict[str, Any] = {}
    if options.case:
        value = json.loads(options.case)
        only = {"count": 1}
        only |= {"first": value} if isinstance(value, int) else {"case": value}
    summaries = []
    for target in targets:
        values = {"first": options.first, **only}
        summaries.append(fuzz(target, options.seed, options.minutes, **values))
        summary = summaries[-1]
        outcomes = ", ".join(
            f"{name} {count}"
            for name, count in sorted(summary.outcomes.items())
        )
        print(
            f"{target:9} {summary.cases:8} cases {summary.seconds / 60:7.1f} "
            f"min {len(summary.findings):3} findings  ({outcomes})",
            flush=True,
        )
    return int(any(summary.findings for summary in summaries))


if __name__ == "__main__":
    # Modules of this folder are named as others are.
    sys.path[0] = str(TESTS)
    sys.exit(main())

"""Times two checkouts of this package in alternation, on one machine.

Usage: python benchmarks/compare_checkouts.py OLD NEW [--only NAME...]

OLD and NEW are folders with a `tf_longformer` in them. Both live at the same
time, in processes of their own, and are timed in turn, so that whatever else
the machine does meets both. Prints a Markdown table. `median` is the median,
over the rounds, of NEW's time by OLD's in the same round; `minimum` is NEW's
best time by OLD's. Above 1 is slower.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from run import Peer
from run import Runner

SHAPE = {"seq": 2048, "batch": 1, "layers": 2, "heads": 12}
# What is measured: the peer of worker.py, and how often.
WORKS = {
    "forward": ("ours", 9),
    "fit": ("ours", 9),
    "attention": ("ours_attention_layer", 15),
}
CASES = {
    f"{work}, {policy}, window {window}": {
        **SHAPE,
        "work": work,
        "policy": policy,
        "window": window,
    }
    for work, policy, window in itertools.product(
        WORKS, ("float32", "mixed_bfloat16"), (64, 512)
    )
}
START_ROUNDS = 9
STARTS = {
    "import tf_longformer": ("-c", "import tf_longformer"),
    "tf-longformer --help": ("-m", "tf_longformer", "--help"),
    "tf-longformer info": ("-m", "tf_longformer", "info"),
}


def alternate(calls: list[Callable[[], float]], rounds: int) -> list[list]:
    """Returns the seconds of each call; who begins changes every round."""
    seconds: list[list[float]] = [[] for _ in calls]
    for index in range(rounds):
        order = range(len(calls)) if index % 2 else range(len(calls))[::-1]
        for which in order:
            seconds[which].append(calls[which]())
    return seconds


def line(name: str, seconds: list[list], peaks: list[float] | None) -> str:
    """Returns a row of the table."""
    old, new = seconds
    ratios = [b / a for a, b in zip(old, new, strict=True)]
    memory = "" if peaks is None else "{:.0f}, {:.0f}".format(*peaks)
    return (
        f"| {name} | {statistics.median(old):.3f} | "
        f"{statistics.median(new):.3f} | {statistics.median(ratios):.3f} | "
        f"{min(new) / min(old):.3f} | {memory} |"
    )


def compare_case(runner: Runner, checkouts: list[Path], name: str) -> str:
    """Times the model or the layer."""
    case = CASES[name]
    peer, rounds = WORKS[case["work"]]
    peers = [
        runner.start("ours", peer, case, checkout) for checkout in checkouts
    ]
    for each in peers:
        each.ask("time 2")

    def timer(each: Peer) -> Callable[[], float]:
        return lambda: each.ask("time 1")[0]

    seconds = alternate([timer(each) for each in peers], rounds)
    peaks = [each.ask("peak")["peak"] for each in peers]
    for each in peers:
        each.close()
    return line(name, seconds, peaks)


def compare_start(runner: Runner, checkouts: list[Path], name: str) -> str:
    """Times a process from its start to its end."""
    command = list(STARTS[name])
    if command[-1] == "info":
        case = CASES["forward, float32, window 64"]
        command.append(str(runner.checkpoint(case)))

    def timer(checkout: Path) -> Callable[[], float]:
        def call() -> float:
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, *command],
                check=True,
                cwd=runner.weights,
                env={**os.environ, "PYTHONPATH": str(checkout)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            return time.perf_counter() - start

        # Compiled modules are there from the first time on.
        call()
        return call

    timers = [timer(checkout) for checkout in checkouts]
    return line(name, alternate(timers, START_ROUNDS), None)


def main() -> None:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    names = [*STARTS, *CASES]
    parser.add_argument("--only", nargs="*", choices=names, default=names)
    arguments = parser.parse_args()
    checkouts = [arguments.old.resolve(), arguments.new.resolve()]
    print(
        "| | old, s | new, s | median | minimum | peaks, MiB |\n"
        "|---|---|---|---|---|---|",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as weights:
        runner = Runner({"ours": sys.executable}, Path(weights))
        for name in arguments.only:
            compare = compare_start if name in STARTS else compare_case
            print(compare(runner, checkouts, name), flush=True)


if __name__ == "__main__":
    main()

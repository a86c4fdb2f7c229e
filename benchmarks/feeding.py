"""Times what the kind of data does to `fit` on TensorFlow.

Usage:

    python benchmarks/feeding.py [--rounds N]
    python benchmarks/feeding.py --table

A pass of `fit` over one row of 4,096 tokens, 2 layers of base width, window
512, AdamW, dropout: of arrays and of a `PyDataset`, by the model's `fit` and by
Keras's alone. Peers are processes of their own, which live at the same time
and are timed in turn, after a pass that isn't counted. Results are kept in
results/; `--table` prints those of all machines.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import results
from run import Runner

KIND = "feeding"
CASE = {
    **{"work": "fit", "layers": 2, "window": 512, "seq": 4096, "batch": 1},
}
PEERS = {
    f"{data}, {who}": {"data": data, "alone": who != "ours"}
    for data in ("arrays", "PyDataset")
    for who in ("ours", "Keras alone")
}


def measure(runner: Runner, rounds: int) -> dict[str, list[float]]:
    """Returns the seconds of each pass."""
    peers = {
        label: runner.start("ours", "ours_fed", {**CASE, **changes})
        for label, changes in PEERS.items()
    }
    for peer in peers.values():
        peer.ask("time 1")
    times: dict[str, list[float]] = {label: [] for label in peers}
    for _ in range(rounds):
        for label, peer in peers.items():
            times[label] += peer.ask("time 1")
    for peer in peers.values():
        peer.close()
    return times


def table() -> str:
    """Returns what is kept, of all machines, as Markdown."""
    lines = ["| machine | data | mean seconds | all |", "|---" * 4 + "|"]
    for machine, kept in results.machines().items():
        lines += [
            f"| {machine} | {label} | {statistics.mean(times):.1f} | "
            f"{', '.join(f'{x:.1f}' for x in times)} |"
            for label, times in kept.get(KIND, {}).items()
        ]
    return "\n".join(lines)


def main() -> None:
    """Measures, keeps and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if not arguments.table:
        with tempfile.TemporaryDirectory() as folder:
            runner = Runner({"ours": sys.executable}, Path(folder))
            for label, times in measure(runner, arguments.rounds).items():
                results.keep(KIND, label, times)
    print(table())


if __name__ == "__main__":
    main()

"""Times how soon JAX compiles a training step whose layers are one loop.

Usage:

    python benchmarks/scan_layers.py
    python benchmarks/scan_layers.py --table

Twelve layers of base width, window 128, 1,024 tokens, AdamW, dropout, on the
CPU: the first step, which is compiled, a later one, and the process's peak
memory, with `scan_layers` and without, and with gradient checkpointing. Peers
are processes of their own, one after the other. Results are kept in results/;
`--table` prints those of all machines.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")

import results
from run import Runner

KIND = "scanned layers"
CASE = {
    **{"work": "fit", "layers": 12, "window": 128, "seq": 1024},
    **{"batch": 1, "jit": True},
}
SCANNED, CHECKPOINTING = {"scan_layers": True}, {"checkpointing": True}
PEERS = {
    "one by one": {},
    "scanned": SCANNED,
    "one by one, checkpointing": CHECKPOINTING,
    "scanned, checkpointing": {**SCANNED, **CHECKPOINTING},
}
LATER = 3


def measure(runner: Runner, changes: dict) -> dict[str, float]:
    """Returns seconds and MiB of a peer."""
    peer = runner.start("ours", "ours", {**CASE, **changes})
    first, *later = peer.ask(f"time {1 + LATER}")
    found = {"first": first, "later": min(later), **peer.ask("peak")}
    peer.close()
    return found


def table() -> str:
    """Returns what is kept, of all machines, as Markdown."""
    lines = [
        "| machine | layers | first step | later one | peak memory |",
        "|---" * 5 + "|",
    ]
    for machine, kept in results.machines().items():
        lines += [
            f"| {machine} | {label} | {one['first']:.0f} s | "
            f"{one['later']:.1f} s | {one['peak'] / 1024:.1f} GiB |"
            for label, one in kept.get(KIND, {}).items()
        ]
    return "\n".join(lines)


def main() -> None:
    """Measures, keeps and prints."""
    if "--table" not in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            runner = Runner({"ours": sys.executable}, Path(folder))
            for label, changes in PEERS.items():
                results.keep(KIND, label, measure(runner, changes))
    print(table())


if __name__ == "__main__":
    main()

"""Times an exported model against the same model in memory and in PyTorch.

Usage: python benchmarks/saved_model.py --torch PYTHON [--layers N]
           [--lengths N...] [--batches N...] [--rounds N]

All three load the same weights, live at the same time, each in a process of
its own, and are timed in turn, the second of two calls; figures are the
medians of the rounds, and ratios those of each round. Prints a line for each
batch size and length.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from run import Peer

HERE = Path(__file__).parent
WINDOW = 512


def prepare(folder: Path, layers: int, positions: int) -> dict[str, str]:
    """Writes random weights and exports them; returns both folders."""
    weights, exported = folder / "weights", folder / "exported" / "1"
    call = {
        "check": True,
        "env": {**os.environ, "PYTHONPATH": str(HERE.parent)},
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    subprocess.run(
        [
            *(sys.executable, HERE / "weights.py", weights, str(layers)),
            *(str(WINDOW), str(positions), "TFLongformerModel"),
        ],
        **call,
    )
    subprocess.run(
        [sys.executable, "-m", "tf_longformer", "export", weights, exported],
        **call,
    )
    return {"folder": str(weights), "saved_model": str(exported)}


def measure(torch: str, case: dict, rounds: int, scratch: Path) -> str:
    """Returns the line of one batch size and length."""
    pythons = {
        "saved_model": sys.executable,
        "ours": sys.executable,
        "hf_torch": torch,
    }
    peers = {name: Peer(pythons[name], name, case) for name in pythons}
    for peer in peers.values():
        peer.ask("time 2")
    times = {name: [] for name in peers}
    for _ in range(rounds):
        for name, peer in peers.items():
            # The first call pays for what ran before it: another peer.
            times[name] += peer.ask("time 2")[1:]
    outputs = {}
    for name, peer in peers.items():
        peer.ask(f"save {scratch / 'output.npy'}")
        real = case["seq"] - case["seq"] // 32
        outputs[name] = np.load(scratch / "output.npy")[:, :real]
        peer.close()
    served = outputs.pop("saved_model")
    gap = max(
        float(np.abs(served - other).max() / np.abs(other).max())
        for other in outputs.values()
    )
    median = {name: statistics.median(times[name]) for name in times}
    ratios = {
        name: statistics.median(
            ours / theirs
            for ours, theirs in zip(
                times["saved_model"], times[name], strict=True
            )
        )
        for name in outputs
    }
    return (
        f"| {case['batch']} x {case['seq']} | {median['saved_model']:.3f} | "
        f"{median['ours']:.3f} ({ratios['ours']:.2f}x) | "
        f"{median['hf_torch']:.3f} ({ratios['hf_torch']:.2f}x) | {gap:.0e} |"
    )


def main() -> None:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", required=True)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument(
        "--lengths", type=int, nargs="*", default=[128, 512, 1024, 2048, 4096]
    )
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 8])
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        case = prepare(
            scratch, arguments.layers, max(arguments.lengths) + 2
        ) | {"work": "forward", "layers": arguments.layers, "window": WINDOW}
        print("| batch x length | SavedModel | in memory | PyTorch | gap |")
        print("|---|---|---|---|---|")
        for batch in arguments.batches:
            for seq in arguments.lengths:
                sized = {**case, "batch": batch, "seq": seq}
                line = measure(
                    arguments.torch, sized, arguments.rounds, scratch
                )
                print(line, flush=True)


if __name__ == "__main__":
    main()

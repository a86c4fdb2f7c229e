"""Draws the results of a machine.

Usage: python benchmarks/plots.py [MACHINE]

MACHINE is the name of a file in `results/`; without one, the CPU that was
measured last.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import matplotlib.ticker
import numpy as np
from results import machines

HERE = Path(__file__).parent
COLOURS = {
    "ours": "#d1495b",
    "ours, checkpointing": "#edae49",
    "ours, bfloat16": "#edae49",
    "HF PyTorch": "#30638e",
    "ModernBERT": "#30638e",
    "ModernBERT, bfloat16": "#8d99ae",
    "BigBird": "#4f772d",
    "LongT5": "#7b2d8b",
}


def save(figure, name: str) -> None:
    """Writes a plot beside the results."""
    folder = HERE / "plots"
    folder.mkdir(exist_ok=True)
    figure.tight_layout()
    figure.savefig(folder / name, dpi=120)
    plt.close(figure)


def curves(results: dict) -> None:
    """Time and peak memory against length."""
    for work, peers in results["curves"].items():
        every = sorted({int(n) for points in peers.values() for n in points})
        if len(every) == 1:
            continue
        figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
        for peer, points in peers.items():
            lengths = [int(length) for length in points]
            for axis, values in (
                (axes[0], [p["seconds"] for p in points.values()]),
                (axes[1], [p["peak"] / 1024 for p in points.values()]),
            ):
                axis.loglog(
                    lengths,
                    values,
                    "o-",
                    color=COLOURS[peer],
                    label=peer.replace("ours", "tf_longformer"),
                )
        for axis, label in zip(
            axes, ("seconds", "peak memory, GiB"), strict=True
        ):
            axis.set_xticks(every, [f"{length:,}" for length in every])
            axis.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
            axis.yaxis.set_minor_locator(
                matplotlib.ticker.LogLocator(subs=(2, 3, 5))
            )
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter("{x:g}")
            axis.tick_params(labelsize=8, which="both")
            axis.set_xlabel("tokens")
            axis.set_ylabel(label)
            axis.grid(alpha=0.3, which="both")
            axis.legend()
        title = work
        if "base size" not in work:
            title = f"{work}, 4 layers of base width, window 512, float32"
        figure.suptitle(title)
        save(figure, f"{work.replace(', ', '-').replace(' ', '-')}.png")


def speedups(results: dict) -> None:
    """How many times faster than each peer, by comparison."""
    bars = []
    for name, peers in results["comparisons"].items():
        ours = peers.get("ours")
        if not ours:
            continue
        for label, peer in peers.items():
            if label in ("ours", "gap") or not peer:
                continue
            bars.append((f"{name}: {label}", peer["median"] / ours["median"]))
    figure, axis = plt.subplots(figsize=(8, 0.32 * len(bars) + 1))
    labels, ratios = zip(*bars[::-1], strict=True)
    colours = ["#8d99ae" if "floor" in x else "#30638e" for x in labels]
    axis.barh(labels, ratios, color=colours)
    axis.axvline(1, color="#d1495b")
    for row, ratio in enumerate(ratios):
        axis.text(ratio, row, f" {ratio:.2f}", va="center", fontsize=8)
    # Room for the numbers.
    axis.margins(x=0.08)
    axis.set_xlabel("its time / ours")
    save(figure, "speedups.png")


def band() -> None:
    """The pattern itself: a window of 16 and global tokens 0 and 40."""
    seq, radius, globals_ = 96, 8, [0, 40]
    position = np.arange(seq)
    seen = (np.abs(position[:, None] - position) <= radius).astype(float)
    seen[:, globals_] = 2
    seen[globals_] = 3
    figure, axis = plt.subplots(figsize=(4, 4))
    axis.imshow(
        seen,
        cmap=matplotlib.colors.ListedColormap(
            ["#f4f4f4", "#30638e", "#edae49", "#d1495b"]
        ),
    )
    axis.set_xlabel("key")
    axis.set_ylabel("query")
    axis.set_title("window, global columns, global rows", fontsize=9)
    save(figure, "pattern.png")


if __name__ == "__main__":
    known = {
        name: found for name, found in machines().items() if "curves" in found
    }
    last = max(known, key=lambda name: known[name]["machine"]["date"])
    found = known[sys.argv[1] if sys.argv[1:] else last]
    band()
    speedups(found)
    curves(found)

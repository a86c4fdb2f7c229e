"""What was measured: a file a machine, and the ratios over all of them.

Usage: python benchmarks/results.py [--figures | --encoders]

prints a table of ratios: the lowest and the highest of all machines whose
files lie in `results/`. With --figures it prints the README's table, with
--encoders that of other encoders for long texts.
"""

from __future__ import annotations

import datetime
import functools
import json
import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"
FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_tile")

# Row, comparison, whose time is divided, by whose, and what was to be reached:
# at least or, with a minus, at most so much.
RATIOS = (
    ("forward, 4096 tokens", "forward", "HF PyTorch", "ours", 2.3),
    ("", "forward", "HF PyTorch, compiled", "ours", None),
    ("", "forward", "HF TF", "ours", 1.5),
    ("", "forward", "ours", "floor", -1.1),
    (
        "the same, bfloat16",
        "forward, bfloat16",
        "HF PyTorch, float32",
        "ours",
        3.7,
    ),
    ("", "forward, bfloat16", "HF PyTorch", "ours", 2),
    ("", "forward, bfloat16", "ours", "floor", -1.12),
    ("forward, 4 x 512 tokens", "forward, 4 x 512", "HF PyTorch", "ours", 2.4),
    ("", "forward, 4 x 512", "HF TF", "ours", 1.5),
    ("", "forward, 4 x 512", "ours", "HF RoBERTa", -1.15),
    ("attention alone", "attention", "FlexAttention", "ours", 1.2),
    ("training step, 4096 tokens", "fit", "HF PyTorch", "ours", 3),
    ("", "fit", "ours", "floor", -1.15),
    ("", "fit", "ours, XLA", "ours", None),
    ("the same, 12 layers", "fit, 12 layers", "HF PyTorch", "ours", 3),
    ("", "fit, 12 layers", "ours", "floor", -1.15),
    ("the same, bfloat16", "fit, bfloat16", "ours, float32", "ours", 1.6),
    ("", "fit, bfloat16", "ours", "floor", -1.2),
    ("window 512 against 64", "window", "ours, 512", "ours, 64", 1.25),
)

# Rows of the README's table: the work; where its results stand in a machine's
# file; ours; the peers, and what each is called; what is told of each, and by
# how much that is divided.
_PYTORCH = (("HF PyTorch", "PyTorch"),)
_TENSORFLOW = ("HF TF", "HF TensorFlow")
_ENCODERS = (("ModernBERT",) * 2, ("BigBird",) * 2, ("LongT5",) * 2)
_SECONDS = ("median", 1, "s")
FIGURES = (
    (
        "forward, 4 layers, 4096 tokens",
        ("comparisons", "forward"),
        "ours",
        (*_PYTORCH, _TENSORFLOW),
        _SECONDS,
    ),
    (
        "the same in bfloat16",
        ("comparisons", "forward, bfloat16"),
        "ours",
        _PYTORCH,
        _SECONDS,
    ),
    (
        "forward, 4 layers, 4 x 512 tokens",
        ("comparisons", "forward, 4 x 512"),
        "ours",
        (*_PYTORCH, _TENSORFLOW, ("HF RoBERTa", "RoBERTa")),
        _SECONDS,
    ),
    (
        "training step, 2 layers, 4096 tokens",
        ("comparisons", "fit"),
        "ours",
        _PYTORCH,
        _SECONDS,
    ),
    (
        "memory of the process, training 4 layers, 8192 tokens",
        ("curves", "fit", "8192"),
        "ours",
        _PYTORCH,
        ("peak", 1024, "GiB"),
    ),
    (
        "the same with gradient checkpointing",
        ("curves", "fit", "8192"),
        "ours, checkpointing",
        (),
        ("peak", 1024, "GiB"),
    ),
    (
        "forward, 12 layers, 8192 tokens",
        ("curves", "forward, base size", "8192"),
        "ours",
        _ENCODERS,
        ("seconds", 1, "s"),
    ),
    (
        "training step, 12 layers, 4096 tokens",
        ("curves", "fit, base size", "4096"),
        "ours",
        _ENCODERS[:1],
        ("seconds", 1, "s"),
    ),
    (
        "GPU, bfloat16, forward, 12 layers, 8 x 4096 tokens",
        ("gpu", "forward"),
        "ours",
        _PYTORCH,
        _SECONDS,
    ),
    (
        "the same, training step",
        ("gpu", "fit"),
        "ours",
        _PYTORCH,
        _SECONDS,
    ),
)


def cpu() -> dict[str, Any]:
    """Returns what is known of this machine's processor."""
    text = Path("/proc/cpuinfo").read_text("utf-8")
    fields = dict(
        (part.strip() for part in line.split(":", 1))
        for line in text.splitlines()
        if ":" in line
    )
    flags = fields["flags"].split()
    return {
        "cpu": fields["model name"],
        "cores": os.cpu_count(),
        "features": [name for name in FEATURES if name in flags],
        "system": platform.platform(terse=True),
    }


def multiplies_bfloat16() -> bool:
    """Returns whether this machine has instructions for it."""
    return not {"avx512_bf16", "amx_tile"}.isdisjoint(cpu()["features"])


def file_for(machine: dict[str, Any]) -> Path:
    """Returns the file of a machine, named for its chip."""
    words = [machine.get("gpu") or machine["cpu"]]
    if "gpu" not in machine:
        words += [*machine["features"][-1:], f"{machine['cores']} cores"]
    name = re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")
    return FOLDER / f"{name}.json"


def keep(
    kind: str, name: str, result: Any, machine: dict[str, Any] | None = None
) -> None:
    """Puts a result into the file of its machine: this one's CPU, if none."""
    machine = {**(machine or cpu()), "date": datetime.date.today().isoformat()}
    file = file_for(machine)
    known = json.loads(file.read_text("utf-8")) if file.exists() else {}
    known["machine"] = {**known.get("machine", {}), **machine}
    known.setdefault(kind, {})[name] = result
    FOLDER.mkdir(exist_ok=True)
    file.write_text(json.dumps(known, indent=1) + "\n", "utf-8")


def two_digits(x: float) -> str:
    """Returns a number rounded to two digits, without an exponent."""
    return f"{float(format(x, '.2g')):g}"


def machines() -> dict[str, dict]:
    """Returns the results of each machine, by the names of its file."""
    return {
        file.stem: json.loads(file.read_text("utf-8"))
        for file in sorted(FOLDER.glob("*.json"))
    }


def ratio(results: dict, comparison: str, above: str, below: str):
    """Returns a ratio of medians, or None where one wasn't measured."""
    peers = results.get("comparisons", {}).get(comparison, {})
    if not (peers.get(above) and peers.get(below)):
        return None
    return peers[above]["median"] / peers[below]["median"]


def table() -> str:
    """Returns the ratios' ranges as Markdown."""
    lines = ["| work | time of | by that of | ratio | goal |", "|---" * 5 + "|"]
    for work, comparison, above, below, goal in RATIOS:
        found = [
            value
            for results in machines().values()
            if (value := ratio(results, comparison, above, below)) is not None
        ]
        if not found:
            continue
        ends = dict.fromkeys(f"{end(found):.2f}" for end in (min, max))
        wanted = ""
        if goal is not None:
            wanted = f"{'at least' if goal > 0 else 'at most'} {abs(goal):g}"
        cells = (work, above, below, " to ".join(ends), wanted)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def figures() -> str:
    """Returns the README's table as Markdown.

    Where several machines have a row, it says the least and the most.
    """
    lines = ["| work | here | others |", "|---" * 3 + "|"]
    for work, (kind, name, *length), ours, peers, measure in FIGURES:
        value, divisor, unit = measure
        found = []
        for results in machines().values():
            result = results.get(kind, {}).get(name)
            if result is not None:
                found.append(
                    {
                        peer: functools.reduce(dict.get, length, one)[value]
                        / divisor
                        for peer, one in result.items()
                        if peer in (ours, *dict(peers))
                    }
                )
        others = [
            f"{label} {span([x[peer] for x in found])} {unit} "
            f"({span([x[peer] / x[ours] for x in found])}x)"
            for peer, label in peers
        ]
        own = span([x[ours] for x in found])
        lines.append(f"| {work} | {own} {unit} | {', '.join(others)} |")
    return "\n".join(lines)


def span(values: list[float]) -> str:
    """Returns the least and the largest of numbers, or the only one."""
    ends = dict.fromkeys(two_digits(end(values)) for end in (min, max))
    return " to ".join(ends)


def encoders() -> str:
    """Returns time and memory beside those of other encoders, as Markdown."""
    kept = [
        (name, points)
        for results in machines().values()
        for name, points in results.get("curves", {}).items()
        if name.endswith(", base size")
    ]
    lines = []
    for name, points in kept:
        lengths = list(points["ours"])
        lines += [
            f"| {name} | " + " | ".join(f"{int(n):,} tokens" for n in lengths),
            "|---" * (1 + len(lengths)),
        ]
        for label, found in points.items():
            if not found:
                continue
            cells = [
                f"{two_digits(one['seconds'])} s, {one['peak'] / 1024:.1f} GiB"
                if (one := found.get(n))
                else ""
                for n in lengths
            ]
            lines.append(f"| {label} | " + " | ".join(cells))
        lines.append("")
    return "\n".join(f"{line} |" if line else line for line in lines).rstrip()


if __name__ == "__main__":
    if "--figures" in sys.argv[1:]:
        print(figures())
        raise SystemExit
    if "--encoders" in sys.argv[1:]:
        print(encoders())
        raise SystemExit
    print("Machines:", *machines(), sep="\n- ", end="\n\n")
    print(table())

"""Times all peers side by side.

Usage: python benchmarks/run.py --torch PYTHON --tf PYTHON [--only NAME...]

`--torch` and `--tf` are the interpreters of the environments that
tests/oracles/requirements-*.txt describe. Peers of a comparison live at the
same time, each in a process of its own, and are timed in turn, so that
whatever else the machine does meets all of them. `--only` takes names of
comparisons and curves, or how they begin. Results are kept in results/.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import results

HERE = Path(__file__).parent
BF16 = {"policy": "mixed_bfloat16"}
XLA = {"jit": True}
# TensorFlow's own default is off on CPUs without VNNI or AMX.
ONEDNN = {"onednn": True}


class Peer:
    """A worker process, with the package as a checkout has it."""

    def __init__(
        self, python: str, name: str, case: dict, checkout: Path = HERE.parent
    ):
        self.process = subprocess.Popen(
            [python, HERE / "worker.py", name, json.dumps(case)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": str(checkout)},
        )

    def ask(self, command: str):
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the peer ended")
        return json.loads(line)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


CHECKPOINTING = {"checkpointing": True}
TRAINED = (1024, 2048, 4096, 8192)
TWELVE = {"layers": 12}
LONG = (1024, 4096, 8192)
MODERN_BERT = {"encoder": "ModernBert"}

# name -> (case, rounds, {label: (environment, peer, changes)})
BASE = {"work": "forward", "layers": 4, "window": 512, "seq": 4096, "batch": 1}
COMPARISONS = {
    "forward": (
        BASE,
        5,
        {
            "ours": ("ours", "ours", {}),
            "ours, XLA": ("ours", "ours", XLA),
            "ours, oneDNN": ("ours", "ours", ONEDNN),
            "HF PyTorch": ("torch", "hf_torch", {}),
            "HF PyTorch, compiled": ("torch", "hf_torch", XLA),
            "HF TF": ("tf", "hf_tf", {}),
            "floor": ("ours", "floor", {}),
            "floor, oneDNN": ("ours", "floor", ONEDNN),
        },
    ),
    "forward, bfloat16": (
        BASE,
        5,
        {
            "ours": ("ours", "ours", BF16),
            "HF PyTorch": ("torch", "hf_torch", BF16),
            "HF PyTorch, float32": ("torch", "hf_torch", {}),
            "floor": ("ours", "floor", BF16),
        },
    ),
    "forward, 4 x 512": (
        {**BASE, "seq": 512, "batch": 4},
        7,
        {
            "ours": ("ours", "ours", {}),
            "HF PyTorch": ("torch", "hf_torch", {}),
            "HF TF": ("tf", "hf_tf", {}),
            "HF RoBERTa": ("torch", "hf_roberta", {}),
            "floor": ("ours", "floor", {}),
        },
    ),
    "attention": (
        {**BASE, "work": "attention", "heads": 12, "layers": 1},
        11,
        {
            "ours": ("ours", "ours_attention", {}),
            "ours, XLA": ("ours", "ours_attention", XLA),
            "FlexAttention": ("torch", "flex_attention", {}),
            "floor": ("ours", "floor", {}),
        },
    ),
    "fit": (
        {**BASE, "work": "fit", "layers": 2},
        5,
        {
            "ours": ("ours", "ours", {}),
            "ours, XLA": ("ours", "ours", XLA),
            "ours, oneDNN": ("ours", "ours", ONEDNN),
            "ours, checkpointing": ("ours", "ours", CHECKPOINTING),
            "ours, XLA, checkpointing": (
                "ours",
                "ours",
                {**XLA, **CHECKPOINTING},
            ),
            "HF PyTorch": ("torch", "hf_torch", {}),
            "floor": ("ours", "floor", {}),
            "floor, oneDNN": ("ours", "floor", ONEDNN),
        },
    ),
    "fit, bfloat16": (
        {**BASE, "work": "fit", "layers": 2},
        3,
        {
            "ours": ("ours", "ours", BF16),
            "ours, float32": ("ours", "ours", {}),
            "floor": ("ours", "floor", BF16),
        },
    ),
    "fit, 12 layers": (
        {**BASE, "work": "fit", **TWELVE},
        2,
        {
            "ours": ("ours", "ours", {}),
            "HF PyTorch": ("torch", "hf_torch", {}),
            "floor": ("ours", "floor", {}),
        },
    ),
    "window": (
        BASE,
        5,
        {
            "ours, 512": ("ours", "ours", {}),
            "ours, 64": ("ours", "ours", {"window": 64}),
            "HF PyTorch, 512": ("torch", "hf_torch", {}),
            "HF PyTorch, 64": ("torch", "hf_torch", {"window": 64}),
        },
    ),
    # For their first calls.
    "12 layers": (
        {**BASE, **TWELVE},
        1,
        {"ours": ("ours", "ours", {}), "ours, XLA": ("ours", "ours", XLA)},
    ),
    "12 layers, fit": (
        {**BASE, "work": "fit", **TWELVE},
        1,
        {"ours": ("ours", "ours", {}), "ours, XLA": ("ours", "ours", XLA)},
    ),
}
OURS_WITH_WEIGHTS = ("ours", "ours_documents", "ours_fed", "ours_texts")
BASE_SIZE = {
    "ours": ("ours", "ours", TWELVE, LONG),
    "ours, oneDNN": ("ours", "ours", {**TWELVE, **ONEDNN}, LONG),
    "ours, bfloat16": ("ours", "ours", {**TWELVE, **BF16}, LONG),
    "ModernBERT": ("torch", "other_encoder", MODERN_BERT, LONG),
    "ModernBERT, bfloat16": (
        "torch",
        "other_encoder",
        {**MODERN_BERT, **BF16},
        LONG,
    ),
}
MASKED_LM = {**TWELVE, "head": "MaskedLM"}
# name -> (work, {label: (environment, peer, changes, lengths)})
CURVES = {
    "forward": (
        "forward",
        {
            "ours": ("ours", "ours", {}, (1024, 4096, 16384, 65536)),
            "HF PyTorch": ("torch", "hf_torch", {}, (1024, 4096)),
        },
    ),
    "fit": (
        "fit",
        {
            "ours": ("ours", "ours", {}, TRAINED),
            "ours, checkpointing": ("ours", "ours", CHECKPOINTING, TRAINED),
            "HF PyTorch": ("torch", "hf_torch", {}, TRAINED),
        },
    ),
    # Random weights all, so that only time and memory say something.
    "forward, base size": (
        "forward",
        {
            **BASE_SIZE,
            "BigBird": (
                "torch",
                "other_encoder",
                {"encoder": "BigBird"},
                LONG,
            ),
            "LongT5": ("torch", "other_encoder", {"encoder": "LongT5"}, LONG),
        },
    ),
    "fit, base size": ("fit", BASE_SIZE),
    "masked LM, base size": (
        "fit",
        {
            "ours": ("ours", "ours", MASKED_LM, (4096,)),
            "ours, oneDNN": (
                "ours",
                "ours",
                {**MASKED_LM, **ONEDNN},
                (4096,),
            ),
            "ours, bfloat16": ("ours", "ours", {**MASKED_LM, **BF16}, (4096,)),
            "HF PyTorch": ("torch", "hf_torch", MASKED_LM, (4096,)),
        },
    ),
}


class Runner:
    """Knows the interpreters and keeps the weights."""

    def __init__(self, pythons: dict[str, str], weights: Path):
        self.pythons = pythons
        self.weights = weights

    def start(
        self,
        environment: str,
        peer: str,
        case: dict,
        checkout: Path = HERE.parent,
    ) -> Peer:
        """Starts a peer with the weights that the case needs."""
        if "hf" in peer or peer in OURS_WITH_WEIGHTS:
            case = {**case, "folder": str(self.checkpoint(case))}
        return Peer(self.pythons[environment], peer, case, checkout)

    def checkpoint(self, case: dict) -> Path:
        """Returns a folder with weights for a case, written once."""
        name = (
            f"TFLongformerFor{case.get('head', 'SequenceClassification')}"
            if case["work"] == "fit"
            else "TFLongformerModel"
        )
        folder = self.weights / "-".join(
            [name, *(str(case[k]) for k in ("layers", "window", "seq"))]
        )
        if not folder.exists():
            subprocess.run(
                [
                    *(sys.executable, HERE / "weights.py", folder),
                    *(str(case[k]) for k in ("layers", "window")),
                    *(str(case["seq"] + 2), name),
                ],
                check=True,
                env={**os.environ, "PYTHONPATH": str(HERE.parent)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        return folder

    def compare(self, name: str) -> dict:
        """Times the peers of a comparison in turn."""
        case, rounds, members = COMPARISONS[name]
        peers, result, first = {}, {}, {}
        for label, (environment, peer, changes) in members.items():
            changed = {**case, **changes}
            peers[label] = self.start(environment, peer, changed)
            try:
                first[label], _ = peers[label].ask("time 2")
            except RuntimeError:
                result[label] = None
                peers.pop(label)
                print(f"{name}: {label} does not run", flush=True)
        times = {label: [] for label in peers}
        for _ in range(rounds):
            for label, peer in peers.items():
                times[label] += peer.ask("time 1")
        for label, seconds in times.items():
            result[label] = {
                "median": statistics.median(seconds),
                # With tracing and compilation.
                "first": first[label],
                "seconds": seconds,
            }
        result["gap"] = self.gaps(peers, case)
        for peer in peers.values():
            peer.close()
        return result

    def gaps(self, peers: dict[str, Peer], case: dict) -> dict:
        """Compares the peers' outputs with ours, at attended tokens."""
        if case["work"] == "fit" or "ours" not in peers:
            return {}
        outputs = {}
        for label, peer in peers.items():
            if label.startswith("floor") or "RoBERTa" in label:
                continue
            file = self.weights / "output.npy"
            peer.ask(f"save {file}")
            # Padding and, in FlexAttention, global rows are not compared.
            real = case["seq"] - case["seq"] // 32
            outputs[label] = np.load(file)[:, 1:real]
        ours = outputs.pop("ours")
        return {
            label: float(np.abs(ours - other).max() / np.abs(other).max())
            for label, other in outputs.items()
        }

    def curve(self, name: str) -> dict:
        """Time and peak memory against length, each in a fresh process."""
        work, members = CURVES[name]
        result = {label: {} for label in members}
        points = [
            (seq, label)
            for label, (*_, all_) in members.items()
            for seq in all_
        ]
        # The peers of a length follow each other.
        for seq, label in sorted(points):
            environment, peer, changes, _ = members[label]
            case = {**BASE, "work": work, "seq": seq, **changes}
            if "policy" in case and not results.multiplies_bfloat16():
                print(f"{name}: {label} left out, it would be emulated")
                continue
            worker = self.start(environment, peer, case)
            calls, slow = (3, 8192) if "base size" in name else (4, 16384)
            try:
                seconds = worker.ask(f"time {calls if seq < slow else 2}")
            except RuntimeError:
                print(f"{name}: {label} does not run, {seq}", flush=True)
                continue
            result[label][seq] = {
                "seconds": min(seconds[1:]),
                **worker.ask("peak"),
            }
            worker.close()
            print(name, label, seq, result[label][seq], flush=True)
        return result


def versions(pythons: dict[str, str]) -> dict:
    """Returns the versions of what was measured, and the machine."""
    code = (
        "import importlib.metadata as m, json, sys;"
        "d={x.metadata['Name'].lower().replace('_', '-'): x.version"
        " for x in m.distributions()};"
        "names=('keras','tensorflow','tensorflow-cpu','torch','transformers');"
        "print(json.dumps({n: d[n] for n in names if n in d}))"
    )
    found = {
        name: json.loads(subprocess.check_output([python, "-c", code]))
        for name, python in pythons.items()
    }
    return {"versions": found, **results.cpu()}


def chosen(asked: list[str]) -> list[str]:
    """Returns what to measure: all whose names, or last parts, begin so.

    Raises:
        ValueError: If nothing has such a name.
    """
    names = [f"comparisons/{name}" for name in COMPARISONS]
    names += [f"curves/{name}" for name in CURVES]
    found = set()
    for word in asked:
        exact = [x for x in names if word in (x, x.partition("/")[2])]
        begins = [
            x for x in names if x.startswith(word) or f"/{word}" in f"/{x}"
        ]
        if not begins:
            raise ValueError(
                f"`--only` must name what there is to measure. Received: "
                f"{word[:200]!r}. There is: {'; '.join(names)}"
            )
        found.update(exact or begins)
    return [name for name in names if name in found or not asked]


def main() -> None:
    """Runs what is asked for and keeps the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", required=True)
    parser.add_argument("--tf", required=True)
    parser.add_argument("--only", nargs="+", default=[])
    arguments = parser.parse_args()
    try:
        names = chosen(arguments.only)
    except ValueError as error:
        parser.error(str(error))
    pythons = {
        "ours": sys.executable,
        "torch": arguments.torch,
        "tf": arguments.tf,
    }
    machine = versions(pythons)
    with tempfile.TemporaryDirectory() as weights:
        runner = Runner(pythons, Path(weights))
        measure = {"comparisons": runner.compare, "curves": runner.curve}
        for label in names:
            kind, _, name = label.partition("/")
            result = measure[kind](name)
            results.keep(kind, name, result, machine)
            if kind == "comparisons":
                print(
                    name,
                    {
                        k: v and (round(v["median"], 4), round(v["first"]))
                        for k, v in result.items()
                        if k != "gap"
                    },
                    result["gap"],
                    flush=True,
                )


if __name__ == "__main__":
    main()

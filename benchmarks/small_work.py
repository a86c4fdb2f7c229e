"""Times what is small: starting, and many short texts.

Usage:

    TF_LONGFORMER_TEST_DATA=DATA python benchmarks/small_work.py --torch PYTHON
    python benchmarks/small_work.py --table

Starting: processes that import the package, and that print the help of each
command, beside one that imports TensorFlow. Short texts: 1,000 questions of
SQuAD (`qa/squad2_dev_cs224n.json` of DATA) through four layers of base width
and window 512 by `tf_longformer.tasks.classify`, by `tf-longformer predict`
with all that starting takes, and, some of them, by Hugging Face's pipeline on
PyTorch, with the same weights. Results are kept in results/; `--table` prints
those of all machines.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import results
from run import Runner

DATA = Path(
    os.environ.get(
        "TF_LONGFORMER_TEST_DATA",
        Path(__file__).parents[2] / "shared/data",
    )
)
HERE = Path(__file__).parent
KIND = "small work"
COMMANDS = (
    *("quickstart", "info", "convert", "finetune", "export", "bench"),
    *("predict", "evaluate", "embed", "explain", "serve"),
)
TEXTS = 1000
# The pipeline pads each text to the window.
TEXTS_OF_PIPELINE = 32


def seconds_of(*words: str) -> float:
    """Returns how long a process of Python takes."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, *words],
        check=True,
        env={**os.environ, "PYTHONPATH": str(HERE.parent)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def measure_starts(rounds: int) -> dict[str, float]:
    """Returns the median seconds of each process, started in turn."""
    starts = {
        "import tensorflow": ("-c", "import tensorflow"),
        "import tf_longformer": ("-c", "import tf_longformer"),
        "import TFLongformerModel": (
            "-c",
            "from tf_longformer import TFLongformerModel",
        ),
        **{
            f"{command} --help": ("-m", "tf_longformer", command, "--help")
            for command in COMMANDS
        },
    }
    times: dict[str, list[float]] = {name: [] for name in starts}
    for _ in range(rounds):
        for name, words in starts.items():
            times[name].append(seconds_of(*words))
    return {name: statistics.median(times[name]) for name in starts}


def read_questions() -> list[str]:
    """Returns questions of all articles."""
    text = (DATA / "qa/squad2_dev_cs224n.json").read_text("utf-8")
    questions = [
        asked["question"]
        for article in json.loads(text)["data"]
        for paragraph in article["paragraphs"]
        for asked in paragraph["qas"]
    ]
    order = np.random.default_rng(0).permutation(len(questions))
    return [questions[number] for number in order[:TEXTS]]


def measure_texts(
    runner: Runner, rounds: int, scratch: Path
) -> dict[str, float]:
    """Returns how many short texts a second each way takes."""
    file, vocab = scratch / "texts.jsonl", str(DATA / "vocab")
    rows = ({"text": text} for text in read_questions())
    file.write_text("\n".join(map(json.dumps, rows)) + "\n", "utf-8")
    case = {
        **{"work": "fit", "layers": 4, "window": 512, "seq": 4096},
        **{"batch": 8, "file": str(file), "vocab": vocab},
        "texts": TEXTS_OF_PIPELINE,
    }
    peers = {
        "tasks.classify": runner.start("ours", "ours_texts", case),
        "HF pipeline": runner.start("torch", "hf_torch_texts", case),
    }
    counts = {"tasks.classify": TEXTS, "HF pipeline": TEXTS_OF_PIPELINE}
    times: dict[str, list[float]] = {name: [] for name in peers}
    for peer in peers.values():
        peer.ask("time 1")
    for _ in range(rounds):
        for name, peer in peers.items():
            times[name] += peer.ask("time 1")
    for peer in peers.values():
        peer.close()
    model, vocabulary = runner.checkpoint(case), Path(vocab)
    for name in ("vocab.json", "merges.txt"):
        (model / name).write_bytes((vocabulary / name).read_bytes())
    words = ("-m", "tf_longformer", "predict", str(model), str(file))
    output = scratch / "predictions.jsonl"
    times["predict"] = [seconds_of(*words, str(output))]
    counts["predict"] = TEXTS
    return {
        name: counts[name] / statistics.median(times[name]) for name in times
    }


def table() -> str:
    """Returns what is kept, of all machines, as Markdown."""
    lines = ["| machine | what | |", "|---|---|---|"]
    for machine, kept in results.machines().items():
        found = kept.get(KIND, {})
        lines += [
            f"| {machine} | {name} | {value:.2f} s |"
            for name, value in found.get("seconds to start", {}).items()
        ]
        lines += [
            f"| {machine} | short texts, {name} | {value:.1f} a second |"
            for name, value in found.get("texts a second", {}).items()
        ]
    return "\n".join(lines)


def main() -> None:
    """Measures, keeps and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--torch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if not arguments.table:
        if arguments.torch is None:
            parser.error("`--torch` must be an interpreter with PyTorch.")
        pythons = {"ours": sys.executable, "torch": arguments.torch}
        starts = measure_starts(arguments.rounds)
        results.keep(KIND, "seconds to start", starts)
        with tempfile.TemporaryDirectory() as folder:
            runner = Runner(pythons, Path(folder))
            texts = measure_texts(runner, arguments.rounds, Path(folder))
        results.keep(KIND, "texts a second", texts)
    print(table())


if __name__ == "__main__":
    main()

"""Times a model compiled ahead of time against the same SavedModel.

Usage: python benchmarks/compiled.py [--layers N] [--lengths N...] [--rounds N]

Needs g++. The compiled program, which has no Python, and a SavedModel in this
process take turns with one row of random ids after another. Prints a line for
each length.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from tf_longformer import LongformerConfig
from tf_longformer import TFLongformerForSequenceClassification
from tf_longformer import export_saved_model
from tf_longformer.export import export_aot

SOURCE = Path(__file__).with_suffix(".cc")
VOCAB = 50265


def build(folder: Path, program: Path) -> None:
    """Compiles the program of an export."""
    package = Path(tf.__file__).parent
    subprocess.run(
        [
            *("g++", "-std=c++17", "-O2", "-march=native", "-w"),
            *(f"-I{folder}", f"-I{package}/include", SOURCE),
            *folder.glob("longformer*.cc"),
            *folder.glob("longformer*.o"),
            *(f"-L{package}", "-l:libtensorflow_cc.so.2"),
            "-l:libtensorflow_framework.so.2",
            *(f"-Wl,-rpath,{package}", "-o", program),
        ],
        check=True,
    )


def measure(model: keras.Model, length: int, rounds: int, work: Path) -> str:
    """Returns the line of one length."""
    start = time.perf_counter()
    export_aot(model, work / "aot", 1, length)
    build(work / "aot", work / "program")
    built = time.perf_counter() - start
    export_saved_model(model, work / "saved")
    served = tf.saved_model.load(str(work / "saved"))
    signature = served.signatures["serving_default"]
    program = subprocess.Popen(
        [work / "program", str(rounds + 1)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    rng = np.random.default_rng(length)
    compiled, saved, gaps = [], [], []
    for _ in range(rounds + 1):
        ids = rng.integers(3, VOCAB, (1, length)).astype("int32")
        program.stdin.write(ids.tobytes())
        program.stdin.flush()
        answer = program.stdout.read(4 * (1 + model.config.num_labels))
        seconds, *found = np.frombuffer(answer, "float32")
        compiled.append(seconds)
        start = time.perf_counter()
        expected = signature(
            input_ids=tf.constant(ids),
            attention_mask=tf.ones_like(ids),
        )["logits"].numpy()
        saved.append(time.perf_counter() - start)
        gaps.append(np.abs(found - expected).max())
    program.communicate()
    # The first round warms up.
    ratios = [a / b for a, b in zip(compiled[1:], saved[1:], strict=True)]
    return (
        f"| 1 x {length} | {statistics.median(compiled[1:]):.3f} | "
        f"{statistics.median(saved[1:]):.3f} "
        f"({statistics.median(ratios):.2f}x) | {max(gaps):.0e} | "
        f"{built:.0f} |"
    )


def main() -> None:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument(
        "--lengths", type=int, nargs="*", default=[128, 512, 2048]
    )
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(0)
    model = TFLongformerForSequenceClassification(
        LongformerConfig(
            vocab_size=VOCAB,
            num_hidden_layers=arguments.layers,
            max_position_embeddings=max(arguments.lengths) + 2,
            type_vocab_size=1,
        )
    )
    print("| batch x length | compiled | SavedModel | gap | seconds to build |")
    print("|---|---|---|---|---|")
    for length in arguments.lengths:
        with tempfile.TemporaryDirectory() as work:
            line = measure(model, length, arguments.rounds, Path(work))
        print(line, flush=True)


if __name__ == "__main__":
    main()

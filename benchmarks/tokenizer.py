"""Speed of the tokenizers, ours and Hugging Face's, on the same texts.

Usage:

    TF_LONGFORMER_TEST_DATA=DATA python benchmarks/tokenizer.py \
        [--oracle oracle-4/bin/python]

Needs RoBERTa's vocabulary in `vocab/` and texts in `text/` of the folder.
With an interpreter that has transformers, its fast and slow tokenizers run
in a process of their own, in turns with ours; each line is the best of three
rounds. Everything runs on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

# Before the library starts its threads.
os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

DATA = Path(
    os.environ.get(
        "TF_LONGFORMER_TEST_DATA",
        Path(__file__).parents[2] / "shared/data",
    )
)
DOCUMENT = 16_000  # characters, some 4,000 tokens
DOCUMENTS = 32
ROUNDS = 3


def read_documents() -> list[str]:
    """Long documents of real text, none of them twice."""
    whole = "".join(
        path.read_text("utf-8") for path in sorted(DATA.glob("text/*.txt"))
    )
    return [
        whole[start : start + DOCUMENT]
        for start in range(0, DOCUMENT * DOCUMENTS, DOCUMENT)
    ]


def measure(run: Callable[[], object]) -> float:
    """Seconds of one run, on the processor that this thread has."""
    start = time.process_time()
    run()
    return time.process_time() - start


def make_runs(names: list[str]) -> dict[str, Callable[[], object]]:
    """The tokenizers by name, each as a function that encodes all."""
    documents, vocab = read_documents(), DATA / "vocab"
    options = {"truncation": True, "max_length": 4096}
    runs: dict[str, Callable[[], object]] = {}
    if "hf" in names:
        import transformers

        transformers.logging.set_verbosity_error()
        fast = transformers.LongformerTokenizerFast.from_pretrained(vocab)
        runs["Hugging Face, fast"] = lambda: fast(documents, **options)
        if transformers.__version__.startswith("4."):
            slow = transformers.LongformerTokenizer.from_pretrained(vocab)
            runs["Hugging Face, slow"] = lambda: slow(documents, **options)
        return runs
    from tf_longformer import LongformerTokenizer

    ours = LongformerTokenizer.from_pretrained(vocab)
    runs["LongformerTokenizer"] = lambda: ours(documents, **options)
    if "graph" in names:
        import tensorflow as tf

        from tf_longformer import LongformerTextPreprocessor

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        layer = LongformerTextPreprocessor(ours, max_length=4096)
        function = tf.function(
            lambda texts: layer(texts),
            input_signature=[tf.TensorSpec([None], tf.string)],
        )
        texts = tf.constant(documents)
        runs["LongformerTextPreprocessor"] = lambda: function(texts)
        for length in (1_000, 10_000, 100_000):
            word = tf.constant([_one_word(length)])
            runs[f"  one word of {length:,} letters"] = lambda word=word: (
                function(word)
            )
    return runs


def _one_word(length: int) -> str:
    """Letters of real text without what is between them."""
    letters = "".join(filter(str.isalpha, "".join(read_documents())))
    return letters[:length]


def work(names: list[str]) -> None:
    """Answers each line of input with a round of seconds."""
    runs = make_runs(names)
    for run in runs.values():
        run()
    print(json.dumps(list(runs)), flush=True)
    for _ in sys.stdin:
        seconds = {name: measure(run) for name, run in runs.items()}
        print(json.dumps(seconds), flush=True)


def main() -> None:
    """Runs all in turns and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--oracle", help="interpreter with transformers")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work.split(","))
        return
    commands = [[sys.executable, __file__, "--work", "ours,graph"]]
    if arguments.oracle:
        commands.append([arguments.oracle, __file__, "--work", "hf"])
    workers = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for command in commands
    ]
    best: dict[str, float] = {}
    for worker in workers:
        worker.stdout.readline()
    for _ in range(ROUNDS):
        for worker in workers:
            worker.stdin.write("\n")
            worker.stdin.flush()
            for name, seconds in json.loads(worker.stdout.readline()).items():
                best[name] = min(seconds, best.get(name, seconds))
    for worker in workers:
        worker.communicate()
    megabytes = sum(len(text.encode()) for text in read_documents()) / 1e6
    print(f"{DOCUMENTS} documents, {megabytes:.2f} MB, one core")
    for name, seconds in best.items():
        rate = f"{megabytes / seconds:6.2f} MB/s" if name[0] != " " else ""
        print(f"{name:32} {1000 * seconds:8.0f} ms {rate}")


if __name__ == "__main__":
    main()

"""Times passes of training over documents of many lengths.

Usage:

    TF_LONGFORMER_TEST_DATA=DATA python benchmarks/lengths.py --torch PYTHON \
        [--documents N] [--batch N] [--rounds N]
    python benchmarks/lengths.py --table

Two layers of base width, window 512, AdamW, dropout, documents of at most
4,096 tokens, the same file and weights for all: ours with the package's own
batches of like length, ours with all rows padded to 4,096, and Hugging Face's
PyTorch model with the length grouping of its Trainer. Peers live at the same
time, each in a process of its own, and are timed in turn, after a pass that
isn't counted. Results are kept in results/; `--table` prints those of all
machines. DATA has `vocab/`, `text/documents/proposals.jsonl`,
`classification/gutenberg_authors/train.jsonl` and `qa/squad2_dev_cs224n.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
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
KIND = "lengths"
LONGEST = 4096
PEERS = {
    "ours": ("ours", "ours_documents", {}),
    "ours, padded to 4096": ("ours", "ours_documents", {"padded": True}),
    "HF PyTorch, grouped": ("torch", "hf_torch_documents", {}),
}


def read_texts(file: str) -> list[str]:
    """Returns the texts of a file of JSON lines."""
    lines = (DATA / file).read_text("utf-8").split("\n")
    return [json.loads(line)["text"] for line in lines if line.strip()]


def read_articles() -> list[list[str]]:
    """Returns the paragraphs of SQuAD's articles."""
    text = (DATA / "qa/squad2_dev_cs224n.json").read_text("utf-8")
    return [
        [part["context"] for part in article["paragraphs"]]
        for article in json.loads(text)["data"]
    ]


KINDS = {
    "proposals": lambda: read_texts("text/documents/proposals.jsonl"),
    "novels and articles": lambda: (
        read_texts("classification/gutenberg_authors/train.jsonl")
        + ["\n\n".join(paragraphs) for paragraphs in read_articles()]
    ),
    "paragraphs": lambda: sum(read_articles(), []),
}


def measure(
    runner: Runner, kind: str, arguments: argparse.Namespace, scratch: Path
) -> dict:
    """Times the peers in turn on documents of a kind."""
    from tf_longformer import LongformerTokenizerFast

    vocab = str(DATA / "vocab")
    tokenizer = LongformerTokenizerFast.from_pretrained(vocab)
    texts = KINDS[kind]()
    count = arguments.documents * (8 if kind == "paragraphs" else 1)
    chosen = np.random.default_rng(0).permutation(len(texts))[:count]
    texts = [texts[number] for number in chosen]
    file = scratch / "documents.jsonl"
    rows = ({"text": t, "label": str(n % 2)} for n, t in enumerate(texts))
    file.write_text("\n".join(map(json.dumps, rows)) + "\n", "utf-8")
    ids = tokenizer(texts, truncation=True, max_length=LONGEST)["input_ids"]
    lengths = [len(row) for row in ids]
    case = {
        **{"work": "fit", "layers": 2, "window": 512, "seq": LONGEST},
        **{"batch": arguments.batch, "file": str(file), "vocab": vocab},
    }
    peers = {
        label: runner.start(environment, peer, {**case, **changes})
        for label, (environment, peer, changes) in PEERS.items()
        # 30 times as many tokens as there are say nothing new.
        if not (kind == "paragraphs" and changes)
    }
    first = {label: peer.ask("time 1")[0] for label, peer in peers.items()}
    times: dict[str, list[float]] = {label: [] for label in peers}
    for _ in range(arguments.rounds):
        for label, peer in peers.items():
            times[label] += peer.ask("time 1")
    result = {"documents": len(texts), "tokens": sum(lengths)}
    for label, peer in peers.items():
        result[label] = {
            "tokens per second": sum(lengths) / statistics.median(times[label]),
            "seconds": times[label],
            "first": first[label],
            "traces": peer.ask("traces"),
            **peer.ask("peak"),
        }
        peer.close()
    return result


def table() -> str:
    """Returns what is kept, of all machines, as Markdown."""
    names = "machine", "documents", "mean length", "tokens per second"
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for machine, kept in results.machines().items():
        for kind, one in kept.get(KIND, {}).items():
            speed = {
                label: value["tokens per second"]
                for label, value in one.items()
                if isinstance(value, dict)
            }
            ours = speed["ours"]
            told = [f"ours {ours:.0f}, {one['ours']['traces']} traces"] + [
                f"{label} {other:.0f} ({ours / other:.2f}x)"
                for label, other in speed.items()
                if label != "ours"
            ]
            cells = (
                machine,
                f"{one['documents']} {kind}",
                f"{one['tokens'] / one['documents']:.0f}",
                "; ".join(told),
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measures, keeps and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--torch")
    parser.add_argument("--documents", type=int, default=24)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", choices=KINDS, help="kind of documents")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if not arguments.table:
        if arguments.torch is None:
            parser.error("`--torch` must be an interpreter with PyTorch.")
        pythons = {"ours": sys.executable, "torch": arguments.torch}
        with tempfile.TemporaryDirectory() as folder:
            runner = Runner(pythons, Path(folder))
            for kind in [arguments.only] if arguments.only else KINDS:
                result = measure(runner, kind, arguments, Path(folder))
                results.keep(KIND, kind, result)
                print(kind, result, flush=True)
    print(table())


if __name__ == "__main__":
    main()

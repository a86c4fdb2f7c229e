"""The paper's finding on positions (Table 5), in small: an encoder made long
with positions at random, copied, and trained a little.

Usage:

    TF_LONGFORMER_TEST_DATA=DATA python benchmarks/positions.py \
        [--documents N] [--steps N]

The paper counts bits per character of a masked language model. The encoder
at hand, all-MiniLM-L6-v2 in `minilm/` of the folder, has no such head, but
vectors: counted are the bits that it takes to tell which span a passage of 40
tokens was taken from, among all spans of the documents. Passages are read by
the source; spans of 254 tokens by the source, each on its own, or by a
Longformer within 2,048 tokens. Documents are of
`classification/gutenberg_authors/dev.jsonl`; those that it is trained on, as
`examples/train_long_encoder.py` does, of `text/novels`. Results are kept
in results/.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import results

DATA = Path(
    os.environ.get(
        "TF_LONGFORMER_TEST_DATA",
        Path(__file__).parents[2] / "shared/data",
    )
)
sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
LENGTH, WINDOW = 2048, 256
PASSAGE = 40
RATE = 5e-5

Span = tuple[int, int]


def read_documents(
    tokenizer, count: int
) -> tuple[list[str], list[list[Span]], list[str]]:
    """Returns texts of a window, their spans, and a passage of each span."""
    path = DATA / "classification/gutenberg_authors/dev.jsonl"
    lines = path.read_text("utf-8").splitlines()
    # Lines are sorted by author.
    chosen = np.linspace(0, len(lines), count, endpoint=False).astype(int)
    rng = np.random.default_rng(0)
    texts, spans, passages = [], [], []
    for number in chosen:
        text = json.loads(lines[number])["text"]
        places = tokenizer(
            text,
            add_special_tokens=False,
            truncation=True,
            max_length=LENGTH - 2,
            return_offsets_mapping=True,
        )["offset_mapping"]
        of_text = []
        for first in range(0, len(places) - 253, 254):
            of_text.append((places[first][0], places[first + 253][1]))
            start = first + rng.integers(254 - PASSAGE)
            end = places[start + PASSAGE - 1][1]
            passages.append(text[places[start][0] : end])
        texts.append(text[: places[-1][1]])
        spans.append(of_text)
    return texts, spans, passages


def rate(passages: np.ndarray, spans: np.ndarray) -> tuple[float, float]:
    """Returns the bits to tell spans, and the share that comes first."""
    scores = passages @ spans.T / 0.05
    scores -= scores.max(axis=1, keepdims=True)
    own = np.diag(scores) - np.log(np.exp(scores).sum(axis=1))
    first = np.argmax(scores, axis=1) == np.arange(len(scores))
    return float(-own.mean() / np.log(2)), float(first.mean())


def train(model, source, tokenizer, steps: int) -> None:
    """Trains what is trainable of a model, with a rate that falls."""
    import keras
    import train_long_encoder as recipe

    texts = list(recipe.read(DATA / "text/novels"))
    finder = recipe.PassageFinder(model, source)
    recipe.compile_finder(
        finder, keras.optimizers.schedules.CosineDecay(RATE, steps)
    )
    batches = recipe.Batches(texts, tokenizer, LENGTH, 1, steps, [0])
    finder.fit(batches, shuffle=False, verbose=2)


def measure(count: int, steps: int) -> dict[str, dict[str, float]]:
    """Measures all lines of the table, and prints them."""
    from tf_longformer import LongformerTokenizerFast
    from tf_longformer import convert_to_longformer
    from tf_longformer.tasks import embed

    folder = DATA / "minilm"
    tokenizer = LongformerTokenizerFast.from_pretrained(
        folder, model_max_length=LENGTH
    )
    texts, spans, passages = read_documents(tokenizer, count)
    # A window that covers a span: what the encoder itself computes.
    source = convert_to_longformer(folder, 512, 512)
    asked = embed(source, tokenizer, passages, max_length=512)
    ratings: dict[str, dict[str, float]] = {}
    print(f"{count} documents, {len(passages)} spans, {steps} steps")
    print("| model | bits | hit@1 |\n|---|---|---|")

    def add(name: str, vectors: np.ndarray) -> None:
        bits, first = rate(asked, vectors)
        ratings[name] = {"bits": bits, "hit@1": first}
        print(f"| {name} | {bits:.2f} | {first:.2f} |", flush=True)

    def add_long(name: str, model) -> None:
        found = embed(model, tokenizer, texts, spans=spans, batch_size=4)
        add(name, np.stack([s["embedding"] for row in found for s in row]))

    pieces = [
        text[start:end]
        for text, of_text in zip(texts, spans, strict=True)
        for start, end in of_text
    ]
    add("source", embed(source, tokenizer, pieces, max_length=512))

    model = convert_to_longformer(folder, LENGTH, WINDOW)
    table = model.longformer.embeddings.position_embeddings.embeddings
    copied = np.array(table)
    # Before the first are rows that no token has.
    known = len(copied) - LENGTH + 512
    rows = copied.copy()
    rng = np.random.default_rng(0)
    rows[known:] = rng.normal(0, copied.std(), rows[known:].shape)
    table.assign(rows)
    add_long("long, positions at random", model)
    table.assign(copied)
    add_long("long, positions copied", model)
    for variable in model.variables:
        variable.trainable = variable is table
    train(model, source, tokenizer, steps)
    add_long("copied, positions trained", model)
    model = convert_to_longformer(folder, LENGTH, WINDOW)
    train(model, source, tokenizer, steps)
    add_long("copied, all trained", model)
    return ratings


def main() -> None:
    """Measures, prints and keeps the table."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--documents", type=int, default=12)
    parser.add_argument("--steps", type=int, default=24)
    arguments = parser.parse_args()
    ratings = measure(arguments.documents, arguments.steps)
    result = {
        "documents": arguments.documents,
        "ratings": ratings,
        "date": datetime.date.today().isoformat(),
    }
    results.keep("positions", f"{arguments.steps} steps", result)


if __name__ == "__main__":
    main()

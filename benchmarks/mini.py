"""What the embedded checkpoint `mini` is worth, on texts that it hasn't read.

Usage:

    TF_LONGFORMER_TEST_DATA=DATA python benchmarks/mini.py \
        FOLDER [PART ...] [--model mini]
    python benchmarks/mini.py --table

FOLDER is what `pretraining/prepare.py` wrote, which holds the texts that were
held out. The parts are

- `words`: hidden tokens, 15 percent of them, beside token frequencies in the
  texts to train with, beside counts of pairs and triples on both sides of a
  hidden token, and beside the same model that sees no more than 128 tokens;
- `documents`: the document of which a passage was taken, from its last third,
  among all proposals held out, beside TF-IDF and MiniLM's chunks;
- `authors`: a classifier fine-tuned from `mini` beside one from new weights,
  on the first 512 tokens of novels, dev passages being of the same books.

Results are kept in results/.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import embeddings
import numpy as np
import results
from finetuning import command
from finetuning import parse_parts
from finetuning import read
from finetuning import write

DATA = embeddings.DATA
KIND = "mini"
PARTS = ("words", "documents", "authors")
LENGTH = 4096  # tokens of a document
CUT = 128
# Weights of the texts' own counts against those of less context.
UNIGRAM_WEIGHT, PAIR_WEIGHT = 40.0, 3.0
STEPS = 240

Ratings = dict[str, dict[str, float]]


# Words.


class Counts:
    """How often tokens stand alone, and between which others."""

    def __init__(self, tokens: np.ndarray, size: int) -> None:
        self.size = size
        tokens = tokens.astype("int64")
        self.unigrams = (np.bincount(tokens, minlength=size) + 0.1) / (
            len(tokens) + 0.1 * size
        )
        left, middle, right = tokens[:-2], tokens[1:-1], tokens[2:]
        self.tables = [
            np.unique(context * size + middle, return_counts=True)
            for context in (left, right, left * size + right)
        ]

    def after(self, kind: int, context: int) -> np.ndarray:
        """Returns how often each token stands in a context."""
        keys, counts = self.tables[kind]
        first = np.searchsorted(keys, context * self.size)
        last = np.searchsorted(keys, (context + 1) * self.size)
        found = np.zeros(self.size)
        found[keys[first:last] - context * self.size] = counts[first:last]
        return found

    def between(self, left: int, right: int) -> np.ndarray:
        """Returns the probability of each token between two others."""
        sides = []
        for kind, context in enumerate((left, right)):
            counts = self.after(kind, context)
            counts += UNIGRAM_WEIGHT * self.unigrams
            sides.append(counts / counts.sum())
        # As if either side told of the token what the other doesn't.
        both = sides[0] * sides[1] / self.unigrams
        counts = self.after(2, left * self.size + right)
        counts += PAIR_WEIGHT * both / both.sum()
        return counts / counts.sum()


def measure_words(folder: Path, name: str) -> Ratings:
    from tf_longformer import LongformerTokenizerFast
    from tf_longformer import MaskedLanguageModelCollator
    from tf_longformer import TFLongformerForMaskedLM

    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    model = TFLongformerForMaskedLM.from_pretrained(name)
    rows = []
    for text in read(folder / "held_out.jsonl"):
        ids = tokenizer(text["text"], add_special_tokens=False, verbose=False)[
            "input_ids"
        ]
        # The first tokens of proposals, and some of the novels.
        count = 8 if text["source"] == "novel" else 1
        starts = np.linspace(0, max(len(ids) - LENGTH, 0), count).astype(int)
        rows += [
            ids[start : start + LENGTH]
            for start in starts
            if len(ids) >= LENGTH
        ]
    batch = MaskedLanguageModelCollator(tokenizer)(
        [{"input_ids": row} for row in rows], seed=0
    )
    ids, labels = batch["input_ids"], batch["labels"]
    hidden = labels != -100
    truth = labels[hidden]
    characters = sum(
        len(tokenizer.decode([token]).strip()) for token in truth.tolist()
    )
    print(f"{len(rows)} documents, {len(truth):,} hidden tokens")

    def rate(losses: np.ndarray, right: np.ndarray) -> dict[str, float]:
        return {
            "accuracy": float(np.mean(right)),
            "bits per character": float(losses.sum() / np.log(2) / characters),
        }

    def of_model(ids: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        losses, right = [], []
        size = max(LENGTH // ids.shape[1], 1)
        for start in range(0, len(ids), size):
            chosen = slice(start, start + size)
            logits = np.asarray(
                model({"input_ids": ids[chosen]}, training=False).logits
            )
            places = labels[chosen] != -100
            wanted = labels[chosen][places]
            logits = logits[places].astype("float64")
            logits -= logits.max(axis=-1, keepdims=True)
            own = logits[np.arange(len(wanted)), wanted]
            losses.append(np.log(np.exp(logits).sum(axis=-1)) - own)
            right.append(logits.argmax(axis=-1) == wanted)
        return rate(np.concatenate(losses), np.concatenate(right))

    counts = Counts(np.load(folder / "tokens.npy"), len(tokenizer))
    before = np.pad(ids, ((0, 0), (1, 1)))
    losses, right = [], []
    for row, place in np.argwhere(hidden).tolist():
        left, after = before[row, place], before[row, place + 2]
        chances = counts.between(int(left), int(after))
        losses.append(-np.log(chances[labels[row, place]]))
        right.append(chances.argmax() == labels[row, place])
    of_pairs = rate(np.array(losses), np.array(right))
    alone = rate(
        -np.log(counts.unigrams[truth]), truth == counts.unigrams.argmax()
    )
    cut = [array.reshape(-1, CUT) for array in (ids, labels)]
    return {
        "token frequencies": alone,
        "counts of neighbouring tokens": of_pairs,
        f"mini, {CUT} tokens": of_model(*cut),
        f"mini, {LENGTH:,} tokens": of_model(ids, labels),
    }


# Documents.


def measure_documents(folder: Path, name: str) -> Ratings:
    from tf_longformer import LongformerTokenizerFast
    from tf_longformer import TFLongformerModel
    from tf_longformer import convert_to_longformer
    from tf_longformer.tasks import embed
    from tf_longformer.tasks import sentence_transformer_options

    teacher = DATA / "minilm"
    pieces = LongformerTokenizerFast.from_pretrained(
        teacher, model_max_length=LENGTH
    )
    documents, queries, chunks = [], [], []
    rng = np.random.default_rng(0)
    for row in read(folder / "held_out.jsonl"):
        if row["source"] == "novel":
            continue
        tokens = pieces(
            row["text"],
            add_special_tokens=False,
            truncation=True,
            max_length=LENGTH,
            return_offsets_mapping=True,
        )["offset_mapping"]
        if len(tokens) < 12 * embeddings.QUERY:
            continue
        first = rng.integers(
            len(tokens) * 2 // 3, len(tokens) - embeddings.QUERY
        )
        start, end = tokens[first][0], tokens[first + embeddings.QUERY - 1][1]
        queries.append(row["text"][start:end])
        del tokens[first : first + embeddings.QUERY]
        text = row["text"][:start] + row["text"][end:]
        size = end - start
        places = [
            (a - size, b - size) if a >= end else (a, b) for a, b in tokens
        ]
        documents.append(text[: places[-1][1]])
        chunks.append(embeddings.cut_into_chunks(places))
    print(f"{len(documents)} documents")
    ratings = {"TF-IDF": embeddings.score_words(documents, queries)["TF-IDF"]}

    model = TFLongformerModel.from_pretrained(name)
    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    how = sentence_transformer_options(name)
    asked = embed(model, tokenizer, queries, **how)
    found = embeddings.score_late_chunks(
        asked, model, tokenizer, documents, chunks, batch_size=1, **how
    )
    # With the special tokens, as people have it.
    whole = embed(model, tokenizer, documents, batch_size=1, **how)
    ratings["mini, whole documents"] = asked @ whole.T
    ratings["mini, best of late chunks"] = found["best of late chunks"]

    model = convert_to_longformer(teacher, None, 512)
    asked = embed(model, pieces, queries)
    found = embeddings.score_chunks(asked, model, pieces, documents, chunks)
    ratings |= {f"MiniLM, {key}": scores for key, scores in found.items()}
    return {key: embeddings.rate(found) for key, found in ratings.items()}


# Authors.


def measure_authors(folder: Path, name: str) -> Ratings:
    source = DATA / "classification/gutenberg_authors"
    read_before = {path.stem for path in (DATA / "text/gutenberg").iterdir()}
    output = folder / "authors"
    for part in ("train", "dev"):
        rows = [
            row
            for row in read(source / f"{part}.jsonl")
            if row["book"] not in read_before
        ]
        print(f"authors, {part}: {len(rows)} passages")
        write(output / f"{part}.jsonl", rows)
    ratings = {}
    for title, options in (
        ("from mini", []),
        ("from new weights", ["--from-scratch"]),
    ):
        to = output / title.replace(" ", "-")
        subprocess.run(
            command(
                *("finetune", "text-classification", "--model", name),
                *("--train", str(output / "train.jsonl")),
                *("--eval", str(output / "dev.jsonl")),
                *("--output", str(to), "--max-length", "512"),
                *("--steps", str(STEPS), "--eval-steps", str(STEPS)),
                *("--learning-rate", "5e-4", "--batch-size", "8"),
                *options,
            ),
            check=True,
        )
        report = json.loads((to / "metrics.json").read_text("utf-8"))
        ratings[title] = {"accuracy": report["best"]["accuracy"]}
    return ratings


MEASURES = {
    "words": measure_words,
    "documents": measure_documents,
    "authors": measure_authors,
}


def table() -> str:
    """Returns what is kept, as Markdown."""
    lines = []
    for kept in results.machines().values():
        for part, ratings in kept.get(KIND, {}).items():
            names = list(next(iter(ratings.values())))
            lines += [
                f"| {part} | {' | '.join(names)} |",
                "|---" * (len(names) + 1) + "|",
                *(
                    f"| {name} | "
                    + " | ".join(f"{rating[one]:.2f}" for one in names)
                    + " |"
                    for name, rating in ratings.items()
                ),
                "",
            ]
    return "\n".join(lines)


def main() -> None:
    """Measures, keeps and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default="mini")
    arguments = parse_parts(parser, PARTS)
    if not arguments.table:
        for part in arguments.parts or PARTS:
            ratings = MEASURES[part](arguments.folder, arguments.model)
            results.keep(KIND, part, ratings)
    print(table())


if __name__ == "__main__":
    main()

"""Finds long documents by a passage of them: vectors of chunks and of a
Longformer made of the same encoder, without training, beside counted words.

Usage:

    TF_LONGFORMER_TEST_DATA=DATA python benchmarks/embeddings.py \
        [--documents N] [--window N] [--kind authors|proposals] \
        [--trained FOLDER] [--lengths N ...]

Needs all-MiniLM-L6-v2 in `minilm/` and documents of about 4,000 tokens in
`classification/gutenberg_authors/train.jsonl` of the folder, or in
`text/documents/proposals.jsonl`. With `--trained` only the lines of a model
that `examples/train_long_encoder.py` wrote are measured. Each document is
asked for by 40 tokens in a row of its last third. `hit@1` is the share of
queries whose document comes first, `MRR` the mean of the reciprocal ranks; a
document of equal score counts as before it. Results are kept in
results/.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import results

DATA = Path(
    os.environ.get(
        "TF_LONGFORMER_TEST_DATA",
        Path(__file__).parents[2] / "shared/data",
    )
)
KINDS = {
    "authors": "classification/gutenberg_authors/train.jsonl",
    "proposals": "text/documents/proposals.jsonl",
}
SHORTEST = 12_000  # characters
DOCUMENT = 4000  # tokens
QUERY = 40
# As many as the encoder was trained on, special tokens included.
CHUNK = 256
LENGTHS = (1024, 2048, 4096)

Span = tuple[int, int]


def read_documents(
    tokenizer, kind: str, count: int
) -> tuple[list[str], list[list[Span]]]:
    """Returns texts of `DOCUMENT` tokens at most, and their tokens' places."""
    # `splitlines` would cut at line ends that JSON has within strings.
    lines = (DATA / KINDS[kind]).read_text("utf-8").split("\n")
    known = [json.loads(line)["text"] for line in lines if line.strip()]
    known = [text for text in known if len(text) > SHORTEST]
    # Lines are sorted by author, or by source.
    chosen = np.linspace(0, len(known), count, endpoint=False).astype(int)
    texts, places = [], []
    for number in chosen:
        text = known[number]
        found = tokenizer(
            text,
            add_special_tokens=False,
            truncation=True,
            max_length=DOCUMENT,
            return_offsets_mapping=True,
        )["offset_mapping"]
        places.append([tuple(place) for place in found])
        texts.append(text[: found[-1][1]])
    return texts, places


def draw_queries(texts: list[str], places: list[list[Span]]) -> list[str]:
    """Returns a passage of the last third of each document."""
    generator = np.random.default_rng(0)
    queries = []
    for text, tokens in zip(texts, places, strict=True):
        first = generator.integers(len(tokens) * 2 // 3, len(tokens) - QUERY)
        queries.append(text[tokens[first][0] : tokens[first + QUERY - 1][1]])
    return queries


def cut_into_chunks(tokens: list[Span]) -> list[Span]:
    """Returns the places of chunks that fill the encoder."""
    inside = CHUNK - 2
    chunks = [tokens[i : i + inside] for i in range(0, len(tokens), inside)]
    return [(chunk[0][0], chunk[-1][1]) for chunk in chunks]


def rate(scores: np.ndarray) -> dict[str, float]:
    """Rates scores `[queries, documents]`; a query's own is on the diagonal."""
    ranks = np.sum(scores >= np.diag(scores)[:, None], axis=1)
    return {
        "hit@1": float(np.mean(ranks == 1)),
        "MRR": float(np.mean(1 / ranks)),
    }


def mean(vectors: np.ndarray) -> np.ndarray:
    vector = vectors.mean(axis=0)
    return vector / np.linalg.norm(vector)


def best(queries: np.ndarray, chunks: list[np.ndarray]) -> np.ndarray:
    """Returns scores of documents by their best chunk."""
    return np.stack([(queries @ c.T).max(axis=1) for c in chunks], axis=1)


def score_chunks(
    asked: np.ndarray,
    model: Any,
    tokenizer: Any,
    documents: Sequence[str],
    chunks: Sequence[Sequence[Span]],
) -> dict[str, np.ndarray]:
    """Returns the scores of documents by chunks that are read alone.

    Args:
        asked: the queries' vectors.
        model: the encoder.
        tokenizer: its tokenizer.
        documents: the texts.
        chunks: places in each text.
    """
    from tf_longformer.tasks import embed

    pieces = [
        text[start:end]
        for text, of_text in zip(documents, chunks, strict=True)
        for start, end in of_text
    ]
    vectors = embed(model, tokenizer, pieces, max_length=CHUNK)
    ends = np.cumsum([len(of_text) for of_text in chunks])
    of_chunks = np.split(vectors, ends[:-1])
    firsts = np.stack([of_text[0] for of_text in of_chunks])
    means = np.stack(list(map(mean, of_chunks)))
    return {
        "first chunk": asked @ firsts.T,
        "mean of chunks": asked @ means.T,
        "best of chunks": best(asked, of_chunks),
    }


def score_late_chunks(
    asked: np.ndarray,
    model: Any,
    tokenizer: Any,
    documents: Sequence[str],
    chunks: Sequence[Sequence[Span]],
    **options: Any,
) -> dict[str, np.ndarray]:
    """Returns the scores of documents that are read whole.

    Args:
        asked: the queries' vectors.
        model: the encoder.
        tokenizer: its tokenizer.
        documents: the texts.
        chunks: places in each text.
        **options: of `embed`.
    """
    from tf_longformer.tasks import embed

    # The whole document first, then its chunks.
    spans = [
        [(0, len(text)), *of_text]
        for text, of_text in zip(documents, chunks, strict=True)
    ]
    found = embed(model, tokenizer, documents, spans=spans, **options)
    of_spans = [
        np.stack([span["embedding"] for span in of_text]) for of_text in found
    ]
    whole = np.stack([of_text[0] for of_text in of_spans])
    late = [of_text[1:] for of_text in of_spans]
    return {
        "mean": asked @ whole.T,
        "best of late chunks": best(asked, late),
    }


def count_words(texts: list[str]) -> list[Counter]:
    return [Counter(re.findall(r"\w+", text.lower())) for text in texts]


def score_words(
    documents: list[str], queries: list[str]
) -> dict[str, np.ndarray]:
    """Returns the scores of TF-IDF (cosine) and BM25."""
    words, asked = count_words(documents), count_words(queries)
    vocabulary = {word: i for i, word in enumerate(sorted(set().union(*words)))}

    def as_array(counts: list[Counter]) -> np.ndarray:
        array = np.zeros((len(counts), len(vocabulary)))
        for row, counter in zip(array, counts, strict=True):
            for word, count in counter.items():
                if word in vocabulary:
                    row[vocabulary[word]] = count
        return array

    found, wanted = as_array(words), as_array(asked)
    frequency = np.sum(found > 0, axis=0)
    count = len(documents)

    def weigh(counts: np.ndarray) -> np.ndarray:
        idf = np.log((1 + count) / (1 + frequency)) + 1
        vectors = np.log1p(counts) * idf
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        # A query may have no word that a document has.
        return vectors / np.maximum(lengths, 1e-12)

    sizes = found.sum(axis=1, keepdims=True)
    k1, b = 1.2, 0.75
    idf = np.log(1 + (count - frequency + 0.5) / (frequency + 0.5))
    saturated = (
        found * (k1 + 1) / (found + k1 * (1 - b + b * sizes / sizes.mean()))
    )
    return {
        "TF-IDF": weigh(wanted) @ weigh(found).T,
        "BM25": wanted @ (idf * saturated).T,
    }


def measure(
    kind: str,
    count: int,
    window: int,
    lengths: Sequence[int],
    trained: str | None,
) -> dict[str, dict[str, float]]:
    """Measures the lines of the table, and prints them."""
    from tf_longformer import LongformerTokenizerFast
    from tf_longformer import convert_to_longformer
    from tf_longformer.tasks import embed

    source = DATA / "minilm"
    tokenizer = LongformerTokenizerFast.from_pretrained(
        source, model_max_length=LENGTHS[-1]
    )
    documents, places = read_documents(tokenizer, kind, count)
    queries = draw_queries(documents, places)
    chunks = [cut_into_chunks(tokens) for tokens in places]
    ratings: dict[str, dict[str, float]] = {}
    print("| vectors | hit@1 | MRR |\n|---|---|---|")

    def add(name: str, scores: np.ndarray) -> None:
        ratings[name] = found = rate(scores)
        line = f"| {name} | {found['hit@1']:.2f} | {found['MRR']:.2f} |"
        print(line, flush=True)

    def add_chunks(model, prefix: str = "") -> None:
        asked = embed(model, tokenizer, queries)
        found = score_chunks(asked, model, tokenizer, documents, chunks)
        for name, scores in found.items():
            add(f"{prefix}{name}", scores)

    def add_late_chunks(model, prefix: str) -> None:
        asked = embed(model, tokenizer, queries)
        for length in lengths:
            found = score_late_chunks(
                asked, model, tokenizer, documents, chunks, max_length=length
            )
            for name, scores in found.items():
                add(f"{prefix}, {length:,} tokens: {name}", scores)

    if trained is not None:
        model = convert_to_longformer(trained, LENGTHS[-1], window)
        add_late_chunks(model, "trained")
        add_chunks(model, "trained, ")
        return ratings
    for name, scores in score_words(documents, queries).items():
        add(name, scores)
    # A window that covers a chunk: what the encoder itself computes.
    add_chunks(convert_to_longformer(source, 512, 512))
    add_late_chunks(convert_to_longformer(source, LENGTHS[-1], window), "long")
    return ratings


def main() -> None:
    """Measures, prints and keeps the table."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--documents", type=int, default=80)
    parser.add_argument("--window", type=int, default=256)
    parser.add_argument("--kind", choices=list(KINDS), default="authors")
    parser.add_argument("--trained", help="a folder")
    parser.add_argument("--lengths", type=int, nargs="*", default=LENGTHS)
    arguments = parser.parse_args()
    ratings = measure(
        arguments.kind,
        arguments.documents,
        arguments.window,
        arguments.lengths,
        arguments.trained,
    )
    result = {
        "documents": arguments.documents,
        "ratings": ratings,
        "date": datetime.date.today().isoformat(),
    }
    name = f"window {arguments.window}"
    if arguments.kind != "authors":
        name += f", {arguments.kind}"
    if arguments.trained is not None:
        name += ", trained"
    results.keep("embeddings", name, result)


if __name__ == "__main__":
    main()

"""The task "which project wrote this file?", from files on this machine."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tf_longformer.quickstart.cleaning import clean_source
from tf_longformer.quickstart.projects import Project

# Files shorter than this aren't long documents. Counted in words, numbers and
# single marks; a byte-level BPE of the default size makes more of them.
MIN_TOKENS = 1000
# A table of constants can have a million characters: keep this many of each
# file at most.
MAX_CHARACTERS = 100_000
MIN_PROJECTS = 4
MIN_DOCUMENTS_PER_PROJECT = 8
HELD_OUT_FRACTION = 0.25

_SHINGLE_LINES = 4
_MAX_SHARED = 0.1
_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Document:
    """One cleaned source file.

    Args:
        text: string. What the classifier reads.
        label: int. Index of the project that wrote it.
        group: string. The sub-package, `project/sub-package`.
    """

    text: str
    label: int
    group: str


@dataclass(frozen=True)
class Corpus:
    """Balanced documents in two halves that share no sub-package.

    Args:
        label_names: tuple of strings, one per label.
        train: tuple of `Document`, the same number of every label.
        held_out: tuple of `Document`, the same number of every label.
    """

    label_names: tuple[str, ...]
    train: tuple[Document, ...]
    held_out: tuple[Document, ...]


def count_tokens(text: str) -> int:
    """Number of words, numbers and single marks in a text."""
    return sum(1 for _ in _TOKEN.finditer(text))


def build_corpus(
    projects: Sequence[Project],
    documents_per_project: int = 100,
    seed: int = 0,
    min_tokens: int = MIN_TOKENS,
) -> Corpus:
    """Reads, cleans, filters and splits the documents.

    The result depends on the arguments and on the installed files only.

    Args:
        projects: list of `Project`, where to look. Those with too few
            documents are left out.
        documents_per_project: int. At most this many documents of each
            project, train and held-out together. Defaults to `100`.
        seed: int. Chooses the documents and the split. Defaults to `0`.
        min_tokens: int. Shortest document, see `count_tokens`.

    Returns:
        A `Corpus`.

    Raises:
        ValueError: fewer than four projects have enough documents.
    """
    if documents_per_project < MIN_DOCUMENTS_PER_PROJECT:
        raise ValueError(
            f"A corpus needs at least {MIN_DOCUMENTS_PER_PROJECT} documents "
            f"per project. Received: documents={documents_per_project}. "
            "Ask for more."
        )
    rng = random.Random(seed)
    collected = [
        _collect(project, label, documents_per_project, min_tokens, rng)
        for label, project in enumerate(projects)
    ]
    documents = _without_duplicates(collected)
    splits = {}
    for label, project in enumerate(projects):
        own = [document for document in documents if document.label == label]
        train, held_out = _split(own, rng)
        held_out = _not_seen_in(held_out, train)
        enough = MIN_DOCUMENTS_PER_PROJECT * HELD_OUT_FRACTION
        if len(held_out) >= enough and len(train) >= 2 * enough:
            splits[project.name] = (train, held_out)
    if len(splits) < MIN_PROJECTS:
        raise ValueError(
            f"The task needs {MIN_PROJECTS} projects with at least "
            f"{MIN_DOCUMENTS_PER_PROJECT} source files of {min_tokens}+ "
            f"tokens each. Received: {sorted(splits)} of "
            f"{[project.name for project in projects]}. Install the package "
            "with its dependencies and TensorFlow: pip install "
            "'tf-longformer[cpu]'."
        )
    return _balanced(splits)


def _collect(
    project: Project,
    label: int,
    limit: int,
    min_tokens: int,
    rng: random.Random,
) -> list[Document]:
    """Takes documents from all sub-packages in turn until there are enough."""
    groups: dict[str, list[Path]] = {}
    for group, path in project.source_files():
        groups.setdefault(group, []).append(path)
    names = sorted(groups)
    rng.shuffle(names)
    for name in names:
        rng.shuffle(groups[name])
    documents: list[Document] = []
    while names and len(documents) < limit:
        for name in list(names):
            if not groups[name]:
                names.remove(name)
                continue
            text = _read(groups[name].pop())
            if text is not None and count_tokens(text) >= min_tokens:
                documents.append(
                    Document(text, label, f"{project.name}/{name}")
                )
                if len(documents) == limit:
                    break
    return documents


def _read(path: Path) -> str | None:
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    text = clean_source(source)
    return text and text[:MAX_CHARACTERS]


def _shingles(text: str) -> set[int]:
    """Hashes of all runs of consecutive non-empty lines."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return {
        hash(tuple(lines[start : start + _SHINGLE_LINES]))
        for start in range(len(lines) - _SHINGLE_LINES + 1)
    }


def _shared_fraction(shingles: set[int], others: set[int]) -> float:
    return len(shingles & others) / max(len(shingles), 1)


def _without_duplicates(
    collected: Sequence[Sequence[Document]],
) -> list[Document]:
    """Drops documents that largely occur under another label too.

    Such copies (vendored code, ports) have no right answer.
    """
    shingles = [
        [_shingles(document.text) for document in own] for own in collected
    ]
    everything = [set().union(*own) for own in shingles]
    kept = []
    for label, own in enumerate(collected):
        others = set().union(
            *(seen for other, seen in enumerate(everything) if other != label)
        )
        for document, own_shingles in zip(own, shingles[label], strict=True):
            if _shared_fraction(own_shingles, others) <= _MAX_SHARED:
                kept.append(document)
    return kept


def _split(
    documents: Iterable[Document], rng: random.Random
) -> tuple[list[Document], list[Document]]:
    """Deals whole sub-packages to the two halves."""
    groups: dict[str, list[Document]] = {}
    for document in documents:
        groups.setdefault(document.group, []).append(document)
    names = sorted(groups)
    rng.shuffle(names)
    wanted = HELD_OUT_FRACTION * sum(len(group) for group in groups.values())
    train: list[Document] = []
    held_out: list[Document] = []
    for name in names:
        if len(held_out) + len(groups[name]) / 2 <= wanted:
            held_out.extend(groups[name])
        else:
            train.extend(groups[name])
    return train, held_out


def _not_seen_in(
    held_out: Iterable[Document], train: Iterable[Document]
) -> list[Document]:
    """Drops held-out documents that largely stand in the training half."""
    seen = set().union(*(_shingles(document.text) for document in train))
    return [
        document
        for document in held_out
        if _shared_fraction(_shingles(document.text), seen) <= _MAX_SHARED
    ]


def _balanced(splits: dict) -> Corpus:
    """Cuts all projects to the size of the smallest one."""
    num_train = min(len(train) for train, _ in splits.values())
    num_held_out = min(len(held_out) for _, held_out in splits.values())
    label_names = tuple(splits)
    halves = []
    for half, size in ((0, num_train), (1, num_held_out)):
        # Round-robin over the labels, so that any prefix is near balance.
        chosen = [splits[name][half][:size] for name in label_names]
        halves.append(
            tuple(
                Document(document.text, label, document.group)
                for row in zip(*chosen, strict=True)
                for label, document in enumerate(row)
            )
        )
    return Corpus(label_names, *halves)

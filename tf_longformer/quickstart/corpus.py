"""The task "which project wrote this file?", from files on this machine.

Every machine that has this package also has these files: the standard library
and the packages that Keras, TensorFlow and the tokenizer bring.
"""

from __future__ import annotations

import importlib.util
import os
import random
import re
import sysconfig
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tf_longformer.quickstart.cleaning import clean_source

# Files shorter than this aren't long documents. Counted in words, numbers and
# single marks; a byte-level BPE of the default size makes more of them.
MIN_TOKENS = 1000
# A table of constants can have a million characters: keep this many of each
# file at most.
MAX_CHARACTERS = 100_000
MIN_PROJECTS = 4
MIN_DOCUMENTS_PER_PROJECT = 8
HELD_OUT_FRACTION = 0.25

# Two documents are near copies if more than this part of the runs of so many
# lines of one is in the other.
_SHINGLE_LINES = 4
_MAX_SHARED = 0.1
_TOKEN = re.compile(r"\w+|[^\w\s]")

# Folders that would give a wrong or a trivial answer: tests and generated
# tables read alike everywhere, vendored code belongs to somebody else, and
# `tensorflow/python/keras` is an old copy of Keras.
SKIPPED_FOLDERS = frozenset(
    {
        "__pycache__",
        "_vendor",
        "_distutils",
        "_unicode_data",
        "dist-packages",
        "distutils",
        "encodings",
        "ensurepip",
        "idlelib",
        "keras",
        "lib2to3",
        "lib-dynload",
        "pydoc_data",
        "site-packages",
        "test",
        "testing",
        "tests",
        "turtledemo",
    }
)
_SKIPPED_PREFIXES = ("gen_", "test_")
_SKIPPED_SUFFIXES = ("_pb2.py", "_pb2_grpc.py", "_test.py")
# Label, importable package (None: the standard library), and the folder
# inside it whose children are the sub-packages.
_CANDIDATES = (
    ("python", None, ""),
    ("numpy", "numpy", ""),
    ("keras", "keras", "src"),
    ("tensorflow", "tensorflow", "python"),
    ("huggingface_hub", "huggingface_hub", ""),
)


@dataclass(frozen=True)
class Project:
    """One class of the task: a project and where its source files lie.

    Args:
        name: string. The label that users see.
        root: `Path`. The folder whose children are the project's
            sub-packages.
    """

    name: str
    root: Path

    def source_files(self) -> Iterator[tuple[str, Path]]:
        """Walks over the project's own source files in a fixed order.

        Yields:
            Pairs `(group, path)`. `group` is the sub-package (or, for a
            module that lies directly in the root, the module): the unit
            that the train/held-out split never divides.
        """
        for folder, children, files in os.walk(self.root):
            children[:] = sorted(
                child for child in children if child not in SKIPPED_FOLDERS
            )
            for file in sorted(files):
                if (
                    file.endswith(".py")
                    and not file.startswith(_SKIPPED_PREFIXES)
                    and not file.endswith(_SKIPPED_SUFFIXES)
                ):
                    path = Path(folder, file)
                    group = path.relative_to(self.root).parts[0]
                    yield group.removesuffix(".py"), path


def find_projects() -> list[Project]:
    """Finds the projects that are installed beside this package.

    Nothing is imported: the packages are only located.

    Returns:
        A list of `Project`, in a fixed order.
    """
    projects = []
    for name, package, folder in _CANDIDATES:
        if package is None:
            root = Path(sysconfig.get_path("stdlib"))
        else:
            spec = importlib.util.find_spec(package)
            if spec is None or not spec.submodule_search_locations:
                continue
            root = Path(next(iter(spec.submodule_search_locations)))
        root = root / folder
        if root.is_dir():
            projects.append(Project(name, root))
    return projects


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

"""Long documents that lie on every machine, and how they are searched.

Each module of the standard library that explains itself at length is a
document: its docstrings, one after the other. A question finds the documents
whose vectors point where its own does.
"""

from __future__ import annotations

import ast
import os
import sysconfig
import warnings
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_longformer.quickstart.corpus import SKIPPED_FOLDERS
from tf_longformer.tasks import embed

QUESTIONS = (
    "How do I send an e-mail?",
    "How do I find the median of numbers?",
    "What day of the week is it?",
)
# Shorter ones say too little, and of longer ones the beginning says enough.
_MIN_WORDS = 300
_MAX_CHARACTERS = 8000


class Found(NamedTuple):
    """What answers a question.

    Args:
        names: list of strings, of the best documents, the best first.
        cosines: list of floats, how near they are to the question.
        passage: string, the nearest paragraph of the best document.
    """

    names: list[str]
    cosines: list[float]
    passage: str


def read_documents(root: Path | None = None) -> dict[str, str]:
    """Reads what the modules of a library say about themselves.

    Nothing is imported.

    Args:
        root: `Path`, the library's folder. Defaults to the standard
            library's.

    Returns:
        Dict from a module's name to its docstrings, each with the name of
        what it is about; with an empty line between them.
    """
    root = Path(sysconfig.get_path("stdlib")) if root is None else root
    documents = {}
    for folder, children, files in os.walk(root):
        children[:] = sorted(
            child
            for child in children
            if child not in SKIPPED_FOLDERS and not child.startswith("_")
        )
        for file in sorted(files):
            path = Path(folder, file)
            parts = path.relative_to(root).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            private = parts and parts[-1].startswith("_")
            if path.suffix == ".py" and parts and not private:
                text = _explanation(path, parts[-1])
                if len(text.split()) >= _MIN_WORDS:
                    documents[".".join(parts)] = _beginning(text)
    return documents


def search(
    model: Any,
    tokenizer: Any,
    documents: dict[str, str],
    questions: Sequence[str],
    **options: Any,
) -> list[Found]:
    """Finds the documents that answer questions, and the best one's passage.

    Args:
        model: `TFLongformerModel`.
        tokenizer: its tokenizer.
        documents: dict from names to texts.
        questions: list of strings.
        **options: of `embed`.

    Returns:
        List of `Found`, one for each question.
    """
    names = list(documents)
    vectors = embed(model, tokenizer, list(documents.values()), **options)
    asked = embed(model, tokenizer, list(questions), **options)
    results = []
    for question in asked:
        cosines = vectors @ question
        best = np.argsort(-cosines)[:3]
        text = documents[names[best[0]]]
        # Each paragraph's vector has seen the whole document.
        paragraphs = embed(
            model, tokenizer, text, spans="paragraphs", **options
        )
        nearest = max(paragraphs, key=lambda one: one["embedding"] @ question)
        results.append(
            Found(
                [names[index] for index in best],
                [float(cosines[index]) for index in best],
                text[nearest["start"] : nearest["end"]],
            )
        )
    return results


def _explanation(path: Path, name: str) -> str:
    try:
        with warnings.catch_warnings():
            # Invalid escapes in other people's files are not our business.
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_text("utf-8"))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return ""
    return "\n\n".join(_docstrings(tree, name))


def _docstrings(node: ast.AST, name: str) -> Iterator[str]:
    """Yields docstrings of a module or class, and of what is public in it."""
    docstring = ast.get_docstring(node)
    if docstring:
        yield f"{name}: {docstring}"
    for child in ast.iter_child_nodes(node):
        if isinstance(
            child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ) and not child.name.startswith("_"):
            yield from _docstrings(child, child.name)


def _beginning(text: str) -> str:
    """Cuts a text at a paragraph's end."""
    if len(text) <= _MAX_CHARACTERS:
        return text
    return text[:_MAX_CHARACTERS].rpartition("\n\n")[0]

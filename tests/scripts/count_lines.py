"""Counts lines of code, docstrings and comments by folder.

Usage: python tests/scripts/count_lines.py CHECKOUT [OTHER_CHECKOUT]

Prints a Markdown table; with two checkouts, `before -> after`. A line is what
stands on it first: a docstring, an import, a comment, nothing, or code.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path

ROOTS = ("tf_longformer", "tests", "benchmarks", "examples")
COLUMNS = ("files", "lines", "code", "docstrings", "comments", "imports")


def count(source: str) -> Counter[str]:
    """Counts the lines of one module."""
    kinds: dict[int, str] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found, kind = node, "imports"
        elif isinstance(
            node,
            ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
        ) and (ast.get_docstring(node) is not None):
            found, kind = node.body[0], "docstrings"
        else:
            continue
        for number in range(found.lineno, (found.end_lineno or 0) + 1):
            kinds[number] = kind
    lines = source.splitlines()
    for number, line in enumerate(lines, 1):
        text = line.strip()
        default = "comments" if text.startswith("#") else "code"
        kinds.setdefault(number, default if text else "empty")
    return Counter(kinds.values()) + Counter(files=1, lines=len(lines))


def count_checkout(checkout: Path) -> dict[str, Counter[str]]:
    """Counts by folder, and in all for each root."""
    totals: dict[str, Counter[str]] = {}
    for root in ROOTS:
        for path in sorted((checkout / root).rglob("*.py")):
            inner = path.relative_to(checkout / root).parts[:-1]
            folder = "/".join([root, *inner[:1]])
            found = count(path.read_text("utf-8"))
            for name in (f"{folder}/", f"{root}, in all"):
                totals.setdefault(name, Counter()).update(found)
    return totals


def main() -> None:
    """Prints the table."""
    counts = [count_checkout(Path(folder)) for folder in sys.argv[1:3]]
    print("| |", " | ".join(COLUMNS), "|")
    print("|---" * (1 + len(COLUMNS)) + "|")
    for folder in sorted({name for found in counts for name in found}):
        cells = [
            " -> ".join(
                str(found.get(folder, Counter())[column]) for found in counts
            )
            for column in COLUMNS
        ]
        print("|", folder, "|", " | ".join(cells), "|")


if __name__ == "__main__":
    main()

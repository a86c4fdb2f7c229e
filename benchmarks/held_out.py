"""Copies texts without passages that stand in documents held out, too.

Usage:

    python benchmarks/held_out.py TEXTS HELD_OUT.jsonl [...] OUTPUT

`TEXTS` is a folder of `.txt` files; lines of the others are objects with
`text`. A paragraph goes where one of its runs of eight words in a row stands
in a document held out. What was found is printed.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

RUN = 8  # words


def runs(text: str) -> list[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return list(zip(*(words[i:] for i in range(RUN)), strict=False))


def main() -> None:
    """Copies, and prints the shares that were left out."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("texts", type=Path)
    parser.add_argument("held_out", type=Path, nargs="+")
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    known: set[tuple[str, ...]] = set()
    count = 0
    for path in arguments.held_out:
        for line in path.read_text("utf-8").split("\n"):
            if line.strip():
                known.update(runs(json.loads(line)["text"]))
                count += 1
    print(f"held out: {count} documents, {len(known):,} runs of {RUN} words")
    arguments.output.mkdir(exist_ok=True, parents=True)
    print("| text | runs of words | in those held out | characters left |")
    print("|---|---|---|---|")
    files = sorted(arguments.texts.glob("*.txt"))
    found_in, dropped = 0, 0
    for path in files:
        text = path.read_text("utf-8")
        found, total, kept = 0, 0, []
        for paragraph in re.split(r"\n\s*\n", text):
            of_paragraph = runs(paragraph)
            shared = sum(run in known for run in of_paragraph)
            total += len(of_paragraph)
            found += shared
            if not shared:
                kept.append(paragraph)
        left = "\n\n".join(kept)
        (arguments.output / path.name).write_text(left, "utf-8")
        found_in += found > 0
        dropped += len(text) - len(left)
        if found:
            share = len(left) / len(text)
            print(f"| {path.stem} | {total:,} | {found} | {share:.2%} |")
    print(
        f"{len(files)} texts, {found_in} with a run that is held out; "
        f"{dropped:,} characters left out"
    )


if __name__ == "__main__":
    main()

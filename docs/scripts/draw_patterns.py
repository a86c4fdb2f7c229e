"""Draws the pictures of what attends to what, as SVG.

Usage: python docs/scripts/draw_patterns.py

writes `docs/pictures/*.svg`. A test compares them with what this draws, and the
pattern with the attention of a model.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

FOLDER = Path(__file__).parents[1] / "pictures"
CELL = 9
# Light colours, and dark ones for those who prefer them. A picture brings its
# background, as it can't know that of the page.
STYLE = """\
svg { font: 12px system-ui, sans-serif; }
.paper { fill: #ffffff; } .ink { fill: #1f2328; } .note { fill: #59636e; }
.none { fill: #eef1f4; } .window { fill: #30638e; } .column { fill: #e0a030; }
.row { fill: #c73e52; }
.line { stroke: #59636e; stroke-width: 1.2; fill: none; }
@media (prefers-color-scheme: dark) {
.paper { fill: #1b1f26; } .ink { fill: #e6edf3; } .note { fill: #9aa4af; }
.none { fill: #2b313a; } .window { fill: #5b9bd0; } .column { fill: #e3b35a; }
.row { fill: #e2697a; } .line { stroke: #9aa4af; }
}"""


def kind(query: int, key: int, radius: int, globals_: Collection[int]) -> str:
    """Returns why a query sees a key, or `"none"` if it doesn't.

    Args:
        query: position of the token that attends.
        key: position of the token that may be attended to.
        radius: half the window.
        globals_: positions of the global tokens.
    """
    if query in globals_:
        return "row"
    if key in globals_:
        return "column"
    return "window" if abs(query - key) <= radius else "none"


def _text(x: float, y: float, words: str, look: str = "", **extra: str) -> str:
    style = "".join(f' {name}="{value}"' for name, value in extra.items())
    return (
        f'<text x="{x:g}" y="{y:g}" class="{look or "ink"}"{style}>'
        f"{escape(words)}</text>"
    )


def _box(x: float, y: float, width: float, height: float, look: str) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" '
        f'class="{look}"/>'
    )


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    return (
        f'<path d="M{x1:g} {y1:g} L{x2:g} {y2:g}" class="line" '
        'marker-end="url(#head)"/>'
    )


def _picture(
    width: float, height: float, title: str, parts: Iterable[str]
) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" '
            f'height="{height:g}" viewBox="0 0 {width:g} {height:g}" role="img"'
            f' aria-label="{escape(title)}">',
            f"<style>\n{STYLE}\n</style>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" '
            'markerWidth="7" markerHeight="7" orient="auto"><path class="note" '
            'd="M0 0 L8 4 L0 8 z"/></marker></defs>',
            '<rect class="paper" width="100%" height="100%" rx="8"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _map(
    x: float,
    y: float,
    seq: int,
    radius: int,
    globals_: Collection[int],
    cell: float = CELL,
) -> list[str]:
    """Draws who attends to whom: a query a row, a key a column."""
    parts = []
    for query in range(seq):
        kinds = [kind(query, key, radius, globals_) for key in range(seq)]
        start = 0
        # Neighbours that look alike are one box.
        for key in range(1, seq + 1):
            if key == seq or kinds[key] != kinds[start]:
                box = (
                    x + start * cell,
                    y + query * cell,
                    (key - start) * cell,
                    cell - 0.6,
                    kinds[start],
                )
                parts.append(_box(*box))
                start = key
    return parts


def _legend(
    x: float, y: float, entries: Iterable[tuple[str, str]]
) -> list[str]:
    parts = []
    for number, (look, words) in enumerate(entries):
        parts.append(_box(x, y + 22 * number - 10, 12, 12, look))
        parts.append(_text(x + 20, y + 22 * number, words))
    return parts


def draw_pattern() -> str:
    """The band of the window, and two global tokens."""
    seq, radius, globals_ = 36, 4, (0, 21)
    side = seq * CELL
    parts = _map(60, 46, seq, radius, globals_)
    parts += [
        _text(60, 22, "the token that is attended to", "note"),
        _arrow(230, 18, 300, 18),
        _text(36, 46, "the token that attends", "note",
              transform="rotate(90 36 46)"),
        _arrow(40, 180, 40, 250),
        _text(60 - 6, 40, "0"),
        _text(60 + 21 * CELL - 3, 40, "21"),
    ]  # fmt: skip
    parts += _legend(
        60 + side + 30,
        80,
        [
            ("window", "a window of neighbours on either side"),
            ("column", "global tokens, seen by all"),
            ("row", "global tokens, which see all"),
            ("none", "not computed"),
        ],
    )
    notes = (
        "Twice as many tokens make the band twice as long,",
        "not four times as large. Layers above one another",
        "carry on what a window has seen; a global token",
        "carries it everywhere in one step.",
    )
    for number, words in enumerate(notes):
        parts.append(
            _text(60 + side + 30, 200 + 19 * number, words, "note")
        )  # fmt: skip
    title = "A band along the diagonal, and the rows and columns of two tokens"
    return _picture(60 + side + 360, side + 62, title, parts)


def draw_tasks() -> str:
    """The global tokens that each head has by default."""
    tasks = (
        ("masked words, tags", "no token"),
        ("classification", "the first token"),
        ("question answering", "the question"),
        ("multiple choice", "the choice"),
    )
    chosen: tuple[tuple[int, ...], ...] = (
        (),
        (0,),
        tuple(range(6)),
        tuple(range(18, 24)),
    )
    cell, seq = 6, 24
    side = cell * seq
    parts = []
    for number, (name, which) in enumerate(tasks):
        x = 24 + number * (side + 48)
        parts.append(_text(x, 26, name))
        parts.append(_text(x, 44, f"global: {which}", "note"))
        parts += _map(x, 78, seq, 2, chosen[number], cell)
        for token in range(seq):
            look = "column" if token in chosen[number] else "none"
            parts.append(_box(x + token * cell, 58, cell - 0.8, 10, look))
    title = "Default global tokens of each head, and the pattern that follows"
    return _picture(24 + 4 * (side + 48), 78 + side + 20, title, parts)


def draw_blocks() -> str:
    """One block of queries, its range of keys, and the columns."""
    x, y, unit, height = 40, 120, 84, 34
    parts = [
        _text(x, 26, "One block of 128 queries, of a sequence of 1,024"),
        _text(x, 46, "window 512: 256 keys on either side", "note"),
        _text(x, y - 44, "queries", "note"),
        _text(x, y + height + 78, "keys and values", "note"),
    ]
    lower = y + height + 88
    for number in range(8):
        look = "row" if number == 3 else "none"
        parts.append(_box(x + number * unit, y - 36, unit - 2, height, look))
        look = "window" if 1 <= number <= 5 else "none"
        parts.append(_box(x + number * unit, lower, unit - 2, height, look))
        parts.append(
            _text(x + number * unit + 6, y - 14, f"{number * 128:,}")
        )  # fmt: skip
    parts += [
        _arrow(x + 3 * unit + 10, y + 2, x + unit + 4, lower - 4),
        _arrow(x + 4 * unit - 12, y + 2, x + 6 * unit - 6, lower - 4),
        _box(x + 8 * unit + 30, lower, 30, height, "column"),
        _arrow(x + 4 * unit - 4, y - 10, x + 8 * unit + 44, lower - 4),
        _text(x + 8 * unit + 6, lower + height + 18, "16 global keys"),
        _text(x + unit, lower + height + 18, "640 keys: all their windows"),
        _text(
            x,
            lower + height + 52,
            "One softmax over 640 + 16 scores for each query: 12 heads take "
            "4 MB, which stay in the cache. Then the next block.",
            "note",
        ),
    ]  # fmt: skip
    title = "A block of queries meets one range of keys and the global keys"
    return _picture(x + 8 * unit + 120, lower + height + 74, title, parts)


PICTURES = {
    "pattern.svg": draw_pattern,
    "tasks.svg": draw_tasks,
    "blocks.svg": draw_blocks,
}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        (FOLDER / name).write_text(draw(), "utf-8")

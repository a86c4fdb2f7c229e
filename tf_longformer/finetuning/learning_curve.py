"""The learning curve of a run as a picture, in SVG."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT, _MARGIN = 640, 240, 48
_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e")


def draw_learning_curve(history: Sequence[Mapping[str, Any]]) -> str:
    """Draws losses in one diagram, and each other metric in one of its own.

    Args:
        history: dicts of `step` and of metrics by name, in order.

    Returns:
        The text of an SVG file.
    """
    names = [
        name
        for name in dict.fromkeys(name for entry in history for name in entry)
        if name not in ("step", "epoch", "learning_rate")
    ]
    losses = [name for name in names if name in ("loss", "val_loss")]
    panels = [losses] if losses else []
    panels += [[name] for name in names if name not in losses]
    parts = [
        _panel(history, panel, number * _HEIGHT)
        for number, panel in enumerate(panels)
    ]
    height = _HEIGHT * max(len(panels), 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" '
        f'height="{height}" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>\n'
        + "".join(parts)
        + "</svg>\n"
    )


def _panel(
    history: Sequence[Mapping[str, Any]], names: Sequence[str], top: int
) -> str:
    """Draws some metrics over the steps, `top` pixels from above."""
    last = max([entry["step"] for entry in history] + [1])
    values = [entry[n] for entry in history for n in names if n in entry]
    low, high = min(values), max(values)
    if low == high:
        # Half of a large number, as 0.5 changes nothing about it.
        margin = max(0.5, abs(low) / 2)
        low, high = low - margin, high + margin
    left, right = _MARGIN, _WIDTH - _MARGIN
    bottom, ceiling = top + _HEIGHT - _MARGIN, top + _MARGIN

    def place(step: float, value: float) -> str:
        x = left + (right - left) * step / last
        y = bottom - (bottom - ceiling) * (value - low) / (high - low)
        return f"{x:.1f},{y:.1f}"

    lines = [
        f'<path d="M{left},{ceiling} V{bottom} H{right}" fill="none" '
        'stroke="black"/>',
        _text(left - 4, ceiling + 4, f"{high:.4g}", "end"),
        _text(left - 4, bottom, f"{low:.4g}", "end"),
        _text(left, bottom + 16, "0", "middle"),
        _text(right, bottom + 16, f"{last:,} steps", "end"),
    ]
    for number, name in enumerate(names):
        colour = _COLOURS[number % len(_COLOURS)]
        points = [
            place(entry["step"], entry[name])
            for entry in history
            if name in entry
        ]
        lines.append(
            f'<polyline points="{" ".join(points)}" fill="none" '
            f'stroke="{colour}" stroke-width="2"/>'
        )
        lines += [
            f'<circle cx="{x}" cy="{y}" r="2.5" fill="{colour}"/>'
            for x, y in (point.split(",") for point in points)
        ]
        title = name.removeprefix("val_") if len(names) == 1 else name
        lines.append(
            _text(left + 8 + 90 * number, top + 32, title, "start", colour)
        )
    return "\n".join(lines) + "\n"


def _text(
    x: float, y: float, text: str, anchor: str, colour: str = "black"
) -> str:
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(text)}</text>"
    )

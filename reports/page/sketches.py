"""Small pictures of a few numbers, as SVG: strips, slopes, bars and curves.

They have no axes: the words beside them and the tables have the figures.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

_WIDTH, _HEIGHT, _PAD = 240, 66, 8

Strip = tuple[str, Sequence[float], str]


def _picture(parts: Sequence[str], label: str, height: float = _HEIGHT) -> "Markup":
    from markupsafe import Markup, escape

    body = "".join(parts)
    size = f'viewBox="0 0 {_WIDTH} {height:g}" width="{_WIDTH}" height="{height:g}"'
    return Markup(
        f'<svg class="sketch" role="img" aria-label="{escape(label)}" {size}>{body}</svg>'
    )


def _place(values: Sequence[float], logarithmic: bool = False) -> tuple[float, float]:
    """Where 0 and 1 of the picture's width lie; a little beyond the values."""
    known = [math.log(value) for value in values] if logarithmic else list(values)
    low, high = min(known), max(known)
    room = 0.06 * (high - low) or 0.05
    return low - room, high + room


def strips(rows: Sequence[Strip], label: str, logarithmic: bool = False) -> "Markup":
    """One row of dots for each of some sets of numbers, on one axis: (name, values, colour)."""
    from markupsafe import escape

    low, high = _place([value for _, values, _ in rows for value in values], logarithmic)
    height = 30 * len(rows) + 6
    parts = []
    for place, (name, values, colour) in enumerate(rows):
        y = 30 * place + 24
        parts.append(f'<text class="soft" x="0" y="{y - 11}">{escape(name)}</text>')
        parts.append(f'<line class="grid" x1="{_PAD}" x2="{_WIDTH - _PAD}" y1="{y}" y2="{y}"/>')
        for value in values:
            at = math.log(value) if logarithmic else value
            x = _PAD + (at - low) / (high - low) * (_WIDTH - 2 * _PAD)
            style = f'style="--c:var({colour})"'
            parts.append(f'<circle class="dot" {style} cx="{x:.1f}" cy="{y}" r="4"/>')
    return _picture(parts, label, height)


def slopes(pairs: Sequence[tuple[float, float]], ends: tuple[str, str], label: str) -> "Markup":
    """A line from the first to the second of each pair, between two named ends."""
    from markupsafe import escape

    low, high = _place([value for pair in pairs for value in pair])
    left, right, top, bottom = 60, _WIDTH - 60, 20, 110

    def y(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - top)

    parts = [
        f'<rect class="hatched" x="{right - 14}" y="{top - 4}" width="28" '
        f'height="{bottom - top + 8}"/>',
        f'<text class="soft" text-anchor="middle" x="{left}" y="12">{escape(ends[0])}</text>',
        f'<text class="soft" text-anchor="middle" x="{right}" y="12">{escape(ends[1])}</text>',
    ]
    for first, second in pairs:
        a, b = y(first), y(second)
        parts.append(f'<line class="slope" x1="{left}" x2="{right}" y1="{a:.1f}" y2="{b:.1f}"/>')
        parts.append(f'<circle class="dot" cx="{left}" cy="{a:.1f}" r="3"/>')
        parts.append(f'<circle class="dot" cx="{right}" cy="{b:.1f}" r="3"/>')
    for end in (min(v for pair in pairs for v in pair), max(v for pair in pairs for v in pair)):
        parts.append(f'<text class="soft" x="0" y="{y(end) + 4:.1f}">{end:.3f}</text>')
    return _picture(parts, label, bottom + 10)


def bars(counts: Sequence[int], ends: tuple[str, str], label: str) -> "Markup":
    """One bar for each count; the first and the last are named."""
    from markupsafe import escape

    most = max([*counts, 1])
    wide = (_WIDTH - 2 * _PAD) / len(counts)
    parts = []
    for place, count in enumerate(counts):
        height = 44 * count / most
        x, y = _PAD + place * wide, 48 - height
        parts.append(
            f'<rect class="block" x="{x:.1f}" y="{y:.1f}" width="{wide * 0.8:.1f}" '
            f'height="{height:.1f}"/>'
        )
    parts.append(f'<text class="soft" x="{_PAD}" y="62">{escape(ends[0])}</text>')
    parts.append(
        f'<text class="soft" text-anchor="end" x="{_WIDTH - _PAD}" y="62">{escape(ends[1])}</text>'
    )
    return _picture(parts, label)


def curves(lines: Sequence[Sequence[tuple[float, float]]], label: str) -> "Markup":
    """One line through the points (share, value) of each system; shares from 0 to 1."""
    low, high = _place([value for line in lines for _, value in line])
    parts = [f'<line class="grid" x1="{_PAD}" x2="{_WIDTH - _PAD}" y1="50" y2="50"/>']
    for line in lines:
        points = " ".join(
            f"{_PAD + share * (_WIDTH - 2 * _PAD):.1f},{46 - (value - low) / (high - low) * 40:.1f}"
            for share, value in line
        )
        parts.append(f'<polyline class="slope" points="{points}"/>')
    parts.append(f'<text class="soft" text-anchor="end" x="{_WIDTH - _PAD}" y="62">all</text>')
    parts.append('<text class="soft" x="0" y="62">share of training rows</text>')
    return _picture(parts, label)


def split(rows: Sequence[tuple[str, Sequence[tuple[str, int, bool]]]], label: str) -> "Markup":
    """A bar for each side of a split, cut by class: (side, [(class, count, positive)])."""
    from markupsafe import escape

    most = max((sum(count for _, count, _ in parts) for _, parts in rows), default=1) or 1
    found, height = [], 44 * len(rows) + 4
    for place, (side, parts) in enumerate(rows):
        y, x = 44 * place, 0.0
        words = ", ".join(f"{count:,} {name}" for name, count, _ in parts)
        found.append(f'<text x="0" y="{y + 14}">{escape(side)}: {escape(words)}</text>')
        for _, count, positive in parts:
            wide = _WIDTH * count / most
            kind = "block positive" if positive else "block"
            found.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{y + 20}" width="{wide:.1f}" height="14"/>'
            )
            x += wide
    return _picture(found, label, height)

"""The small pictures of the board: interval bars, and time against value."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reports.board.matrix import SELECTED, BoardCell, Matrix, RowKey
from reports.board.settings import facts_of
from reports.page.families import FAMILIES
from reports.values import number

if TYPE_CHECKING:
    from markupsafe import Markup

_WIDTH, _HEIGHT = 112, 14
_PANEL, _TALL, _LEFT = 300, 190, 34
Scale = tuple[float, float]
# A mark, as the page draws them: a circle for what sees images, a diamond for what does not.
_DIAMOND = "M0 -4.4L4.4 0L0 4.4L-4.4 0z"
COLOURS = {one.name: one.colour for one in FAMILIES} | {SELECTED: "--ink"}
REFERENCE = next(one.name for one in FAMILIES if one.key == "reference")


def bar(cell: BoardCell, family: str, scale: Scale) -> "Markup":
    """The interval with its value, filled or hollow; other runs are ticks, chance is a line."""
    from markupsafe import Markup

    if cell.value != cell.value:
        return Markup("")

    def at(value: float) -> str:
        share = (value - scale[0]) / (scale[1] - scale[0])
        return f"{5 + (_WIDTH - 10) * min(max(share, 0.0), 1.0):.1f}"

    parts = [f'<path class="reference" d="M{at(0.5)} 0v{_HEIGHT}"/>']
    if cell.low == cell.low:
        parts.append(f'<path class="bar" d="M{at(cell.low)} 7H{at(cell.high)}"/>')
    parts += [f'<path class="other" d="M{at(one)} 1v12"/>' for one in cell.older if one == one]
    parts.append(_mark(cell, family, at(cell.value), "7", 3.4))
    return Markup(
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" aria-hidden="true" '
        f'style="--c:var({COLOURS[family]})">{"".join(parts)}</svg>'
    )


def _mark(cell: BoardCell, family: str, x: str, y: str, radius: float) -> str:
    kind = "dot filled" if cell.filled else "dot"
    if family == REFERENCE:
        return f'<path class="{kind}" d="{_DIAMOND}" transform="translate({x} {y})"/>'
    return f'<circle class="{kind}" cx="{x}" cy="{y}" r="{radius}"/>'


def cost_panels(matrix: Matrix, scale: Scale) -> list[dict[str, Any]]:
    """Time against value of two backbones and more that ran in one setting on one device.

    Both axes are the same in all panels.
    """
    groups: dict[tuple[int, str], list[tuple[RowKey, float, BoardCell]]] = {}
    for (row, place), cell in matrix.cells.items():
        seconds = _seconds(cell)
        if row in matrix.backbones and seconds > 0 and cell.value == cell.value:
            device = facts_of(cell.entry.run)["device"] or "a device that is not named"
            groups.setdefault((place, device), []).append((row, seconds, cell))
    groups = {key: members for key, members in groups.items() if len(members) > 1}
    times = [math.log10(one[1]) for members in groups.values() for one in members]
    if not times:
        return []
    span = math.floor(min(times)), max(math.ceil(max(times)), math.floor(min(times)) + 1)
    return [
        {
            "place": place,
            "device": device,
            "svg": _panel(members, matrix.families, scale, span),
            "rows": [
                (row[0], _plain(seconds), number(cell.value)) for row, seconds, cell in members
            ],
        }
        for (place, device), members in sorted(groups.items(), key=lambda pair: pair[0])
    ]


def _seconds(cell: BoardCell) -> float:
    times = cell.entry.system.units["training_time_s"].astype("float64")
    return float(times.mean()) if times.notna().all() else math.nan


def _plain(seconds: float) -> str:
    """Three digits, never as a power of ten."""
    return f"{float(f'{seconds:.3g}'):,.10g}"


def _panel(
    members: Sequence[tuple[RowKey, float, BoardCell]],
    families: dict[RowKey, str],
    scale: Scale,
    span: tuple[int, int],
) -> "Markup":
    from markupsafe import Markup, escape

    right, top, bottom = _PANEL - 30, 10, _TALL - 24

    def across(seconds: float) -> float:
        share = (math.log10(seconds) - span[0]) / (span[1] - span[0])
        return _LEFT + (right - _LEFT) * share

    def down(value: float) -> float:
        return bottom - (bottom - top) * (value - scale[0]) / (scale[1] - scale[0])

    parts = []
    for power in range(span[0], span[1] + 1):
        x = across(10.0**power)
        parts.append(f'<path class="grid" d="M{x:.0f} {top}V{bottom}"/>')
        parts.append(
            f'<text class="soft" text-anchor="middle" x="{x:.0f}" y="{bottom + 15}">'
            f"{10.0**power:,g} s</text>"
        )
    for tenth in range(round(scale[0] * 10), round(scale[1] * 10) + 1):
        y = down(tenth / 10)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.0f}H{right}"/>')
        parts.append(
            f'<text class="soft" text-anchor="end" x="{_LEFT - 5}" y="{y + 4:.0f}">'
            f"{tenth / 10:.1f}</text>"
        )
    points = [(across(seconds), down(cell.value)) for _, seconds, cell in members]
    for (row, seconds, cell), (x, y) in zip(members, points, strict=True):
        title = escape(
            f"{', '.join(filter(None, row[:2]))}: {number(cell.value)}, {_plain(seconds)} s"
        )
        family = families[row]
        line = f'<path class="bar" d="M{x:.1f} {down(cell.low):.1f}V{down(cell.high):.1f}"/>'
        parts.append(
            f'<g style="--c:var({COLOURS[family]})"><title>{title}</title>'
            f"{line if cell.low == cell.low else ''}"
            f"{_mark(cell, family, f'{x:.1f}', f'{y:.1f}', 4.4)}</g>"
        )
    parts += _numbers(points)
    return Markup(
        f'<svg viewBox="0 0 {_PANEL} {_TALL}" role="img" aria-label="AUC against training time">'
        f"{''.join(parts)}</svg>"
    )


def _numbers(points: Sequence[tuple[float, float]]) -> list[str]:
    """A number above each mark, as in the table below the panel; none on another."""
    parts = []
    taken: list[tuple[float, float]] = []
    for place, (x, y) in enumerate(points, start=1):
        right, above = x + 5, y - 5
        while any(abs(right - a) < 14 and abs(above - b) < 11 for a, b in taken):
            above -= 4
        taken.append((right, above))
        parts.append(f'<text class="soft" x="{right:.1f}" y="{above:.1f}">{place}</text>')
    return parts

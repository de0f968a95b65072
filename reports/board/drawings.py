"""The small pictures of the board: interval bars, and time against value."""

import math
from typing import TYPE_CHECKING, Any

from reports.board.matrix import BoardCell, Matrix
from reports.board.settings import facts_of
from reports.systems.kinds import is_reference
from reports.values import number

if TYPE_CHECKING:
    from markupsafe import Markup

_WIDTH, _HEIGHT = 96, 14
_PANEL, _TALL, _LEFT = 260, 150, 34
Scale = tuple[float, float]


def bar(cell: BoardCell, scale: Scale) -> "Markup":
    """The interval with its value, filled or hollow; older runs are ticks, chance is a line."""
    from markupsafe import Markup

    if cell.value != cell.value:
        return Markup("")

    def at(value: float) -> str:
        share = (value - scale[0]) / (scale[1] - scale[0])
        return f"{4 + (_WIDTH - 8) * min(max(share, 0.0), 1.0):.1f}"

    parts = [f'<path class="chance" d="M{at(0.5)} 0v{_HEIGHT}"/>']
    if cell.low == cell.low:
        parts.append(f'<path class="interval" d="M{at(cell.low)} 7H{at(cell.high)}"/>')
    parts += [f'<path class="older" d="M{at(one)} 2v10"/>' for one in cell.older if one == one]
    kind = "filled" if cell.filled else "hollow"
    parts.append(f'<circle class="{kind}" cx="{at(cell.value)}" cy="7" r="3"/>')
    return Markup(
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" aria-hidden="true">{"".join(parts)}</svg>'
    )


def cost_panels(matrix: Matrix, scale: Scale) -> list[dict[str, Any]]:
    """Time against value, a panel for each setting and device; both axes are the same in all."""
    groups: dict[tuple[int, str], list[tuple[str, float, BoardCell]]] = {}
    for (row, place), cell in matrix.cells.items():
        seconds = _seconds(cell)
        if not is_reference(cell.entry.system) and seconds > 0 and cell.value == cell.value:
            device = facts_of(cell.entry.run)["device"] or "a device that is not named"
            groups.setdefault((place, device), []).append((row[0], seconds, cell))
    times = [math.log10(one[1]) for members in groups.values() for one in members]
    if not times:
        return []
    span = math.floor(min(times)), max(math.ceil(max(times)), math.floor(min(times)) + 1)
    return [
        {
            "place": place,
            "device": device,
            "svg": _panel(members, scale, span),
            "rows": [
                (name, f"{seconds:.3g}", number(cell.value)) for name, seconds, cell in members
            ],
        }
        for (place, device), members in sorted(groups.items(), key=lambda pair: pair[0])
    ]


def _seconds(cell: BoardCell) -> float:
    times = cell.entry.system.units["training_time_s"].astype("float64")
    return float(times.mean()) if times.notna().all() else math.nan


def _panel(
    members: list[tuple[str, float, BoardCell]], scale: Scale, span: tuple[int, int]
) -> "Markup":
    from markupsafe import Markup, escape

    right, bottom = _PANEL - 8, _TALL - 24

    def across(seconds: float) -> float:
        share = (math.log10(seconds) - span[0]) / (span[1] - span[0])
        return _LEFT + (right - _LEFT) * share

    def down(value: float) -> float:
        return bottom - (bottom - 10) * (value - scale[0]) / (scale[1] - scale[0])

    parts = [f'<path class="axis" d="M{_LEFT} 8V{bottom}H{right}"/>']
    for power in range(span[0], span[1] + 1):
        x = across(10.0**power)
        parts.append(f'<text class="tick" x="{x:.0f}" y="{bottom + 14}">{10.0**power:g} s</text>')
    for value in scale:
        parts.append(
            f'<text class="side" x="{_LEFT - 4}" y="{down(value) + 4:.0f}">{value:.1f}</text>'
        )
    for name, seconds, cell in members:
        x, kind = across(seconds), "filled" if cell.filled else "hollow"
        title = escape(f"{name}: {number(cell.value)}, {seconds:.3g} s")
        line = (
            f'<path class="interval" d="M{x:.1f} {down(cell.low):.1f}V{down(cell.high):.1f}"/>'
            if cell.low == cell.low
            else ""
        )
        parts.append(
            f"<g><title>{title}</title>{line}"
            f'<circle class="{kind}" cx="{x:.1f}" cy="{down(cell.value):.1f}" r="4"/></g>'
        )
    return Markup(
        f'<svg viewBox="0 0 {_PANEL} {_TALL}" role="img" aria-label="AUC against training time">'
        f"{''.join(parts)}</svg>"
    )

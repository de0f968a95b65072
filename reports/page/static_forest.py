"""The first picture without a script: one line a backbone, as SVG, and the same as a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from reports.page.families import FAMILIES
from reports.page.overview import MEASURES
from reports.values import number

if TYPE_CHECKING:
    from markupsafe import Markup

# In the units of the SVG, which is scaled to the width of the page.
_WIDTH, _ROW, _LEFT, _RIGHT, _BOTTOM = 440, 34, 8, 52, 40


class StaticLine(NamedTuple):
    """One line of the picture: its words and its estimate with the ends of its interval."""

    label: str
    value: float
    low: float | None
    high: float | None
    colour: str
    filled: bool


def static_lines(group: dict[str, Any], untold: set[int] | None) -> list[StaticLine]:
    """The declared systems of a comparison without random weights, the highest first."""
    found = []
    for place, system in enumerate(group["systems"]):
        if not system.get("d") or system.get("random") or system.get("v") is None:
            continue
        value, low, high, _ = system["v"][0]
        if value is not None:
            filled = place in (untold or ()) and not group["few"]
            colour = FAMILIES[system["f"]].colour
            found.append(
                StaticLine(f"{system['e']}, {system['c']}", value, low, high, colour, filled)
            )
    return sorted(found, key=lambda line: -line.value)


def references_of(group: dict[str, Any]) -> list[tuple[str, float]]:
    """The reference points with a value, without a reading that the label was made from."""
    return [
        (system["e"], system["v"][0][0])
        for system in group["systems"]
        if system.get("o") == "reference" and not system.get("void") and system.get("v")
        if system["v"][0][0] is not None
    ]


def static_forest(
    title: str,
    lines: Sequence[StaticLine],
    points: Sequence[tuple[str, float]],
    of: str = "backbones",
) -> "Markup":
    """The picture: a name above each line, reference points dashed and named at the foot.

    `of` says what its lines are.
    """
    from markupsafe import Markup, escape

    ends = [end for line in lines for end in (line.value, line.low, line.high) if end is not None]
    ends += [value for _, value in points]
    low, high = max(min(ends, default=0) - 0.02, 0), min(max(ends, default=1) + 0.02, 1)
    foot = _ROW * len(lines) + 6
    height = foot + _BOTTOM + 16 * len(points)

    def x(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    parts = []
    for place, (name, value) in enumerate(points):
        at, y = x(value), foot + _BOTTOM + 16 * place
        parts.append(f'<line class="reference" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{foot}"/>')
        parts.append(
            f'<text class="soft" x="{_LEFT}" y="{y}">dashed: {escape(name)} {number(value)}</text>'
        )
    for tick in (round(low + part * (high - low) / 4, 2) for part in range(5)):
        parts.append(
            f'<text class="soft" text-anchor="middle" x="{x(tick):.1f}" y="{foot + 16}">'
            f"{tick:g}</text>"
        )
    for place, line in enumerate(lines):
        y = _ROW * place + 25
        style = f'style="--c:var({line.colour})"'
        parts.append(f'<text x="{_LEFT}" y="{y - 11}">{escape(line.label)}</text>')
        if line.low is not None and line.high is not None:
            parts.append(
                f'<line class="bar" {style} x1="{x(line.low):.1f}" '
                f'x2="{x(line.high):.1f}" y1="{y}" y2="{y}"/>'
            )
        kind = "dot filled" if line.filled else "dot"
        parts.append(f'<circle class="{kind}" {style} cx="{x(line.value):.1f}" cy="{y}" r="4.5"/>')
        parts.append(
            f'<text class="value" x="{_WIDTH - _RIGHT + 8}" y="{y + 4}">{number(line.value)}</text>'
        )
    label = escape(f"AUC of {len(lines)} {of}: {title}")
    body = "\n".join(parts)
    return Markup(
        f'<svg class="forest still" role="img" aria-label="{label}" '
        f'viewBox="0 0 {_WIDTH} {height}">{body}</svg>'
    )


def static_rows(group: dict[str, Any]) -> list[list[str]]:
    """The declared systems, reference points and `selected`: name, measures, time, status."""
    rows = []
    for system in group["systems"]:
        if not (system.get("d") or system.get("o")) or system.get("random"):
            continue
        values = system.get("v") or [[None] * 4] * len(MEASURES)
        time = system.get("t")
        rows.append(
            [
                ", ".join(filter(None, (system["e"], system.get("c", "")))),
                *(_estimate(*one[:3]) for one in values),
                f"{time:.3g}" if time is not None else "",
                f"did not run: {system['s']}" if system.get("s") else "ok",
            ]
        )
    return rows


def _estimate(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return ""
    limits = f" [{number(low)}, {number(high)}]" if low is not None else ""
    return f"{number(value)}{limits}"

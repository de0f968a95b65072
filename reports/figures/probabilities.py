"""What the figures of probabilities show: reliability curves and decision curves.

A panel an extractor, a line a classifier whose scores are probabilities.
"""

from typing import TYPE_CHECKING

import numpy as np

from reports.figures.drawing import FigureKind
from reports.figures.layout import Look, legend, looks_of
from reports.figures.panels import Sheet, round_ticks
from reports.statistics.probabilities import bins, net_benefit, probabilities
from reports.systems.rows import Floats
from reports.tables.calibration import THRESHOLDS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from reports.systems.entries import Entry, FigureGroup

_COLUMNS = 4
_MOST_PANELS = 48
_REFERENCE: dict[str, Look] = {
    "act on all": ("#999999", "", ":"),
    "act on none": ("#999999", "", "-"),
}


def reliability_panels(group: "FigureGroup") -> "Figure | None":
    """Share of positive rows against mean probability, in bins of equal width, repeats pooled."""
    panels = _panels(group)
    if not panels:
        return None
    look = _used(group, panels)
    sheet = Sheet(len(panels), _COLUMNS, (1.7,), look)
    ticks, limits = (0, 0.5, 1), (-0.03, 1.03)
    boxes = [box._replace(across=limits, up=limits) for (box,) in sheet.boxes]
    sheet.grid([(box, ticks, ticks) for box in boxes])
    sheet.plot([box.line([0, 1], [0, 1]) for box in boxes], color="#888888", linewidth=0.8)
    for box, entries in zip(boxes, panels.values(), strict=True):
        for entry, found in entries:
            positive = np.concatenate([rows.positive for rows in entry.system.repeats])
            points = bins(positive, np.concatenate(found))
            line = box.line([p.predicted for p in points], [p.observed for p in points])
            colour, marker, dash = look[entry.name.classifier]
            style = {"color": colour, "marker": marker, "linestyle": dash}
            sheet.plot([line], **style, linewidth=1.1, markersize=3)
    sheet.name_panels(
        boxes, panels, (ticks, "mean probability"), (ticks, f"share {group.positive}"[:24])
    )
    sheet.frame(boxes)
    legend(sheet.figure, look, lines=True)
    return sheet.figure


def decision_panels(group: "FigureGroup") -> "Figure | None":
    """Net benefit against the probability from which one acts; what goes below is cut off."""
    panels = _panels(group)
    if not panels:
        return None
    look = _used(group, panels) | _REFERENCE
    sheet = Sheet(len(panels), _COLUMNS, (1.45,), look)
    repeats = group.ran[0].system.repeats
    prevalence = float(np.mean([rows.positive.mean() for rows in repeats]))
    up, heights = round_ticks(-0.2 * prevalence, max(prevalence, 0.05), 4)
    limits = np.array(THRESHOLDS)
    ticks = (0, 0.25, 0.5, 0.75, 1)
    boxes = [box._replace(across=(0.0, 1.0), up=up) for (box,) in sheet.boxes]
    sheet.grid([(box, ticks, heights) for box in boxes])
    ones = [np.ones(len(rows.score)) for rows in repeats]
    everyone = np.array([net_benefit(repeats, ones, limit) for limit in limits])
    for box, entries in zip(boxes, panels.values(), strict=True):
        curves = {"act on all": everyone, "act on none": np.zeros(len(limits))}
        for entry, found in entries:
            benefits = [net_benefit(entry.system.repeats, found, limit) for limit in limits]
            curves[entry.name.classifier] = np.array(benefits)
        for name, curve in curves.items():
            colour, _, dash = look[name]
            inside = np.where(curve >= up[0], curve, np.nan)
            sheet.plot([box.line(limits, inside)], color=colour, linestyle=dash, linewidth=1.1)
    sheet.name_panels(boxes, panels, (ticks, "acted on from probability"), (heights, "net benefit"))
    sheet.frame(boxes)
    legend(sheet.figure, look, lines=True)
    return sheet.figure


def _panels(group: "FigureGroup") -> "dict[str, list[tuple[Entry, list[Floats]]]]":
    """Entries with their probabilities by extractor; none under an audit protocol."""
    panels: dict[str, list[tuple[Entry, list[Floats]]]] = {}
    for entry in [] if group.audit else group.ran:
        found = probabilities(entry.system)
        if found is not None:
            panels.setdefault(entry.name.extractor, []).append((entry, found))
    return dict(list(panels.items())[:_MOST_PANELS])


def _used(
    group: "FigureGroup", panels: "dict[str, list[tuple[Entry, list[Floats]]]]"
) -> dict[str, Look]:
    return looks_of(group, [entry for entries in panels.values() for entry, _ in entries])


RELIABILITY_FIGURE = FigureKind(
    "reliability",
    "Reliability",
    "Share of positive crops against mean probability in ten bins of equal width, a panel an "
    "extractor and a line a classifier",
    lambda _, group: reliability_panels(group),
)

DECISION_FIGURE = FigureKind(
    "decision",
    "Decision curves",
    "Net benefit against the probability from which one acts, a panel an extractor and a line a "
    "classifier, beside acting on all crops and on none",
    lambda _, group: decision_panels(group),
)

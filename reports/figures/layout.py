"""Where things stand in a figure and how a classifier looks: shared by all plots.

Sizes are in inches and margins are fixed, so that nothing has to be measured twice to be drawn.
"""

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from reports.systems.entries import Entry, FigureGroup

# Colour (from seaborn's "colorblind"; its pale pink and yellow vanish on white), marker, dash.
Look = tuple[str, str, str]
_LOOKS: dict[str, Look] = {
    "linear": ("#0173b2", "o", "-"),
    "quadratic": ("#de8f05", "s", "--"),
    "cubic": ("#029e73", "^", "-."),
    "fine gaussian": ("#cc78bc", "v", ":"),
    "medium gaussian": ("#d55e00", "D", "-"),
    "coarse gaussian": ("#56b4e9", "P", "--"),
    "softmax": ("#000000", "X", "-"),
    "logistic": ("#7f5b32", "<", "-."),
    "knn": ("#6a6a6a", ">", ":"),
    "majority": ("#a0a0a0", "*", "--"),
}
_COLOURS = ("#0173b2", "#029e73", "#d55e00", "#cc78bc", "#7f5b32", "#6a6a6a")
_MARKERS = ("h", "d", "p", "H", "8")
_DASHES = ("-", "--", "-.", ":")


def looks(group: "FigureGroup") -> dict[str, Look]:
    """Colour, marker and dash of every classifier of a group, known ones first."""
    present = dict.fromkeys(entry.name.classifier for entry in group.ran)
    known = {name: _LOOKS[name] for name in _LOOKS if name in present}
    others = [name for name in present if name not in known]
    for place, name in enumerate(others):
        # A kernel with something behind it keeps the kernel's colour.
        # Lengths 6, 5 and 4: sixty names before a combination comes back.
        kernel = _LOOKS.get(name.partition("+")[0])
        known[name] = (
            kernel[0] if kernel else _COLOURS[place % len(_COLOURS)],
            _MARKERS[place % len(_MARKERS)],
            ":" if kernel and kernel[2] != ":" else _DASHES[place % len(_DASHES)],
        )
    return known


def looks_of(group: "FigureGroup", entries: Iterable["Entry"]) -> dict[str, Look]:
    """The looks of those classifiers alone that some of the group's entries have."""
    used = {entry.name.classifier for entry in entries}
    return {name: way for name, way in looks(group).items() if name in used}


def plain_axes(
    height: float,
    left: float,
    right: float = 0.25,
    top: float = 0.15,
    bottom: float = 0.5,
    width: float = 7.6,
    look: dict[str, Look] | None = None,
) -> "tuple[Figure, Axes]":
    """One pair of axes `height` inches high inside margins; a legend gets its room below."""
    from matplotlib.figure import Figure

    bottom += legend_height(look or {})
    whole = top + height + bottom
    figure = Figure(figsize=(width, whole))
    box = (left / width, bottom / whole, 1 - (left + right) / width, height / whole)
    return figure, figure.add_axes(box)


_LEGEND_COLUMNS = 4
_LEGEND_LINE = 0.19


def legend_height(look: dict[str, Look]) -> float:
    """Inches that a legend of these entries takes."""
    return _LEGEND_LINE * -(-len(look) // _LEGEND_COLUMNS) + 0.05 if look else 0.0


def legend(figure: "Figure", look: dict[str, Look], lines: bool) -> None:
    """The classifiers, in a row or two below everything, with their dashes or markers."""
    from matplotlib.lines import Line2D

    handles: list[Any] = [
        Line2D(
            [],
            [],
            color=colour,
            linestyle=dash if lines else "none",
            marker="" if lines else marker,
            linewidth=1.4,
            markersize=5,
            label=name,
        )
        for name, (colour, marker, dash) in look.items()
    ]
    height = figure.get_figheight()
    columns = min(_LEGEND_COLUMNS, len(handles))
    figure.legend(
        # matplotlib fills column by column; read in rows, the order is then that of the panels.
        handles=[handle for column in range(columns) for handle in handles[column::columns]],
        loc="lower center",
        # Above the corner in which a synthetic run says so.
        bbox_to_anchor=(0.5, 0.12 / height),
        ncols=columns,
        frameon=False,
        handlelength=3 if lines else 1,
        columnspacing=1.6,
        borderpad=0,
    )


def plain_decades(axes: "Axes") -> None:
    """A logarithmic x axis in plain numbers (0.1, 1, 10), also between decades if there are few."""
    from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

    low, high = axes.get_xlim()
    few = np.log10(high / low) < 2
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(low, high)


def wrapped(name: str, width: int) -> str:
    """The name on at most two lines of `width` letters."""
    lines = textwrap.wrap(name, width) or [""]
    return "\n".join([lines[0], shortened(" ".join(lines[1:]), width)] if len(lines) > 1 else lines)


def shortened(name: str, width: int) -> str:
    """The name, with an ellipsis for what goes beyond `width` letters."""
    return name if len(name) <= width else f"{name[: width - 1]}…"


def spread(wanted: list[float], step: float) -> list[float]:
    """Places in 0..1 at least `step` apart, in the order wanted and near to it."""
    order = np.argsort(wanted, kind="stable")
    places = np.empty(len(wanted))
    floor = step / 2
    for index in order:
        places[index] = floor = max(wanted[index], floor)
        floor += step
    ceiling = 1 - step / 2
    for index in order[::-1]:
        places[index] = ceiling = min(places[index], ceiling)
        ceiling -= step
    return [float(place) for place in places]

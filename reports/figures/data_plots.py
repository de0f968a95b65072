"""What two figures of the data section show: counted bars, and histograms of crop sizes.

A class has one colour in all of them: blue for the negative, vermilion for the positive one.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.figures.data_counts import NEGATIVE, POSITIVE, UNLABELLED, Band, Bar
from reports.figures.layout import Look, legend, plain_axes, plain_decades, shortened

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {NEGATIVE: "#0173b2", POSITIVE: "#d55e00", UNLABELLED: "#8a8a8a"}
_DASHES = {NEGATIVE: "-", POSITIVE: "--", UNLABELLED: ":"}
_LINE = 0.155  # inches that a bar takes
_BINS = 24

ClassNames = Mapping[int, str]


def class_looks(names: ClassNames) -> dict[str, Look]:
    """Legend entries of the classes: colour, marker and dash."""
    return {
        shortened(name, 40): (_COLOURS[label], "s", _DASHES[label]) for label, name in names.items()
    }


def counted_bars(bands: Sequence[Band], names: ClassNames, axis: str, shares: bool) -> "Figure":
    """Horizontal bars under a heading for each band, each with its count and its share.

    Bars show the shares, or the counts where `shares` is false.
    """
    look = class_looks(names)
    # In lines from the top: a heading, the bars, a gap.
    lines = sum(1.9 + sum(len(row.bars) + 0.25 for row in band.rows) for band in bands)
    figure, axes = plain_axes(_LINE * lines, left=2.1, look=look)
    y, ticks, longest = 0.0, [], 0.0
    for place, band in enumerate(bands):
        top, y = y, y + 1.4
        axes.annotate(
            f"{shortened(band.name or 'all', 60)}: {_crops(band.crops)}",
            (0, y - 0.25),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="bottom",
            weight="bold",
        )
        for row in band.rows:
            ticks.append((y + len(row.bars) / 2, shortened(row.name, 32)))
            for bar in row.bars:
                longest = max(longest, _bar(axes, y + 0.5, bar, shares))
                y += 1
            y += 0.25
        y += 0.5
        if place % 2 == 0:
            axes.axhspan(top, y, color="#f1f3f5", linewidth=0, zorder=0)
    axes.set_yticks([place for place, _ in ticks], [name for _, name in ticks])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(y, 0)
    # Room for the figures behind the longest bar.
    axes.set_xlim(0, longest * 1.2 or 1)
    axes.set_xlabel(axis)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="x", color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)
    legend(figure, look, lines=False)
    return figure


def _bar(axes: "Axes", y: float, bar: Bar, shares: bool) -> float:
    """One bar with its count and share behind it; returns its length."""
    percent = 100 * bar.crops / bar.of if bar.of else 0.0
    length = percent if shares else float(bar.crops)
    axes.barh(y, length, height=0.8, color=_COLOURS[bar.label], linewidth=0, zorder=2)
    axes.annotate(
        f"{bar.crops:,} ({percent:.0f} %)",
        (length, y),
        xytext=(3, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        annotation_clip=False,
    )
    return length


def _crops(count: int) -> str:
    return f"{count:,} crop{'' if count == 1 else 's'}"


def size_panels(
    subsets: "Mapping[str, pd.DataFrame]", words: Mapping[str, str], names: ClassNames, side: int
) -> "Figure":
    """A row a subset: the longest side with the network's input as a line, and width to height.

    Height and width of all crops are known; `words` has the heading of each subset.
    """
    from matplotlib.figure import Figure

    look = class_looks(names)
    low, gap, top = 0.62 + 0.19 * (len(look) > 0), 0.52, 0.3
    panel, width = 1.35, 7.6
    height = top + len(subsets) * panel + (len(subsets) - 1) * gap + low
    figure = Figure(figsize=(width, height))
    everything = list(subsets.values())
    lengths = _log_bins([rows[["height", "width"]].max(axis=1) for rows in everything], [side])
    aspects = _log_bins([rows["width"] / rows["height"] for rows in everything], [0.5, 2.0])
    for place, (subset, rows) in enumerate(subsets.items()):
        bottom = (low + (len(subsets) - 1 - place) * (panel + gap)) / height
        last = place == len(subsets) - 1
        left = figure.add_axes((0.6 / width, bottom, 3.9 / width, panel / height))
        right = figure.add_axes((4.95 / width, bottom, 2.45 / width, panel / height))
        _histogram(left, rows, rows[["height", "width"]].max(axis=1), lengths)
        _histogram(right, rows, rows["width"] / rows["height"], aspects)
        left.axvline(side, color="#444444", linewidth=0.9, linestyle=":")
        right.axvline(1, color="#444444", linewidth=0.9, linestyle=":")
        left.set_ylabel("crops of the class, %")
        left.set_title(words[subset], loc="left", pad=3)
        left.set_xlabel(f"longest side in native pixels (dotted: {side})" if last else "")
        right.set_xlabel("width / height (dotted: square)" if last else "")
    legend(figure, look, lines=True)
    return figure


def _log_bins(values: "Sequence[pd.Series]", within: Sequence[float]) -> Any:
    """Edges of equal ratio over all values and those that must be within."""
    found = np.concatenate([*(v.to_numpy() for v in values), within])
    return np.geomspace(found.min() / 1.05, found.max() * 1.05, _BINS + 1)


def _histogram(axes: "Axes", rows: "pd.DataFrame", values: "pd.Series", edges: Any) -> None:
    """Outlines by class, each as the percentage of its class."""
    from matplotlib.ticker import MaxNLocator

    for label, inside in values.groupby(rows["label"]):
        counts, _ = np.histogram(inside, edges)
        axes.stairs(
            100 * counts / len(inside),
            edges,
            color=_COLOURS[label],
            linestyle=_DASHES[label],
            linewidth=1.2,
        )
        axes.stairs(100 * counts / len(inside), edges, color=_COLOURS[label], fill=True, alpha=0.12)
    axes.set_xscale("log")
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, None)
    plain_decades(axes)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.grid(color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)

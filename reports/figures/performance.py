"""What the figures show: plots of one group of systems, none of which ranks by test rows.

Panels and rows stand in the order of the configuration. A classifier has the same colour, marker
and dash in every figure of every report, so that it is recognised without the legend and without
colour vision.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from reports.figures.drawing import FigureKind
from reports.figures.layout import (
    Look,
    legend,
    looks,
    plain_axes,
    plain_decades,
    shortened,
    spread,
    wrapped,
)
from reports.figures.panels import Line, Sheet
from reports.statistics.precision_recall import (
    average_precision_of_chance,
    mean_precision_recall,
)
from reports.statistics.roc import mean_roc
from reports.systems.hosts import hosts_note
from reports.systems.pairs import WITHOUT_PROTOCOL
from reports.systems.schema import HOST
from reports.tables.summary import mean_counts
from reports.values import missing, short

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from reports.systems.entries import Entry, FigureGroup
    from reports.systems.pooled_run import PooledRun
    from reports.systems.rows import Floats, ScoredRows

# The classifier that ranks nothing.
CONSTANT = "majority"


def roc_panels(group: "FigureGroup") -> "Figure | None":
    """A panel an extractor, a line a classifier; the mean curve where there are several repeats.

    The majority class has no curve but the diagonal, which every panel shows.
    """
    ranking = _ranking(group.ran)
    if not ranking:
        return None
    group = group._replace(entries=ranking)
    return _curve_panels(group, mean_roc, ("1 − specificity", "sensitivity"), lambda _: [0, 1])


def precision_panels(pooled: "PooledRun", group: "FigureGroup") -> "Figure | None":
    """Precision against recall of the systems in tables/precision_recall; grey is the prevalence.

    Fewer than in the ROC curves: these two figures show the same order of the same crops.
    """
    close = pooled.close.get(group.entries[0].system.group, [])
    members = {id(system) for system in close}
    entries = [entry for entry in _ranking(group.ran) if id(entry.system) in members]
    entries = [entry for entry in entries if mean_precision_recall(entry.system.repeats)[0].size]
    if not entries:
        return None

    def prevalence(entry: "Entry") -> list[float]:
        repeats = entry.system.repeats
        return [float(np.mean([average_precision_of_chance(rows) for rows in repeats]))] * 2

    labels = ("recall (sensitivity)", "precision (PPV)")
    return _curve_panels(group._replace(entries=entries), mean_precision_recall, labels, prevalence)


def _ranking(entries: "Sequence[Entry]") -> "list[Entry]":
    return [entry for entry in entries if entry.system.identity["classifier"] != CONSTANT]


def _curve_panels(
    group: "FigureGroup",
    curve: "Callable[[Sequence[ScoredRows]], tuple[Floats, Floats]]",
    labels: tuple[str, str],
    chance: "Callable[[Entry], Sequence[float]]",
) -> "Figure":
    """A panel an extractor, a line a classifier; chance is a grey line from left to right."""
    panels = group.by_extractor()
    look = looks(group)
    sheet = Sheet(len(panels), 4, (1.8,), look, wide=1.8)
    limits, ticks = (-0.02, 1.02), (0, 0.5, 1)
    curves: dict[str, list[Line]] = {name: [] for name in look}
    boxes = [box._replace(across=limits, up=limits) for (box,) in sheet.boxes]
    for box, entries in zip(boxes, panels.values(), strict=True):
        for entry in entries:
            curves[entry.name.classifier].append(box.line(*curve(entry.system.repeats)))
    sheet.name_panels(boxes, panels, (ticks, labels[0]), (ticks, labels[1]), 33)
    sheet.grid([(box, ticks, ticks) for box in boxes])
    level = [
        box.line([0, 1], chance(entries[0]))
        for box, entries in zip(boxes, panels.values(), strict=True)
    ]
    sheet.plot(level, color="#bbbbbb", linewidth=0.7)
    for name, (colour, _, dash) in look.items():
        sheet.plot(curves[name], color=colour, linestyle=dash, linewidth=1.1)
    sheet.frame(boxes)
    legend(sheet.figure, look, lines=True)
    return sheet.figure


def auc_forest(group: "FigureGroup") -> "Figure":
    """AUC with its interval; a band an extractor, a row a classifier."""
    return _forest(group, "auc", 0.5, "AUC (dotted: chance)")


def difference_forest(group: "FigureGroup") -> "Figure":
    """Difference of AUC from the audit's twin with its interval; the rows are of leakage_audit."""
    # What is less what stands in the file, too, since it may leave the page.
    label = wrapped(f"difference of AUC (dotted: none): {group.compared}", 84)
    return _forest(group, "auc_difference", 0.0, label)


def drop_figure(table: "pd.DataFrame") -> FigureKind:
    """The figure of drops on external sets, from `reports.tables.external`."""
    return FigureKind(
        "drop",
        "Drop on the external set",
        "Difference of AUC between the internal test and an external set, a row an extractor and "
        "a marker a classifier, with bootstrap intervals over {patients} as horizontal bars",
        lambda _, group: drop_forest(table, group),
    )


def drop_forest(table: "pd.DataFrame", group: "FigureGroup") -> "Figure | None":
    """Drop of AUC on an external set with its interval; None for a group that is tested on none.

    table: `reports.tables.external`.
    """
    names = (*WITHOUT_PROTOCOL, "protocol")
    rows = {tuple(str(row[n]) for n in names): row for row in table.to_dict("records")}
    entries = []
    for entry in group.ran:
        row = rows.get(tuple(str(entry.system.identity[name]) for name in names))
        if row is not None and not missing(row["auc_drop"]):
            entries.append(entry._replace(row=row))
    if not entries:
        return None
    label = "drop of AUC: internal test less external set (dotted: none)"
    return _forest(group._replace(entries=entries), "auc_drop", 0.0, label)


def _forest(group: "FigureGroup", column: str, dotted: float, label: str) -> "Figure":
    """A column of the entries' rows with its interval; a dotted line at one value."""
    panels = group.by_extractor()
    look = looks(group)
    order = {name: place for place, name in enumerate(look)}
    height = 0.125 * sum(map(len, panels.values())) + 0.12 * len(panels)
    figure, axes = plain_axes(height, left=2.6, bottom=0.5 + 0.15 * label.count("\n"), look=look)
    rows: dict[str, list[tuple[float, Entry]]] = {name: [] for name in look}
    y, ticks = 0.0, []
    for band, (name, entries) in enumerate(panels.items()):
        top = y
        for entry in sorted(entries, key=lambda entry: order[entry.name.classifier]):
            rows[entry.name.classifier].append((y + 0.5, entry))
            y += 1
        ticks.append(((top + y) / 2, wrapped(name, 34)))
        y += 0.9
        if band % 2 == 0:
            axes.axhspan(top - 0.45, y - 0.45, color="#f1f3f5", linewidth=0, zorder=0)
    for name, placed in rows.items():
        _forest_rows(axes, placed, look[name], column)
    axes.set_yticks([place for place, _ in ticks], [name for _, name in ticks])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(y - 0.45, -0.45)
    axes.axvline(dotted, color="#888888", linewidth=0.8, linestyle=":", zorder=1)
    axes.set_xlabel(label)
    axes.grid(axis="x", color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)
    legend(figure, look, lines=False)
    return figure


def _forest_rows(
    axes: "Axes", placed: "list[tuple[float, Entry]]", look: Look, column: str
) -> None:
    """All rows of one classifier; an interval that is undefined draws nothing."""
    colour, marker, _ = look
    y = [place for place, _ in placed]
    low, high = (
        [entry.row[f"{column}_ci_{end}"] for _, entry in placed] for end in ("low", "high")
    )
    values = [entry.row[column] for _, entry in placed]
    axes.hlines(y, low, high, color=colour, linewidth=1.1, zorder=2)
    axes.plot(values, y, marker=marker, color=colour, markersize=4, linestyle="none", zorder=3)


def confusion_blocks(group: "FigureGroup") -> "Figure":
    """A block of TP, FN over FP, TN for each pair; shaded by the share of its true class."""
    import pandas as pd
    import seaborn as sns

    panels = list(group.by_extractor())
    columns = list(looks(group))
    shares = np.full((2 * len(panels), 2 * len(columns)), np.nan)
    texts = np.full(shares.shape, "", dtype=object)
    for entry in group.ran:
        row, column = panels.index(entry.name.extractor), columns.index(entry.name.classifier)
        counts = np.reshape(mean_counts(entry.system), (2, 2))
        block = np.s_[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        with np.errstate(invalid="ignore"):
            shares[block] = counts / counts.sum(axis=1, keepdims=True)
        texts[block] = [[short(round(count, 1)) for count in line] for line in counts]
    figure, axes = plain_axes(
        height=0.44 * len(panels),
        left=2.85,
        width=2.95 + max(0.92 * len(columns), 2.4) + 0.15,
        top=0.42,
        bottom=0.68,
    )
    sns.heatmap(
        pd.DataFrame(shares),
        annot=texts,
        fmt="",
        ax=axes,
        cmap="Blues",
        vmin=0,
        vmax=1.15,
        cbar=False,
        xticklabels=False,
        yticklabels=False,
        annot_kws={"size": 8},
    )
    _frame_blocks(axes, group, panels, columns)
    return figure


def _frame_blocks(
    axes: "Axes", group: "FigureGroup", panels: list[str], columns: list[str]
) -> None:
    """White lines between blocks, names beside them, + and − for the two classes."""
    for edge in range(2, 2 * len(columns), 2):
        axes.axvline(edge, color="white", linewidth=5)
    for edge in range(2, 2 * len(panels), 2):
        axes.axhline(edge, color="white", linewidth=4)
    signs = ["+", "−"]
    axes.set_xticks(np.arange(2 * len(columns)) + 0.5, signs * len(columns), rotation=0)
    axes.set_yticks(np.arange(2 * len(panels)) + 0.5, signs * len(panels), rotation=0)
    axes.tick_params(length=0, labelsize=7.5, pad=2)
    for place, name in enumerate(panels):
        axes.annotate(
            wrapped(name, 34),
            (0, 2 * place + 1),
            xycoords=("axes fraction", "data"),
            xytext=(-16, 0),
            textcoords="offset points",
            ha="right",
            va="center",
        )
    for place, name in enumerate(columns):
        axes.text(2 * place + 1, -0.12, wrapped(name, 11), ha="center", va="bottom")
    axes.figure.text(
        0.5,
        0.14 / axes.figure.get_figheight(),
        f"columns: called + {group.positive} or − {group.negative}; rows: the truth\n"
        "numbers: test crops; shade: share of the row",
        ha="center",
        va="bottom",
    )


def cost_scatter(group: "FigureGroup") -> "Figure | None":
    """AUC against training time; a marker a system, the extractors numbered above their points."""
    panels = {
        name: [entry for entry in entries if entry.row["training_time_s"] > 0]
        for name, entries in group.by_extractor().items()
    }
    panels = {name: entries for name, entries in panels.items() if entries}
    if not panels:
        return None
    look = looks(group)
    height = max(3.2, 0.17 * len(panels))
    figure, axes = plain_axes(height, left=0.7, right=2.75, top=0.5, width=8.6, look=look)
    axes.set_xscale("log")
    for name, (colour, marker, _) in look.items():
        rows = [e.row for entries in panels.values() for e in entries if e.name.classifier == name]
        seconds, auc = [row["training_time_s"] for row in rows], [row["auc"] for row in rows]
        axes.plot(seconds, auc, marker, color=colour, markersize=5, alpha=0.9)
    plain_decades(axes)
    note = hosts_note(name for entry in group.ran for name in entry.system.units[HOST])
    below = f"\n{note}" if note else ""
    axes.set_xlabel(f"training time in s: all that is spent before the first prediction{below}")
    axes.set_ylabel("AUC")
    axes.grid(color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)
    _number_above(axes, panels)
    _number_key(axes, list(panels))
    legend(figure, look, lines=False)
    return figure


def _number_above(axes: "Axes", panels: "dict[str, list[Entry]]") -> None:
    """The extractors' numbers in a row over the frame, in order of time, joined to their points."""
    low, high = np.log(axes.get_xlim())
    tops = [
        max(entries, key=lambda entry: float(entry.row["auc"])).row for entries in panels.values()
    ]
    wanted = [(np.log(row["training_time_s"]) - low) / (high - low) for row in tops]
    for number, (row, place) in enumerate(zip(tops, spread(wanted, 0.033), strict=True), 1):
        axes.annotate(
            str(number),
            (row["training_time_s"], row["auc"]),
            xytext=(place, 1.05),
            textcoords="axes fraction",
            ha="center",
            va="bottom",
            arrowprops={"arrowstyle": "-", "color": "#aaaaaa", "linewidth": 0.5, "shrinkA": 0},
        )


def _number_key(axes: "Axes", names: list[str]) -> None:
    """What the numbers stand for, at the right of the frame."""
    # The figure space is as wide as a digit, so one-digit numbers stand under two-digit ones.
    text = [f"{place:\u2007>2}  {shortened(name, 36)}" for place, name in enumerate(names, 1)]
    axes.annotate(
        "\n".join(text),
        (1, 1),
        xycoords="axes fraction",
        xytext=(12, 0),
        textcoords="offset points",
        va="top",
        linespacing=1.35,
    )


AUC_FIGURE = FigureKind(
    "auc",
    "AUC with 95 % intervals",
    "AUC of each system, a row an extractor and a marker a classifier, with bootstrap intervals "
    "over {patients} as horizontal bars",
    lambda _, group: auc_forest(group),
)

ROC_FIGURE = FigureKind(
    "roc",
    "ROC curves",
    "ROC curves, a panel an extractor and a line a classifier: sensitivity against 1 − specificity",
    lambda _, group: roc_panels(group),
)

PRECISION_FIGURE = FigureKind(
    "precision_recall",
    "Precision and recall",
    "Precision-recall curves, a panel an extractor and a line a classifier, of the systems looked "
    "at closely; grey is the prevalence, which is chance",
    precision_panels,
)

CONFUSION_FIGURE = FigureKind(
    "confusion",
    "Confusion matrices",
    "Confusion matrices, a block of two by two counts for each extractor and classifier",
    lambda _, group: confusion_blocks(group),
)

COST_FIGURE = FigureKind(
    "cost",
    "Training time against AUC",
    "Scatter plot of AUC against training time in seconds on a logarithmic axis",
    lambda _, group: cost_scatter(group),
)

AUDIT_FIGURE = FigureKind(
    "audit",
    "Audit differences",
    "Difference of AUC between an audit and the protocol beside it, a row an extractor and a "
    "marker a classifier, with bootstrap intervals over {patients} as horizontal bars",
    lambda _, group: difference_forest(group),
)

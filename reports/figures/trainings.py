"""What the figures of trainings show: loss and accuracy by epoch, and AUC by share of patients.

Small multiples, a panel a network, in the order of the configuration.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from reports.figures.drawing import FigureKind
from reports.figures.layout import Look, legend, looks_of
from reports.figures.panels import Box, Limits, Line, Sheet, round_ticks
from reports.systems.focus import by_rule
from reports.systems.groups import any_share
from reports.systems.pooling import GROUP_COLUMNS, is_whole
from reports.systems.rows import Floats
from reports.values import clean, missing

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from reports.systems.entries import Entry, FigureGroup

_COLUMNS = 4
_MOST_PANELS = 48
# Legend entry -> colour, marker, dash; then the columns of history.parquet that it stands for.
_LINES: dict[str, tuple[Look, str, str]] = {
    "training rows": (("#0173b2", "", "-"), "train_loss", "train_accuracy"),
    "held-out rows": (("#d55e00", "", "--"), "test_loss", "test_accuracy"),
    "inner validation": (("#029e73", "", ":"), "inner_loss", ""),
}


def training_panels(history: "pd.DataFrame", group: "FigureGroup") -> "Figure | None":
    """Loss above accuracy, a pair a network: the mean over trainings, thin lines for each."""
    shown = _of_group(history, group)
    networks = shown.groupby(["extractor", "weights", "recipe", "seed"], sort=False, dropna=False)
    heads = _titles([tuple(map(clean, key)) for key, _ in networks])[:_MOST_PANELS]
    if not heads:
        return None
    drawn = {name: line for name, line in _LINES.items() if shown[line[1]].notna().any()}
    look = {name: line[0] for name, line in drawn.items()}
    sheet = Sheet(len(heads), _COLUMNS, (0.85, 0.6), look, 1.62, (0.34, 0.5))
    thin: dict[str, list[Line]] = {name: [] for name in drawn}
    mean: dict[str, list[Line]] = {name: [] for name in drawn}
    ticks: list[tuple[Box, Sequence[float], Sequence[float]]] = []
    for place, (name, boxes, (_, rows)) in enumerate(
        zip(heads, sheet.boxes, networks, strict=False)
    ):
        last = rows["epoch"].max()
        # Of a single epoch there is a dash, half an epoch long.
        epochs = (1.0, float(max(last, 1.5)) if last == last else 1.5)
        losses = [column for _, column, _ in drawn.values()]
        limits, heights = _loss_ticks(rows[losses].to_numpy(dtype=np.float64))
        upper = boxes[0]._replace(across=epochs, up=limits)
        lower = boxes[1]._replace(across=epochs, up=(-0.03, 1.03))
        for line, (_, loss, accuracy) in drawn.items():
            for box, column in ((upper, loss), (lower, accuracy)):
                if column:
                    curves, average = by_epoch(rows, column)
                    thin[line] += [box.line(*curve) for curve in curves] if len(curves) > 1 else []
                    mean[line].append(box.line(*average))
        ticks += [(upper, (), heights), (lower, epochs, (0, 0.5, 1))]
        sheet.head(upper, name, 30)
        first = sheet.leftmost(place)
        sheet.name_beside(upper, heights, "loss" if first else "")
        sheet.name_beside(lower, (0, 0.5, 1) if first else (), "accuracy" if first else "")
        sheet.name_below(lower, epochs, "epoch" if sheet.lowest(place) else "")
    sheet.grid(ticks)
    for line, (colour, _, dash) in look.items():
        sheet.plot(thin[line], color=colour, linewidth=0.4, alpha=0.4)
        sheet.plot(mean[line], color=colour, linestyle=dash, linewidth=1.2)
    sheet.frame([box for boxes in sheet.boxes for box in boxes])
    legend(sheet.figure, look, lines=True)
    return sheet.figure


def _loss_ticks(losses: Floats) -> tuple[Limits, list[float]]:
    known = losses[np.isfinite(losses)]
    return round_ticks(known.min(), known.max(), 4) if len(known) else ((0.0, 1.0), [])


def _of_group(history: "pd.DataFrame", group: "FigureGroup") -> "pd.DataFrame":
    """The epochs of trainings on all training patients under the conditions of the group."""
    wanted = any_share(group.entries[0].system.group)
    same = history["train_fraction"].map(is_whole).to_numpy(dtype=bool, copy=True)
    for name, value in zip(GROUP_COLUMNS, wanted, strict=True):
        if name == "size":
            same &= np.array([f"{size:g}" == value for size in history["size"]], dtype=bool)
        elif name != "train_fraction":
            same &= (history[name].astype(str) == value).to_numpy(dtype=bool)
    return history[same]


def _titles(keys: list[tuple[str, ...]]) -> list[str]:
    """The extractors, with what else differs among those of one name."""
    parts = ("extractor", "weights", "recipe", "seed")
    titles = []
    for key in keys:
        alike = [other for other in keys if other[0] == key[0]]
        details = [
            f"{parts[place]} {key[place] or 'none'}"
            for place in range(1, len(parts))
            if len({other[place] for other in alike}) > 1
        ]
        titles.append(f"{key[0]} ({', '.join(details)})" if details else key[0])
    return titles


def by_epoch(rows: "pd.DataFrame", column: str) -> tuple[list[Line], Line]:
    """Epochs and values of each training of one network, and of the mean over trainings.

    A value at one epoch alone is held for half an epoch, so that a line shows it.
    """
    known = rows.dropna(subset=["epoch", column]).sort_values("epoch", kind="stable")
    curves = [
        (rows["epoch"].to_numpy(np.float64), rows[column].to_numpy(np.float64))
        for _, rows in known.groupby("training", sort=False)
    ]
    mean = known.groupby("epoch")[column].mean()
    epochs, values = mean.index.to_numpy(np.float64), mean.to_numpy(np.float64)
    if len(mean) == 1:
        epochs, values = np.append(epochs, epochs + 0.5), np.repeat(values, 2)
    return curves, (epochs, values)


def learning_panels(group: "FigureGroup") -> "Figure | None":
    """AUC against the share of the training patients; which classifiers is a fixed rule.

    A network's own head, and the medium Gaussian SVM on its features; where the run has neither,
    the first classifier of the configuration.
    """
    shown = {
        name: by_rule((str(entry.system.identity["classifier"]), entry) for entry in entries)
        for name, entries in list(group.by_extractor().items())[:_MOST_PANELS]
    }
    drawn = [entry for entries in shown.values() for entry in entries]
    if len({_percent(entry) for entry in drawn}) < 2:
        return None
    look = looks_of(group, drawn)
    low, high = _limits(drawn)
    up, heights = round_ticks(low, high, 5)
    shares = (0, 25, 50, 75, 100)
    sheet = Sheet(len(shown), _COLUMNS, (1.45,), look)
    boxes = [box._replace(across=(0.0, 104.0), up=up) for (box,) in sheet.boxes]
    sheet.grid([(box, shares, heights) for box in boxes])
    chance = [box.line(box.across, [0.5, 0.5]) for box in boxes]
    sheet.plot(chance, color="#888888", linewidth=0.8, linestyle=":")
    for box, entries in zip(boxes, shown.values(), strict=True):
        for classifier, way in look.items():
            _curve(sheet, box, [e for e in entries if e.name.classifier == classifier], way)
    sheet.name_panels(boxes, shown, (shares, f"training {group.patients}, %"), (heights, "AUC"))
    sheet.frame(boxes)
    legend(sheet.figure, look, lines=True)
    return sheet.figure


def _percent(entry: "Entry") -> float:
    fraction = entry.system.identity["train_fraction"]
    return 100.0 if is_whole(fraction) else 100 * float(fraction)


def _curve(sheet: Sheet, box: Box, entries: "list[Entry]", way: Look) -> None:
    """The mean over draws, their std as bars, and the bootstrap interval as a band."""
    colour, marker, dash = way
    entries = sorted(entries, key=_percent)
    share = np.array([_percent(entry) for entry in entries])

    def column(name: str) -> Floats:
        return np.array([entry.row[name] for entry in entries], dtype=np.float64)

    low, high = column("auc_ci_low"), column("auc_ci_high")
    x, bottom = box.line(share, low)
    sheet.axes.fill_between(x, bottom, box.line(share, high)[1], color=colour, alpha=0.12, lw=0)
    auc, std = column("auc"), np.nan_to_num(column("auc_std"))
    bars = zip(share, auc - std, auc + std, strict=True)
    sheet.plot([box.line([x, x], ends) for x, *ends in bars], color=colour, linewidth=0.8)
    sheet.plot(
        [box.line(share, auc)],
        **{"color": colour, "marker": marker, "linestyle": dash, "linewidth": 1.1, "markersize": 3},
    )


def _limits(entries: "list[Entry]") -> tuple[float, float]:
    """The same range for all panels: what is drawn, chance included."""
    rows = [entry.row for entry in entries]
    stds = [0.0 if missing(row["auc_std"]) else row["auc_std"] for row in rows]
    ends = [
        row["auc"] + sign * std for row, std in zip(rows, stds, strict=True) for sign in (-1, 1)
    ]
    ends += [row[name] for row in rows for name in ("auc_ci_low", "auc_ci_high")]
    known = [float(value) for value in ends if not missing(value)]
    return min([*known, 0.5]), max([*known, 0.5])


TRAINING_FIGURE = FigureKind(
    "training",
    "Training curves",
    "Loss above accuracy by epoch, a panel a trained network: training rows as solid and held-out "
    "rows as dashed lines",
    lambda pooled, group: training_panels(pooled.run.history, group),
)

LEARNING_FIGURE = FigureKind(
    "learning",
    "Learning curves",
    "AUC against the share of the training {patients}, a panel an extractor and a line a "
    "classifier, with bootstrap intervals over {patients} as bands",
    lambda _, group: learning_panels(group),
)

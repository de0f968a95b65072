"""A forest and a ROC figure as wide as a column, in the look of all figures."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from reports.figures.drawing import Drawing, finished, style
from reports.figures.layout import wrapped
from reports.paper.latex import estimate_text, localised
from reports.paper.request import PaperRequest
from reports.statistics.roc import mean_roc
from reports.systems.pooling import PooledSystem
from reports.tables.headings import heading

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# From seaborn's "colorblind", as in the other figures; dashes tell lines apart without colour.
_COLOURS = ("#0173b2", "#d55e00", "#029e73", "#cc78bc", "#7f5b32", "#000000")
_DASHES = ("-", "--", "-.", ":")
_POINTS = 72
# Width of a letter, as a share of its size.
_LETTER = 0.56


class PaperSystem(NamedTuple):
    """A system of a paper: what it is called, the system, and its estimates."""

    name: str
    system: PooledSystem
    row: Mapping[str, Any]


def paper_figures(
    shown: Sequence[PaperSystem], request: PaperRequest, title: str, mark: str, synthetic: bool
) -> list[Drawing]:
    """The forest of the first measure, and the ROC curves.

    Parameters
    ----------
    shown : Sequence[PaperSystem]
        The systems from top to bottom.
    request : PaperRequest
        Width, size of letters, decimal separator.
    title : str
        Subset and protocol.
    mark : str
        What is put to the figures of an audit; empty otherwise.
    synthetic : bool
        Whether the figures have to say so.

    Returns
    -------
    list[Drawing]
        With both files each.
    """
    measure = heading(request.measures[0])
    made = [
        ("forest", f"{measure} with 95 % intervals: {title}", _forest),
        ("roc", f"ROC curves: {title}", _roc),
    ]
    drawings = []
    for slug, words, draw in made:
        with style(slug), _sized(request.font_size):
            figure = draw(shown, request)
            if mark:
                note = {"color": "#a02020", "size": 0.85 * request.font_size}
                figure.text(0.01, 0.005, mark, ha="left", va="bottom", **note)
            drawing = Drawing(slug, slug, "", words, words, b"", b"")
            drawings.append(finished(drawing, figure, synthetic))
    return drawings


def _sized(points: float) -> "AbstractContextManager[None]":
    import matplotlib as mpl

    names = ("font.size", "axes.titlesize", "axes.labelsize", "legend.fontsize")
    sizes = dict.fromkeys((*names, "xtick.labelsize", "ytick.labelsize"), points)
    found: AbstractContextManager[None] = mpl.rc_context(sizes)
    return found


def _forest(shown: Sequence[PaperSystem], request: PaperRequest) -> "Figure":
    """Names, intervals, and the figures themselves at the right."""
    from matplotlib.figure import Figure

    measure, size = request.measures[0], request.font_size / _POINTS
    texts = [" ".join(estimate_text(one.row, measure, request.decimal)).strip() for one in shown]
    letter = _LETTER * size
    left = letter * max(len(one.name) for one in shown) + 0.1
    right = min(letter * max(map(len, texts)) + 0.08, 0.6 * request.width)
    # Names that would leave no room for the bars stand above them.
    above = left > 0.3 * request.width
    left = 0.1 if above else left
    below, step = 3.6 * size, (3.2 if above else 2.1) * size
    height = below + step * len(shown) + 0.08
    figure = Figure(figsize=(request.width, height))
    axes = figure.add_axes(
        (
            left / request.width,
            below / height,
            1 - (left + right) / request.width,
            step * len(shown) / height,
        )
    )
    for place, one in enumerate(shown):
        low, high = (one.row[f"{measure}_ci_{end}"] for end in ("low", "high"))
        axes.hlines(place, low, high, color=_COLOURS[0], linewidth=1.2)
        axes.plot(one.row[measure], place, "o", color=_COLOURS[0], markersize=4)
        axes.annotate(
            texts[place],
            (1, place),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
        )
        if above:
            axes.annotate(
                one.name,
                (0, place),
                xycoords=("axes fraction", "data"),
                xytext=(2, 0.7 * request.font_size),
                textcoords="offset points",
                va="bottom",
            )
    axes.set_yticks(range(len(shown)), ["" if above else one.name for one in shown])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(shown) - (0.6 if above else 0.5), -0.7 if above else -0.5)
    if measure == "auc":
        axes.axvline(0.5, color="#888888", linewidth=0.8, linestyle=":", zorder=0)
    axes.set_xlabel(f"{heading(measure)}, 95 % interval")
    axes.grid(axis="x", color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)
    _ticks(axes, request.decimal, across=3)
    return figure


def _roc(shown: Sequence[PaperSystem], request: PaperRequest) -> "Figure":
    """One square, a line a system, the names below it."""
    from matplotlib.figure import Figure

    size = request.font_size / _POINTS
    left, right, labels = 4.2 * size, 0.12, 3.4 * size
    side = request.width - left - right
    letters = int((request.width - 3.2 * size) / (_LETTER * size))
    labels_of = [_in_legend(one, request, letters) for one in shown]
    legend = 1.55 * size * sum(label.count("\n") + 1 for label in labels_of) + 0.1
    # The lowest line is that of marks.
    height = 1.4 * size + legend + labels + side + 0.1
    figure = Figure(figsize=(request.width, height))
    floor = 1.4 * size + legend + labels
    axes = figure.add_axes(
        (left / request.width, floor / height, side / request.width, side / height)
    )
    axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=0.8)
    for place, one in enumerate(shown):
        axes.plot(
            *mean_roc(one.system.repeats),
            color=_COLOURS[place % len(_COLOURS)],
            linestyle=_DASHES[(place + place // len(_COLOURS)) % len(_DASHES)],
            linewidth=1.2,
            label=labels_of[place],
        )
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_xlabel("1 − specificity")
    axes.set_ylabel("sensitivity")
    axes.grid(color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)
    _ticks(axes, request.decimal)
    axes.set_yticks([0, 0.5, 1])
    axes.set_xticks([0, 0.5, 1])
    figure.legend(
        loc="upper left",
        bbox_to_anchor=(0.0, (floor - labels) / height),
        frameon=False,
        handlelength=2.2,
        borderpad=0,
        labelspacing=0.3,
    )
    return figure


def _in_legend(one: PaperSystem, request: PaperRequest, letters: int) -> str:
    if "auc" not in one.row:
        return wrapped(one.name, letters)
    auc = estimate_text(one.row, "auc", request.decimal)[0]
    return wrapped(f"{one.name} (AUC {auc})", letters)


def _ticks(axes: "Axes", decimal: str, across: int | None = None) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if across:
        axes.xaxis.set_major_locator(MaxNLocator(across))
    for axis in (axes.xaxis, axes.yaxis) if not across else (axes.xaxis,):
        axis.set_major_formatter(FuncFormatter(lambda value, _: localised(f"{value:g}", decimal)))

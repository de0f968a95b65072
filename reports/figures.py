"""The figures of a report, each as SVG and PDF, byte for byte the same for the same run.

One style for all; nothing global in matplotlib is changed, but that it learns of one more font
(fonts.py). What is drawn stands in plots.py, training_plots.py, probability_plots.py and
crop_figures.py.
"""

import io
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

from reports.declared import close_groups
from reports.errors import hardest
from reports.fonts import SANS, families
from reports.naming import (
    GroupKey,
    Name,
    any_share,
    by_network,
    groups,
    names,
    slugs,
    titles,
)
from reports.pooling import System
from reports.run_folder import Run, section
from reports.schema import AUDIT_MARK

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class Entry(NamedTuple):
    """One system of a group with its name and its row of the summary."""

    system: System
    name: Name
    row: Mapping[str, Any]


class Group(NamedTuple):
    """Systems that may be compared: one subset under one protocol."""

    slug: str
    title: str
    entries: list[Entry]
    positive: str
    negative: str
    synthetic: bool
    audit: bool

    @property
    def ran(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.system.ran]

    def by_extractor(self) -> dict[str, list[Entry]]:
        """The systems that ran, by the names of their extractors, in order of appearance."""
        found: dict[str, list[Entry]] = {}
        for entry in self.ran:
            found.setdefault(entry.name.extractor, []).append(entry)
        return found


class Drawing(NamedTuple):
    """A finished figure.

    slug : file name without suffix. alt : what it shows, in words. caption : sentences for below.
    """

    slug: str
    kind: str
    group: str
    title: str
    alt: str
    svg: bytes
    pdf: bytes
    caption: str = ""


_INK = "#262626"

# kind -> (title, what it shows)
KINDS = {
    "auc": (
        "AUC with 95 % intervals",
        "AUC of each system, a row an extractor and a marker a classifier, "
        "with bootstrap intervals over patients as horizontal bars",
    ),
    "roc": (
        "ROC curves",
        "ROC curves, a panel an extractor and a line a classifier: sensitivity against "
        "1 − specificity",
    ),
    "confusion": (
        "Confusion matrices",
        "Confusion matrices, a block of two by two counts for each extractor and classifier",
    ),
    "cost": (
        "Training time against AUC",
        "Scatter plot of AUC against training time in seconds on a logarithmic axis",
    ),
    "training": (
        "Training curves",
        "Loss above accuracy by epoch, a panel a trained network: training rows as solid and "
        "held-out rows as dashed lines",
    ),
    "learning": (
        "Learning curves",
        "AUC against the share of the training patients, a panel an extractor and a line a "
        "classifier, with bootstrap intervals over patients as bands",
    ),
    "reliability": (
        "Reliability",
        "Share of positive crops against mean probability in ten bins of equal width, a panel an "
        "extractor and a line a classifier",
    ),
    "decision": (
        "Decision curves",
        "Net benefit against the probability from which one acts, a panel an extractor and a line "
        "a classifier, beside acting on all crops and on none",
    ),
    "audit": (
        "Audit differences",
        "Difference of AUC between an audit and the protocol beside it, a row an extractor and a "
        "marker a classifier, with bootstrap intervals over patients as horizontal bars",
    ),
    "errors": (
        "Mistakes that most systems make",
        "Crops that most of the systems looked at closely get wrong: missed ones above, falsely "
        "called ones below",
    ),
}


def grouped(run: Run, systems: list[System], summary: "pd.DataFrame") -> list[Group]:
    """The groups of a run in order of appearance; `summary` has a row for each system.

    Without the systems that were trained on a part of the training patients: those are points of
    learning curves. All rows of one network stand together, its own head first.
    """
    members = groups(system for system in systems if system.whole)
    rows = dict(zip(map(id, systems), summary.to_dict("records"), strict=True))
    return _groups(run, {key: by_network(own) for key, own in members.items()}, rows)


def curve_groups(run: Run, systems: list[System], summary: "pd.DataFrame") -> list[Group]:
    """A group for each comparison that holds parts of the training patients, all shares in it."""
    members: dict[GroupKey, list[System]] = {}
    for system in systems:
        members.setdefault(any_share(system.group), []).append(system)
    members = {key: own for key, own in members.items() if not all(s.whole for s in own)}
    rows = dict(zip(map(id, systems), summary.to_dict("records"), strict=True))
    return _groups(run, {key: by_network(own) for key, own in members.items()}, rows)


def _groups(
    run: Run, by_key: dict[GroupKey, list[System]], rows: dict[int, dict[Any, Any]]
) -> list[Group]:
    slug_of, title_of = slugs(by_key), titles(by_key, run.audits)
    return [
        Group(
            slug=slug_of[key],
            title=title_of[key],
            entries=[
                Entry(system, name, rows[id(system)])
                for system, name in zip(members, names(members), strict=True)
            ],
            **class_names(run, key[1]),
            synthetic=run.synthetic,
            audit=str(members[0].identity["protocol"]) in run.audits,
        )
        for key, members in by_key.items()
    ]


def class_names(run: Run, subset: str) -> dict[str, str]:
    """What the two labels are called in this subset."""
    declared = section(section(section(run.manifest, "data"), "subsets"), subset)
    return {
        "positive": str(declared.get("positive", "positive")),
        "negative": str(declared.get("negative", "negative")),
    }


def draw_all(run: Run, main: list[Group], curves: list[Group]) -> list[Drawing]:
    """Every figure of every group in which a system ran, and of all trainings.

    main : from `grouped`. curves : from `curve_groups`.
    """
    from reports.crop_figures import crops_in_error
    from reports.plots import auc_forest, confusion_blocks, cost_scatter, roc_panels
    from reports.probability_plots import decision_panels, reliability_panels
    from reports.training_plots import learning_panels, training_panels

    def trainings(group: Group) -> "Figure | None":
        return training_panels(run.history, group)

    def mistakes(group: Group) -> "Figure | None":
        members = close.get(group.entries[0].system.group, [])
        return crops_in_error(run, hardest(run, members))

    plots: dict[str, Callable[[Group], Figure | None]] = {
        "auc": auc_forest,
        "roc": roc_panels,
        "confusion": confusion_blocks,
        "cost": cost_scatter,
        "reliability": reliability_panels,
        "decision": decision_panels,
        "errors": mistakes,
    }
    close = close_groups(run, [entry.system for group in main for entry in group.entries])
    drawings = [
        *(drawn(kind, group, plot) for group in main if group.ran for kind, plot in plots.items()),
        *(drawn("training", group, trainings) for group in main),
        *(drawn("learning", group, learning_panels) for group in curves if group.ran),
    ]
    return [drawing for drawing in drawings if drawing is not None]


def drawn(kind: str, group: Group, plot: "Callable[[Group], Figure | None]") -> Drawing | None:
    """The figure of a kind (a key of KINDS) for one group; None where there is nothing to draw."""
    slug = f"{kind}-{group.slug}"
    # The salt makes the identifiers inside the SVG depend on its name and nothing else.
    with style(slug):
        figure = plot(group)
        return _of_group(slug, kind, group, figure) if figure is not None else None


def _of_group(slug: str, kind: str, group: Group, figure: "Figure") -> Drawing:
    title, shows = KINDS[kind]
    if group.audit:
        # The file may leave the page, and with it the title.
        figure.text(0.005, 0.005, AUDIT_MARK, ha="left", va="bottom", color="#a02020", size=8)
    full = f"{title}: {group.title}"
    drawing = Drawing(slug, kind, group.slug, full, f"{shows} ({group.title})", b"", b"")
    return finished(drawing, figure, group.synthetic)


def style(salt: str = "") -> AbstractContextManager[None]:
    """The one look of all figures, for the time of a with block."""
    import matplotlib as mpl

    look: AbstractContextManager[None] = mpl.rc_context(
        {
            "font.family": "sans-serif",
            "font.sans-serif": [SANS, "Verdana", "Arial", "sans-serif"],
            "font.size": 8,
            "lines.solid_capstyle": "round",
            "text.color": _INK,
            "axes.labelcolor": _INK,
            "xtick.color": _INK,
            "ytick.color": _INK,
            "axes.titlesize": 8,
            "axes.labelsize": 8.5,
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
            "legend.fontsize": 8,
            "axes.edgecolor": "#555555",
            "axes.linewidth": 0.7,
            "xtick.major.width": 0.7,
            "ytick.major.width": 0.7,
            "xtick.major.size": 3,
            "ytick.major.size": 3,
            # Names may hold a dollar sign, which would otherwise start a formula.
            "text.parse_math": False,
            # Text stays text: it can be searched and read aloud, and the file is small.
            "svg.fonttype": "none",
            "svg.hashsalt": salt,
            # Embedded TrueType: publishers refuse the bitmap-like Type 3 fonts of the default.
            "pdf.fonttype": 42,
            # matplotlib asks this one, too, how many letters fit into one embedded font of a PDF;
            # with the default a minus sign takes a second font.
            "ps.fonttype": 42,
        }
    )
    return look


def finished(drawing: Drawing, figure: "Figure", synthetic: bool) -> Drawing:
    """The drawing with its two files, marked in picture and words where the data are made up."""
    import matplotlib as mpl

    from reports.pictures import lean

    alt = drawing.alt
    if synthetic:
        figure.text(
            0.995, 0.005, "synthetic data", ha="right", va="bottom", color="#a02020", size=8
        )
        alt = f"{alt}; synthetic data"
    svg = _saved(figure, "svg", {"Date": None, "Creator": None, "Title": drawing.title})
    # All text of the figure stands in the SVG as it is.
    with mpl.rc_context({"font.sans-serif": families(set(svg.decode()) - {"\n"})}):
        pdf = _saved(figure, "pdf", {"CreationDate": None, "Title": drawing.title})
    return drawing._replace(alt=f"{alt}.", svg=lean(svg), pdf=pdf)


def _saved(figure: "Figure", kind: str, metadata: dict[str, str | None]) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format=kind, metadata=metadata)
    return content.getvalue()

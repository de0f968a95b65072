"""The figures of a report, each as SVG and PDF, byte for byte the same for the same run.

One style for all; nothing global in matplotlib is changed, but that it learns of one more font
(fonts.py). What is drawn stands in the other files of this folder.
"""

import base64
import io
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple

from reports.figures.fonts import SANS, families
from reports.systems.entries import FigureGroup
from reports.systems.schema import AUDIT_MARK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_IMAGE_TAG = re.compile(rb'<image [^>]*?xlink:href="data:image/png;base64,\s*([^"]*)"[^>]*>')

# matplotlib's own hint; a picture that is shown smaller than it is would lose whole lines by it.
_PIXELATED = b' style="image-rendering:crisp-edges;image-rendering:pixelated"'


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


def drawn(
    kind: str, group: FigureGroup, plot: "Callable[[FigureGroup], Figure | None]"
) -> Drawing | None:
    """The figure of a kind (a key of KINDS) for one group; None where there is nothing to draw."""
    slug = f"{kind}-{group.slug}"
    # The salt makes the identifiers inside the SVG depend on its name and nothing else.
    with style(slug):
        figure = plot(group)
        return _of_group(slug, kind, group, figure) if figure is not None else None


def _of_group(slug: str, kind: str, group: FigureGroup, figure: "Figure") -> Drawing:
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


def lean(svg: bytes) -> bytes:
    """The SVG with its grey images stored as grey: matplotlib writes four channels for each."""
    return _IMAGE_TAG.sub(_grey_tag, svg) if b"<image " in svg else svg


def _grey_tag(tag: "re.Match[bytes]") -> bytes:
    from PIL import Image

    content = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(tag[1]))) as image:
        image.convert("L").save(content, format="PNG", optimize=True)
    source = b'xlink:href="data:image/png;base64,' + base64.b64encode(content.getvalue()) + b'"'
    return re.sub(rb'xlink:href="[^"]*"', source, tag[0]).replace(_PIXELATED, b"")

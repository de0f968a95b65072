"""The figures of a report, each as SVG and PDF, byte for byte the same for the same run.

One style for all; nothing global in matplotlib is changed, except that one more font is registered
(fonts.py). What is drawn stands in the other files of this folder.
"""

import base64
import io
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from reports.figures.fonts import SANS, families
from reports.systems.entries import FigureGroup
from reports.systems.pooled_run import PooledRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_IMAGE_TAG = re.compile(rb'<image [^>]*?xlink:href="data:image/png;base64,\s*([^"]*)"[^>]*>')

# matplotlib's own hint; a picture that is shown smaller than it is would lose whole lines by it.
_PIXELATED = b' style="image-rendering:crisp-edges;image-rendering:pixelated"'


class Drawing(NamedTuple):
    """A finished figure.

    Attributes
    ----------
    slug : str
        Its file name without suffix.
    kind : str
        What the page asks for it by.
    group : str
        The slug of the group that it shows; empty for the data.
    title : str
        Its heading.
    alt : str
        What it shows, in words.
    svg, pdf : bytes
        The contents of its two files.
    caption : str
        Sentences below it on the page.
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


@dataclass(frozen=True)
class FigureKind:
    """A figure that is drawn of groups of systems; declared in the file that draws it.

    Attributes
    ----------
    name : str
        What its files' names begin with, and what the page asks for it by.
    title : str
        Its heading, before that of the group.
    shows : str
        What it shows, in words, for who cannot see it; {patients} is what is drawn.
    plot : Callable[[PooledRun, FigureGroup], Figure | None]
        Draws one group; None where there is nothing to draw.
    """

    name: str
    title: str
    shows: str
    plot: "Callable[[PooledRun, FigureGroup], Figure | None]"


def drawn(kind: FigureKind, pooled: PooledRun, group: FigureGroup) -> Drawing | None:
    """The figure of a kind for one group; None where there is nothing to draw."""
    slug = f"{kind.name}-{group.slug}"
    # The salt makes the identifiers inside the SVG depend on its name and nothing else.
    with style(slug):
        figure = kind.plot(pooled, group)
        return _of_group(slug, kind, group, figure) if figure is not None else None


def _of_group(slug: str, kind: FigureKind, group: FigureGroup, figure: "Figure") -> Drawing:
    if group.audit:
        # The file may leave the page, and with it the title.
        figure.text(0.005, 0.005, group.audit_mark, ha="left", va="bottom", color="#a02020", size=8)
    title = f"{kind.title}: {group.title}"
    alt = f"{kind.shows.format(patients=group.patients)} ({group.title})"
    return finished(
        Drawing(slug, kind.name, group.slug, title, alt, b"", b""), figure, group.synthetic
    )


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
            # It also decides how many letters fit into one embedded font of a PDF; with the
            # default a minus sign takes a second font.
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

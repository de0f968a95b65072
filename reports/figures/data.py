"""The figures of the data section: what is drawn of a data set, and the sentences below.

Only what the data set has, and only where there is something to compare.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from reports.figures import data_counts
from reports.figures.crops import (
    MONTAGE,
    PATCHES,
    crops_by_class,
    cut_into_patches,
    patch_cut,
)
from reports.figures.data_counts import (
    NEGATIVE,
    POSITIVE,
    UNLABELLED,
    Band,
    class_bands,
    pathology_bands,
)
from reports.figures.data_plots import ClassNames, counted_bars, size_panels
from reports.figures.drawing import Drawing, finished, style
from reports.figures.layout import shortened
from reports.systems.entries import class_names
from reports.systems.run_folder import Run
from reports.values import clean

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_MOST_BANDS = 12
_MOST_PANELS = 6

# A figure with the sentences below it.
Captioned = tuple["Figure", str]


def draw_data(run: Run) -> list[Drawing]:
    """The figures of the data section that this run folder has something for, in page order."""
    crops = data_counts.plain_crops(run)
    density = f"{run.organ} density".strip()
    plots: dict[str, tuple[str, str, Callable[[Run, pd.DataFrame], Captioned | None]]] = {
        "data-pathology": (
            "Pathologies by subset and split",
            "Horizontal bars: number of crops of each pathology, by subset and split",
            _pathologies,
        ),
        "data-size": (
            "Crop sizes by subset and class",
            "Histograms by class on logarithmic axes, a row a subset: longest side in native "
            "pixels, and width divided by height",
            _sizes,
        ),
        "data-view": (
            "Views by subset and class",
            "Horizontal bars: share of each view in the crops of a class, by subset",
            _views,
        ),
        "data-density": (
            f"{density.capitalize()} by subset and class",
            f"Horizontal bars: share of each {density} in the crops of a class, by subset",
            _densities,
        ),
        MONTAGE: (
            "Crops by class",
            "A few crops of each class, a row a class of a subset",
            crops_by_class,
        ),
        PATCHES: (
            "A crop as a vision transformer sees it",
            "A crop under the grid of its patches, and beside it the patches set apart",
            cut_into_patches,
        ),
    }
    drawings = []
    for kind, (title, shows, plot) in plots.items():
        with style(kind):
            made = plot(run, crops) if len(crops) else None
            if made is not None:
                figure, caption = made
                drawing = Drawing(kind, kind, "", title, shows, b"", b"", caption)
                drawings.append(finished(drawing, figure, run.synthetic))
    return drawings


def _names(run: Run, crops: "pd.DataFrame") -> ClassNames:
    """The names of the classes of these crops: 'malignant', or 'malignant / abnormal'."""
    by_subset = [class_names(run, subset) for subset in dict.fromkeys(crops["subset"])]
    words = {
        NEGATIVE: " / ".join(dict.fromkeys(clean(names["negative"]) for names in by_subset)),
        POSITIVE: " / ".join(dict.fromkeys(clean(names["positive"]) for names in by_subset)),
        UNLABELLED: "without a label",
    }
    present = set(crops["label"])
    return {label: name for label, name in words.items() if label in present}


def _pathologies(run: Run, crops: "pd.DataFrame") -> Captioned | None:
    bands = pathology_bands(crops)
    if not crops["pathology"].any() or sum(len(band.rows) for band in bands) < 2:
        return None
    figure = counted_bars(bands[:_MOST_BANDS], _names(run, crops), "crops", shares=False)
    return figure, _join(
        "Pathologies as in the source; in brackets the share of the bar's own split.",
        _not_drawn(bands, "subsets and splits"),
    )


def _views(run: Run, crops: "pd.DataFrame") -> Captioned | None:
    return _of_classes(run, crops, "view", "")


def _densities(run: Run, crops: "pd.DataFrame") -> Captioned | None:
    return _of_classes(run, crops, "density", "Categories as in the source.")


def _of_classes(run: Run, crops: "pd.DataFrame", column: str, words: str) -> Captioned | None:
    bands = class_bands(crops, column)
    if len({row.name for band in bands for row in band.rows}) < 2:
        return None
    drawn = crops[crops["subset"].isin([band.name for band in bands])]
    axis = "share of the crops of the class, %"
    figure = counted_bars(bands[:_MOST_BANDS], _names(run, drawn), axis, shares=True)
    return figure, _join(
        "Bars: share of the crops of the class in that subset; numbers: crops.",
        words,
        _not_drawn(bands, "subsets"),
    )


def _not_drawn(bands: list[Band], what: str) -> str:
    if len(bands) <= _MOST_BANDS:
        return ""
    return f"The first {_MOST_BANDS} of {len(bands)} {what} are drawn."


def _join(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _sizes(run: Run, crops: "pd.DataFrame") -> Captioned | None:
    known = crops.dropna(subset=["height", "width"])
    if len(known) < 2:
        return None
    side = patch_cut(run).side
    groups = {str(subset): rows for subset, rows in known.groupby("subset", sort=False)}
    drawn = dict(list(groups.items())[:_MOST_PANELS])
    heads = {subset: _share_below(run, subset, rows, side) for subset, rows in drawn.items()}
    figure = size_panels(drawn, heads, _names(run, known), side)
    unknown = len(crops) - len(known)
    return figure, _join(
        f"A crop whose longest side is below {side} px has to be enlarged to fill "
        f"a network's input of {side} × {side} px.",
        *(
            f"{text}; {_size_range(rows)}."
            for text, rows in zip(heads.values(), drawn.values(), strict=True)
        ),
        f"{unknown:,} crops have no known size." if unknown else "",
        f"The first {_MOST_PANELS} of {len(groups)} subsets are drawn."
        if len(groups) > _MOST_PANELS
        else "",
    )


def _share_below(run: Run, subset: str, rows: "pd.DataFrame", side: int) -> str:
    """'mass: 23 % below 224 px (benign 20 %, malignant 26 %)'."""
    below = rows[["height", "width"]].max(axis=1) < side
    names = _names(run, rows)
    classes = [
        f"{shortened(names[label], 24)} {100 * share:.0f} %"
        for label, share in below.groupby(rows["label"]).mean().items()
    ]
    whole = f"{shortened(subset or 'all', 24)}: {100 * below.mean():.0f} % below {side} px"
    return f"{whole} ({', '.join(classes)})" if len(classes) > 1 else whole


def _size_range(rows: "pd.DataFrame") -> str:
    longest = rows[["height", "width"]].max(axis=1)
    return (
        f"median {longest.median():.0f} px, from {longest.min():.0f} to {longest.max():.0f} px, "
        f"of {len(rows):,} crop{'' if len(rows) == 1 else 's'}"
    )

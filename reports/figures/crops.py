"""The two figures that show crops themselves: a montage by class, and one crop cut into patches.

Their pictures come from the run folder; what cannot be read is left out.
"""

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from reports.figures.drawing import FigureKind
from reports.figures.layout import shortened
from reports.figures.pictures import Grey, at_most, read_grey, square_of
from reports.systems.entries import FigureGroup
from reports.systems.pooled_run import PooledRun
from reports.systems.run_folder import Run, manifest_records, section
from reports.tables.mistakes import hardest
from reports.values import clean

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The figures of the data section that show crops; ERRORS_FIGURE does besides.
OF_CROPS = MONTAGE, PATCHES = "data-montage", "data-patches"

_MOST_THUMBNAILS = 24
_A_ROW = 6
_THUMBNAIL = 128  # pixels
# What most vision transformers take, where the manifest does not say it.
_INPUT, _PATCH = 224, 16
_MOST_INPUT = 1024
_MOST_PATCHES = 64  # a side


class Shown(NamedTuple):
    """A crop of the montage.

    Attributes
    ----------
    crop_id : str
        Its name.
    below : str
        What stands under its name, often its size in native pixels.
    picture : Grey
        At most _THUMBNAIL pixels a side.
    """

    crop_id: str
    below: str
    picture: Grey


class PatchGrid(NamedTuple):
    """How a crop is cut into patches.

    Attributes
    ----------
    side, patch : int
        Sides of the input and of a patch, in pixels.
    patches : int
        Patches a side.
    """

    side: int
    patch: int
    patches: int


def crops_by_class(run: Run, crops: "pd.DataFrame") -> tuple["Figure", str] | None:
    """A montage by class, and its caption; None without a picture.

    A crop may be listed for its subset and for a union; it is shown once, in its subset.
    """
    first = crops.drop_duplicates("crop_id").set_index("crop_id")
    rows: dict[str, list[Shown]] = {}
    seen: set[tuple[str, str]] = set()
    for entry in manifest_records(section(run.manifest, "data"), "thumbnails")[
        : 4 * _MOST_THUMBNAILS
    ]:
        crop_id, label = clean(entry.get("crop_id")), clean(entry.get("label"))
        if (crop_id, label) in seen or len(seen) == _MOST_THUMBNAILS:
            continue
        subset = first["subset"].get(crop_id, clean(entry.get("subset")))
        row = rows.setdefault("\n".join(shortened(w, 20) for w in (subset, label) if w), [])
        picture = read_grey(run.folder, entry.get("file"))
        if picture is not None and len(row) < _A_ROW:
            seen.add((crop_id, label))
            row.append(Shown(crop_id, _native(first, crop_id), at_most(picture, _THUMBNAIL)))
    rows = {name: row for name, row in rows.items() if row}
    if not rows:
        return None
    return montage(rows), (
        "Each crop is scaled to the same size; below it stand its name and, where known, its "
        "native width × height in pixels."
    )


def crops_in_error(pooled: PooledRun, group: FigureGroup) -> "Figure | None":
    """The mistakes that the most systems make, a row a kind, where there are pictures."""
    run = pooled.run
    mistakes = hardest(run, pooled.close.get(group.entries[0].system.group, []))
    data = section(run.manifest, "data")
    files = {
        clean(entry.get("crop_id")): entry.get("file")
        for name in ("thumbnails", "mistakes")
        for entry in manifest_records(data, name)
    }
    rows: dict[str, list[Shown]] = {}
    for mistake in mistakes:
        picture = read_grey(run.folder, files.get(clean(mistake["crop_id"])))
        if picture is not None:
            wrong = f"wrong: {mistake['systems_wrong']} of {mistake['of_systems']} systems"
            shown = Shown(clean(mistake["crop_id"]), wrong, at_most(picture, _THUMBNAIL))
            rows.setdefault(mistake["kind"], []).append(shown)
    return montage(rows) if rows else None


def _native(first: "pd.DataFrame", crop_id: str) -> str:
    """'138 × 170 px', width first; empty where it is not known."""
    if crop_id not in first.index:
        return ""
    width, height = first.loc[crop_id, ["width", "height"]]
    return "" if np.isnan(width) or np.isnan(height) else f"{width:.0f} × {height:.0f} px"


def patch_cut(run: Run) -> PatchGrid:
    """Input and patch as declared; those of a ViT/16 at 224 px where that makes no sense."""
    declared = section(section(run.manifest, "data"), "patches")
    side = _within(declared.get("input"), 16, _MOST_INPUT, _INPUT)
    patch = _within(declared.get("patch"), max(4, -(-side // _MOST_PATCHES)), side, _PATCH)
    return PatchGrid(side, patch, side // patch)


def _within(value: Any, least: int, most: int, default: int) -> int:
    """The value if it is a whole number between the two, else the default."""
    return value if type(value) is int and least <= value <= most else default


def cut_into_patches(run: Run, crops: "pd.DataFrame") -> tuple["Figure", str] | None:
    """One crop under its grid and as patches; the caption counts the tokens."""
    declared = section(section(run.manifest, "data"), "patches")
    picture = read_grey(run.folder, declared.get("file"))
    if picture is None or picture.shape[0] != picture.shape[1]:
        return None
    shape = patch_cut(run)
    whole = square_of(picture, shape.side)
    words = [clean(declared.get(name)) for name in ("crop_id", "subset", "label")]
    title = ", ".join(filter(None, words))
    native = _native_patch(run, crops[crops["crop_id"] == words[0]], shape)
    black = int((_blocks(whole, shape).max(axis=(1, 3)) == 0).sum())
    tokens = shape.patches**2
    below = "\n".join(textwrap.wrap(" ".join(filter(None, (f"{title}.", native))), 105)[:3])
    return patch_grid(whole, shape, below), " ".join(
        filter(
            None,
            (
                f"{title}." if title else "",
                f"Scaled to {shape.side} × {shape.side} px it makes {shape.patches} × "
                f"{shape.patches} = {tokens} tokens of {shape.patch} × {shape.patch} px, "
                "read row by row.",
                native,
                f"{black} of the patches are black throughout." if black else "",
            ),
        )
    )


def _native_patch(run: Run, rows: "pd.DataFrame", shape: PatchGrid) -> str:
    """How much of the crop itself a patch covers; empty where its size is not known."""
    sizes = rows[["height", "width"]].dropna()
    if sizes.empty:
        return ""
    height, width = sizes.iloc[0]
    share = shape.patch / shape.side
    across, down = share * max(height, width), share * max(height, width)
    if section(run.manifest, "configuration").get("fit") == "stretch":
        across, down = share * width, share * height
    return (
        f"The crop itself is {width:.0f} × {height:.0f} px, so a patch covers "
        f"{across:.1f} × {down:.1f} of its own pixels."
    )


def montage(rows: Mapping[str, list[Shown]]) -> "Figure":
    """A row a name: its crops as the networks get them, with name and size below each."""
    from matplotlib.figure import Figure

    left, cell, words, top = 1.35, 1.02, 0.42, 0.08
    columns = max(map(len, rows.values()))
    width = max(left + columns * (cell + 0.12), 5.2)
    height = top + len(rows) * (cell + words) + 0.12
    figure = Figure(figsize=(width, height))
    for line, (name, crops) in enumerate(rows.items()):
        bottom = height - top - (line + 1) * (cell + words) + words
        figure.text(
            (left - 0.15) / width,
            (bottom + cell / 2) / height,
            name,
            ha="right",
            va="center",
            weight="bold",
        )
        for column, crop in enumerate(crops):
            place = left + column * (cell + 0.12)
            axes = figure.add_axes((place / width, bottom / height, cell / width, cell / height))
            _picture(axes, crop.picture)
            title = "\n".join(filter(None, (_in_two(crop.crop_id, 19), crop.below)))
            axes.set_title(title, y=0, va="top", pad=-3, fontsize=5.8, linespacing=1.15)
    return figure


def _in_two(name: str, width: int) -> str:
    """A crop's name has no spaces: it breaks behind an underscore or hyphen if it can."""
    if len(name) <= width:
        return name
    end = max(name.rfind(sign, 0, width) for sign in "_- ") + 1 or width
    return f"{name[:end]}\n{shortened(name[end:], width)}"


def _picture(axes: "Axes", picture: Grey) -> None:
    """The picture on black, pixel for pixel in the file."""
    axes.imshow(np.repeat(picture[..., None], 3, axis=2), interpolation="none")
    axes.set(xticks=[], yticks=[], facecolor="black")
    for spine in axes.spines.values():
        spine.set_visible(False)


def patch_grid(whole: Grey, shape: PatchGrid, below: str) -> "Figure":
    """The crop under its grid, and beside it the patches set apart in the order of the tokens."""
    from matplotlib.figure import Figure

    side, patch, patches = shape
    width, panel, low, top = 7.6, 3.2, 0.55, 0.35
    height = low + panel + top
    figure = Figure(figsize=(width, height))
    left = figure.add_axes((0.3 / width, low / height, panel / width, panel / height))
    right = figure.add_axes((4.1 / width, low / height, panel / width, panel / height))
    _picture(left, whole)
    edges = np.arange(0, patches + 1) * patch - 0.5
    end = edges[-1]
    left.hlines(edges, -0.5, end, color="#de8f05", linewidth=0.5)
    left.vlines(edges, -0.5, end, color="#de8f05", linewidth=0.5)
    # The frame's own lines would be cut in half.
    left.set(xlim=(-1.5, side + 0.5), ylim=(side + 0.5, -1.5))
    left.set_title(f"one crop, {side} × {side} px", pad=4)
    _picture(right, set_apart(whole, shape))
    right.set_facecolor("white")
    right.set_title(f"{patches * patches} patches of {patch} × {patch} px, a token each", pad=4)
    _number_corners(right, patches)
    figure.text(3.8 / width, (low + panel / 2) / height, "→", ha="center", va="center", size=14)
    figure.text(0.3 / width, 0.3 / height, below, va="center")
    return figure


def _number_corners(axes: "Axes", patches: int) -> None:
    """The tokens' numbers at both ends of the first and of the last row: the order of reading."""
    for row in {0, patches - 1}:
        for x, column, side in ((-0.015, 0, "right"), (1.015, patches - 1, "left")):
            axes.text(
                x,
                1 - (row + 0.5) / patches,
                str(row * patches + column + 1),
                transform=axes.transAxes,
                ha=side,
                va="center",
                fontsize=6.5,
                color="#555555",
            )


def set_apart(whole: Grey, shape: PatchGrid) -> Grey:
    """The patches with white gaps of a quarter of their side; what is no whole patch is left out.

    Parameters
    ----------
    whole : Grey, shape (side, side)
        The input.
    shape : PatchGrid
        How it is cut.

    Returns
    -------
    Grey, shape (n, n)
        n is patches × (patch + gap) − gap.
    """
    _, patch, patches = shape
    gap = patch // 4
    spaced = np.full((patches, patch + gap, patches, patch + gap), 255, np.uint8)
    spaced[:, :patch, :, :patch] = _blocks(whole, shape)
    length = patches * (patch + gap)
    return spaced.reshape(length, length)[:-gap, :-gap]


def _blocks(whole: Grey, shape: PatchGrid) -> Grey:
    """The patches as uint8 (row, patch, column, patch)."""
    _, patch, patches = shape
    inside = patches * patch
    return whole[:inside, :inside].reshape(patches, patch, patches, patch)


ERRORS_FIGURE = FigureKind(
    "errors",
    "The most common mistakes",
    "Crops that the largest numbers of the systems looked at closely get wrong, those that were "
    "missed and those that were falsely called in rows of their own",
    crops_in_error,
)

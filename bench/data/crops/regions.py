"""Which pixels show a lesion: its crop, a square around it in the full mammogram, or all of it.

The square of the region "context" is centred on the bounding box of the lesion's mask, and its side
is the longer side of the box times a margin; beyond the film's border it is zero.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.data.images.dicom_padding import without_padding
from bench.data.images.pixels import (
    MAX_PIXELS,
    Pixels,
    UnreadableImage,
    has_two_values,
    to_eight_bit,
)
from bench.data.lesions import GEOMETRY_COLUMNS, PROPORTION_TOLERANCE

if TYPE_CHECKING:
    import pandas as pd

REGIONS = ("crop", "context", "full")

# Pixels of a square; twice as many as an image may have.
_MOST_CUT = 2 * MAX_PIXELS

Square = tuple[int, int, int]  # row and column of the centre, half the side


@dataclass(frozen=True)
class RegionCut:
    """What is read for one row.

    Attributes
    ----------
    image, mask : str
        Paths relative to the data root; the mask gives the square, "" where it is not needed.
    square : Square | None
        The square to cut. With neither square nor mask the whole image is taken.
    """

    image: str
    mask: str = ""
    square: Square | None = None


@dataclass(frozen=True)
class Marked:
    """What a mask marks.

    Attributes
    ----------
    shape : tuple[int, int]
        Rows and columns of the mask.
    rows, columns : tuple[int, int]
        The first one, and the one after the last.
    problem : str
        Why that is not known; else "".
    """

    shape: tuple[int, int]
    rows: tuple[int, int] = (0, 0)
    columns: tuple[int, int] = (0, 0)
    problem: str = ""


def plan_cuts(table: "pd.DataFrame", region: str, margin: float) -> list[RegionCut | str]:
    """For every row what to read for a region, or the reason why it has no such region."""
    return [_cut(row, region, margin) for row in _rows(table)]


def _rows(table: "pd.DataFrame") -> Iterator[dict[str, Any]]:
    names = [
        name
        for name in ("path", "film_path", "mask_path", *GEOMETRY_COLUMNS)
        if name in table.columns
    ]
    for cells in table[names].itertuples(index=False, name=None):
        yield dict(zip(names, cells, strict=True))


def _cut(row: dict[str, Any], region: str, margin: float) -> RegionCut | str:
    cut_from_film = GEOMETRY_COLUMNS[0] in row
    square = _square(row) if cut_from_film else None
    if region == "crop":
        return RegionCut(row["path"], square=square)
    film = row["path"] if cut_from_film else row.get("film_path", "")
    if not film:
        return "there is no full image of it"
    if region == "full":
        return RegionCut(film)
    if square is not None:
        return RegionCut(film, square=(*square[:2], math.ceil(margin * square[2])))
    mask = row.get("mask_path", "")
    return (
        RegionCut(film, mask=mask) if mask else "there is no mask that says where its lesion lies"
    )


def _square(row: dict[str, Any]) -> Square | None:
    values = [float(row[name]) for name in GEOMETRY_COLUMNS]
    if any(math.isnan(value) for value in values):
        return None
    return int(values[0]), int(values[1]), int(values[2])


def marked_box(mask: Pixels) -> Marked:
    """The box around what a mask marks; `problem` says so if it is empty or has many values."""
    shape = (mask.shape[0], mask.shape[1])
    low, high = float(mask.min()), float(mask.max())
    if high <= low:
        return Marked(shape, problem="its mask has one value everywhere")
    if not has_two_values(mask):
        return Marked(shape, problem="its mask has many values")
    inside = mask > (low + high) / 2
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return Marked(shape, (int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1))


def square_around(marked: Marked, shape: tuple[int, int], margin: float) -> Square:
    """The square around what a mask marks in an image of `shape` (rows, columns).

    A mask of another size than the image is taken as the same view at another scale.

    Raises
    ------
    UnreadableImage
        If the mask has a problem, or if its proportions are not the image's.
    """
    down, across = shape[0] / marked.shape[0], shape[1] / marked.shape[1]
    if abs(down / across - 1) > PROPORTION_TOLERANCE:
        sizes = f"{marked.shape[1]} x {marked.shape[0]} and {shape[1]} x {shape[0]}"
        raise UnreadableImage(f"mask and mammogram have different proportions: {sizes} pixels")
    if marked.problem:
        raise UnreadableImage(marked.problem)
    top, bottom = (row * down for row in marked.rows)
    left, right = (column * across for column in marked.columns)
    half = max(1, math.ceil(margin * max(bottom - top, right - left) / 2))
    return round((top + bottom) / 2), round((left + right) / 2), half


def cut_out(
    pixels: Pixels, square: Square | None, padding: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """The square as 8 bits, scaled by the pixels that it shows; zero beyond the border.

    Padding within it is as dark as the darkest of its other pixels.
    It holds the rows `row - half` … `row + half - 1` and the columns alike; None takes the whole
    image.
    """
    if square is None:
        return to_eight_bit(pixels)
    row, column, half = square
    if 4 * half * half > _MOST_CUT:
        raise UnreadableImage(f"its square of {2 * half} x {2 * half} pixels is too large")
    height, width = pixels.shape
    top, left = row - half, column - half
    rows = slice(max(top, 0), max(min(top + 2 * half, height), 0))
    columns = slice(max(left, 0), max(min(left + 2 * half, width), 0))
    filling = None if padding is None else padding[rows, columns]
    shown = without_padding(pixels[rows, columns], filling)
    canvas = np.zeros((2 * half, 2 * half), np.uint8)
    if shown.size:
        down, right = rows.start - top, columns.start - left
        canvas[down : down + shown.shape[0], right : right + shown.shape[1]] = to_eight_bit(shown)
    return canvas


def fit_square(pixels: NDArray[np.uint8], size: int, fit: str) -> NDArray[np.uint8]:
    """The crop as a square of `size` pixels.

    Bilinear interpolation as Pillow does it: the filter widens with the reduction, which keeps fine
    structures from aliasing. With fit "pad" the longest side becomes `size`, the other side keeps
    the proportions, and zeros fill the rest evenly (an odd row or column goes below or right).
    "stretch" ignores proportions.
    """
    from PIL import Image

    height, width = pixels.shape
    longest = max(height, width)
    new_height, new_width = size, size
    if fit == "pad":
        # Half a pixel is rounded up, by integers: the same on every machine.
        new_height = max(1, (2 * height * size + longest) // (2 * longest))
        new_width = max(1, (2 * width * size + longest) // (2 * longest))
    image = Image.fromarray(np.ascontiguousarray(pixels))
    resized = image.resize((new_width, new_height), Image.Resampling.BILINEAR)
    square = np.zeros((size, size), np.uint8)
    top, left = (size - new_height) // 2, (size - new_width) // 2
    square[top : top + new_height, left : left + new_width] = np.asarray(resized)
    return square

"""Rows of the lesion table as all these loaders make them: whole images, and crops around boxes."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.data.lesions import (
    GEOMETRY_COLUMNS,
    PROPORTION_TOLERANCE,
    SMALLEST_HALF_SIDE,
    LeftOut,
    SubsetInfo,
)
from bench.data.loader import lesion_row

WHOLE_IMAGE: Mapping[str, float] = dict.fromkeys(GEOMETRY_COLUMNS, math.nan)
IMAGES = "images"
LESIONS = "lesions"

Box = tuple[float, float, float, float]  # left, top, right, bottom


def image_row(crop_id: str, path: str, label: int, **cells: Any) -> dict[str, Any]:
    """The row of a whole image, as `lesion_row` makes it; further cells make it that of a crop."""
    return lesion_row(crop_id, path, label, **{"subset": IMAGES, **WHOLE_IMAGE, **cells})


@dataclass
class Collected:
    """What has become of the rows of a table so far.

    Attributes
    ----------
    rows : list[dict[str, Any]]
        Rows of the lesion table.
    left_out : list[LeftOut]
        Those that are not used.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def add(self, made: dict[str, Any] | str, name: str, file: str) -> None:
        """Take a row of the lesion table, or the reason why there is none of this name."""
        if isinstance(made, str):
            self.left_out.append(LeftOut(name, file, made))
        else:
            self.rows.append(made)


def square(box: Box) -> dict[str, float]:
    """The cells that cut a box out, as a square of its longer side."""
    left, top, right, bottom = box
    half = math.ceil(max(right - left, bottom - top) / 2)
    centre = ((top + bottom) / 2, (left + right) / 2)
    cells = (*map(round, centre), max(half, SMALLEST_HALF_SIDE))
    return dict(zip(GEOMETRY_COLUMNS, map(float, cells), strict=True))


def box_problem(box: Box, size: tuple[int, int] | None) -> str:
    """Why a box marks nothing in an image of this width and height; empty if it does."""
    left, top, right, bottom = box
    if not (math.isfinite(right - left) and math.isfinite(bottom - top)):
        return "its box is of no finite size"
    if right <= left or bottom <= top:
        return "its box has no area"
    if size and not (left < size[0] and top < size[1] and right > 0 and bottom > 0):
        return f"its box lies outside the image of {size[0]} x {size[1]} pixels"
    return ""


def scaled(box: Box, made_for: tuple[float, float], size: tuple[int, int]) -> Box | str:
    """A box in an image that was scaled as a whole; the reason where it was not."""
    across, down = size[0] / made_for[0], size[1] / made_for[1]
    if abs(across / down - 1) > PROPORTION_TOLERANCE:
        return (
            f"its image of {size[0]} x {size[1]} pixels has other proportions than that of its "
            f"box, {made_for[0]:g} x {made_for[1]:g}"
        )
    left, top, right, bottom = box
    return left * across, top * down, right * across, bottom * down


def lesion_subsets(
    rows: Iterable[Mapping[str, Any]], positive: str, negative: str
) -> dict[str, SubsetInfo]:
    """The kinds of lesions that occur, each a subset, and all of them as one."""
    kinds = sorted({row["subset"] for row in rows} - {IMAGES})
    found = {kind: SubsetInfo((kind,), positive, negative) for kind in kinds}
    if kinds and kinds != [LESIONS]:
        found[LESIONS] = SubsetInfo(tuple(kinds), positive, negative)
    return found

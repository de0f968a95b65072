"""Rows of the lesion table as all these loaders make them: whole images, and crops around boxes."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from bench.data.lesions import GEOMETRY_COLUMNS, SubsetInfo

# A crop shows at least this much around a lesion's centre.
SMALLEST_HALF_SIDE = 32
# Sides of a picture that was scaled may differ by rounding, not by more.
PROPORTION_TOLERANCE = 0.02
WHOLE_IMAGE: Mapping[str, float] = dict.fromkeys(GEOMETRY_COLUMNS, math.nan)
IMAGES = "images"
LESIONS = "lesions"

Box = tuple[float, float, float, float]  # left, top, right, bottom


def lesion_row(crop_id: str, path: str, label: int, **cells: Any) -> dict[str, Any]:
    """A row with what is not said left empty, and its image a patient of its own."""
    return {
        "crop_id": crop_id,
        "lesion_id": crop_id,
        "patient_id": crop_id,
        "laterality": "",
        "view": "",
        "abnormality": "",
        "abnormality_id": 1,
        "pathology": "",
        "label": label,
        "split": "none",
        "path": path,
        "subset": IMAGES,
        **WHOLE_IMAGE,
        **cells,
    }


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

"""The crop stack as rotated protocols see it: four copies, each rotated by another quarter."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from bench.store import digest

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.crops.stack import CropStack

Positions = NDArray[np.int64]

# Degrees, anticlockwise, by which the rotated protocols quarter each crop.
ROTATIONS = (0, 90, 180, 270)


def rotated(stack: "CropStack") -> "CropStack":
    """Four copies of a stack of N crops: at k·N + i stands crop i, rotated k times by 90 degrees.

    The table has the column `rotation` in degrees, anticlockwise; height and width of a crop change
    places with every quarter. A crop that is rotated by 0 degrees keeps its digest, and with it its
    features. No picture is copied: `images` rotates those that are asked for.
    """
    table = rotated_rows(stack.table)
    lying = table["rotation"].isin((90, 270))
    table.loc[lying, ["crop_height", "crop_width"]] = table.loc[
        lying, ["crop_width", "crop_height"]
    ].to_numpy()
    digests = [
        # The word "turned" is part of the keys of stored features.
        crop if not degrees else digest(["turned", crop, degrees])
        for degrees in ROTATIONS
        for crop in stack.digests
    ]
    # Whoever reads a stack's pixels asks for rows of them, and knows no more of what holds them.
    images = cast("NDArray[np.uint8]", _RotatedImages(stack.images))
    return replace(stack, images=images, table=table, digests=tuple(digests))


class _RotatedImages:
    """Pictures (N, H, H) as 4·N pictures, rotated when they are read."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._images = images

    def __getitem__(self, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        quarters, crops = np.divmod(positions, len(self._images))
        found = np.array(self._images[crops])
        for quarter in range(1, len(ROTATIONS)):
            rows = quarters == quarter
            found[rows] = np.rot90(found[rows], quarter, axes=(1, 2))
        return found


def rotation_of(table: "pd.DataFrame") -> NDArray[np.int64]:
    """By how many degrees the crop of each row is rotated; 0 for a stack as it is."""
    if "rotation" not in table:
        return np.zeros(len(table), dtype=np.int64)
    degrees: NDArray[np.int64] = table["rotation"].to_numpy()
    return degrees


def rotated_rows(table: "pd.DataFrame") -> "pd.DataFrame":
    """Four copies of a table, one below the other, with the column `rotation` in degrees."""
    import pandas as pd

    copies = [table.assign(rotation=degrees) for degrees in ROTATIONS]
    return pd.concat(copies, ignore_index=True)


def rotated_positions(positions: Positions, n_rows: int) -> Positions:
    """Where rows of a table with `n_rows` rows stand in its `rotated_rows`, copy by copy."""
    return np.concatenate([positions + n_rows * quarter for quarter in range(len(ROTATIONS))])

"""The crop stack of rotated protocols: four copies, rotated by 0, 90, 180 and 270 degrees."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from bench.store import digest

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.crops.stack import CropStack

Positions = NDArray[np.int64]

# Degrees, anticlockwise, by which the rotated protocols rotate each crop.
ROTATIONS = (0, 90, 180, 270)


def rotated(stack: "CropStack") -> "CropStack":
    """Four copies of a stack of N crops: at k·N + i stands crop i, rotated k times by 90 degrees.

    The table has the column `rotation` in degrees, anticlockwise; height and width of a crop are
    exchanged at 90 and 270 degrees. A crop that is rotated by 0 degrees keeps its digest, and with
    it its features. No image is copied: `images` rotates those that are read.
    """
    table = rotated_rows(stack.table)
    exchanged = table["rotation"].isin((90, 270))
    table.loc[exchanged, ["crop_height", "crop_width"]] = table.loc[
        exchanged, ["crop_width", "crop_height"]
    ].to_numpy()
    digests = [
        # The word "turned" is part of the keys of stored features.
        crop if not degrees else digest(["turned", crop, degrees])
        for degrees in ROTATIONS
        for crop in stack.digests
    ]
    # A stack's pixels are only ever read by rows.
    images = cast("NDArray[np.uint8]", RotatedImages(stack.images))
    return replace(stack, images=images, table=table, digests=tuple(digests))


class RotatedImages:
    """Images (N, H, H) as 4·N images, rotated when they are read.

    Attributes
    ----------
    upright : NDArray[np.uint8], shape (N, H, H)
        The images.
    """

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self.upright = images

    def __getitem__(self, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        quarters, crops = np.divmod(positions, len(self.upright))
        images = np.array(self.upright[crops])
        for quarter in range(1, len(ROTATIONS)):
            rows = quarters == quarter
            images[rows] = np.rot90(images[rows], quarter, axes=(1, 2))
        return images


def rotation_of(table: "pd.DataFrame") -> NDArray[np.int64]:
    """The rotation of each row's crop in degrees; 0 in a stack that is not `rotated`."""
    if "rotation" not in table:
        return np.zeros(len(table), dtype=np.int64)
    degrees: NDArray[np.int64] = table["rotation"].to_numpy()
    return degrees


def rotated_rows(table: "pd.DataFrame") -> "pd.DataFrame":
    """Four copies of a table, one below another, with the column `rotation` in degrees."""
    import pandas as pd

    copies = [table.assign(rotation=degrees) for degrees in ROTATIONS]
    return pd.concat(copies, ignore_index=True)


def rotated_positions(positions: Positions, n_rows: int) -> Positions:
    """The positions in `rotated_rows` of rows of a table with `n_rows` rows, copy by copy."""
    return np.concatenate([positions + n_rows * quarter for quarter in range(len(ROTATIONS))])

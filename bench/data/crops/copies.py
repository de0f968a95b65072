"""Pictures that are the same or nearly the same: copies under other names, sizes or formats.

A copy on both sides of a split is seen in training, whatever its patient is called. Two pictures
count as copies if their details agree, coarse ones first and then fine ones, in any of the eight
positions that rotations by quarters and mirroring make. Brightness and contrast do not matter.
Pictures without detail are copies only if every pixel is the same, constant ones never.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.data.patients import joined

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.crops.settings import CropSettings

COPIES_VERSION = 1

# Sides of the two reductions of a picture in pixels, and the correlations from which the details of
# two pictures agree. Of 2,352 crops and films of CBIS-DDSM, mini-MIAS and the phantom no two of
# different patients come near both; JPEG of quality 50 and half the resolution stay above.
COARSE, FINE = 24, 96
COARSE_CORRELATION, FINE_CORRELATION = 0.98, 0.8
# Standard deviation of the details, in grey levels, below which there are none.
LEAST_DETAIL = 0.5
_BLOCK = 2048


class Squares(Protocol):
    """What of a `CropStack` is needed to find copies; the stack holds what is found."""

    @property
    def images(self) -> NDArray[np.uint8]:
        """As `CropStack.images`."""

    @property
    def table(self) -> "pd.DataFrame":
        """As `CropStack.table`."""

    @property
    def digests(self) -> tuple[str, ...]:
        """As `CropStack.digests`."""

    @property
    def settings(self) -> "CropSettings":
        """As `CropStack.settings`."""

    @property
    def fingerprint(self) -> str:
        """As `CropStack.fingerprint`."""


def copy_groups(stack: Squares) -> NDArray[np.int64]:
    """Which crops of a stack show the same picture.

    Parameters
    ----------
    stack : Squares
        Its padding is left out of the comparison.

    Returns
    -------
    NDArray[np.int64], shape (n,)
        A number for each crop, the same for copies; each number is the position of its first crop.
    """
    coarse = np.empty((len(stack.digests), COARSE, COARSE), dtype=np.float32)
    detailed = np.zeros(len(coarse), dtype=bool)
    varied = np.zeros(len(coarse), dtype=bool)
    for position in range(len(coarse)):
        picture = _picture(stack, position)
        coarse[position] = _details(picture, COARSE)[0]
        detailed[position] = _details(picture, FINE)[1] >= LEAST_DETAIL
        varied[position] = picture.min() < picture.max()
    pairs = list(_alike(stack, coarse, np.flatnonzero(detailed)))
    first: dict[str, int] = {}
    pairs += [(first.setdefault(stack.digests[i], int(i)), int(i)) for i in np.flatnonzero(varied)]
    return joined(len(coarse), pairs)


def _picture(stack: Squares, position: int) -> NDArray[np.uint8]:
    """One square of a stack without the zeros that fill it up to a crop's proportions."""
    image = np.asarray(stack.images[position])
    if stack.settings.fit != "pad":
        return image
    height, width = (int(stack.table[f"crop_{s}"].iloc[position]) for s in ("height", "width"))
    size, longest = len(image), max(height, width)
    rows, columns = (max(1, round(side * size / longest)) for side in (height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    return image[top : top + rows, left : left + columns]


def _details(picture: NDArray[np.uint8], side: int) -> tuple[NDArray[np.float32], float]:
    """What a picture reduced to a square differs from its surroundings, of length 1; its spread."""
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    reduced = Image.fromarray(picture).resize((side, side), Image.Resampling.BOX)
    values = np.asarray(reduced, dtype=np.float64)
    details = gaussian_filter(values, 0.7) - gaussian_filter(values, 2.5)
    details -= details.mean()
    length = float(np.linalg.norm(details))
    unit = details / length if length > 0 else details
    return unit.astype(np.float32), length / side


def _alike(
    stack: Squares, coarse: NDArray[np.float32], positions: NDArray[np.int64]
) -> Iterator[tuple[int, int]]:
    """Pairs of pictures whose coarse and fine details agree, the earlier first."""
    fine: dict[int, NDArray[np.float32]] = {}
    patients = stack.table["patient_id"].to_numpy()
    for one, other, position in _likely(coarse, positions):
        if position >= 4 and patients[one] == patients[other]:
            continue  # Films of the left and the right breast may be mirror images.
        for number in {one, other} - fine.keys():
            fine[number] = _details(_picture(stack, number), FINE)[0]
        agreement = float((fine[one] * _positioned(fine[other][None], position)[0]).sum())
        if agreement >= FINE_CORRELATION:
            yield one, other


def _likely(
    coarse: NDArray[np.float32], positions: NDArray[np.int64]
) -> Iterator[tuple[int, int, int]]:
    """Pairs whose coarse details agree, with the position of the second one in which they do."""
    flat = coarse[positions].reshape(len(positions), COARSE**2)
    for position in range(8):
        others = _positioned(coarse[positions], position).reshape(len(positions), COARSE**2)
        for start in range(0, len(positions), _BLOCK):
            # What comes before has been compared with these rows already: every position has its
            # opposite among the eight.
            likely = flat[start : start + _BLOCK] @ others[start:].T >= COARSE_CORRELATION
            rows, columns = np.nonzero(np.triu(likely, 1))
            for row, column in zip(rows + start, columns + start, strict=True):
                yield int(positions[row]), int(positions[column]), position


def _positioned(pictures: NDArray[np.float32], position: int) -> NDArray[np.float32]:
    """Pictures (n, s, s) rotated by `position` % 4 quarters, and mirrored from the fourth on."""
    rotated = np.rot90(pictures, position % 4, axes=(1, 2))
    return np.ascontiguousarray(rotated[:, :, ::-1] if position >= 4 else rotated)

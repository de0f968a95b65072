"""Pictures that are the same or nearly the same: copies under other names, sizes or formats.

A copy on both sides of a split is seen in training, whatever its patient is called. Two pictures
count as copies if their details agree, coarse ones first and then fine ones, in any of the eight
positions that rotations by quarters and mirroring make. Brightness and contrast do not matter, nor
does it if one is the negative of the other. Pictures without detail are copies only if every pixel
is the same, constant ones never.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.data.patients import joined

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.crops.settings import CropSettings

# 2: negatives are copies.
COPIES_VERSION = 2

# Sides of the two reductions of a picture in pixels, and the correlations from which the details of
# two pictures agree. Of 2,352 crops and films of CBIS-DDSM, mini-MIAS and the phantom no two of
# different patients come near both; JPEG of quality 50 and half the resolution stay above.
COARSE, FINE = 24, 96
COARSE_CORRELATION, FINE_CORRELATION = 0.98, 0.8
# Standard deviation of the details, in grey levels, below which there are none.
LEAST_DETAIL = 0.5
# Rows that are compared with all others at once, and pictures that are reduced at once.
_BLOCK, _BATCH = 512, 64
# Pairs are compared one by one, so many at once, where they are fewer than this share of all.
_PAIRS, _SPARSE = 4096, 1 / 64


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


def copy_groups(stack: Squares, progress: Callable[[int], None] | None = None) -> NDArray[np.int64]:
    """Which crops of a stack show the same picture.

    Parameters
    ----------
    stack : Squares
        Its padding is left out of the comparison.
    progress : Callable[[int], None] | None, optional
        Called with the number of steps done since the last call; there are two for each crop.

    Returns
    -------
    NDArray[np.int64], shape (n,)
        A number for each crop, the same for copies; each number is the position of its first crop.
    """
    report = progress or (lambda _: None)
    pictures = _Pictures(stack)
    coarse, detailed, varied = _reduced(pictures, report)
    first: dict[str, int] = {}
    same = [(first.setdefault(stack.digests[i], int(i)), int(i)) for i in np.flatnonzero(varied)]
    groups = joined(len(coarse), same)
    patients = np.unique(stack.table["patient_id"].astype(str), return_inverse=True)[1]
    # Of equal squares one for each patient is enough.
    keys = np.stack([groups, patients])[:, detailed]
    positions = np.sort(np.flatnonzero(detailed)[np.unique(keys, axis=1, return_index=True)[1]])
    report(len(coarse) - len(positions))
    for one, other in _alike(pictures, coarse, positions, patients, groups, report):
        numbers = groups[one], groups[other]
        groups[groups == max(numbers)] = min(numbers)
    return groups


class _Pictures:
    """The squares of a stack without the zeros that fill them up to a crop's proportions."""

    def __init__(self, stack: Squares) -> None:
        self._images = stack.images
        self._padded = stack.settings.fit == "pad"
        self._shapes = stack.table[["crop_height", "crop_width"]].to_numpy().tolist()

    def __len__(self) -> int:
        return len(self._shapes)

    def __getitem__(self, position: int) -> NDArray[np.uint8]:
        image = np.asarray(self._images[position])
        if not self._padded:
            return image
        shape = self._shapes[position]
        size, longest = len(image), max(shape)
        rows, columns = (max(1, round(side * size / longest)) for side in shape)
        top, left = (size - rows) // 2, (size - columns) // 2
        return image[top : top + rows, left : left + columns]


def _reduced(
    pictures: _Pictures, report: Callable[[int], None]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Of every picture its coarse details, whether it has fine ones, and more values than one."""
    coarse = np.empty((len(pictures), COARSE, COARSE), dtype=np.float32)
    detailed = np.zeros(len(pictures), dtype=bool)
    varied = np.zeros(len(pictures), dtype=bool)

    def reduce(start: int) -> int:
        part = slice(start, start + _BATCH)
        found = [pictures[position] for position in range(len(pictures))[part]]
        coarse[part] = _details(found, COARSE)[0]
        detailed[part] = _details(found, FINE)[1] >= LEAST_DETAIL
        varied[part] = [picture.min() < picture.max() for picture in found]
        return len(found)

    with ThreadPoolExecutor(4) as pool:
        for done in pool.map(reduce, range(0, len(pictures), _BATCH)):
            report(done)
    return coarse, detailed, varied


def _details(
    pictures: list[NDArray[np.uint8]], side: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """What each picture, reduced to a square, differs from its surroundings; its spread.

    The differences of a picture have the length 1.
    """
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    box = Image.Resampling.BOX
    reduced = [np.asarray(Image.fromarray(p).resize((side, side), box)) for p in pictures]
    values = np.stack(reduced).astype(np.float64)
    details = gaussian_filter(values, (0, 0.7, 0.7)) - gaussian_filter(values, (0, 2.5, 2.5))
    details -= details.mean(axis=(1, 2), keepdims=True)
    length = np.linalg.norm(details, axis=(1, 2))
    details /= np.where(length > 0, length, 1)[:, None, None]
    return details.astype(np.float32), length / side


def _alike(
    pictures: _Pictures,
    coarse: NDArray[np.float32],
    positions: NDArray[np.int64],
    patients: NDArray[np.int64],
    groups: NDArray[np.int64],
    report: Callable[[int], None],
) -> Iterator[tuple[int, int]]:
    """Pairs of pictures whose coarse and fine details agree; none of one group.

    The caller joins the groups of each pair.
    """
    for ones, others, position in _likely(coarse, positions, report):
        fine: dict[int, NDArray[np.float32]] = {}
        apart = groups[ones] != groups[others]
        if position >= 4:
            # Films of the left and the right breast may be mirror images.
            apart &= patients[ones] != patients[others]
        for one, other in zip(ones[apart].tolist(), others[apart].tolist(), strict=True):
            if groups[one] == groups[other]:
                continue
            for number in {one, other} - fine.keys():
                fine[number] = _details([pictures[number]], FINE)[0]
            agreement = float((fine[one] * _positioned(fine[other], position)).sum())
            if abs(agreement) >= FINE_CORRELATION:
                yield one, other


def _likely(
    coarse: NDArray[np.float32], positions: NDArray[np.int64], report: Callable[[int], None]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], int]]:
    """Pairs whose coarse details agree, with the position of the second one in which they do.

    No position moves the symmetric part of a picture, and no two pictures that agree have parts
    that are farther apart than they are themselves; only pairs with parts so near are looked at.
    """
    parts = _symmetric_parts(coarse[positions])
    halves = (parts * parts).sum(axis=1) / 2
    # The squared distance of two pictures that agree is at most twice this; the rest is rounding.
    most = 1 - COARSE_CORRELATION + 1e-4
    for start in range(0, len(positions), _BLOCK):
        # What comes before has been compared with these rows already.
        near = np.abs(parts[start : start + _BLOCK] @ parts[start:].T)
        near -= halves[start : start + _BLOCK, None]
        near -= halves[start:]
        rows, columns = np.nonzero(np.triu(near >= -most, 1))
        rows, columns = positions[rows + start], positions[columns + start]
        for position, correlation in enumerate(_agreement(coarse, rows, columns)):
            agree = correlation >= COARSE_CORRELATION
            yield rows[agree], columns[agree], position
        report(len(positions[start : start + _BLOCK]))


def _symmetric_parts(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """The means of pictures (n, s, s) over all positions, without what they hold several times.

    Distances are those of the whole means.
    """
    mean = np.mean([_positioned(pictures, position) for position in range(8)], axis=0)
    rows, columns = np.triu_indices(pictures.shape[1] // 2)
    times = np.where(rows == columns, 4, 8)
    parts: NDArray[np.float32] = mean[:, rows, columns] * np.sqrt(times, dtype=np.float32)
    return parts


def _agreement(
    coarse: NDArray[np.float32], ones: NDArray[np.int64], others: NDArray[np.int64]
) -> Iterator[NDArray[np.float32]]:
    """The correlation of each pair, without its sign, for every position of the second one."""
    rows, row_of = np.unique(ones, return_inverse=True)
    columns, column_of = np.unique(others, return_inverse=True)
    first = coarse[rows].reshape(len(rows), COARSE**2)
    is_dense = len(ones) > _SPARSE * len(rows) * len(columns)
    for position in range(8):
        second = _positioned(coarse[columns], position).reshape(len(columns), COARSE**2)
        if is_dense:
            yield np.abs(first @ second.T)[row_of, column_of]
            continue
        found = np.empty(len(ones), dtype=np.float32)
        for start in range(0, len(ones), _PAIRS):
            part = slice(start, start + _PAIRS)
            found[part] = np.einsum("ij,ij->i", first[row_of[part]], second[column_of[part]])
        yield np.abs(found)


def _positioned(pictures: NDArray[np.float32], position: int) -> NDArray[np.float32]:
    """Pictures (n, s, s) rotated by `position` % 4 quarters, and mirrored from the fourth on."""
    rotated = np.rot90(pictures, position % 4, axes=(1, 2))
    return np.ascontiguousarray(rotated[:, :, ::-1] if position >= 4 else rotated)

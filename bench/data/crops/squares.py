"""From a data set's files to the square of every row: read, decode, cut, resize.

Files are read one after another, since an archive can only be read forwards, and decoded in a few
threads. A short queue between the two, and the room that all contents and all decoders share, bound
the memory.
"""

import os
import warnings
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bench.data.companions import is_two_valued
from bench.data.crops.regions import (
    Marked,
    RegionCut,
    cut_out,
    fit_square,
    marked_box,
    square_around,
)
from bench.data.crops.settings import CropSettings
from bench.data.images.bounds import CONTENTS, DECODING, TOO_SLOW, Reserve
from bench.data.images.decoding import decode
from bench.data.images.pixels import (
    INSTALL,
    MAX_BYTES,
    UNREADABLE,
    FileFacts,
    UnreadableImage,
)
from bench.data.lesions import Dataset

# Reasons that another machine, or another moment, might not give.
TRANSIENT_REASONS = (UNREADABLE, INSTALL, TOO_SLOW)

# Size in bytes and time of the last change in nanoseconds by path; None for a missing file.
FileStats = dict[str, tuple[int, int] | None]


@dataclass(frozen=True)
class SquareCrop:
    """A row's crop as a square.

    Attributes
    ----------
    pixels : NDArray[np.uint8], shape (size, size)
        The square.
    height, width : int
        Native size of the crop in pixels.
    mean : float
        Mean of the native crop, 0 to 255.
    windowed : bool
        False where the file's window was requested and it has none.
    facts : FileFacts
        What its file tells of how it was made.
    two_valued : bool | None
        Whether its file has two values as a mask has; None where that is not asked.
    """

    pixels: NDArray[np.uint8]
    height: int
    width: int
    mean: float
    windowed: bool
    facts: FileFacts
    two_valued: bool | None = None


def file_stats(dataset: Dataset, cuts: list[RegionCut | str]) -> FileStats:
    """Size and time of every file that is needed."""
    stats: FileStats = {"": None}
    for cut in cuts:
        for path in (cut.image, cut.mask) if isinstance(cut, RegionCut) else ():
            if path not in stats:
                try:
                    stats[path] = dataset.source.stat(path)
                except OSError:
                    stats[path] = None
    return stats


def square_crops(
    dataset: Dataset, settings: CropSettings, cuts: list[RegionCut | str], stats: FileStats
) -> Iterator[tuple[int, SquareCrop | str]]:
    """Each row's number with its square, or the reason why it has none.

    Rows come in the order that reads fastest; those of one image are cut from it together.
    """
    by_image: dict[str, list[tuple[int, RegionCut]]] = {}
    for row, cut in enumerate(cuts):
        if isinstance(cut, str):
            yield row, cut
        else:
            by_image.setdefault(cut.image, []).append((row, cut))
    order = sorted(by_image, key=lambda path: dataset.source.position(path) if stats[path] else 0)
    workers = min(4, os.cpu_count() or 1)
    waiting: deque[Future[list[tuple[int, SquareCrop | str]]]] = deque()
    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        warnings.simplefilter("ignore")
        for path in order:
            names = {path, *(cut.mask for _, cut in by_image[path] if cut.mask)}
            length = sum(_length(stats[name]) for name in names)
            CONTENTS.take(length)
            image = _read(dataset, path, stats[path])
            masks = {name: _read(dataset, name, stats[name]) for name in names - {path}}
            crops = pool.submit(
                _crops_of, image, masks, by_image[path], settings, may_hold_masks(dataset)
            )
            crops.add_done_callback(partial(_give_back, length))
            waiting.append(crops)
            # The call holds the bytes now; a name that lives on would hold them twice.
            del image, masks
            if len(waiting) > workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def may_hold_masks(dataset: Dataset) -> bool:
    """Whether masks may lie among the pictures; published sets say which file is one."""
    return dataset.own


def _give_back(length: int, _: object) -> None:
    CONTENTS.give_back(length)


def _length(stat: tuple[int, int] | None) -> int:
    """The bytes that `_read` takes for a file."""
    return stat[0] if stat is not None and stat[0] <= MAX_BYTES else 0


def _read(dataset: Dataset, path: str, stat: tuple[int, int] | None) -> bytes | str:
    """A file's bytes, or the reason why it is not read."""
    if stat is None:
        return "the file is missing"
    if stat[0] > MAX_BYTES:
        return f"the file has {stat[0]} bytes, more than {MAX_BYTES // 10**6} million"
    try:
        return dataset.source.read(path)
    except (OSError, EOFError) as error:
        return f"{UNREADABLE} ({getattr(error, 'strerror', None) or error})"


def _crops_of(
    image: bytes | str,
    masks: dict[str, bytes | str],
    rows: list[tuple[int, RegionCut]],
    settings: CropSettings,
    looks_for_masks: bool,
) -> list[tuple[int, SquareCrop | str]]:
    """The squares of all rows that are cut from one image, or the reason why there are none."""
    try:
        # Before the image is decoded: who holds room must not wait for more.
        marked = {path: _marked(data, path) for path, data in masks.items()}
        with DECODING.reserved() as reserve:
            return _cut_crops(image, marked, rows, settings, looks_for_masks, reserve)
    except UnreadableImage as error:
        return [(row, str(error)) for row, _ in rows]
    except MemoryError:
        return [(row, f"{UNREADABLE} (too little memory)") for row, _ in rows]


def _cut_crops(
    image: bytes | str,
    marked: dict[str, Marked | str],
    rows: list[tuple[int, RegionCut]],
    settings: CropSettings,
    looks_for_masks: bool,
    reserve: Reserve,
) -> list[tuple[int, SquareCrop | str]]:
    """The squares; a row whose mask or place is bad has the reason instead."""
    path = rows[0][1].image
    if isinstance(image, str):
        raise UnreadableImage(image)
    decoded = decode(image, path, settings.window, reserve)
    windowed = decoded.windowed or settings.window != "voi"
    two_valued = is_two_valued(decoded.pixels) if looks_for_masks else None
    found: list[tuple[int, SquareCrop | str]] = []
    for row, cut in rows:
        try:
            square = cut.square
            if cut.mask:
                box = marked[cut.mask]
                if isinstance(box, str):
                    raise UnreadableImage(box)
                square = square_around(box, decoded.pixels.shape, settings.margin)
            crop = cut_out(decoded.pixels, square, decoded.padding)
        except UnreadableImage as error:
            found.append((row, str(error)))
            continue
        pixels = fit_square(crop, settings.size, settings.fit)
        height, width = crop.shape
        mean = float(crop.mean())
        square_crop = SquareCrop(pixels, height, width, mean, windowed, decoded.facts, two_valued)
        found.append((row, square_crop))
    return found


def _marked(data: bytes | str, path: str) -> Marked | str:
    """What a mask marks, or the reason why that is not known."""
    try:
        if isinstance(data, str):
            raise UnreadableImage(data)
        with DECODING.reserved() as reserve:
            pixels = decode(data, path, reserve=reserve).pixels
            return marked_box(pixels)
    except UnreadableImage as error:
        return f"its mask: {error}"

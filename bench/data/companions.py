"""Masks that lie among the pictures of a folder: they are left out, with a reason.

A mask has nearly two values. It is known by a name made of another picture's, or because the other
pictures of the set have many values. A picture with many values is never left out.
"""

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.images.decoding import decoded
from bench.data.images.pixels import Pixels, UnreadableImage

_WORDS = (
    r"masks?|msk|seg|segm|segmentations?|segmented|gt|ground[ _\-]?truth|rois?|labels?|annotations?"
    r"|anno|lesions?|contours?|binary|bin|matte|outlines?|region|regions"
    r"|overlays?|overlaid|annotated|marked|heat[ _\-]?maps?|cams?|saliency|edges?"
)
_ENDING = re.compile(
    rf"(?P<stem>.*[^ _.\-])(?:[ _.\-]+(?:{_WORDS})|masks?)(?:[ _.\-]*\(?\d+\)?)?", re.IGNORECASE
)
_PREFIX = re.compile(rf"(?:{_WORDS})[ _.\-]+(?P<stem>.+)", re.IGNORECASE)
_FOLDER = re.compile(rf"(?:.*[ _.\-])?(?:{_WORDS})|masks?", re.IGNORECASE)
MASK_FOLDER = re.compile(
    r"(?:.*[ _.\-])?(?:masks?|segmentations?|ground[ _\-]?truth)", re.IGNORECASE
)

# What a folder of masks is called after a class beside it.
_AFTER_A_CLASS = re.compile(
    r"(?P<stem>.*[^ _.\-])[ _.\-]+(?:msk|segm?|segmented|gt|rois?|labels?|annotations?|contours?)",
    re.IGNORECASE,
)

# Of a mask's pixels at most this share lies between its two values; a small mask that was scaled
# has more, and is recognised by its name, too.
_MOST_BETWEEN, _MOST_BETWEEN_BY_NAME = 0.03, 0.10
# Of the pixels near a value at least this share has it, up to what JPEG adds: of the larger part,
# and of the smaller one, where JPEG reaches from the edge far into the region.
_SAME, _SAME_OF_FEW, _SAME_OF_FEW_BY_NAME = 0.9, 0.8, 0.6
# A map of several regions has a value for each.
_MOST_REGIONS = 8
# Where fewer pictures have many values, two values are what pictures of this set look like.
_LEAST_WITH_MANY = 0.25


def is_mask_folder(folder: Path, beside: Iterable[str], images: Iterable[Path]) -> bool:
    """Whether a folder holds masks by its name; one that may be a class by its first image, too.

    `beside` are the names of the folders beside it, `images` its images.
    """
    if MASK_FOLDER.fullmatch(folder.name):
        return True
    named = _AFTER_A_CLASS.fullmatch(folder.name)
    if named is None or named["stem"].lower() not in {name.lower() for name in beside}:
        return False
    first = next(iter(images), None)
    return first is not None and _looks_like_a_mask(first)


def named_masks(root: Path, paths: Sequence[str]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The masks among pictures by their names and pixels, and those by their names alone.

    Parameters
    ----------
    root : Path
        The data root.
    paths : Sequence[str]
        The pictures, relative to it.

    Returns
    -------
    masks : dict[str, str]
        The reason to leave it out, by path; only for pictures of nearly two values whose name is
        another picture's plus a word such as mask, or that lie in a folder of masks.
    doubtful : list[tuple[str, str]]
        Those that are named so and have many values, each with the picture it is named after.
    """
    by_stem: dict[str, list[str]] = {}
    for path in paths:
        by_stem.setdefault(PurePosixPath(path).stem.lower(), []).append(path)
    candidates = [(path, other) for path in paths if (other := _named_after(path, by_stem))]
    if not candidates:
        return {}, []
    needed = sorted({path for pair in candidates for path in pair})
    with ThreadPoolExecutor(4) as pool:
        looks = pool.map(lambda path: _looks_like_a_mask(root / path), needed)
        is_mask = dict(zip(needed, looks, strict=True))
    masks = {
        path: "it is a mask: it has two values and is named after another picture"
        for path, other in candidates
        if is_mask[path] and not is_mask[other]
    }
    return masks, [(path, other) for path, other in candidates if not is_mask[path]]


def _named_after(path: str, by_stem: dict[str, list[str]]) -> str:
    """The picture that a picture is named after, as a mask would be; empty if there is none."""
    place = PurePosixPath(path)
    stems = [match["stem"] for form in (_ENDING, _PREFIX) if (match := form.fullmatch(place.stem))]
    for stem in stems:
        # a_mask_1 belongs to a, or to a_mask where that is a picture of its own.
        others = [other for other in by_stem.get(stem.lower(), ()) if other != path]
        if others:
            beside = [other for other in others if PurePosixPath(other).parent == place.parent]
            return (beside or others)[0]
    if any(_FOLDER.fullmatch(part) for part in place.parts[:-1]):
        for stem in (place.stem, *stems):
            for other in by_stem.get(stem.lower(), ()):
                parents = PurePosixPath(other).parts[:-1]
                if not any(_FOLDER.fullmatch(part) for part in parents):
                    return other
    return ""


def _looks_like_a_mask(file: Path) -> bool:
    """Whether a file that may be a mask by its name is one; False where it cannot be read."""
    try:
        with decoded(file) as image:
            return _shows_a_mask(image.pixels)
    except (UnreadableImage, OSError, MemoryError):
        return False


def _shows_a_mask(pixels: Pixels) -> bool:
    low, high = float(pixels.min()), float(pixels.max())
    if low == high or _is_two_valued(pixels, _MOST_BETWEEN_BY_NAME, _SAME_OF_FEW_BY_NAME):
        return True
    return len(np.unique(pixels)) <= _MOST_REGIONS


def is_two_valued(pixels: Pixels) -> bool:
    """Whether a picture has two values as a mask does, even one that was saved as JPEG.

    A picture of one value is none, nor is a dark one with a few bright pixels.
    """
    return _is_two_valued(pixels, _MOST_BETWEEN, _SAME_OF_FEW)


def _is_two_valued(pixels: Pixels, most_between: float, same_of_few: float) -> bool:
    low, high = float(pixels.min()), float(pixels.max())
    if low == high:
        return False
    if bool(((pixels == low) | (pixels == high)).all()):
        return True
    values, counts = _counted(pixels, low, high)
    margin = 0.1 * (high - low)
    ends = (values <= low + margin, values >= high - margin)
    few, many = sorted(ends, key=lambda end: int(counts[end].sum()))
    number_of_few, number_of_many = int(counts[few].sum()), int(counts[many].sum())
    if number_of_few + number_of_many <= (1 - most_between) * pixels.size:
        return False
    if number_of_few < 0.001 * pixels.size:
        return False
    return (
        _same(values[many], counts[many], margin) >= _SAME
        and _same(values[few], counts[few], margin) >= same_of_few
    )


def _counted(pixels: Pixels, low: float, high: float) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The values of a picture, in at most 2^16 steps, and how often each occurs.

    A few rows at a time: a film needs no copy in a wider type.
    """
    steps = 2**16 - 1 if pixels.dtype.kind == "f" else int(min(high - low, 2**16 - 1))
    counts = np.zeros(steps + 1, np.int64)
    rows = max(1, 2**18 // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        strip = pixels[top : top + rows].astype(np.float64)
        places = np.rint((strip - low) / (high - low) * steps).astype(np.int64)
        counts += np.bincount(places.ravel(), minlength=steps + 1)
    return low + np.arange(steps + 1) * ((high - low) / steps), counts


def _same(values: NDArray[Any], counts: NDArray[np.int64], margin: float) -> float:
    """The share of pixels that have one value, up to what JPEG adds."""
    reached = np.cumsum(counts)
    middle = ((reached[-1] + 1) // 2, reached[-1] // 2 + 1)
    median = values[np.searchsorted(reached, middle)].mean()
    near = np.abs(values - median) <= 0.2 * margin
    return float(counts[near].sum() / reached[-1])


def masks_among(two_valued: Iterable[bool | None]) -> str:
    """The reason to leave the two-valued pictures of a set out; empty where they belong to it.

    Parameters
    ----------
    two_valued : Iterable[bool | None]
        Of each picture whether it has two values; None where it cannot be read.

    Returns
    -------
    str
        The reason.
    """
    known = [value for value in two_valued if value is not None]
    if not any(known) or known.count(False) < _LEAST_WITH_MANY * len(known):
        return ""
    return "it is a mask: it has two values, and other pictures of the set have many"

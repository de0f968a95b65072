"""Images that a notebook has in hand, as the squares that a run would make of the same files.

Paths are read as a run reads a folder. Arrays, tensors and pictures go the same way from there on:
colours to one grey channel, more than 8 bits scaled to 8, then a square of one size. What is
converted is counted, so that nothing is rounded silently; what has no one meaning is refused.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bench.data.crops.regions import cut_out, fit_square
from bench.data.crops.settings import CropSettings
from bench.data.images.decoding import decode
from bench.data.images.pixels import UnreadableImage, luminance, to_eight_bit

# Values that become 0 and 255, or those of each image itself.
Values = Literal["own"] | tuple[float, float]

# Where a data set of torch keeps the image of an item that is a mapping.
_KEYS = ("image", "images", "img", "pixel_values")
_WEIGHTS = np.array([0.299, 0.587, 0.114])
_NAMED = 3


class UnusableImages(ValueError):
    """Images that cannot be converted without a guess; the message is one line."""


@dataclass
class Conversions:
    """What was done to images on the way to 8 bits of grey.

    Attributes
    ----------
    counts : Counter[str]
        How many images, by what was done.
    """

    counts: Counter[str] = field(default_factory=Counter)

    def note(self, done: str) -> None:
        """Count one image."""
        self.counts[done] += 1

    def line(self) -> str:
        """All of it in one line; empty where every image came as it is used."""
        return "; ".join(f"{count} images {done}" for done, count in self.counts.items())


def squares_of(
    images: Any, settings: CropSettings, values: Values = "own"
) -> tuple[NDArray[np.uint8], Conversions]:
    """Images of any kind as squares.

    Parameters
    ----------
    images : Any
        An array or tensor (n, h, w), (n, h, w, 1 or 3) or (n, 1 or 3, h, w); paths; a list of
        images of several sizes; a Dataset or DataLoader of torch, of images alone or with labels.
    settings : CropSettings
        Size and fit of the squares, and the grey values of DICOM files.
    values : Values
        What becomes 0 and 255 of values that are not of 8 bits: the minimum and maximum of each
        image, or two numbers, outside of which no value may lie.

    Returns
    -------
    tuple[NDArray[np.uint8], Conversions], shape (n, size, size)
        The squares, and what was converted.

    Raises
    ------
    UnusableImages
        If an image cannot be read or has no one meaning; of several files the first three are
        named.
    """
    found, done, problems = [], Conversions(), []
    for number, item in enumerate(_items(images)):
        try:
            grey = _grey(item, settings, values, done)
        except UnusableImages as problem:
            where = _file_of(item) or f"image {number}"
            problems.append(f"{where}: {problem}")
            continue
        found.append(fit_square(grey, settings.size, settings.fit))
    if problems:
        more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise UnusableImages("; ".join(problems[:_NAMED]) + more)
    if not found:
        raise UnusableImages("there are no images")
    return np.stack(found), done


def _items(images: Any) -> Iterator[Any]:
    """The images one by one."""
    if isinstance(images, str | bytes | PathLike):
        raise UnusableImages(f"one path, {fspath(images)!r:.80}: give a list of paths")
    if _is_loader(images):
        yield from _batches(images)
        return
    if hasattr(images, "detach") or isinstance(images, np.ndarray):
        yield from _checked_stack(_as_array(images))
        return
    if hasattr(images, "to_numpy") and getattr(images, "ndim", 0) == 1:  # a Series of paths
        yield from images.to_numpy()
        return
    if isinstance(images, Mapping):
        raise UnusableImages(f"a mapping, not images: give the images of {list(images)[:3]}")
    if hasattr(images, "columns"):
        raise UnusableImages("a table of features, not images; give the column of paths")
    if hasattr(images, "__len__") and hasattr(images, "__getitem__"):
        # Not by iterating: a Dataset of torch ends with IndexError, or never.
        yield from (images[i] for i in range(len(images)))
        return
    if isinstance(images, Iterable):
        yield from images
        return
    raise UnusableImages(f"images are an array, paths or a Dataset, not {type(images).__name__}")


def _checked_stack(array: NDArray[Any]) -> NDArray[Any]:
    """An array whose first axis counts images."""
    if array.ndim == 1 and array.dtype.kind in "OUS":
        return array
    if array.ndim not in (3, 4):
        hint = "; one image is images[None]" if array.ndim == 2 else ""
        raise UnusableImages(
            f"an array of images is (n, h, w) or (n, h, w, 3), got {array.shape}{hint}"
        )
    if array.ndim == 3 and array.shape[-1] == 3 != array.shape[0]:
        raise UnusableImages(f"{array.shape} is one image in colours, or none: give images[None]")
    return array


def _is_loader(images: Any) -> bool:
    return hasattr(images, "batch_sampler") and hasattr(images, "dataset")


def _batches(loader: Any) -> Iterator[Any]:
    """The images of a DataLoader, in its order, which has to be that of the labels."""
    if type(getattr(loader, "sampler", None)).__name__ in (
        "RandomSampler",
        "WeightedRandomSampler",
        "SubsetRandomSampler",
    ):
        raise UnusableImages("the DataLoader shuffles: its rows would not be those of the labels")
    if getattr(loader, "drop_last", False):
        raise UnusableImages("the DataLoader drops its last rows (drop_last)")
    for batch in loader:
        if loader.batch_size is None:
            yield batch
            continue
        first = _image_of(batch, in_list=True)
        # A list of pictures, where a collate function of one's own leaves them as they are.
        yield from batch if hasattr(first, "convert") else first


def _image_of(item: Any, *, in_list: bool = False) -> Any:
    """The image of an item that has labels beside it; in a batch they stand in a list."""
    if isinstance(item, Mapping):
        for key in _KEYS:
            if key in item:
                return item[key]
        raise UnusableImages(f"a mapping without {' or '.join(_KEYS[:2])}: it has {list(item)[:5]}")
    if in_list and isinstance(item, list | tuple) and item and _file_of(item[0]) is not None:
        return item  # a batch of paths
    if (isinstance(item, tuple) or (in_list and isinstance(item, list))) and item:
        return item[0]
    return item


def _grey(
    item: Any, settings: CropSettings, values: Values, done: Conversions
) -> NDArray[np.uint8]:
    image = _image_of(item)
    file = _file_of(image)
    if file is not None:
        return _read(file, settings, done)
    if hasattr(image, "convert") and hasattr(image, "mode"):  # of Pillow
        if image.mode not in ("1", "L", "RGB", "F") and not image.mode.startswith("I"):
            raise UnusableImages(f"a picture of mode {image.mode}; convert it to L or RGB first")
        image = np.asarray(image)
    return _eight_bit(_one_channel(_as_array(image), done), values, done)


def _file_of(item: Any) -> str | None:
    return fspath(item) if isinstance(item, str | PathLike) else None


def _read(file: str, settings: CropSettings, done: Conversions) -> NDArray[np.uint8]:
    """A file as a run reads it."""
    try:
        decoded = decode(Path(file).expanduser().read_bytes(), file, settings.window)
    except OSError as error:
        raise UnusableImages(error.strerror or str(error)) from error
    except (UnreadableImage, MemoryError) as error:
        raise UnusableImages(str(error) or "too little memory") from error
    if decoded.facts.colour:
        done.note("in colours are made grey")
    if decoded.pixels.dtype != np.uint8:
        done.note(
            f"of {decoded.pixels.dtype} are scaled to 8 bits by their own minimum and maximum"
        )
    return cut_out(decoded.pixels, None, decoded.padding)


def _as_array(image: Any) -> NDArray[Any]:
    if hasattr(image, "detach"):
        image = image.detach().cpu().numpy()
    if isinstance(image, np.ma.MaskedArray) and np.ma.is_masked(image):
        raise UnusableImages("has masked pixels: fill them first (numpy.ma.filled)")
    try:
        return np.asarray(image)
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise UnusableImages(f"is no array of pixels ({reason})") from error


def _one_channel(pixels: NDArray[Any], done: Conversions) -> NDArray[Any]:
    """(h, w) of one image that may have a channel axis."""
    if pixels.dtype.kind not in "buif":
        raise UnusableImages(f"is no image: {pixels.dtype} {pixels.shape}")
    if pixels.ndim == 3:
        first, last = pixels.shape[0] in (1, 3), pixels.shape[2] in (1, 3)
        if first == last:
            raise UnusableImages(
                f"{pixels.shape} says not which axis is that of 1 or 3 channels"
                if first
                else f"{pixels.shape} has neither 1 nor 3 channels"
            )
        pixels = np.moveaxis(pixels, 0, 2) if first else pixels
    if pixels.ndim not in (2, 3) or 0 in pixels.shape:
        raise UnusableImages(f"is no image: shape {pixels.shape}")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise UnusableImages(f"{int((~np.isfinite(pixels)).sum())} pixels are not finite")
    if pixels.ndim == 2:
        return pixels
    if (pixels == pixels[..., :1]).all():
        return pixels[..., 0]
    done.note("in colours are made grey")
    if pixels.dtype.kind in "ui":
        return luminance(pixels)
    grey: NDArray[Any] = pixels.astype(np.float64) @ _WEIGHTS
    return grey


def _eight_bit(pixels: NDArray[Any], values: Values, done: Conversions) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    kind = pixels.dtype
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint16)
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    least, most = float(pixels.min()), float(pixels.max())
    if values == "own":
        if not np.isfinite((most - least) * 255.0):
            raise UnusableImages(f"values of {least:g} to {most:g} are too far apart to be scaled")
        done.note(f"of {kind.name} are scaled to 8 bits by their own minimum and maximum")
        if pixels.dtype.kind == "f":
            # As wide a type as the scaling's, so that no difference overflows.
            pixels = pixels.astype(np.float64)
        return to_eight_bit(pixels)
    low, high = values
    if least < low or most > high:
        raise UnusableImages(f"values of {least:g} to {most:g} lie outside of {low:g} to {high:g}")
    done.note(f"of {kind.name} are scaled to 8 bits from {low:g} to {high:g}")
    return np.rint((pixels.astype(np.float64) - low) * (255.0 / (high - low))).astype(np.uint8)

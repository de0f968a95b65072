"""The few images of a run folder, read with suspicion, and images inside an SVG, made small.

A run folder may come from anyone: a file that lies outside it, is too large, or is no image is
passed over as if it were not there.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]

_MOST_BYTES = 2_000_000

_LONGEST_SIDE = 2048


def read_grey(folder: Path, name: Any) -> Grey | None:
    """A PNG or JPEG file of the folder as uint8 (height, width), 0 black; None if there is none."""
    return _read(folder, name, "L")


def read_colour(folder: Path, name: Any) -> Grey | None:
    """The same as uint8 (height, width, 3), red first."""
    return _read(folder, name, "RGB")


def _read(folder: Path, name: Any, mode: str) -> Grey | None:
    from PIL import Image

    path = _inside(folder, name)
    if path is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=("PNG", "JPEG")) as image:
                # The size is known before any pixel is decoded; 16-bit modes have no fixed range.
                if max(image.size) > _LONGEST_SIDE or image.mode.startswith(("I", "F")):
                    return None
                return np.asarray(image.convert(mode))
    except Exception:  # decoders fail on broken files in more ways than they say
        return None


def _inside(folder: Path, name: Any) -> Path | None:
    """The regular file of that name, unless it leaves the folder or is large."""
    root = folder.resolve()
    try:
        path = (root / name).resolve()
        small = path.is_file() and path.stat().st_size <= _MOST_BYTES
    except (OSError, ValueError, TypeError):  # too long a name, a null byte, no text at all
        return None
    return path if small and path.is_relative_to(root) else None


def at_most(picture: Grey, side: int) -> Grey:
    """The picture with its longest side at most `side` pixels, proportions kept."""
    from PIL import Image

    image = Image.fromarray(picture)
    image.thumbnail((side, side))
    return np.asarray(image)


def square_of(picture: Grey, side: int) -> Grey:
    """The picture at side × side pixels, as a backbone gets it: bicubic, antialiased."""
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))

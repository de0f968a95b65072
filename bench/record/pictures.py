"""The pictures of a run folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from bench.atomic_files import atomic_path

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

THUMBNAILS_PER_CLASS = 4

# What the usual ViT sees: its input and its patches, in pixels.
VIT_INPUT = {"input": 224, "patch": 16}


def write_png(file: Path, pixels: "NDArray[np.uint8]", side: int = 128) -> None:
    from PIL import Image

    with atomic_path(file) as temporary:
        image = Image.fromarray(pixels)
        image.thumbnail((side, side))
        image.save(temporary, format="PNG")

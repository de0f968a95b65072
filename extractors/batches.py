"""The loop over batches: resized, on the device, halved where memory is short."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from typing import TYPE_CHECKING

from extractors.backbone import Backbone, InputSpec, Precision
from extractors.errors import BackboneError
from extractors.out_of_memory import PartsThatFit
from extractors.precision import running

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import ArrayLike, NDArray

# Fixed for a device, whatever the number of images: results must not depend on how rows are split.
BATCH_SIZES = {"cpu": 32, "cuda": 128, "mps": 64}


def features_of(
    backbone: Backbone,
    images: NDArray[np.uint8],
    precision: Precision,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """`extract` without the choice of precision and without checks, float32 (N, D)."""
    import numpy as np

    features = np.empty((len(images), backbone.feature_width), dtype=np.float32)
    size = batch_size or BATCH_SIZES.get(backbone.device.partition(":")[0], 32)
    done = 0
    parts = PartsThatFit(
        backbone.device, lambda words: _too_small(backbone, words), backbone.most_images
    )

    def compute(pixels: torch.Tensor) -> torch.Tensor:
        return backbone.features(pixels.to(backbone.device, non_blocking=True)).cpu()

    with running(backbone.device, precision):
        for pixels in _prepared(images, backbone, size):
            for part in parts.run(pixels, compute):
                features[done : done + len(part)] = part.numpy()
                done += len(part)
            _note_parts(backbone, parts.most)
            if progress is not None:
                progress(len(pixels))
    return features


def grey_stack(images: ArrayLike, name: str) -> NDArray[np.uint8]:
    """The images as an array, of a memory map as it is; nothing is converted or rounded.

    Parameters
    ----------
    images : ArrayLike, shape (n, h, w)
        8-bit grey images: an array, a memory map or a list of arrays of one size.
    name : str
        Who wants them, for the message.

    Returns
    -------
    NDArray[np.uint8], shape (n, h, w)
        The images.

    Raises
    ------
    BackboneError
        If they are anything else: floats, colours, one image, paths.
    """
    import numpy as np

    wanted = f"{name}: wants uint8 images (N, H, W)"
    if isinstance(images, str | bytes | PathLike) or (
        isinstance(images, list | tuple)
        and any(isinstance(one, str | bytes | PathLike) for one in images)
    ):
        raise BackboneError(
            f"{wanted}, got paths; read the files first, into one array, "
            "as bench.data.build_stack does for a data set"
        )
    try:
        found = np.asarray(images)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise BackboneError(f"{wanted} of one size, got no such array ({reason})") from None
    if found.ndim == 3 and found.dtype == np.uint8 and 0 not in found.shape[1:]:
        return found
    hint = ""
    if found.ndim == 3 and found.dtype.kind == "f":
        hint = "; of values on [0, 1] make np.rint(255 * images).astype(np.uint8)"
    elif found.ndim == 4:
        hint = "; make one grey channel of the colours"
    elif found.ndim == 2:
        hint = "; one image is images[None]"
    raise BackboneError(f"{wanted}, got {found.dtype} {found.shape}{hint}")


def resize(images: NDArray[np.uint8], spec: InputSpec) -> torch.Tensor:
    """uint8 (B, H, W) to float32 (B, 1, h, w) on [0, 255] at the network's input size."""
    import numpy as np
    import torch
    from torch.nn import functional

    # A copy: a memory map is read here, in the thread that prepares, and torch wants it writable.
    pixels = torch.from_numpy(np.array(images)).unsqueeze(1).float()
    if tuple(pixels.shape[2:]) == (spec.height, spec.width):
        return pixels
    resized = functional.interpolate(
        pixels, (spec.height, spec.width), mode="bicubic", align_corners=False, antialias=True
    )
    return resized.clamp_(0, 255)


def _prepared(images: NDArray[np.uint8], backbone: Backbone, size: int) -> Iterator[torch.Tensor]:
    """Batches ready for the network.

    For a GPU the next batch is prepared, in pinned memory, while the current one runs. On a CPU
    preparing takes a hundredth of the network's time, and a second thread that computes would take
    its cores away: there it is done in between.
    """
    starts = range(0, len(images), size)
    if backbone.device == "cpu":
        yield from (resize(images[start : start + size], backbone.input) for start in starts)
        return
    pin = backbone.device.startswith("cuda")

    def ready(start: int) -> torch.Tensor:
        pixels = resize(images[start : start + size], backbone.input)
        return pixels.pin_memory() if pin else pixels

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="prepare") as pool:
        waiting = [pool.submit(ready, start) for start in starts[:1]]
        for following in starts[1:]:
            current = waiting.pop().result()
            waiting.append(pool.submit(ready, following))
            yield current
        for last in waiting:
            yield last.result()


def _too_small(backbone: Backbone, words: str) -> BackboneError:
    return BackboneError(
        f"{backbone.name}: not even one image fits into the memory of {backbone.device} ({words})"
    )


def _note_parts(backbone: Backbone, most: int | None) -> None:
    """Keep the size of the parts that fitted, for the next batches and for the reader."""
    if most == backbone.most_images:
        return
    backbone.most_images = most
    note = f"batch halved to {most}: not enough memory on {backbone.device}"
    warnings.warn(f"{backbone.name}: {note}", stacklevel=3)
    add_note(backbone, note)


def add_note(backbone: Backbone, note: str) -> None:
    """Add a note to a backbone, once."""
    if note not in backbone.notes:
        backbone.notes.append(note)

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
_SMOOTH = {"align_corners": False, "antialias": True}


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

    def compute(crops: torch.Tensor) -> torch.Tensor:
        return backbone.features(resize(crops, backbone.input, backbone.device)).cpu()

    with running(backbone.device, precision):
        for crops in _batches(images, backbone.device, size):
            for part in parts.run(crops, compute):
                features[done : done + len(part)] = part.numpy()
                done += len(part)
            _note_parts(backbone, parts.most)
            if progress is not None:
                progress(len(crops))
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


def resize(
    images: NDArray[np.uint8] | torch.Tensor, spec: InputSpec, device: str = "cpu"
) -> torch.Tensor:
    """uint8 (B, H, W) to float32 (B, 1, h, w) on [0, 255] at the network's input size, on a device.

    The crops travel as they are, in 8 bits. Metal lacks the antialiased filter in older versions of
    PyTorch: for it they are resized on the processor.
    """
    import numpy as np
    import torch
    from torch.nn import functional

    if not isinstance(images, torch.Tensor):
        # A copy: what is read of a memory map is not writable, as torch wants it.
        images = torch.from_numpy(np.array(images))
    if not device.startswith("mps"):
        images = to_device(images, device)
    pixels = images.unsqueeze(1).float()
    if tuple(pixels.shape[2:]) != (spec.height, spec.width):
        smooth = {} if spec.interpolation == "nearest" else _SMOOTH
        pixels = functional.interpolate(
            pixels, (spec.height, spec.width), mode=spec.interpolation, **smooth
        ).clamp_(0, 255)
    return pixels.to(device)


def to_device(tensor: torch.Tensor, device: str) -> torch.Tensor:
    """A tensor on a device. A copy from pinned memory is not waited for; others go through it."""
    if not device.startswith("cuda") or tensor.device.type != "cpu":
        return tensor.to(device)
    pinned = tensor if tensor.is_pinned() else tensor.pin_memory()
    return pinned.to(device, non_blocking=True)


def _batches(images: NDArray[np.uint8], device: str, size: int) -> Iterator[torch.Tensor]:
    """Batches of crops, uint8.

    For a GPU the next batch is read, into pinned memory, while the current one runs. For a CPU it
    is read in between: a thread of its own would take cores away.
    """
    import numpy as np
    import torch

    def read(start: int) -> torch.Tensor:
        # A copy: a memory map is read here, in this thread.
        crops = torch.from_numpy(np.array(images[start : start + size]))
        return crops.pin_memory() if device.startswith("cuda") else crops

    starts = range(0, len(images), size)
    if device == "cpu":
        yield from map(read, starts)
        return
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read") as pool:
        waiting = [pool.submit(read, start) for start in starts[:1]]
        for following in starts[1:]:
            current = waiting.pop().result()
            waiting.append(pool.submit(read, following))
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

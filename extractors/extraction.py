"""The one loop that turns a stack of images into a matrix of features."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from extractors.backbone import Backbone, Precision
from extractors.batches import add_note, features_of
from extractors.errors import BackboneError
from extractors.precision_choice import choose_precision

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def extract(
    backbone: Backbone,
    images: NDArray[np.uint8],
    batch_size: int | None = None,
    precision: Precision | Literal["auto"] = "auto",
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """Features of grayscale images.

    Each image is resized to the backbone's own input on its one channel (bicubic, antialiased, no
    crop, kept within [0, 255]), repeated to three channels and normalised for the weights.

    Parameters
    ----------
    backbone : Backbone
        From `create_backbone`.
    images : NDArray[np.uint8], shape (n, h, w)
        An array or a memory map.
    batch_size : int | None
        Images in a batch; by default fixed for the device.
    precision : Precision | Literal["auto"]
        "auto" takes that of `choose_precision`. The one that was used is kept in
        `backbone.precision`, and what a reader should know in `backbone.notes`.
    progress : Callable[[int], None] | None
        Called after each batch with the number of images it held.

    Returns
    -------
    NDArray[np.float32], shape (n, d)
        The features.

    Raises
    ------
    BackboneError
        If `images` is no such stack, or a feature is not finite; the message says of how many
        images.
    """
    import numpy as np

    if images.ndim != 3 or images.dtype != np.uint8:
        raise BackboneError(
            f"{backbone.name}: wants uint8 images (N, H, W), got {images.dtype} {images.shape}"
        )
    if batch_size is not None and batch_size < 1:
        raise BackboneError(f"{backbone.name}: batch_size must be at least 1, got {batch_size}")
    if precision == "auto":
        choice = choose_precision(backbone)
        precision = choice.precision
        add_note(backbone, choice.note)
    backbone.precision = precision
    features = features_of(backbone, images, precision, batch_size, progress)
    bad = int((~np.isfinite(features)).any(axis=1).sum())
    if bad:
        raise BackboneError(
            f"{backbone.name}: {bad} of {len(images)} images give features that are not finite"
        )
    return features

"""Turns a stack of images into a matrix of features, in a precision that is chosen for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from extractors.backbone import Backbone, Precision
from extractors.batches import add_note, features_of, grey_stack
from extractors.errors import BackboneError
from extractors.precision import LOWEST_COSINE, computes_bfloat16

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
        An array, a memory map or a list of arrays of one size. Anything else is refused: floats,
        which would have to be rounded, colours, and paths.
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

    images = grey_stack(images, backbone.name)
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


@dataclass(frozen=True)
class PrecisionChoice:
    """A precision, and why it was chosen.

    Attributes
    ----------
    precision : Precision
        The one to compute in.
    min_cosine : float | None
        Lowest cosine between features in float32 and bfloat16; None if they were not compared.
    note : str
        Why, in a few words.
    """

    precision: Precision
    min_cosine: float | None
    note: str


def choose_precision(backbone: Backbone, *, allow_bfloat16: bool = True) -> PrecisionChoice:
    """Choose bfloat16 if the device computes in it and features of eight images agree with float32.

    The images are made up, always the same: a choice that looked at the data would let test images
    decide how training images are read. Nothing is timed either, so the same machine and weights
    give the same choice.

    Parameters
    ----------
    backbone : Backbone
        Whose features are compared.
    allow_bfloat16 : bool
        False keeps float32 whatever the device.

    Returns
    -------
    PrecisionChoice
        The precision and why.
    """
    if not allow_bfloat16:
        return PrecisionChoice("float32", None, "bfloat16 is switched off")
    if not computes_bfloat16(backbone.device):
        return PrecisionChoice("float32", None, f"{backbone.device} does not compute in bfloat16")
    sample = probe_images()
    full = features_of(backbone, sample, "float32")
    half = features_of(backbone, sample, "bfloat16")
    lowest = lowest_cosine(full, half)
    if lowest > LOWEST_COSINE:
        return PrecisionChoice("bfloat16", lowest, f"bfloat16 agrees (cosine {lowest:.5f})")
    return PrecisionChoice(
        "float32", lowest, f"bfloat16 disagrees with float32 (cosine {lowest:.5f})"
    )


def probe_images() -> NDArray[np.uint8]:
    """Eight textures, uint8 (8, 256, 256): noise whose spectrum falls with f^0, f^-0.5 … f^-3.5.

    Spectra of mammograms fall with about f^-1.5.

    References
    ----------
    Burgess, Jacobson and Judy, Medical Physics 28, 2001.
    """
    import numpy as np

    size = 256
    generator = np.random.default_rng(0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    frequency[0, 0] = np.inf  # no mean: the grey values are stretched below
    textures = []
    for step in range(8):
        spectrum = np.fft.fft2(generator.normal(size=(size, size))) * frequency ** (-step / 2)
        texture = np.fft.ifft2(spectrum).real
        low, high = np.quantile(texture, [0.01, 0.99])
        textures.append(255 * np.clip((texture - low) / (high - low), 0, 1))
    return np.array(textures).round().astype(np.uint8)


def lowest_cosine(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Lowest cosine between the rows of two (N, D) matrices; -1 if any is undefined."""
    import numpy as np

    a, b = first.astype(np.float64), second.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    with np.errstate(all="ignore"):
        cosines = (a * b).sum(1) / norms
    return float(np.where(np.isfinite(cosines), cosines, -1.0).min())

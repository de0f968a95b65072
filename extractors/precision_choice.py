"""Chooses between float32 and bfloat16: the latter where the features of a backbone agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from extractors.backbone import Backbone, Precision
from extractors.batches import features_of
from extractors.precision import LOWEST_COSINE, computes_bfloat16

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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

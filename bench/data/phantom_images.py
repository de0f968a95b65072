"""Draws one view of a synthetic lesion: a mass or calcifications on a power-law background.

How malignant a lesion looks is one number, its *suspicion*: 0 is typical of benign, 1 of
malignant, and the two classes overlap. Nothing else, neither the crop's size nor its brightness,
depends on it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FILM_SHAPE = (320, 256)  # rows, columns
SMALLEST_SIDE, LARGEST_SIDE = 72, 176  # pixels of a crop
BACKGROUND_EXPONENT = 1.5  # amplitude falls as 1/f^1.5, power as 1/f^3, as in breast tissue
# Standard deviation that a lesion adds to its crop, in grey values.
ENERGY = {"mass": 26.0, "calc": 17.0}

Image = NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """One view of a lesion, 8-bit: the small film, the crop cut from it, the film's mask."""

    film: NDArray[np.uint8]
    crop: NDArray[np.uint8]
    mask: NDArray[np.uint8]


def draw_view(
    kind: str, suspicion: float, shape: tuple[int, int], rng: np.random.Generator
) -> View:
    """Draw a lesion ("mass" or "calc") into a crop of `shape` (rows, columns) within a film."""
    top, left = (
        int(rng.integers(8, full - side - 8)) for full, side in zip(FILM_SHAPE, shape, strict=True)
    )
    window = (slice(top, top + shape[0]), slice(left, left + shape[1]))
    film = _background(rng) * rng.uniform(14.0, 24.0)
    contrast = rng.uniform(0.7, 1.3)
    drawn = _mass(suspicion, shape, rng) if kind == "mass" else _cluster(suspicion, shape, rng)
    # Only the pattern may tell: the lesion is scaled to one energy, and the crop to a mean that is
    # drawn without regard to the class.
    drawn *= contrast * ENERGY[kind] / max(float(drawn.std()), 1e-6)
    film[window] += drawn
    film += rng.uniform(95.0, 145.0) - film[window].mean()
    film += rng.normal(0.0, 2.5, FILM_SHAPE)
    grey = np.clip(np.rint(film), 0, 255).astype(np.uint8)
    mask = np.zeros(FILM_SHAPE, np.uint8)
    mask[window] = np.where(_ellipse(shape) < 1.0, 255, 0)
    return View(grey, grey[window].copy(), mask)


def draw_shape(rng: np.random.Generator) -> tuple[int, int]:
    """Rows and columns of a crop: log-uniform size, sides up to 1.5 : 1."""
    side = np.exp(rng.uniform(np.log(SMALLEST_SIDE), np.log(LARGEST_SIDE)))
    ratio = np.exp(rng.uniform(-0.2, 0.2))
    rows, columns = np.clip([side * ratio, side / ratio], SMALLEST_SIDE, LARGEST_SIDE)
    return int(rows), int(columns)


def _background(rng: np.random.Generator) -> Image:
    """Noise (mean 0, deviation 1) whose amplitude falls as a power of the frequency."""
    rows, columns = FILM_SHAPE
    noise = np.fft.rfft2(rng.normal(size=FILM_SHAPE))
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :])
    frequency[0, 0] = np.inf
    texture = np.fft.irfft2(noise / frequency**BACKGROUND_EXPONENT, s=FILM_SHAPE)
    return np.asarray(texture / texture.std(), np.float64)


def _grid(shape: tuple[int, int]) -> tuple[Image, Image]:
    rows, columns = shape
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float64)
    return y - (rows - 1) / 2, x - (columns - 1) / 2


def _ellipse(shape: tuple[int, int]) -> Image:
    """Squared radius in units of an ellipse that fills 80 % of the crop."""
    y, x = _grid(shape)
    return np.asarray((y / (0.4 * shape[0])) ** 2 + (x / (0.4 * shape[1])) ** 2)


def _mass(suspicion: float, shape: tuple[int, int], rng: np.random.Generator) -> Image:
    """A bright body: oval and sharp, towards irregular and blurred with spicules."""
    y, x = _grid(shape)
    short = min(shape)
    y, x = y - rng.normal(0, 0.03) * short, x - rng.normal(0, 0.03) * short
    angle, radius = np.arctan2(y, x), np.hypot(y, x)
    irregularity = 0.03 + 0.15 * suspicion * rng.uniform(0.6, 1.4)
    border = short * rng.uniform(0.2, 0.28) * _outline(angle, irregularity, rng)
    softness = short * (0.02 + 0.035 * suspicion) * rng.uniform(0.7, 1.3)
    body = 1.0 / (1.0 + np.exp(np.clip((radius - border) / softness, -30, 30)))
    spicules = np.zeros(shape)
    for _ in range(int(rng.poisson(2.0 + 14.0 * suspicion))):
        spicules = np.maximum(spicules, _spicule(angle, radius, border, short, rng))
    return np.asarray(np.maximum(body, 0.85 * spicules))


def _outline(angle: Image, irregularity: float, rng: np.random.Generator) -> Image:
    """Radius over angle, about 1: an ellipse, and lobes of falling height."""
    stretch = rng.uniform(0.05, 0.18)
    outline = 1.0 + stretch * np.cos(2 * (angle - rng.uniform(0, np.pi)))
    for lobes in range(3, 9):
        height = irregularity * rng.normal() * 1.6 / np.sqrt(lobes)
        outline += height * np.cos(lobes * angle + rng.uniform(0, 2 * np.pi))
    return np.clip(outline, 0.4, 1.9)


def _spicule(
    angle: Image, radius: Image, border: Image, short: int, rng: np.random.Generator
) -> Image:
    """A thin ray that starts in the body and fades beyond its border."""
    turned = angle - rng.uniform(-np.pi, np.pi)
    width = rng.uniform(0.008, 0.02) * short
    reach = rng.uniform(0.08, 0.24) * short
    across = np.exp(-0.5 * (radius * np.sin(turned) / width) ** 2) * (np.cos(turned) > 0)
    inward = np.clip((radius / border - 0.5) / 0.4, 0.0, 1.0)
    along = np.clip(1.0 - (radius - border) / reach, 0.0, 1.0) * inward
    return np.asarray(rng.uniform(0.5, 1.0) * across * along)


def _cluster(suspicion: float, shape: tuple[int, int], rng: np.random.Generator) -> Image:
    """Bright specks: few, large, round and alike, towards many, fine, long and unlike."""
    short = min(shape)
    count = 5 + int(rng.poisson(3.0 + 24.0 * suspicion))
    size = (
        short * (0.026 - 0.012 * suspicion) * np.exp(rng.normal(0, 0.12 + 0.3 * suspicion, count))
    )
    length = 1.0 + np.abs(rng.normal(0, 0.15 + 1.3 * suspicion, count))
    # The field of the cluster grows longer along one direction with suspicion.
    field = short * np.array([0.19 + 0.03 * suspicion, 0.19 - 0.07 * suspicion])
    along, across = rng.normal(0, 1, (2, count)) * field[:, None]
    turn = rng.uniform(0, np.pi)
    rows = along * np.sin(turn) + across * np.cos(turn)
    columns = along * np.cos(turn) - across * np.sin(turn)
    tilt = turn + rng.normal(0, 0.6, count)
    peak = rng.uniform(1.0 - 0.6 * min(max(suspicion, 0.0), 1.0), 1.0, count)
    drawn = np.zeros(shape)
    y, x = _grid(shape)
    limits = 0.46 * np.array(shape)
    for speck in range(count):
        dy = y - np.clip(rows[speck], -limits[0], limits[0])
        dx = x - np.clip(columns[speck], -limits[1], limits[1])
        u = (dx * np.cos(tilt[speck]) + dy * np.sin(tilt[speck])) / (size[speck] * length[speck])
        v = (dy * np.cos(tilt[speck]) - dx * np.sin(tilt[speck])) / size[speck]
        drawn = np.maximum(drawn, peak[speck] * np.exp(-0.5 * (u**2 + v**2) ** 2))
    return drawn

"""Draws one view of a breast: masses or calcifications on a power-law background.

How malignant a lesion looks is one number, its *suspicion*: 0 is typical of benign, 1 of
malignant, and the two classes overlap. Nothing else, neither the crop's size nor its brightness,
depends on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FILM_SHAPE = (320, 256)  # rows, columns of a film with one lesion; each further one adds rows
SMALLEST_SIDE, LARGEST_SIDE = 72, 176  # pixels of a crop
BACKGROUND_EXPONENT = 1.5  # amplitude falls as 1/f^1.5, power as 1/f^3, as in breast tissue
# Standard deviation that a lesion adds to its crop, in grey values of 8 bits.
ENERGY = {"mass": 26.0, "calc": 17.0}
# The darkest grey of a film in 16 bits lies between these; the brightest is 65535. Real crops span
# values such as 37455 to 65535 or 6073 to 65535, far less than the full range.
DARKEST = (5000, 38000)

FloatImage = NDArray[np.float64]
CropSlices = tuple[slice, slice]  # rows and columns of a crop within its film


@dataclass(frozen=True)
class Film:
    """A drawn film.

    Attributes
    ----------
    grey : FloatImage, shape (rows, columns)
        0 to 255, not rounded.
    darkest : int
        The 16-bit value of grey 0; grey 255 is 65535.
    crops : tuple[CropSlices, ...]
        Where the crop of each lesion is cut, in the order of the lesions.
    masks : tuple[NDArray[np.uint8], ...], shapes (rows, columns)
        0 and 255, one mask a lesion.
    """

    grey: FloatImage
    darkest: int
    crops: tuple[CropSlices, ...]
    masks: tuple[NDArray[np.uint8], ...]

    def eight_bit(self) -> NDArray[np.uint8]:
        """The film in 8 bits; a lesion's crop is `eight_bit()[crop]` for one of `crops`."""
        return np.rint(self.grey).astype(np.uint8)

    def sixteen_bit(self) -> NDArray[np.uint16]:
        """The film in 16 bits, finer, between `darkest` and 65535."""
        scale = (65535 - self.darkest) / 255.0
        return np.rint(self.darkest + self.grey * scale).astype(np.uint16)


def draw_film(
    kind: str,
    suspicions: Sequence[float],
    shapes: Sequence[tuple[int, int]],
    rng: np.random.Generator,
) -> Film:
    """Draw lesions of a kind ("mass" or "calc") into one film, each within its own crop.

    `shapes` are rows and columns of the crops. Lesions lie one below another, each in a part of the
    film as large as `FILM_SHAPE`, so that no two crops overlap.
    """
    rows, columns = FILM_SHAPE[0] * len(shapes), FILM_SHAPE[1]
    film = _background((rows, columns), rng) * rng.uniform(14.0, 24.0)
    crops = tuple(_place_crop(lesion, shape, rng) for lesion, shape in enumerate(shapes))
    edges: list[int] = []
    offsets: list[float] = []
    for suspicion, shape, crop in zip(suspicions, shapes, crops, strict=True):
        drawn = _mass(suspicion, shape, rng) if kind == "mass" else _cluster(suspicion, shape, rng)
        # Only the pattern may show the class: the lesion is scaled to one energy, and the crop to a
        # mean that is drawn independently of the class.
        drawn *= rng.uniform(0.7, 1.3) * ENERGY[kind] / max(float(drawn.std()), 1e-6)
        film[crop] += drawn
        edges += [crop[0].start, crop[0].stop - 1]
        offsets += [rng.uniform(95.0, 145.0) - float(film[crop].mean())] * 2
    # One offset within each crop, and no step between two of them.
    film += np.interp(np.arange(rows), edges, offsets)[:, None]
    film += rng.normal(0.0, 2.5, film.shape)
    masks = tuple(_mask(film.shape, crop) for crop in crops)
    return Film(np.clip(film, 0.0, 255.0), int(rng.integers(*DARKEST)), crops, masks)


def _place_crop(lesion: int, shape: tuple[int, int], rng: np.random.Generator) -> CropSlices:
    """Place a lesion's crop at least 8 pixels from the edges of its part of the film."""
    top, left = (
        int(rng.integers(8, full - side - 8)) for full, side in zip(FILM_SHAPE, shape, strict=True)
    )
    top += lesion * FILM_SHAPE[0]
    return slice(top, top + shape[0]), slice(left, left + shape[1])


def _mask(film_shape: tuple[int, ...], crop: CropSlices) -> NDArray[np.uint8]:
    mask = np.zeros(film_shape, np.uint8)
    mask[crop] = np.where(_ellipse(mask[crop].shape) < 1.0, 255, 0)
    return mask


def draw_shape(rng: np.random.Generator) -> tuple[int, int]:
    """Rows and columns of a crop: log-uniform size, sides up to 1.5 : 1."""
    side = np.exp(rng.uniform(np.log(SMALLEST_SIDE), np.log(LARGEST_SIDE)))
    ratio = np.exp(rng.uniform(-0.2, 0.2))
    rows, columns = np.clip([side * ratio, side / ratio], SMALLEST_SIDE, LARGEST_SIDE)
    return int(rows), int(columns)


def _background(shape: tuple[int, int], rng: np.random.Generator) -> FloatImage:
    """Noise about 0 whose amplitude falls as a power of the frequency."""
    rows, columns = shape
    noise = np.fft.rfft2(rng.normal(size=shape))
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :])
    frequency[0, 0] = np.inf
    texture = np.fft.irfft2(noise / frequency**BACKGROUND_EXPONENT, s=shape)
    # The deviation is 1 over the rows of one lesion: a taller film also has slower waves, and must
    # not lose contrast within the crops because of them.
    return np.asarray(texture / texture[: FILM_SHAPE[0]].std(), np.float64)


def _grid(shape: tuple[int, ...]) -> tuple[FloatImage, FloatImage]:
    rows, columns = shape
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float64)
    return y - (rows - 1) / 2, x - (columns - 1) / 2


def _ellipse(shape: tuple[int, ...]) -> FloatImage:
    """Squared radius in units of an ellipse that fills 80 % of the crop."""
    y, x = _grid(shape)
    return np.asarray((y / (0.4 * shape[0])) ** 2 + (x / (0.4 * shape[1])) ** 2)


def _mass(suspicion: float, shape: tuple[int, int], rng: np.random.Generator) -> FloatImage:
    """A bright body: oval and sharp if benign, irregular and blurred with spicules if malignant."""
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


def _outline(angle: FloatImage, irregularity: float, rng: np.random.Generator) -> FloatImage:
    """Radius as a function of the angle, about 1: an ellipse with lobes of decreasing height."""
    stretch = rng.uniform(0.05, 0.18)
    outline = 1.0 + stretch * np.cos(2 * (angle - rng.uniform(0, np.pi)))
    for lobes in range(3, 9):
        height = irregularity * rng.normal() * 1.6 / np.sqrt(lobes)
        outline += height * np.cos(lobes * angle + rng.uniform(0, 2 * np.pi))
    return np.clip(outline, 0.4, 1.9)


def _spicule(
    angle: FloatImage, radius: FloatImage, border: FloatImage, short: int, rng: np.random.Generator
) -> FloatImage:
    """A thin ray that starts in the body and fades beyond its border."""
    from_ray = angle - rng.uniform(-np.pi, np.pi)
    width = rng.uniform(0.008, 0.02) * short
    reach = rng.uniform(0.08, 0.24) * short
    across = np.exp(-0.5 * (radius * np.sin(from_ray) / width) ** 2) * (np.cos(from_ray) > 0)
    inward = np.clip((radius / border - 0.5) / 0.4, 0.0, 1.0)
    along = np.clip(1.0 - (radius - border) / reach, 0.0, 1.0) * inward
    return np.asarray(rng.uniform(0.5, 1.0) * across * along)


def _cluster(suspicion: float, shape: tuple[int, int], rng: np.random.Generator) -> FloatImage:
    """Bright specks: few, large, round and alike if benign; many, fine, long and varied if not."""
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

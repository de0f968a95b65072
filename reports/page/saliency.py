"""Where scores come from: which systems and crops get a saliency map, and how the page shows them.

The maps themselves are made where the networks are. Which they are made of is said here, by rules
that look at no test row when they choose a system.
"""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.figures.pictures import read_colour
from reports.systems.run_folder import Run, manifest_records
from reports.values import clean, missing, number
from reports.wanted import SIDE, VERDICTS

_COLOURS = "plasma"

_OPACITY = 0.65  # where saliency is highest

# A map whose peak is a smaller share of the highest one of its system is left without colour.
FAINT = 0.01

# Scores are of the order of 1, and gradients have 32 bits: a smaller peak is rounding.
ROUNDING = 1e-6

_MOST_SYSTEMS = 24

_MOST_CROPS = sum(VERDICTS.values())


def overlay(grey: NDArray[np.uint8], share: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Saliency over a grey picture; where there is none, the picture shines through.

    Parameters
    ----------
    grey : NDArray[np.uint8], shape (h, w)
        The picture.
    share : NDArray[np.uint8], shape (h, w)
        255 where saliency is highest.

    Returns
    -------
    NDArray[np.uint8], shape (h, w, 3)
        The two mixed, in colour.
    """
    from matplotlib import colormaps

    colour = 255 * colormaps[_COLOURS](share)[..., :3]
    opacity = _OPACITY * share[..., None] / 255
    mixed: NDArray[np.uint8] = (
        np.rint(opacity * colour + (1 - opacity) * grey[..., None]).clip(0, 255).astype(np.uint8)
    )
    return mixed


def coloured(peaks: Sequence[float]) -> list[bool]:
    """Which maps of one system have a colour: not those that are next to nothing beside the others.

    Parameters
    ----------
    peaks : Sequence[float]
        The highest value of each of its maps.

    Returns
    -------
    list[bool]
        False where colour would stand for next to nothing.
    """
    known = [peak if 0 <= peak < math.inf else 0.0 for peak in peaks]
    least = max(FAINT * max(known, default=0.0), ROUNDING)
    return [peak >= least for peak in known]


def shown(run: Run) -> list[dict[str, Any]]:
    """What the page shows, from manifest["saliency"]; empty where a run has none."""
    return [
        _system(run, entry) for entry in manifest_records(run.manifest, "saliency")[:_MOST_SYSTEMS]
    ]


def _system(run: Run, entry: dict[str, Any]) -> dict[str, Any]:
    rows = manifest_records(entry, "crops")[:_MOST_CROPS]
    peaks = [_peak(row) for row in rows]
    highest = max((peak for peak in peaks if not math.isnan(peak)), default=0.0)
    crops = [
        _crop(run, row, _strength(peak, highest, colour), colour)
        for row, peak, colour in zip(rows, peaks, coloured(peaks), strict=True)
    ]
    columns = (
        "subset",
        "protocol",
        "kind",
        "extractor",
        "weights",
        "classifier",
        "layer",
        "problem",
    )
    return {
        **{name: "" if missing(entry.get(name)) else clean(entry.get(name)) for name in columns},
        "by_figure": _figure(entry.get("inner_auc")),
        "crops": [crop for crop in crops if crop is not None],
    }


def _peak(crop: dict[str, Any]) -> float:
    """The highest value of a map, NaN where nothing says it."""
    peak = crop.get("peak")
    return float(peak) if isinstance(peak, float) and 0 <= peak < math.inf else math.nan


def _crop(
    run: Run, crop: dict[str, Any], strength: str, colour: bool
) -> dict[str, str | bool] | None:
    """A crop with both its pictures; None where one cannot be read.

    What its words call uncoloured is shown without colour, whatever was written into the folder.
    """
    files = [_embedded(run.folder, crop.get(name)) for name in ("plain", "overlay")]
    if None in files:
        return None
    plain, over = map(str, files)
    return {
        **{name: clean(crop.get(name)) for name in ("crop_id", "label", "verdict")},
        "score": _figure(crop.get("score")),
        "threshold": _figure(crop.get("threshold")),
        "right": str(crop.get("verdict")).startswith("true"),
        "strength": strength,
        "coloured": colour,
        "plain": plain,
        "overlay": over if colour else plain,
    }


def _strength(peak: float, highest: float, colour: bool) -> str:
    """What stands below a map, beside the highest peak of its system."""
    if math.isnan(peak):
        return "Its peak is not known, not coloured"
    if peak < ROUNDING:
        return "No place raises the score"
    return f"Peak {peak / highest:.0%}" if colour else f"Peak below {FAINT:.0%}, not coloured"


def numbered(systems: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Numbers of the pictures, from 0: systems show the same crops, and the page has each once."""
    crops = [crop for system in systems for crop in system["crops"]]
    addresses = dict.fromkeys(crop[name] for crop in crops for name in ("plain", "overlay"))
    return {address: number for number, address in enumerate(addresses)}


def _figure(value: Any) -> str:
    return number(value) if isinstance(value, float) else ""


def _embedded(folder: Path, name: Any) -> str | None:
    """A picture of the folder as a data address, encoded anew: nothing else of the file is kept."""
    picture = read_colour(folder, name)
    return None if picture is None else as_address(picture)


def as_address(picture: NDArray[np.uint8]) -> str:
    """A grey or coloured picture as a data address of a small JPEG file."""
    from PIL import Image

    image = Image.fromarray(picture)
    image.thumbnail((SIDE, SIDE))
    content = io.BytesIO()
    image.save(content, format="JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()


def saliency_legend() -> str:
    """The colours from no saliency to the highest, over a middle grey, as a data address."""
    share = np.tile(np.arange(0, 256, 2, dtype=np.uint8), (10, 1))
    return as_address(overlay(np.full(share.shape, 110, np.uint8), share))

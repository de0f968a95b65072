"""Where scores come from: which systems and crops get a saliency map, and how the page shows them.

The maps themselves are made where the networks are. Which they are made of is said here, by rules
that look at no test row when they choose a system.
"""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.choice import judged
from reports.declared import KERNEL, close_groups
from reports.errors import FALSE_NEGATIVE, FALSE_POSITIVE
from reports.formats import missing, number
from reports.kinds import is_reference, transformer
from reports.naming import OWN_HEAD, clean
from reports.pictures import read_colour
from reports.pooling import System, pool
from reports.run_folder import Run, read_run, records

TRUE_POSITIVE, TRUE_NEGATIVE = "true positive", "true negative"
# In the order of the page: of each verdict so many of the most confident.
VERDICTS = {FALSE_NEGATIVE: 4, FALSE_POSITIVE: 4, TRUE_POSITIVE: 2, TRUE_NEGATIVE: 2}
KINDS = ("CNN", "ViT")
SIDE = 128  # pixels of a picture
_COLOURS = "plasma"
_OPACITY = 0.65  # where saliency is highest
# A map whose peak is a smaller share of the highest one of its system is left without colour.
FAINT = 0.01
_MOST_SYSTEMS = 24
_MOST_CROPS = sum(VERDICTS.values())


class ExplainedCrop(NamedTuple):
    """A test crop to explain. score, threshold : of the system, as stored."""

    crop_id: str
    verdict: str
    score: float
    threshold: float


class Explained(NamedTuple):
    """A system to explain, on one fold. unit : that fold's row of units.parquet.

    inner_auc : by which it was chosen; None where it was the first.
    """

    kind: str
    system: System
    inner_auc: float | None
    unit: dict[str, Any]
    crops: tuple[ExplainedCrop, ...]


def to_explain(folder: Path) -> list[Explained]:
    """One CNN and one ViT of each subset, on the first fold of the first repeat.

    What runs a benchmark calls this when units, predictions and lesions of a run folder stand.
    Where the run has judged systems on inner folds, as for the row `selected`, that decides.
    """
    run = read_run(folder)
    found = []
    for systems in close_groups(run, pool(run)).values():
        able = candidates(systems)
        figures = {
            _extractor(system): float(system.units["inner_auc"].astype("float64").mean())
            for system in (one for of_kind in able.values() for one in of_kind)
            if judged(system)
        }
        chosen = choose(able, figures)
        found += [
            Explained(kind, system, figures.get(_extractor(system)), *_first_fold(run, system))
            for kind, system in chosen.items()
        ]
    return found


def candidates(systems: Sequence[System]) -> dict[str, list[System]]:
    """By kind of network, in order: a network's own head, or the SVM where it has none."""
    by_network: dict[str, dict[str, System]] = {}
    for system in systems:
        classifier = str(system.identity["classifier"])
        plain = not is_reference(system) and not _extractor(system).startswith("fusion:")
        if plain and classifier in (OWN_HEAD, KERNEL):
            by_network.setdefault(_extractor(system), {})[classifier] = system
    found: dict[str, list[System]] = {kind: [] for kind in KINDS}
    for own in by_network.values():
        system = own.get(OWN_HEAD) or own[KERNEL]
        found[KINDS[transformer(system)]].append(system)
    return found


def choose(
    candidates: Mapping[str, Sequence[System]], inner: Mapping[str, float]
) -> dict[str, System]:
    """Of each kind the one with the highest figure; without figures the first, none at random.

    candidates : by kind, in the order of the configuration. inner : by extractor, a mean AUC on
    inner folds of the training rows; no figure of a test row may stand there. Where all of a kind
    have random weights, the first of them is taken.
    """
    chosen = {}
    for kind, systems in candidates.items():
        known = [system for system in systems if _extractor(system) in inner]
        real = [system for system in systems if str(system.identity["weights"]) != "random"]
        if known:
            chosen[kind] = max(known, key=lambda system: inner[_extractor(system)])
        elif systems:
            chosen[kind] = (real or systems)[0]
    return chosen


def _extractor(system: System) -> str:
    return str(system.identity["extractor"])


def _first_fold(run: Run, system: System) -> tuple[dict[str, Any], tuple[ExplainedCrop, ...]]:
    """Its first unit, and the test crops there of which it is most confident, rightly or not."""
    unit = system.units.sort_values(["repeat", "fold"], kind="stable").iloc[0].to_dict()
    rows = run.predictions
    rows = rows[rows["unit"].astype(str) == str(unit["unit"])]
    rows = rows[(rows["repeat"] == unit["repeat"]) & (rows["fold"] == unit["fold"])]
    rows = rows[rows["rotation"] == 0] if "rotation" in rows else rows
    rows = rows.assign(
        away=rows["score"].astype("float64") - float(unit["threshold"]),
        crop_id=rows["crop_id"].astype(str),
    )
    rows = rows.sort_values("crop_id", kind="stable")
    called, positive = rows["away"] > 0, rows["label"] == 1
    of = {
        FALSE_NEGATIVE: positive & ~called,
        FALSE_POSITIVE: ~positive & called,
        TRUE_POSITIVE: positive & called,
        TRUE_NEGATIVE: ~positive & ~called,
    }
    found = []
    for verdict, most in VERDICTS.items():
        own = rows[of[verdict]]
        furthest = own["away"].abs().sort_values(ascending=False, kind="stable").index[:most]
        found += [
            ExplainedCrop(row["crop_id"], verdict, float(row["score"]), float(unit["threshold"]))
            for row in own.loc[furthest].to_dict("records")
        ]
    return unit, tuple(found)


def overlay(grey: NDArray[np.uint8], share: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Saliency over a grey picture; where there is none, the picture shines through.

    grey, share : (H, W); share is 255 where saliency is highest. Returns (H, W, 3).
    """
    from matplotlib import colormaps

    colour = 255 * colormaps[_COLOURS](share)[..., :3]
    opacity = _OPACITY * share[..., None] / 255
    mixed: NDArray[np.uint8] = (
        np.rint(opacity * colour + (1 - opacity) * grey[..., None]).clip(0, 255).astype(np.uint8)
    )
    return mixed


def shown(run: Run) -> list[dict[str, Any]]:
    """What the page shows, from manifest["saliency"]; empty where a run has none."""
    return [_system(run, entry) for entry in records(run.manifest, "saliency")[:_MOST_SYSTEMS]]


def _system(run: Run, entry: dict[str, Any]) -> dict[str, Any]:
    rows = records(entry, "crops")[:_MOST_CROPS]
    highest = max((_peak(row) for row in rows), default=0.0)
    crops = [_crop(run, row, highest) for row in rows]
    told = ("subset", "protocol", "kind", "extractor", "weights", "classifier", "layer", "problem")
    return {
        **{name: "" if missing(entry.get(name)) else clean(entry.get(name)) for name in told},
        "by_figure": _figure(entry.get("inner_auc")),
        "crops": [crop for crop in crops if crop is not None],
    }


def _peak(crop: dict[str, Any]) -> float:
    """The highest value of a map, 0 where nothing raises the score."""
    peak = crop.get("peak")
    return peak if isinstance(peak, float) and 0 <= peak < math.inf else 0.0


def _crop(run: Run, crop: dict[str, Any], highest: float) -> dict[str, str | bool] | None:
    """A crop with both its pictures; None where one cannot be read."""
    files = [_embedded(run.folder, crop.get(name)) for name in ("plain", "overlay")]
    if None in files:
        return None
    return {
        **{name: clean(crop.get(name)) for name in ("crop_id", "label", "verdict")},
        "score": _figure(crop.get("score")),
        "threshold": _figure(crop.get("threshold")),
        "right": str(crop.get("verdict")).startswith("true"),
        "strength": _strength(_peak(crop), highest),
        "plain": str(files[0]),
        "overlay": str(files[1]),
    }


def _strength(peak: float, highest: float) -> str:
    if peak == 0:
        return "No place raises the score"
    share = peak / highest
    return f"Peak {share:.0%}" if share >= FAINT else f"Peak below {FAINT:.0%}, not coloured"


def _figure(value: Any) -> str:
    return number(value) if isinstance(value, float) else ""


def _embedded(folder: Path, name: Any) -> str | None:
    """A picture of the folder as a data address, encoded anew: nothing else of the file is kept."""
    picture = read_colour(folder, name)
    return None if picture is None else _as_address(picture)


def _as_address(picture: NDArray[np.uint8]) -> str:
    from PIL import Image

    image = Image.fromarray(picture)
    image.thumbnail((SIDE, SIDE))
    content = io.BytesIO()
    image.save(content, format="JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()


def legend() -> str:
    """The colours from no saliency to the highest, over a middle grey, as a data address."""
    share = np.tile(np.arange(0, 256, 2, dtype=np.uint8), (10, 1))
    return _as_address(overlay(np.full(share.shape, 110, np.uint8), share))

"""The outlines of INbreast: property lists as OsiriX writes them, one file an image."""

import plistlib
import re
import xml.parsers.expat
from dataclasses import dataclass
from typing import Any

from bench.data.loaders.rows import Box
from bench.data.sources import FolderSource

_MOST_BYTES = 2**26
_POINT = re.compile(r"\s*\(?\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*\)?\s*")
# Names as they occur, some misspelt; what is not among them is no lesion.
_KINDS = {
    "mass": "mass",
    "cluster": "calc",
    "spiculated region": "other",
    "espiculated region": "other",
    "asymmetry": "other",
    "assymetry": "other",
    "distortion": "other",
    "architectural distortion": "other",
}
_SINGLE = ("calcification", "calcifications")


@dataclass(frozen=True)
class Outline:
    """A lesion's outline: its name, the kind that this is, its box, and what is wrong with it."""

    name: str
    kind: str
    box: Box
    problem: str = ""


@dataclass(frozen=True)
class Outlines:
    """The outlines of an image, without those of single calcifications, which are counted."""

    lesions: list[Outline]
    single_calcifications: int


def read_outlines(source: FolderSource, path: str) -> Outlines | str:
    """The outlines in a file, or why it cannot be read."""
    try:
        if source.stat(path)[0] > _MOST_BYTES:
            return f"its outlines take more than {_MOST_BYTES} bytes"
        content = plistlib.loads(source.read(path), fmt=plistlib.FMT_XML)
        regions = [region for image in content["Images"] for region in image["ROIs"]]
    except OSError as error:
        return f"its outlines cannot be read ({error.strerror})"
    except (
        *(plistlib.InvalidFileException, xml.parsers.expat.ExpatError, ValueError),
        *(LookupError, TypeError, AttributeError, RecursionError),
    ):
        return "its outlines cannot be read (the file is no property list with Images and ROIs)"
    named = [(_name(region), region) for region in regions if isinstance(region, dict)]
    lesions = [_outline(name, region) for name, region in named if name not in _SINGLE]
    return Outlines(lesions, sum(name in _SINGLE for name, _ in named))


def _name(region: dict[str, Any]) -> str:
    return " ".join(str(region.get("Name") or "").lower().split())


def _outline(name: str, region: dict[str, Any]) -> Outline:
    nowhere = (0.0, 0.0, 0.0, 0.0)
    if name not in _KINDS:
        return Outline(name, "", nowhere, f"its outline is called {name[:40]!r}, no known lesion")
    points = region.get("Point_px")
    found = [_POINT.fullmatch(str(point)) for point in points] if isinstance(points, list) else []
    pairs = [(float(match[1]), float(match[2])) for match in found if match]
    if len(pairs) < len(found):
        return Outline(name, _KINDS[name], nowhere, "a point of its outline cannot be read")
    if len(pairs) < 3:
        return Outline(name, _KINDS[name], nowhere, "its outline has fewer than three points")
    across, down = zip(*pairs, strict=True)
    return Outline(name, _KINDS[name], (min(across), min(down), max(across), max(down)))

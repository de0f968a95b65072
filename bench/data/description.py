"""What a data set says of itself in `dataset.json`, and whether it passes for another one."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.data.lesions import Dataset, unusable
from bench.data.sources import escapes

if TYPE_CHECKING:
    import pandas as pd

FILE = "dataset.json"
FIELDS = ("name", "derived_from", "changed", "licence", "citation")
_MOST_BYTES, _MOST_LETTERS = 2**16, 1000
# Mammograms whose sizes are looked at, and the fewest that say anything.
_SAMPLE, _LEAST = 40, 5
RESAMPLED = (
    "resampled: all mammograms that were looked at ({count}) are square and of one size ({size} x "
    "{size} pixels), those of CBIS-DDSM are neither; published figures do not belong to this copy "
    f"({FILE} at the data root can say what was changed)"
)


def described(dataset: Dataset) -> Dataset:
    """The data set with what `dataset.json` at its root says of it.

    Raises
    ------
    UnusableInput
        If the file is there and cannot be used, with one line that says why.
    """
    description, notices = _read(dataset)
    if not description:
        size, count = _one_square_size(dataset)
        if not size:
            return replace(dataset, notices=(*dataset.notices, *notices))
        line = RESAMPLED.format(count=count, size=size)
        return replace(dataset, notices=(line, *dataset.notices, *notices), published_figures=False)
    derived = bool(description.get("derived_from") or description.get("changed"))
    return replace(
        dataset,
        description=description,
        licence=description.get("licence") or dataset.licence,
        citation=description.get("citation") or dataset.citation,
        notices=(*_notice(description), *dataset.notices, *notices),
        published_figures=not derived,
    )


def _notice(description: Mapping[str, str]) -> list[str]:
    """The line on a derived data set; none where the file says nothing of that kind."""
    parts = []
    if description.get("derived_from"):
        parts.append(f"derived from {description['derived_from']}")
    if description.get("changed"):
        parts.append(f"changed: {description['changed']}")
    if not parts:
        return []
    name = description.get("name") or "this data set"
    return [f"{name}: {'; '.join(parts)}; published figures do not belong to it"]


def _read(dataset: Dataset) -> tuple[dict[str, str], list[str]]:
    """The fields that are given, and notices; both empty without a file."""
    root = dataset.source.root
    where = root / FILE
    if root.is_dir() and not dataset.source.follow_links and escapes(root, FILE):
        raise unusable(where, "a symbolic link leads out of the data root")
    try:
        size, _ = dataset.source.stat(FILE)
        if size > _MOST_BYTES:
            raise unusable(where, f"has {size} bytes, more than {_MOST_BYTES}")
        content = json.loads(dataset.source.read(FILE).decode("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return {}, []
    except (ValueError, RecursionError) as error:
        raise unusable(where, f"is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise unusable(where, f"must hold one object with {', '.join(FIELDS)}")
    found = {name: _text(where, name, content[name]) for name in FIELDS if name in content}
    others = [str(name)[:40] for name in content if name not in FIELDS]
    notices = [f"{FILE}: fields that are not used: {', '.join(map(repr, others))}"] * bool(others)
    return {name: text for name, text in found.items() if text}, notices


def _text(where: Path, name: str, value: Any) -> str:
    """A field as one line."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = "; ".join(value)
    if not isinstance(value, str):
        raise unusable(where, f"{name} must be text")
    line = "".join(letter for letter in " ".join(value.split()) if letter.isprintable())
    if len(line) > _MOST_LETTERS:
        raise unusable(where, f"{name} has {len(line)} characters, more than {_MOST_LETTERS}")
    return line


def _one_square_size(dataset: Dataset) -> tuple[int, int]:
    """The side of all mammograms looked at and their number; (0, 0) unless square and the same."""
    if dataset.name != "cbis-ddsm" or dataset.synthetic or "film_path" not in dataset.table:
        return 0, 0
    paths = _sample(dataset.table["film_path"])
    shapes = [shape for path in paths if (shape := shape_by_header(dataset.source.root / path))]
    sizes = set(shapes)
    if len(shapes) < _LEAST or len(sizes) != 1:
        return 0, 0
    width, height = sizes.pop()
    return (width, len(shapes)) if width == height else (0, 0)


def _sample(paths: "pd.Series") -> list[str]:
    """Some of the files, spread evenly."""
    files = sorted({str(path) for path in paths if path})
    return files[:: max(1, len(files) // _SAMPLE)][:_SAMPLE]


def shape_by_header(file: Path) -> tuple[int, int] | None:
    """Width and height by the header; None where it cannot be read."""
    from bench.data.images.dicom import read_header
    from bench.data.images.picture_headers import picture_size

    try:
        if file.suffix.lower() in (".dcm", ".dicom"):
            header = read_header(file)
            return header.columns, header.rows
        return picture_size(file)
    except Exception:  # a damaged file says nothing here; it is listed elsewhere
        return None

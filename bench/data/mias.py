"""mini-MIAS: 322 films as films (normal against abnormal) and 119 crops (benign against malignant).

Source: J. Suckling et al. (1994); the set's own Info.txt gives films, classes and circles.
"""

import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bench.data.lesions import (
    NO_SPLIT,
    SMALLEST_HALF_SIDE,
    Dataset,
    LeftOut,
    SubsetInfo,
    finish,
    totals,
    unusable,
)
from bench.data.loader import only_place
from bench.data.sources import FolderSource, ImageSource, TarSource

LICENCE = "research only; not to be rented, leased or sold (the set's Licence.txt)"
CITATION = (
    "J. Suckling et al., The Mammographic Image Analysis Society digital mammogram database, "
    "Excerpta Medica, International Congress Series 1069, 375-378 (1994)"
)
SUBSETS = {
    "films": SubsetInfo(("films",), positive="abnormal", negative="normal"),
    "crops": SubsetInfo(("crops",)),
}
PUBLISHED = {"patients": 161, "images": 322}
ARCHIVE_ENDINGS = (".tar.gz", ".tgz", ".tar")
LOOKED_FOR = (
    "Info.txt with mdb001.pgm, mdb002.pgm ... here or one level below, or a tar archive of them"
)
# y points up in Info.txt, from the bottom of films this high.
FILM_HEIGHT = 1024

_FILM = re.compile(r"mdb(\d{3})", re.ASCII)
_LINE = re.compile(
    r"(?P<film>mdb\d{3})\s+(?P<tissue>[FGD])\s+"
    r"(?:NORM|(?P<abnormality>CALC|CIRC|SPIC|MISC|ARCH|ASYM)\s+(?P<severity>[BM])"
    r"(?:\s+(?P<x>\d+)\s+(?P<y>\d+)\s+(?P<radius>\d+)|\s+\*NOTE 3\*)?)",
    re.ASCII,
)


@dataclass(frozen=True)
class _Finding:
    """One data row of Info.txt; a normal film has no abnormality, some lesions have no circle."""

    film: str
    tissue: str
    abnormality: str
    severity: str
    circle: tuple[int, int, int] | None  # x, y, radius as in the file


def is_archive(path: Path) -> bool:
    """Whether the name is that of a tar archive."""
    return path.name.lower().endswith(ARCHIVE_ENDINGS)


def find(root: Path) -> Path | None:
    """The archive or folder to read mini-MIAS from, given it or a folder that holds it; or None."""
    if root.is_file():
        return root if is_archive(root) else None
    if _film_folder(root) is not None:
        return root
    archives = [path for path in sorted(root.iterdir()) if path.is_file() and is_archive(path)]
    return archives[0] if len(archives) == 1 else None


def load(root: Path, follow_links: bool = False) -> Dataset:
    """The lesion table of mini-MIAS from a folder or an archive.

    `follow_links` says whether symbolic links may lead out of the folder.

    Raises
    ------
    UnusableInput
        If Info.txt or the films are not there, or a line of Info.txt cannot be read.
    """
    place = find(root)
    if place is None:
        raise unusable(root, f"no mini-MIAS here; looked for {LOOKED_FOR}")
    source, names = _open(place, follow_links)
    info = next((name for name in names if PurePosixPath(name).name.lower() == "info.txt"), None)
    films = {
        PurePosixPath(name).stem: name
        for name in names
        if PurePosixPath(name).suffix == ".pgm" and _FILM.fullmatch(PurePosixPath(name).stem)
    }
    if info is None or not films:
        raise unusable(place, f"no mini-MIAS here; looked for {LOOKED_FOR}")
    findings = list(_findings(source.read(info).decode("latin-1"), f"{place}: {info}"))
    return _dataset(source, findings, films, str(PurePosixPath(info).parent))


def _film_folder(root: Path) -> Path | None:
    """The folder, `root` or one level below, that holds Info.txt and films."""
    below = sorted(path for path in root.iterdir() if path.is_dir())
    return only_place(root, [folder for folder in (root, *below) if _has_films(folder)])


def _has_films(folder: Path) -> bool:
    named = any(folder.glob("mdb[0-9][0-9][0-9].pgm"))
    return named and any(path.name.lower() == "info.txt" for path in folder.iterdir())


def _open(place: Path, follow_links: bool) -> tuple[ImageSource, list[str]]:
    if place.is_dir():
        folder = _film_folder(place) or place
        names = sorted(path.relative_to(place).as_posix() for path in folder.iterdir())
        return FolderSource(place, follow_links), names
    try:
        archive = TarSource(place)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise unusable(place, f"not a complete tar archive ({error})") from error
    return archive, archive.names()


def _findings(text: str, where: str) -> Iterator[_Finding]:
    """The data rows of Info.txt: every line that begins with a film's name."""
    has_findings = False
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.lstrip().startswith("mdb"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise unusable(where, f"line {number} cannot be read: {line.strip()[:60]!r}")
        has_findings = True
        x, y, radius = match["x"], match["y"], match["radius"]
        yield _Finding(
            match["film"],
            match["tissue"],
            match["abnormality"] or "",
            match["severity"] or "",
            (int(x), int(y), int(radius)) if x else None,
        )
    if not has_findings:
        raise unusable(where, "no line begins with a film's name (mdb001 ...)")


def _dataset(
    source: ImageSource, findings: list[_Finding], films: dict[str, str], folder: str
) -> Dataset:
    by_film: dict[str, list[_Finding]] = {}
    for finding in findings:
        by_film.setdefault(finding.film, []).append(finding)
    film_rows: list[dict[str, Any]] = []
    crop_rows: list[dict[str, Any]] = []
    left_out: list[LeftOut] = []
    for film, film_findings in by_film.items():
        path = films.get(film, str(PurePosixPath(folder) / f"{film}.pgm"))
        lesions = [finding for finding in film_findings if finding.abnormality]
        crops = [_crop_row(one, number, path) for number, one in enumerate(lesions, start=1)]
        rows = [_film_row(film_findings, path), *crops]
        if film not in films:
            left_out += [LeftOut(row["crop_id"], path, "the film is missing") for row in rows]
            continue
        film_rows.append(rows[0])
        for row, lesion in zip(crops, lesions, strict=True):
            if lesion.circle is None:
                reason = "Info.txt gives no coordinates for this lesion"
                left_out.append(LeftOut(row["crop_id"], path, reason))
            else:
                crop_rows.append(row)
    notices = [NO_SPLIT, *_unlisted(films, by_film)]
    return finish(
        "mias",
        source,
        film_rows + crop_rows,
        left_out,
        SUBSETS,
        licence=LICENCE,
        citation=CITATION,
        notices=notices,
        organ="breast",
        source_tables={"totals": totals({"images": len(by_film)}, PUBLISHED)},
    )


def _unlisted(films: dict[str, str], by_film: dict[str, list[_Finding]]) -> list[str]:
    unlisted = sorted(set(films) - set(by_film))
    return [f"{len(unlisted)} films are not in Info.txt: {unlisted[0]} ..."] if unlisted else []


def _common(finding: _Finding, path: str) -> dict[str, Any]:
    number = int(finding.film[3:])
    return {
        # Two films a patient, in the order of the numbers.
        "patient_id": f"P{(number - 1) // 2 + 1:03d}",
        "laterality": "",
        "view": "",
        "split": "none",
        "path": path,
        "density": finding.tissue,
    }


def _film_row(findings: list[_Finding], path: str) -> dict[str, Any]:
    """A whole film: abnormal if any of its rows is, and malignant if any of them is."""
    severities = {finding.severity for finding in findings} - {""}
    classes = sorted({finding.abnormality for finding in findings} - {""})
    return {
        **_common(findings[0], path),
        "crop_id": findings[0].film,
        "lesion_id": findings[0].film,
        "abnormality": "+".join(classes) or "NORM",
        "abnormality_id": 1,
        "pathology": max(severities, default="NORM"),
        "label": int(bool(severities)),
        "subset": "films",
        "centre_row": None,
        "centre_column": None,
        "half_side": None,
        "radius": None,
    }


def _crop_row(finding: _Finding, number: int, path: str) -> dict[str, Any]:
    x, y, radius = finding.circle or (0, 0, 0)
    name = f"{finding.film}_{number}"
    return {
        **_common(finding, path),
        "crop_id": name,
        "lesion_id": name,
        "abnormality": finding.abnormality,
        "abnormality_id": number,
        "pathology": finding.severity,
        "label": int(finding.severity == "M"),
        "subset": "crops",
        "centre_row": FILM_HEIGHT - y,
        "centre_column": x,
        # Circles of 3 pixels occur.
        "half_side": max(radius, SMALLEST_HALF_SIDE),
        "radius": radius,
    }

"""The case tables of a phantom, with the quirks of the real ones.

The density column has two spellings, one path cell of every row ends in a line break, records end
in CRLF, some clinical cells are N/A, and file names in the path cells are not those on disk.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bench.data.phantom.cases import Breast, Lesion, Quirk
from bench.data.phantom.identifiers import PhantomFile
from bench.data.phantom.layouts import as_csv

if TYPE_CHECKING:
    import numpy as np

_COLUMNS = {
    "mass": ("breast_density", "mass shape", "mass margins"),
    "calc": ("breast density", "calc type", "calc distribution"),
}
# Ordered from typical of benign to typical of malignant.
_WORDS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "mass": (
        ("ROUND", "OVAL", "LOBULATED", "IRREGULAR"),
        ("CIRCUMSCRIBED", "OBSCURED", "MICROLOBULATED", "ILL_DEFINED", "SPICULATED"),
    ),
    "calc": (
        ("LUCENT_CENTER", "ROUND_AND_REGULAR", "PUNCTATE", "AMORPHOUS", "PLEOMORPHIC"),
        ("DIFFUSELY_SCATTERED", "REGIONAL", "CLUSTERED", "SEGMENTAL", "LINEAR"),
    ),
}


class PhantomTables:
    """Collects the rows of the four case tables."""

    def __init__(self) -> None:
        self._cases: dict[tuple[str, str], list[list[str]]] = {}

    def clinical(
        self, breast: Breast, lesion: Lesion, rng: "np.random.Generator"
    ) -> dict[str, str]:
        """Clinical cells of a lesion, weakly correlated with how it looks: radiologists differ."""
        first, second = _WORDS[breast.kind]
        seen = lesion.suspicion + rng.normal(0, 0.3, 3)
        pathology = "MALIGNANT" if breast.malignant else "BENIGN"
        if not breast.malignant and breast.kind == "calc" and rng.random() < 0.4:
            pathology = "BENIGN_WITHOUT_CALLBACK"
        drawn = {
            "density": str(int(rng.integers(1, 5))),
            "first": _pick(first, float(seen[0])) if rng.random() > 0.04 else "N/A",
            "second": _pick(second, float(seen[1])) if rng.random() > 0.08 else "N/A",
            "assessment": _pick("2345", float(seen[2])),
            "subtlety": str(int(rng.integers(2, 6))),
            "pathology": pathology,
        }
        return {**drawn, **breast.traps.cells}

    def add(
        self,
        breast: Breast,
        view: str,
        lesion: Lesion,
        clinical: Mapping[str, str],
        files: tuple[PhantomFile, PhantomFile, PhantomFile],
    ) -> None:
        """Add the row of a lesion in a view; `files` are its film, crop and mask."""
        film, crop, mask = files
        cells = _path_cells(breast.kind, crop, mask, breast.quirk(view, lesion))
        pathology = (
            "MALIGNANT" if view == breast.traps.contradicting_view else clinical["pathology"]
        )
        row = [breast.patient, clinical["density"], breast.laterality, view, str(lesion.number)]
        row += ["mass" if breast.kind == "mass" else "calcification"]
        row += [clinical[name] for name in ("first", "second", "assessment")]
        row += [pathology, clinical["subtlety"]]
        row += [f"{_folder(film)}000000.dcm", *cells]
        self._cases.setdefault((breast.kind, breast.split), []).append(row)

    def texts(self) -> dict[str, str]:
        """The content of the four files, by name."""
        texts = {}
        for (kind, split), rows in self._cases.items():
            density, first, second = _COLUMNS[kind]
            header = ["patient_id", density, "left or right breast", "image view"]
            header += ["abnormality id", "abnormality type", first, second, "assessment"]
            header += ["pathology", "subtlety", "image file path", "cropped image file path"]
            name = f"{kind}_case_description_{split}_set.csv"
            texts[name] = as_csv([[*header, "ROI mask file path"], *rows])
        return texts


def _pick(words: Sequence[str], place: float) -> str:
    """The word at a place between 0 (first) and 1 (last)."""
    return words[min(max(int(place * len(words)), 0), len(words) - 1)]


def _path_cells(kind: str, crop: PhantomFile, mask: PhantomFile, quirk: Quirk | None) -> list[str]:
    """The path cells of crop and mask; file names depend on the table's kind, not on the files."""
    bases = ("000000.dcm", "000001.dcm") if kind == "mass" else ("000001.dcm", "000000.dcm")
    if crop.series != mask.series:
        bases = ("000000.dcm", "000000.dcm")
    cells = [_folder(crop) + bases[0], _folder(mask) + bases[1]]
    if quirk is Quirk.SWAPPED:
        cells.reverse()
    cells[1 if kind == "mass" else 0] += "\n"
    return cells


def _folder(file: PhantomFile) -> str:
    return f"{file.subject}/{file.study}/{file.series}/"

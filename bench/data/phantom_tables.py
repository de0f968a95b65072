"""The tables of a phantom, with the quirks that the real case tables have.

Density is spelled in two ways, one path cell of every row ends in a line break, records end in
CRLF, some clinical cells are N/A, and file names in the path cells are not those on disk.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from bench.data.phantom import Lesion

# Under this root anyone may form identifiers.
UID_ROOT = "2.25."
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
# All the columns of the Kaggle set's dicom_info.csv.
_INFO = """
file_path image_path AccessionNumber BitsAllocated BitsStored BodyPartExamined Columns ContentDate
ContentTime ConversionType HighBit InstanceNumber LargestImagePixelValue Laterality Modality
PatientBirthDate PatientID PatientName PatientOrientation PatientSex PhotometricInterpretation
PixelRepresentation ReferringPhysicianName Rows SOPClassUID SOPInstanceUID SamplesPerPixel
SecondaryCaptureDeviceManufacturer SecondaryCaptureDeviceManufacturerModelName SeriesDescription
SeriesInstanceUID SeriesNumber SmallestImagePixelValue SpecificCharacterSet StudyDate StudyID
StudyInstanceUID StudyTime
"""
DICOM_INFO_COLUMNS = tuple(_INFO.split())


class PhantomTables:
    """Collects the rows of the four case tables and of dicom_info.csv."""

    def __init__(self) -> None:
        self._cases: dict[tuple[str, str], list[list[str]]] = {}
        self._files: list[dict[str, str]] = []

    def clinical(self, lesion: "Lesion", rng: "np.random.Generator") -> dict[str, str]:
        """Clinical cells of a lesion, weakly tied to how it looks: radiologists differ too."""
        first, second = _WORDS[lesion.kind]
        seen = lesion.suspicion + rng.normal(0, 0.3, 3)
        pathology = "MALIGNANT" if lesion.malignant else "BENIGN"
        if not lesion.malignant and lesion.kind == "calc" and rng.random() < 0.4:
            pathology = "BENIGN_WITHOUT_CALLBACK"
        return {
            "density": str(int(rng.integers(1, 5))),
            "first": _pick(first, float(seen[0])) if rng.random() > 0.04 else "N/A",
            "second": _pick(second, float(seen[1])) if rng.random() > 0.08 else "N/A",
            "assessment": _pick("2345", float(seen[2])),
            "subtlety": str(int(rng.integers(2, 6))),
            "pathology": pathology,
        }

    def add(
        self,
        lesion: "Lesion",
        view: str,
        clinical: dict[str, str],
        shape: Sequence[int],
        rng: "np.random.Generator",
    ) -> tuple[str, str, str]:
        """Note a view of a lesion; returns where its film, crop and mask are to be written."""
        set_name = "Training" if lesion.split == "train" else "Test"
        film_case = f"{lesion.kind.title()}-{set_name}_{lesion.patient}_{lesion.laterality}_{view}"
        case = f"{film_case}_1"
        film_series, crop_series = _uid(rng), _uid(rng)
        # Crop and mask share a series but for a few, and come in either order.
        mask_series = crop_series if rng.random() > 0.05 else _uid(rng)
        numbers = ("1", "2") if rng.random() < 0.8 else ("2", "1")
        crop_name, mask_name = (f"{number}-{int(rng.integers(1, 300)):03d}" for number in numbers)
        film_name = f"1-{int(rng.integers(1, 300)):03d}"
        self._describe(film_series, film_name, film_case, "full mammogram images", (320, 256))
        self._describe(crop_series, crop_name, case, "cropped images", shape)
        self._describe(mask_series, mask_name, case, "ROI mask images", (320, 256))
        crop_base, mask_base = "000000.dcm", "000001.dcm"
        if lesion.kind == "calc":
            crop_base, mask_base = mask_base, crop_base
        study = _uid(rng)
        crop_cell = f"{case}/{study}/{crop_series}/{crop_base}"
        mask_cell = f"{case}/{study}/{mask_series}/{mask_base}"
        if lesion.kind == "mass":
            mask_cell += "\n"
        else:
            crop_cell += "\n"
        row = [lesion.patient, clinical["density"], lesion.laterality, view, "1"]
        row += ["mass" if lesion.kind == "mass" else "calcification"]
        row += [clinical[name] for name in ("first", "second", "assessment", "pathology")]
        row += [clinical["subtlety"], f"{film_case}/{_uid(rng)}/{film_series}/000000.dcm"]
        self._cases.setdefault((lesion.kind, lesion.split), []).append([*row, crop_cell, mask_cell])
        names = ((film_series, film_name), (crop_series, crop_name), (mask_series, mask_name))
        film, crop, mask = (f"jpeg/{series}/{name}.jpg" for series, name in names)
        return film, crop, mask

    def texts(self) -> dict[str, str]:
        """The content of every file of the `csv` folder, by name."""
        texts = {}
        for (kind, split), rows in self._cases.items():
            density, first, second = _COLUMNS[kind]
            header = ["patient_id", density, "left or right breast", "image view"]
            header += ["abnormality id", "abnormality type", first, second, "assessment"]
            header += ["pathology", "subtlety", "image file path", "cropped image file path"]
            name = f"{kind}_case_description_{split}_set.csv"
            texts[name] = _csv([[*header, "ROI mask file path"], *rows])
        lines = [[file.get(column, "") for column in DICOM_INFO_COLUMNS] for file in self._files]
        texts["dicom_info.csv"] = _csv([list(DICOM_INFO_COLUMNS), *lines])
        return texts

    def _describe(
        self, series: str, name: str, case: str, description: str, shape: Sequence[int]
    ) -> None:
        self._files.append(
            {
                "file_path": f"CBIS-DDSM/dicom/{series}/{name}.dcm",
                "image_path": f"CBIS-DDSM/jpeg/{series}/{name}.jpg",
                "BitsAllocated": "8",
                "BitsStored": "8",
                "BodyPartExamined": "BREAST",
                "Columns": str(shape[1]),
                "Laterality": "L" if "LEFT" in case else "R",
                "Modality": "MG",
                "PatientID": case,
                "PatientName": case,
                "PatientOrientation": "CC" if "_CC" in case else "MLO",
                "PhotometricInterpretation": "MONOCHROME2",
                "Rows": str(shape[0]),
                "SamplesPerPixel": "1",
                "SeriesDescription": description,
                "SeriesInstanceUID": series,
            }
        )


def _pick(words: Sequence[str], place: float) -> str:
    """The word at a place between 0 (first) and 1 (last)."""
    return words[min(max(int(place * len(words)), 0), len(words) - 1)]


def _uid(rng: "np.random.Generator") -> str:
    high, low = (int(part) for part in rng.integers(1, 2**62, 2))
    return f"{UID_ROOT}{high * 2**62 + low}"


def _csv(rows: Sequence[Sequence[str]]) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\r\n").writerows(rows)
    return stream.getvalue()

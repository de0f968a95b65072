"""What identifies the image files of a phantom: UIDs, dates and the DICOM header of each.

Nothing here depends on the layout in which the files are written.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bench.data.phantom.cases import CROP, FILM, MASK, MASK_FIRST_EVERY, Quirk

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Anyone may form identifiers under this root.
UID_ROOT = "2.25."
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_SEPARATE_SERIES = (Quirk.OWN_SERIES, Quirk.SWAPPED)
_FIRST_DAY = datetime(2016, 1, 1)


@dataclass(frozen=True)
class PhantomFile:
    """The identity of one image file, with all that a layout may name it by.

    Attributes
    ----------
    role : str
        `FILM`, `CROP` or `MASK`.
    subject : str
        The case folder, as in `Mass-Training_P_00001_LEFT_CC_1`.
    study, series, instance_uid : str
        The UIDs of study, series and file.
    series_description : str
        NBIA's name for the whole series, which may hold two kinds of file.
    instance : int
        Number within the series, from 1.
    kaggle_number : int
        The digits that the Kaggle set appends to the instance.
    taken : datetime
        Date and time of the study.
    described : bool
        False where the file's header does not say what it is.
    """

    role: str
    subject: str
    study: str
    series: str
    instance_uid: str
    series_description: str
    instance: int
    kaggle_number: int
    taken: datetime
    described: bool = True


@dataclass(frozen=True)
class Picture:
    """A file's identity and its pixels.

    Attributes
    ----------
    file : PhantomFile
        Its identity.
    eight_bit : NDArray[np.uint8], shape (rows, columns)
        As drawn.
    stored : NDArray[Any], shape (rows, columns)
        As in the DICOM file: uint16, a mask uint8.
    """

    file: PhantomFile
    eight_bit: "NDArray[np.uint8]"
    stored: "NDArray[Any]"


class Identities:
    """Makes studies, series and names; the same state of the generator gives the same ones."""

    def __init__(self, rng: "np.random.Generator") -> None:
        self._rng = rng
        self._uids = 0
        self._pairs = 0

    def film(self, subject: str) -> PhantomFile:
        """The file of a film."""
        return self._file(FILM, subject, self._uid(), self._uid(), FILM, 1, self._moment())

    def pair(self, subject: str, quirk: Quirk | None) -> tuple[PhantomFile, PhantomFile]:
        """The files of a crop and of its mask."""
        study, series, taken = self._uid(), self._uid(), self._moment()
        if quirk in _SEPARATE_SERIES:
            crop = self._file(CROP, subject, study, series, CROP, 1, taken)
            mask = self._file(MASK, subject, self._uid(), self._uid(), MASK, 1, taken)
            return crop, mask
        self._pairs += 1
        first, second = (2, 1) if self._pairs % MASK_FIRST_EVERY == 0 else (1, 2)
        # The series is named after the mask although it also holds the crop.
        name = CROP if quirk is Quirk.CALLED_CROPPED else MASK
        described = quirk is not Quirk.UNDESCRIBED_MASK
        crop = self._file(CROP, subject, study, series, name, first, taken)
        mask = self._file(MASK, subject, study, series, name, second, taken, described)
        return crop, mask

    def _file(
        self,
        role: str,
        subject: str,
        study: str,
        series: str,
        series_description: str,
        instance: int,
        taken: datetime,
        described: bool = True,
    ) -> PhantomFile:
        number = int(self._rng.integers(1, 300))
        names = (study, series, self._uid(), series_description)
        return PhantomFile(role, subject, *names, instance, number, taken, described)

    def _uid(self) -> str:
        """A UID whose last five digits are a counter: NBIA names folders by them alone."""
        high, low = (int(part) for part in self._rng.integers(1, 2**62, 2))
        self._uids += 1
        return f"{UID_ROOT}{(high * 2**62 + low) // 100_000}{self._uids % 100_000:05d}"

    def _moment(self) -> datetime:
        return _FIRST_DAY + timedelta(seconds=int(self._rng.integers(0, 2 * 365 * 86_400)))


def dicom_header(picture: Picture) -> dict[str, str | int]:
    """The DICOM header by keyword, with the elements that real files have and lack."""
    file, pixels = picture.file, picture.stored
    bits = 8 * pixels.dtype.itemsize
    elements: dict[str, str | int] = {
        "SpecificCharacterSet": "ISO_IR 100",
        "SOPClassUID": SECONDARY_CAPTURE,
        "SOPInstanceUID": file.instance_uid,
        "StudyDate": f"{file.taken:%Y%m%d}",
        "ContentDate": f"{file.taken:%Y%m%d}",
        "StudyTime": f"{file.taken:%H%M%S}",
        "ContentTime": f"{file.taken:%H%M%S}.000000",
        "AccessionNumber": "",
        "Modality": "MG",
        "ConversionType": "WSD",
        "ReferringPhysicianName": "",
        "SeriesDescription": file.role,
        "PatientName": file.subject,
        "PatientID": file.subject,
        "PatientBirthDate": "",
        "PatientSex": "",
        "BodyPartExamined": "BREAST",
        "SecondaryCaptureDeviceManufacturer": "vit-svm-bench",
        "SecondaryCaptureDeviceManufacturerModelName": "phantom",
        "StudyInstanceUID": file.study,
        "SeriesInstanceUID": file.series,
        "StudyID": "DDSM",
        "SeriesNumber": 1,
        "InstanceNumber": file.instance,
        "PatientOrientation": "CC" if "_CC" in file.subject else "MLO",
        "Laterality": "L" if "_LEFT_" in file.subject else "R",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": 0,
        "SmallestImagePixelValue": int(pixels.min()),
        "LargestImagePixelValue": int(pixels.max()),
    }
    return elements if file.described else _undescribed(elements, file.subject)


def _undescribed(elements: dict[str, str | int], subject: str) -> dict[str, str | int]:
    """The header of the file that came into the real set by another way than the others."""
    name = "P_" + subject.split("_P_")[1]
    patient = name[: len("P_00000")]
    side = "Left Breast" if "_LEFT_" in subject else "Right Breast"
    gaps = ("StudyDate", "StudyTime", "Laterality")
    kept = {keyword: value for keyword, value in elements.items() if keyword not in gaps}
    return kept | {
        "SeriesDescription": "",
        "PatientID": f"{name}.dcm",
        "PatientName": f"{patient}^{patient}",
        "BodyPartExamined": side,
    }

"""Writes the image files of a phantom in each of the usual layouts of CBIS-DDSM.

The layout determines names, file format and listings; lesions, pixels and UIDs are given.
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.data.phantom.identifiers import SECONDARY_CAPTURE, PhantomFile, Picture, dicom_header

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
# All the columns of the metadata.csv that the NBIA Data Retriever writes.
METADATA_COLUMNS = (
    *("Series UID", "Collection", "3rd Party Analysis", "Data Description URI", "Subject ID"),
    *("Study UID", "Study Description", "Study Date", "Series Description", "Manufacturer"),
    *("Modality", "SOP Class Name", "SOP Class UID", "Number of Images", "File Size"),
    *("File Location", "Download Timestamp"),
)
# Names this program in the DICOM files, whichever release of pydicom writes them.
_IMPLEMENTATION_UID = "2.25.242150376154029612906437213517468420713"


@dataclass(frozen=True)
class WrittenFile:
    """A file that is on disk.

    Attributes
    ----------
    file : PhantomFile
        Its identity.
    header : dict[str, str | int]
        Its DICOM header by keyword.
    path : Path
        Relative to the phantom's folder.
    size : int
        In bytes.
    """

    file: PhantomFile
    header: dict[str, str | int]
    path: Path
    size: int


@dataclass(frozen=True)
class Layout:
    """Where a file lies, in which format, and the table that comes with the files, if any.

    Attributes
    ----------
    place : Callable[[PhantomFile], str]
        A file's path relative to the phantom's folder.
    save : Callable[[Picture, Path], None]
        Writes one file.
    listing : str
        Path of the table of all files; "" if there is none.
    list_files : Callable[[Sequence[WrittenFile]], list[dict[str, str]]] | None
        The rows of that table.
    columns : tuple[str, ...]
        Its columns.
    """

    place: Callable[[PhantomFile], str]
    save: Callable[[Picture, Path], None]
    listing: str = ""
    list_files: Callable[[Sequence[WrittenFile]], list[dict[str, str]]] | None = None
    columns: tuple[str, ...] = ()

    def write(self, folder: Path, picture: Picture) -> WrittenFile:
        """Write one file below the phantom's folder."""
        path = Path(self.place(picture.file))
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        self.save(picture, folder / path)
        return WrittenFile(
            picture.file, dicom_header(picture), path, (folder / path).stat().st_size
        )

    def write_listing(self, folder: Path, written: Sequence[WrittenFile]) -> None:
        """Write the table of all files, if the layout has one."""
        if self.list_files is not None:
            rows = self.list_files(written)
            cells = [[row.get(column, "") for column in self.columns] for row in rows]
            (folder / self.listing).write_bytes(as_csv([self.columns, *cells]).encode())


def as_csv(rows: Sequence[Sequence[str]]) -> str:
    """The rows as text, each ended by CRLF as in the real tables."""
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\r\n").writerows(rows)
    return stream.getvalue()


def _kaggle_place(file: PhantomFile) -> str:
    return f"jpeg/{file.series}/{_kaggle_name(file)}.jpg"


def _kaggle_name(file: PhantomFile) -> str:
    return f"{file.instance}-{file.kaggle_number:03d}"


def _nbia_place(file: PhantomFile) -> str:
    return f"{_nbia_folder(file)}/1-{file.instance}.dcm"


def _nbia_folder(file: PhantomFile) -> str:
    study = f"{file.taken:%m-%d-%Y}-DDSM-{file.study[-5:]}"
    series = f"1.000000-{file.series_description}-{file.series[-5:]}"
    return f"CBIS-DDSM/{file.subject}/{study}/{series}"


def _uid_place(ending: str) -> Callable[[PhantomFile], str]:
    def place(file: PhantomFile) -> str:
        # Files are numbered in the order of the series, so that the tables' name for a crop may be
        # that of its mask.
        name = f"{file.instance - 1:06d}.{ending}"
        return f"{file.subject}/{file.study}/{file.series}/{name}"

    return place


def _save_jpeg(picture: Picture, path: Path) -> None:
    from PIL import Image

    Image.fromarray(picture.eight_bit).save(path, "JPEG", quality=92)


def _save_png(picture: Picture, path: Path) -> None:
    """Sixteen bits in every file: a mask is 0 and 65280, as converters of DICOM write it."""
    from PIL import Image

    Image.fromarray(_sixteen_bit(picture)).save(path, "PNG", compress_level=1)


def _sixteen_bit(picture: Picture) -> "NDArray[np.uint16]":
    import numpy as np

    values: NDArray[np.uint16] = picture.stored.astype(np.uint16)
    return values if picture.stored.dtype == np.uint16 else values * np.uint16(256)


def _save_dicom(picture: Picture, path: Path) -> None:
    """Implicit VR, little endian, as the real files; independent of the time of writing."""
    from pydicom.config import disable_value_validation
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ImplicitVRLittleEndian

    record = Dataset()
    with disable_value_validation():
        # One file says "Left Breast" where DICOM wants capitals, as one of the real files does.
        for keyword, value in dicom_header(picture).items():
            setattr(record, keyword, value)
    record.PixelData = picture.stored.astype(picture.stored.dtype.newbyteorder("<")).tobytes()
    record.file_meta = FileMetaDataset()
    record.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    record.file_meta.ImplementationClassUID = _IMPLEMENTATION_UID
    record.file_meta.ImplementationVersionName = "VIT_SVM_BENCH"
    record.save_as(path, enforce_file_format=True)


def _dicom_info(written: Sequence[WrittenFile]) -> list[dict[str, str]]:
    """One row a file; the paths begin with a folder that need not exist on the user's disk."""
    rows = []
    for one in written:
        name = f"{one.file.series}/{_kaggle_name(one.file)}"
        row = {keyword: str(value) for keyword, value in one.header.items()}
        row["file_path"] = f"CBIS-DDSM/dicom/{name}.dcm"
        row["image_path"] = f"CBIS-DDSM/jpeg/{name}.jpg"
        rows.append(row)
    return rows


def _nbia_metadata(written: Sequence[WrittenFile]) -> list[dict[str, str]]:
    """One row a series."""
    by_series: dict[str, list[WrittenFile]] = {}
    for one in written:
        by_series.setdefault(one.file.series, []).append(one)
    return [_series_row(files) for files in by_series.values()]


def _series_row(files: Sequence[WrittenFile]) -> dict[str, str]:
    file = files[0].file
    return {
        "Series UID": file.series,
        "Collection": "CBIS-DDSM",
        "3rd Party Analysis": "null",
        "Data Description URI": "https://doi.org/10.7937/K9/TCIA.2016.7O02S9CY",
        "Subject ID": file.subject,
        "Study UID": file.study,
        "Study Description": "null",
        "Study Date": f"{file.taken:%m-%d-%Y}",
        "Series Description": file.series_description,
        "Manufacturer": "null",
        "Modality": "MG",
        "SOP Class Name": "Secondary Capture Image Storage",
        "SOP Class UID": SECONDARY_CAPTURE,
        "Number of Images": str(len(files)),
        "File Size": f"{sum(one.size for one in files) / 1e6:.2f} MB",
        "File Location": f"./{_nbia_folder(file)}",
        "Download Timestamp": f"{file.taken:%Y-%m-%dT%H:%M:%S}.000",
    }


LAYOUTS = {
    # Kaggle: JPEG files by series.
    "kaggle": Layout(
        _kaggle_place, _save_jpeg, "csv/dicom_info.csv", _dicom_info, DICOM_INFO_COLUMNS
    ),
    # The NBIA Data Retriever: DICOM files in folders named by subject, date and description.
    "nbia": Layout(_nbia_place, _save_dicom, "metadata.csv", _nbia_metadata, METADATA_COLUMNS),
    # The paths that the case tables themselves give, but for the files' own names.
    "uid": Layout(_uid_place("dcm"), _save_dicom),
    # The same, converted to PNG without loss.
    "png": Layout(_uid_place("png"), _save_png),
}

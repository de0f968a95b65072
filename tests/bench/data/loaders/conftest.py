"""Small trees of published sets: the header rows of their tables, and made-up images.

Nothing here comes from the loaders: names, headers and folders are those that the sets have.
"""

import io
import plistlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian


def noise(path: Path, shape: tuple[int, int]) -> np.ndarray:
    seed = list(str(path).encode())
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def picture(path: Path, shape: tuple[int, int] = (120, 90)) -> Path:
    """A picture of noise, as PNG or what else its ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise(path, shape)).save(path)
    return path


def mammogram(path: Path, shape: tuple[int, int] = (120, 90), **elements: str) -> Path:
    """A DICOM file; `view_code` is the code of its view, all others are elements."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    record = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    record.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    record.SOPInstanceUID = "2.25.1"
    record.Rows, record.Columns = shape
    record.BitsAllocated, record.BitsStored, record.HighBit = 16, 12, 11
    record.SamplesPerPixel, record.PixelRepresentation = 1, 0
    record.PhotometricInterpretation = "MONOCHROME2"
    record.PixelData = (noise(path, shape).astype(np.uint16) * 16).tobytes()
    code = elements.pop("view_code", "")
    if code:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator = code, "SNM3"
        record.ViewCodeSequence = Items([item])
    for keyword, value in elements.items():
        setattr(record, keyword, value)
    stream = io.BytesIO()
    dcmwrite(stream, record, enforce_file_format=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stream.getvalue())
    return path


def mask(path: Path, box: tuple[int, int, int, int], shape: tuple[int, int] = (120, 90)) -> None:
    left, top, right, bottom = box
    pixels = np.zeros(shape, np.uint8)
    pixels[top:bottom, left:right] = 255
    Image.fromarray(pixels).save(path)


def outlines(path: Path, regions: Sequence[tuple[str, Sequence[tuple[float, float]]]]) -> None:
    """A property list as OsiriX writes it."""
    rois = [
        {
            "Area": 1.5,
            "IndexInImage": index,
            "Name": name,
            "NumberOfPoints": len(points),
            "Point_px": [f"({x:f}, {y:f})" for x, y in points],
            "Type": 15,
        }
        for index, (name, points) in enumerate(regions)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"Images": [{"ImageIndex": 0, "NumberOfROIs": len(rois), "ROIs": rois}]}
    path.write_bytes(plistlib.dumps(content))


INBREAST_HEADER = "Patient ID;Patient age;Laterality;View;Acquisition date;File Name;ACR;Bi-Rads"


def inbreast(root: Path) -> Path:
    """Eight images of three women; one has BI-RADS 3, one is missing."""
    images = [
        ("22678622", "aaaa1111", "R", "CC", "4", "1"),
        ("22678646", "aaaa1111", "L", "CC", "4", "3"),
        ("22678670", "aaaa1111", "R", "MLO", "    ", "1"),
        ("50997461", "bbbb2222", "R", "MLO", "3", "4a"),
        ("50997515", "bbbb2222", "R", "CC", "3", "4C"),
        ("50997434", "bbbb2222", "L", "MLO", "3", "2"),
        ("53581406", "cccc3333", "R", "MLO", "1", "6"),
        ("53581460", "", "R", "CC", "1", "6"),
    ]
    lines = [INBREAST_HEADER]
    for number, patient, side, view, acr, grade in images:
        lines.append(f"removed;removed;{side};{view};201001;{number};{acr};{grade}")
        if patient:
            short = {"MLO": "ML"}.get(view, view)
            name = f"{number}_{patient}_MG_{side}_{short}_ANON.dcm"
            mammogram(root / "AllDICOMs" / name, (200, 160))
    root.joinpath("INbreast.csv").write_text("\n".join(lines) + "\n")
    around = [(20.0, 30.0), (99.5, 30.0), (99.5, 89.0), (20.0, 89.0)]
    outlines(
        root / "AllXML" / "50997461.xml",
        [
            ("Mass", around),
            ("Calcification", [(40.0, 40.0)]),
            ("Calcification", [(41.0, 40.0)]),
            ("Cluster", [(10.0, 10.0), (15.0, 10.0), (15.0, 20.0)]),
            ("Unnamed", around),
            ("Mass", [(500.0, 500.0), (510.0, 500.0), (510.0, 520.0)]),
        ],
    )
    outlines(root / "AllXML" / "50997434.xml", [("Mass", around), ("Cluster", around[:3])])
    (root / "AllXML" / "53581406.xml").write_text("<plist>no</plist>")
    return root


VINDR_BREASTS = (
    "study_id,series_id,laterality,image_id,view_position,height,width,breast_birads,"
    "breast_density,split"
)
VINDR_FINDINGS = (
    "study_id,series_id,image_id,laterality,view_position,height,width,breast_birads,"
    "breast_density,finding_categories,finding_birads,xmin,ymin,xmax,ymax,split"
)


def vindr(root: Path) -> Path:
    """Three exams, two for training; images b2 and c1 are scaled, c2 is missing."""
    size = "200,160"
    exams = [
        ("e1", "a1", "L", "CC", "BI-RADS 4", "DENSITY C", "training"),
        ("e1", "a2", "L", "MLO", "BI-RADS 4", "DENSITY C", "training"),
        ("e1", "a3", "R", "CC", "BI-RADS 1", "DENSITY C", "training"),
        ("e1", "a4", "R", "MLO", "BI-RADS 3", "DENSITY C", "training"),
        ("e2", "b1", "L", "CC", "BI-RADS 2", "DENSITY B", "training"),
        ("e2", "b2", "R", "CC", "BI-RADS 5", "DENSITY B", "training"),
        ("e3", "c1", "L", "CC", "BI-RADS 5", "DENSITY A", "test"),
        ("e3", "c2", "R", "CC", "BI-RADS 1", "DENSITY A", "test"),
        ("e3", "c3", "R", "MLO", "BI-RADS 1", "DENSITY A", "test"),
    ]
    lines = [VINDR_BREASTS]
    for study, image, side, view, grade, density, split in exams:
        lines.append(f"{study},s,{side},{image},{view},{size},{grade},{density},{split}")
        shape = {"b2": (100, 80), "c1": (100, 100)}.get(image, (200, 160))
        if image != "c2":
            mammogram(root / "images" / study / f"{image}.dicom", shape)
    root.joinpath("breast-level_annotations.csv").write_text("\n".join(lines) + "\n")
    findings = [
        ("e1", "a1", "BI-RADS 4", "['Mass']", "BI-RADS 4", "20.5,30.25,99.5,89.75"),
        ("e1", "a1", "BI-RADS 4", "['Skin Thickening']", "", "1,2,30,40"),
        (
            "e1",
            "a2",
            "BI-RADS 4",
            "\"['Suspicious Calcification', 'Mass']\"",
            "BI-RADS 4",
            "1,1,9,9",
        ),
        ("e1", "a4", "BI-RADS 3", "['Suspicious Calcification']", "BI-RADS 3", "5,5,90,95"),
        ("e1", "a3", "BI-RADS 1", "['No Finding']", "", ",,,"),
        ("e2", "b2", "BI-RADS 5", "['Focal Asymmetry']", "BI-RADS 5", "40,60,80,120"),
        ("e3", "c1", "BI-RADS 5", "['Mass']", "BI-RADS 5", "40,60,80,120"),
    ]
    lines = [VINDR_FINDINGS]
    for study, image, grade, what, of_finding, box in findings:
        split = "test" if study == "e3" else "training"
        side, view = {exam[1]: exam[2:4] for exam in exams}[image]
        cells = (study, "s", image, side, view, size, grade, "DENSITY C", what, of_finding, box)
        lines.append(",".join((*cells, split)))
    root.joinpath("finding_annotations.csv").write_text("\n".join(lines) + "\n")
    return root


CMMD_HEADER = "ID1,LeftRight,Age,number,abnormality,classification,subtype"
CMMD_ROWS = [
    ("D1-0001", "R", "44", "2", "calcification", "Benign", ""),
    ("D1-0021", "L", "22", "2", "mass", "Benign", ""),
    ("D1-0021", "R", "22", "2", "both", "Malignant", ""),
    ("D2-0002", "L", "51", "2", "mass", "Malignant", "Luminal B"),
    ("D2-0009", "L", "51", "2", "mass", "Malignant", "HER2-enriched"),
]


def cmmd(root: Path) -> Path:
    """Three patients with DICOM files and one with PNGs; D2-0009 has no image."""
    lines = [CMMD_HEADER, *(",".join(row) for row in CMMD_ROWS)]
    root.mkdir(parents=True, exist_ok=True)
    root.joinpath("CMMD_clinicaldata_revision.csv").write_text("\n".join(lines) + "\n")
    study = "07-18-2010-NA-NA-79377/1.000000-NA-70244"
    for patient, side, view, code in (
        ("D1-0001", "R", "", "R-10242"),
        ("D1-0001", "R", "", "R-10226"),
        ("D1-0021", "L", "CC", ""),
        ("D1-0021", "R", "", "399368009"),
        ("D1-0001", "L", "CC", ""),
    ):
        folder = root / "CMMD" / patient / study
        number = len(list(folder.glob("*"))) + 1
        elements = {"PatientID": patient, "ImageLaterality": side, "view_code": code}
        if view:
            elements["ViewPosition"] = view
        mammogram(folder / f"1-{number}.dcm", **elements)
    picture(root / "CMMD" / "D2-0002_L_CC_Malignant.png")
    picture(root / "CMMD" / "D2-0002" / "1-1.png")
    return root


RSNA_HEADER = (
    "site_id,patient_id,image_id,laterality,view,age,cancer,biopsy,invasive,BIRADS,implant,density,"
    "machine_id,difficult_negative_case"
)


def rsna(root: Path) -> Path:
    """Three patients; one image is a PNG in a flat folder, one is missing."""
    rows = [
        "2,10006,462822612,L,CC,61.0,0,0,0,,0,,29,False",
        "2,10006,1459541791,L,MLO,61.0,0,0,0,,0,,29,False",
        "1,10038,1967300488,R,CC,55.0,1,1,1,0.0,0,C,49,False",
        "1,10038,850559196,R,AT,55.0,1,1,1,0.0,0,C,49,False",
        "1,10042,102733848,L,CC,70.0,0,0,0,2.0,0,B,49,True",
        "1,10042,294481519,R,CC,70.0,0,0,0,1.0,0,B,49,False",
    ]
    root.mkdir(parents=True, exist_ok=True)
    root.joinpath("train.csv").write_text("\n".join([RSNA_HEADER, *rows]) + "\n")
    header = "site_id,patient_id,image_id,laterality,view,age,implant,machine_id,prediction_id"
    root.joinpath("test.csv").write_text(f"{header}\n2,10008,736471439,L,MLO,81,0,21,10008_L\n")
    for patient, image in (
        ("10006", "462822612"),
        ("10006", "1459541791"),
        ("10038", "1967300488"),
        ("10038", "850559196"),
    ):
        mammogram(root / "train_images" / patient / f"{image}.dcm")
    picture(root / "png" / "10042_102733848.png")
    return root


def busi(root: Path) -> Path:
    """Two benign pictures, one with two masks; two malignant ones, one without; a normal one."""
    for name, number in (
        ("benign", 1),
        ("benign", 4),
        ("malignant", 1),
        ("malignant", 2),
        ("normal", 1),
    ):
        picture(root / name / f"{name} ({number}).png")
    mask(root / "benign" / "benign (1)_mask.png", (10, 20, 84, 90))
    mask(root / "benign" / "benign (4)_mask.png", (10, 20, 40, 60))
    mask(root / "benign" / "benign (4)_mask_1.png", (50, 30, 90, 110))
    # Of half the size.
    mask(root / "malignant" / "malignant (1)_mask.png", (0, 5, 40, 45), (60, 45))
    mask(root / "normal" / "normal (1)_mask.png", (0, 0, 0, 0))
    return root


def image_folder(root: Path) -> Path:
    """Train, val and test with two classes inside; a mask, and a picture in no class."""
    for part, count in (("train", 4), ("val", 1), ("test", 2)):
        for name in ("benign", "malignant"):
            for number in range(count):
                picture(root / part / name / f"{part}{number}.png")
    mask(root / "train" / "benign" / "train0_mask.png", (10, 20, 40, 60))
    picture(root / "train" / "loose.png")
    picture(root / "extra" / "other.png")
    return root


TREES: dict[str, Callable[[Path], Path]] = {
    "inbreast": inbreast,
    "vindr": vindr,
    "cmmd": cmmd,
    "rsna": rsna,
    "busi": busi,
    "image-folder": image_folder,
}


@pytest.fixture
def draw() -> SimpleNamespace:
    """What writes one file of a set."""
    return SimpleNamespace(picture=picture, mammogram=mammogram, mask=mask, outlines=outlines)


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[str], Path]:
    """Write the tree of a set."""

    def write(name: str) -> Path:
        root = tmp_path / "data" / name
        root.mkdir(parents=True)
        return TREES[name](root)

    return write


@pytest.fixture
def edited(tree: Callable[[str], Path]) -> Callable[..., Path]:
    """Write the tree of a set, with something else in one of its tables."""

    def write(name: str, table: str, old: str, new: str) -> Path:
        root = tree(name)
        file = root / table
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        return root

    return write

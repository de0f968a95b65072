"""The phantom: the same bytes for the same seed, one drawing in every layout, and every trap."""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image

from bench.data import CropSettings, build_stack, builtin_phantom, load_lesions, write_phantom
from bench.data.cbis_ddsm.case_tables import find_tables, read_tables
from bench.data.lesions import shared_patients
from bench.errors import UnusableInput

LAYOUTS = ("kaggle", "nbia", "uid", "png")
CROP, MASK = "cropped images", "ROI mask images"


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The smallest phantom in every layout."""
    root = tmp_path_factory.mktemp("layouts")
    for layout in LAYOUTS:
        write_phantom(root / layout, patients=16, seed=1, layout=layout)
    return {layout: root / layout for layout in LAYOUTS}


@pytest.fixture(scope="module")
def records(made: dict[str, Path]) -> list[pydicom.Dataset]:
    """The DICOM files of the NBIA layout, with their path in it as `filename`."""
    return [pydicom.dcmread(path) for path in sorted(made["nbia"].rglob("*.dcm"))]


def cells(folder: Path) -> pd.DataFrame:
    """The rows of all four tables as text, stripped; the density column under one name."""
    tables = []
    for file in sorted((folder / "csv").glob("*_set.csv")):
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
        table.columns = [re.sub(r"[ _]+", " ", name) for name in table.columns]
        tables.append(table.assign(table=file.name[:4]))
    rows = pd.concat(tables, ignore_index=True)
    for column, name in (("image", "film"), ("cropped image", "crop"), ("ROI mask", "mask")):
        parts = rows[f"{column} file path"].str.strip().str.split("/", expand=True)
        for place, part in enumerate(("subject", "study", "series", "base")):
            rows[f"{name}_{part}"] = parts[place]
    return rows


def dicom_pixels(folder: Path) -> dict[str, NDArray[Any]]:
    """By SOP instance UID."""
    found = (pydicom.dcmread(path) for path in folder.rglob("*.dcm"))
    return {str(one.SOPInstanceUID): one.pixel_array for one in found}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_arguments_give_the_same_bytes(
    made: dict[str, Path], tmp_path: Path, layout: str
) -> None:
    write_phantom(tmp_path / "again", patients=16, seed=1, layout=layout)
    assert content(tmp_path / "again") == content(made[layout])
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_another_seed_gives_another_set(made: dict[str, Path], tmp_path: Path) -> None:
    write_phantom(tmp_path / "other", patients=16, seed=4)
    common = content(tmp_path / "other").keys() & content(made["kaggle"]).keys()
    assert {path.split("/")[0] for path in common} == {"csv", "PHANTOM.json"}


def test_the_tables_do_not_depend_on_the_layout(made: dict[str, Path]) -> None:
    tables = {
        layout: {file.name: file.read_bytes() for file in (folder / "csv").glob("*_set.csv")}
        for layout, folder in made.items()
    }
    assert len(tables["kaggle"]) == 4
    assert all(found == tables["kaggle"] for found in tables.values())
    assert len({(folder / "PHANTOM.json").read_text() for folder in made.values()}) == 4
    assert len(read_tables(find_tables(made["nbia"] / "csv")).rows) == len(cells(made["nbia"]))


def test_dicom_and_png_hold_the_same_pixels(made: dict[str, Path]) -> None:
    by_uid = set(made["uid"].rglob("*.dcm"))
    assert by_uid
    nbia = dicom_pixels(made["nbia"])
    assert len(nbia) == len(by_uid) == len(list(made["png"].rglob("*.png")))
    for path in by_uid:
        record = pydicom.dcmread(path)
        np.testing.assert_array_equal(record.pixel_array, nbia[record.SOPInstanceUID])
        twin = made["png"] / path.relative_to(made["uid"]).with_suffix(".png")
        with Image.open(twin) as image:
            converted = np.array(image)
        assert converted.dtype == np.uint16
        if record.BitsAllocated == 8:
            assert set(np.unique(record.pixel_array)) == {0, 255}
            np.testing.assert_array_equal(converted, record.pixel_array * np.uint16(256))
            assert converted.max() == 65280
        else:
            np.testing.assert_array_equal(converted, record.pixel_array)


def test_kaggle_holds_the_same_drawing_in_eight_bits(
    made: dict[str, Path], records: list[pydicom.Dataset]
) -> None:
    info = pd.read_csv(made["kaggle"] / "csv" / "dicom_info.csv", dtype=str, keep_default_na=False)
    by_uid = {str(record.SOPInstanceUID): record for record in records}
    assert set(info["SOPInstanceUID"]) == set(by_uid)
    on_disk = {
        path.relative_to(made["kaggle"]).as_posix() for path in made["kaggle"].rglob("*.jpg")
    }
    assert {path.removeprefix("CBIS-DDSM/") for path in info["image_path"]} == on_disk
    for row in info.to_dict("records"):
        record = by_uid[row["SOPInstanceUID"]]
        with Image.open(made["kaggle"] / row["image_path"].removeprefix("CBIS-DDSM/")) as image:
            eight_bit = np.array(image)
        assert eight_bit.dtype == np.uint8
        assert (
            eight_bit.shape == record.pixel_array.shape == (int(row["Rows"]), int(row["Columns"]))
        )
        stored = record.pixel_array.astype(float)
        assert np.corrcoef(eight_bit.ravel(), stored.ravel())[0, 1] > 0.97
        for keyword in ("SeriesDescription", "PatientID", "BitsStored", "BodyPartExamined"):
            assert row[keyword] == str(record.get(keyword)), keyword
        assert row["Laterality"] == str(record.get("Laterality", ""))


def test_headers_are_those_of_the_real_files(
    shared_data: Path, records: list[pydicom.Dataset]
) -> None:
    paths = sorted((shared_data / "cbis-ddsm" / "nbia_download").rglob("*.dcm"))
    if not paths:
        pytest.skip("no DICOM file of CBIS-DDSM is in the shared data")
    real = pydicom.dcmread(paths[0])
    keywords = {element.keyword for element in real if not element.tag.is_private}
    odd = {"StudyDate", "StudyTime", "Laterality"}
    fixed = ("Modality", "ConversionType", "PhotometricInterpretation", "SpecificCharacterSet")
    for record in records:
        own = {element.keyword for element in record}
        assert own in (keywords, keywords - odd)
        assert record.file_meta.TransferSyntaxUID == real.file_meta.TransferSyntaxUID
        assert [record.get(name) for name in fixed] == [real.get(name) for name in fixed]
        assert (record.SOPClassUID, record.StudyID) == (real.SOPClassUID, real.StudyID)


def test_the_sixteen_bits_are_used_in_part(records: list[pydicom.Dataset]) -> None:
    crops = [one.pixel_array for one in records if one.SeriesDescription == CROP]
    assert {crop.dtype for crop in crops} == {np.dtype("uint16")}
    lowest = [int(crop.min()) for crop in crops]
    assert min(lowest) > 5000
    assert max(lowest) > 35000
    assert all(len(np.unique(crop)) > 256 for crop in crops)


def test_crops_are_cut_from_films_where_the_masks_are(
    made: dict[str, Path], records: list[pydicom.Dataset]
) -> None:
    rows, places = cells(made["nbia"]), {}
    arrays: dict[tuple[str, str], NDArray[Any]] = {}
    for record in records:
        role = {CROP: "crop", MASK: "mask", "": "mask"}.get(record.SeriesDescription, "film")
        # The folder is the case, whatever the patient's name in the file.
        arrays[Path(record.filename).parents[2].name, role] = record.pixel_array
    assert len(list(made["nbia"].rglob("*full mammogram*"))) == rows["film_subject"].nunique()
    sizes: Counter[str] = Counter()
    for subject, film_subject in rows[["crop_subject", "film_subject"]].itertuples(index=False):
        film, crop, mask = (
            arrays.get(key)
            for key in ((film_subject, "film"), (subject, "crop"), (subject, "mask"))
        )
        if crop is None or mask is None:
            sizes["missing"] += 1
            continue
        assert film is not None
        ratios = np.divide(film.shape, mask.shape)
        sizes["same" if film.shape == mask.shape else str(ratios[0] == ratios[1])] += 1
        top, left = _place(film, crop, mask, ratios)
        places.setdefault(film_subject, []).append((top, left, *crop.shape))
    assert sizes["missing"] == sizes["True"] == sizes["False"] == 1
    assert sizes["same"] == len(rows) - 3
    together = [sorted(found) for found in places.values() if len(found) > 1]
    assert together
    for found in together:
        for (top, _, height, _), (next_top, *_) in pairwise(found):
            assert top + height <= next_top


def _place(
    film: NDArray[Any], crop: NDArray[Any], mask: NDArray[Any], ratios: NDArray[Any]
) -> tuple[int, int]:
    """Where the crop stands in the film, searched about the middle of the mask."""
    inside = np.argwhere(mask > 0)
    middle = (inside.min(0) + inside.max(0) + 1) / 2 * ratios
    guess = np.rint(middle - np.array(crop.shape) / 2).astype(int)
    for down in range(-3, 4):
        for right in range(-3, 4):
            top, left = guess[0] + down, guess[1] + right
            if np.array_equal(film[top : top + crop.shape[0], left : left + crop.shape[1]], crop):
                return int(top), int(left)
    raise AssertionError("the crop is not in the film where the mask is")


def test_nbia_folders_and_metadata(made: dict[str, Path], records: list[pydicom.Dataset]) -> None:
    root = made["nbia"]
    form = re.compile(
        r"CBIS-DDSM/((?:Mass|Calc)-(?:Training|Test)_P_\d{5}_(?:LEFT|RIGHT)_(?:CC|MLO)(?:_\d)?)/"
        r"\d\d-\d\d-20\d\d-DDSM-(\d{5})/1\.000000-([A-Za-z ]+)-(\d{5})/1-[12]\.dcm"
    )
    metadata = pd.read_csv(root / "metadata.csv", dtype=str, keep_default_na=False)
    by_series = metadata.set_index("Series UID")
    files: Counter[str] = Counter()
    for record in records:
        path = Path(record.filename).relative_to(root).as_posix()
        match = form.fullmatch(path)
        assert match, path
        series = by_series.loc[record.SeriesInstanceUID]
        assert list(series[["Subject ID", "Series Description"]]) == [match[1], match[3]]
        assert record.StudyInstanceUID.endswith(match[2])
        assert record.SeriesInstanceUID.endswith(match[4])
        assert path.startswith(series["File Location"].removeprefix("./"))
        files[record.SeriesInstanceUID] += 1
    assert {uid: str(number) for uid, number in files.items()} == dict(
        by_series["Number of Images"]
    )
    for uid in ("Series UID", "Study UID"):
        endings = metadata.assign(ending=metadata[uid].str[-5:]).groupby("Subject ID")["ending"]
        assert (endings.nunique() == metadata.groupby("Subject ID")[uid].nunique()).all()
    assert (root / "metadata.csv").read_bytes().endswith(b"\r\n")


def test_listings_have_the_real_columns(made: dict[str, Path], shared_data: Path) -> None:
    real = shared_data / "cbis-ddsm"
    for own, theirs in (
        (made["kaggle"] / "csv" / "dicom_info.csv", real / "kaggle_dicom_info_excerpt.csv"),
        (made["nbia"] / "metadata.csv", real / "nbia_metadata_212_series.csv"),
    ):
        if not theirs.is_file():
            pytest.skip(f"{theirs.name} is not in the shared data")
        assert list(pd.read_csv(own, nrows=0)) == list(pd.read_csv(theirs, nrows=0))


@pytest.mark.parametrize(("layout", "ending"), [("uid", "dcm"), ("png", "png")])
def test_uid_folders_are_those_of_the_tables(
    made: dict[str, Path], layout: str, ending: str
) -> None:
    rows = cells(made[layout])
    expected = {
        "/".join(parts)
        for name in ("film", "crop", "mask")
        for parts in rows[[f"{name}_{part}" for part in ("subject", "study", "series")]].to_numpy()
    }
    files = [path.relative_to(made[layout]) for path in made[layout].rglob(f"*.{ending}")]
    missing = expected - {path.parent.as_posix() for path in files}
    assert {path.parent.as_posix() for path in files} <= expected
    assert len(missing) == 1
    assert {path.name for path in files} == {f"000000.{ending}", f"000001.{ending}"}


@pytest.mark.parametrize("seed", range(3))
def test_the_traps_of_the_tables(tmp_path: Path, seed: int) -> None:
    write_phantom(tmp_path / "set", patients=16, seed=seed, layout="uid")
    rows = cells(tmp_path / "set")
    own = rows[rows["crop_series"] != rows["mask_series"]]
    assert (own["crop_study"] != own["mask_study"]).all()
    assert Counter(own["table"]) == {"mass": 3, "calc": 1}
    assert set(own["crop_base"]) | set(own["mask_base"]) == {"000000.dcm"}
    shared = rows[rows["crop_series"] == rows["mask_series"]]
    assert {tuple(row) for row in shared[["table", "crop_base", "mask_base"]].to_numpy()} == {
        ("mass", "000000.dcm", "000001.dcm"),
        ("calc", "000001.dcm", "000000.dcm"),
    }
    by_view = rows.groupby("film_subject")["abnormality id"].agg("".join)
    assert set(by_view) == {"1", "2", "12", "23", "123"}
    assert (rows.groupby("film_subject")["film_series"].agg(set).str.len() == 1).all()
    lesion = ["table", "patient id", "left or right breast", "abnormality id"]
    labels = (rows["pathology"] == "MALIGNANT").groupby([rows[name] for name in lesion]).nunique()
    assert (labels == 2).sum() == 1
    for column in ("breast density", "subtlety", "assessment"):
        assert "0" in set(rows[column])
    for column in ("mass shape", "mass margins", "calc type", "calc distribution"):
        assert "N/A" in set(rows[column])


def test_the_traps_of_the_files(made: dict[str, Path], records: list[pydicom.Dataset]) -> None:
    rows = cells(made["nbia"])
    series_name = {one.SeriesInstanceUID: Path(one.filename).parent.name for one in records}
    held: dict[str, dict[int, str]] = {}
    for record in records:
        held.setdefault(record.SeriesInstanceUID, {})[int(record.InstanceNumber)] = (
            record.SeriesDescription
        )
    own = rows[(rows["crop_series"] != rows["mask_series"])]
    leads_to = [
        (held[crop][1], held[mask][1])
        for crop, mask in zip(own["crop_series"], own["mask_series"], strict=True)
    ]
    assert Counter(leads_to) == {(CROP, MASK): 3, (MASK, CROP): 1}
    swapped = own[[pair == (MASK, CROP) for pair in leads_to]].iloc[0]
    assert swapped["crop_subject"].startswith("Calc-Training_")
    pairs = {uid: found for uid, found in held.items() if len(found) == 2}
    orders = Counter(tuple(found[place] for place in (1, 2)) for found in pairs.values())
    assert orders[CROP, MASK] > 2 * orders[MASK, CROP] > 0
    assert Counter(series_name[uid].split("-")[1] for uid in pairs) == {
        MASK: len(pairs) - 1,
        CROP: 1,
    }
    (odd,) = (record for record in records if not record.SeriesDescription)
    assert re.fullmatch(r"P_\d{5}_(LEFT|RIGHT)_CC_2\.dcm", odd.PatientID)
    assert set(np.unique(odd.pixel_array)) == {0, 255}
    assert "Laterality" not in odd
    assert "StudyDate" not in odd
    for record in records:
        if record is not odd:
            assert record.PatientID == Path(record.filename).parents[2].name


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_series_is_on_no_disk(made: dict[str, Path], layout: str) -> None:
    rows, folder = cells(made[layout]), made[layout]
    if layout == "nbia":
        present = set(pd.read_csv(folder / "metadata.csv", dtype=str)["Series UID"])
    else:
        present = {path.name for path in folder.rglob("2.25.*")}
    missing = rows[~rows["crop_series"].isin(present)]
    assert list(missing["crop_series"]) == list(missing["mask_series"])
    assert [subject[:14] for subject in missing["crop_subject"]] == ["Calc-Training_"]
    assert rows["film_series"].isin(present).all()


def test_it_reads_back_whole(phantom: Path) -> None:
    dataset = load_lesions(phantom)
    assert (dataset.name, dataset.synthetic) == ("phantom", True)
    # The one series that is on no disk.
    assert len(dataset.left_out) == 1
    assert set(dataset.subsets) == {"mass", "calc", "all"}
    for _, rows in dataset.table.groupby(["subset", "split"]):
        assert set(rows["label"]) == {0, 1}
    for subset in ("mass", "calc"):
        assert shared_patients(dataset.rows(subset)) == []
    assert len(shared_patients(dataset.rows("all"))) == 2
    views = dataset.table.groupby("lesion_id").size()
    assert set(views) == {1, 2}


def test_every_layout_reads_back_alike(made: dict[str, Path], tmp_path: Path) -> None:
    sets = {layout: load_lesions(folder) for layout, folder in made.items()}
    for found in sets.values():
        assert found.synthetic
        pd.testing.assert_frame_equal(
            found.table[["crop_id", "label", "split", "pathology"]],
            sets["kaggle"].table[["crop_id", "label", "split", "pathology"]],
        )
    prints = [build_stack(sets[name], CropSettings(32), tmp_path).fingerprint for name in LAYOUTS]
    assert len(set(prints[1:])) == 1
    assert prints[0] != prints[1]


@pytest.mark.parametrize("patients", [16, 17, 31])
@pytest.mark.parametrize("seed", range(3))
def test_small_ones_have_both_classes_everywhere(tmp_path: Path, patients: int, seed: int) -> None:
    write_phantom(tmp_path / "set", patients=patients, seed=seed)
    table = load_lesions(tmp_path / "set").table
    assert (table.groupby(["subset", "split"])["label"].nunique() == 2).all()
    assert len(table.groupby(["subset", "split"])) == 4


def test_the_tables_have_the_quirks_of_the_real_ones(phantom: Path) -> None:
    mass = (phantom / "csv" / "mass_case_description_train_set.csv").read_bytes()
    calc = (phantom / "csv" / "calc_case_description_test_set.csv").read_bytes()
    assert b"breast_density" in mass
    assert b"breast density" in calc
    assert b'000001.dcm\n"\r\n' in mass
    assert b'000001.dcm\n",' in calc
    assert b"N/A" in mass + calc


def test_the_default_size_and_no_shortcut(tmp_path: Path) -> None:
    folder = builtin_phantom(tmp_path)
    assert builtin_phantom(tmp_path) == folder
    dataset = load_lesions(folder)
    splits = dataset.table["split"].value_counts()
    assert 180 <= len(dataset.table) <= 260
    assert splits["train"] >= 110
    assert splits["test"] >= 60
    stack = build_stack(dataset, CropSettings(32), tmp_path)
    assert (stack.table["crop_height"] != stack.table["crop_width"]).mean() > 0.9
    for column in ("crop_height", "crop_width", "mean_intensity"):
        rank = stack.table[column].rank().to_numpy()
        label = stack.table["label"].to_numpy(dtype=bool)
        n1, n0 = int(label.sum()), int((~label).sum())
        auc = (rank[label].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)
        # Three standard errors for these numbers.
        assert abs(auc - 0.5) < 3 * np.sqrt((n0 + n1 + 1) / (12 * n0 * n1))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"layout": "tcia"}, "layout 'tcia': is not one of kaggle, nbia, uid, png"),
        ({"patients": 3}, "at least 16"),
        ({"seed": -1}, "negative"),
        ({"difficulty": 1.5}, "between 0 and 1"),
        ({"difficulty": float("nan")}, "between 0 and 1"),
    ],
)
def test_settings_out_of_range(tmp_path: Path, arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnusableInput, match=reason):
        write_phantom(tmp_path / "set", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UnusableInput, match="is not empty"):
        write_phantom(tmp_path / "mine")
    with pytest.raises(UnusableInput, match="is a file"):
        write_phantom(tmp_path / "mine" / "thesis.txt")
    assert content(tmp_path) == {"mine/thesis.txt": b"years of work"}


def test_a_folder_that_a_file_manager_has_shown_counts_as_empty(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").touch()
    (tmp_path / ".writing-0").mkdir()
    write_phantom(tmp_path, patients=16)
    assert {path.name for path in tmp_path.iterdir()} >= {"csv", "PHANTOM.json"}
    assert not (tmp_path / ".DS_Store").exists()


def test_nothing_is_deleted_beside_an_older_phantom(tmp_path: Path) -> None:
    write_phantom(tmp_path / "phantom", patients=16)
    notes = tmp_path / "phantom" / "my-notes.txt"
    notes.write_text("precious")
    with pytest.raises(UnusableInput, match="is not empty"):
        write_phantom(tmp_path / "phantom", patients=16, seed=1)
    assert notes.read_text() == "precious"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_failure_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    # The tables and their like come last: all images lie there by then.
    monkeypatch.setattr("bench.data.phantom.case_tables.as_csv", fail)
    with pytest.raises(UnusableInput, match="No space left"):
        write_phantom(tmp_path / "set", patients=16, layout=layout)
    assert list(tmp_path.iterdir()) == []

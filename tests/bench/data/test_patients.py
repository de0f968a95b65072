"""Spellings of a patient's id: one patient, perhaps one person, or two; and where ids stand."""

from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

from bench.data import Dataset, load_lesions
from bench.data.patients import (
    find_column,
    groups_of,
    maybe_one_person,
    named_alike,
    near_misses,
    normalised_ids,
)
from bench.errors import UnusableInput
from bench.planning.splits import official, patient_cv
from classifiers import sweep
from reports import measures

Spell = Callable[[int], str]


@pytest.mark.parametrize(
    ("ids", "same"),
    [
        (["12", "12.0"], True),
        (["12", " 12\t"], True),
        (["P 1", "P  1", "P\xa01"], True),
        (["\ufeffP1", "P1\u200b", "Ｐ1"], True),
        (["12", "12,0", "7"], True),
        (["12", "١٢"], True),
        (["P12", "P१२"], True),
        (["1", "1,000"], False),
        (["12", "012"], False),
        (["12.0", "12", "A"], False),
        (["1.0", "1", "1.5"], False),
        (["a", "A"], False),
    ],
)
def test_what_can_only_be_spelling_is_normalised(ids: list[str], same: bool) -> None:
    plain = normalised_ids(ids)
    assert (len(set(plain[:2])) == 1) == same
    assert normalised_ids(plain) == plain


@pytest.mark.parametrize(
    ("one", "other", "maybe"),
    [
        ("12", "012", True),
        ("P-1", "P_1", True),
        ("P-1", "p 1", True),
        ("P_00012", "p12", True),
        ("P1a", "p01A", True),
        ("12.0", "12", True),
        ("12-345", "12345", True),
        ("1,000", "1000", True),
        ("0", "00", True),
        ("Müller", "MÜLLER", True),
        ("Muller", "Müller", True),
        ("Smith, John", "John SMITH", True),
        ("P12", "12", True),
        ("Patient_012", "12", True),
        ("Pat. 12", "patient12", True),
        ("ID12", "mrn 12", True),
        ("1.2345678e+07", "12345678", True),
        ("A12", "12", False),
        ("P1", "P", False),
        ("12e99999999", "12", False),
        ("1-12", "11-2", False),
        ("P1", "P10", False),
        ("P1", "Q1", False),
        ("1.5", "1.6", False),
        ("-", "_", False),
    ],
)
def test_what_may_be_one_person(one: str, other: str, maybe: bool) -> None:
    assert maybe_one_person([one, other, one, "x"]) == [(0, 1)] * maybe


def test_an_id_without_punctuation_may_be_either() -> None:
    assert maybe_one_person(["1-12", "11-2", "112"]) == [(0, 1), (0, 2)]
    assert maybe_one_person([f"{site}-{n}" for site in range(1, 30) for n in range(1, 30)]) == []


@pytest.mark.parametrize(
    "name",
    [
        *("PatientID", "patientid", "patient id", "Patient", "PATIENT_ID", "Patient-ID", "pid"),
        *("Patient.ID", "patient_no", "subject_id", "SubjectID", "Participant ID", "MRN", "pat_id"),
        *("Patient's ID", "Patients", "pt", "subj_id", "sub-id", "患者ID", "Пациент", "individual"),
        *("Pat-Nr", "Patient_ID_Number", "patientnummer"),
    ],
)
def test_a_column_with_patient_ids_is_known(name: str) -> None:
    assert find_column(["path", "label", name]) == name


def test_near_misses() -> None:
    near = ["pateint_id", "patient_ref", "case_id", "id", "record_id", "donor", "anon_code", "fall"]
    names = [*near, "patient_age", "sex", "density", "notes", "subtype", "lesion", "part", "width"]
    assert find_column(names) is None
    assert near_misses(names) == near


@pytest.fixture
def manifest(tmp_path: Path, save: Callable[..., Path]) -> Callable[..., Path]:
    """Forty pictures with labels by coin, each patient's two pictures under two spellings."""

    def write(first: Spell, second: Spell, column: str = "patient_id", split: str = "") -> Path:
        coins = np.random.default_rng(7).integers(0, 2, 40)
        lines = [f"path,label,{column}{',split' * bool(split)}"]
        splits = cycle(split.split())
        for number in range(40):
            for spell in (first, second):
                path = save(tmp_path / f"{len(lines)}.png").name
                end = f",{next(splits)}" if split else ""
                lines.append(f'{path},{coins[number]},"{spell(number + 1)}"{end}')
        file = tmp_path / "set.csv"
        file.write_text("\n".join(lines))
        return file

    return write


def auc(dataset: Dataset) -> float:
    """Of features that know the person and nothing of the label, by folds of patients."""
    known = np.random.default_rng(3).normal(size=(40, 16))
    noise = np.random.default_rng(4).normal(size=(80, 16))
    features = np.repeat(known, 2, axis=0) + 0.01 * noise
    labels = dataset.table["label"].to_numpy()
    scores = np.zeros(80)
    for fold in patient_cv(dataset.table, 1, 0).folds:
        fitted = sweep(features[fold.train], labels[fold.train], features[fold.test], ["cubic"])
        scores[fold.test] = fitted.scores["cubic", 1.0]
    return float(measures(labels, scores)["auc"])


SPELLINGS: dict[str, tuple[Spell, Spell, bool]] = {
    "a number with .0": (str, lambda n: f"{n}.0", False),
    "blanks": (str, lambda n: f"  {n} ", False),
    "leading zeros": (str, lambda n: f"{n:03d}", True),
    "case": (lambda n: f"p{n}", lambda n: f"P{n}", True),
    "punctuation": (lambda n: f"P-{n}", lambda n: f"p_{n}", True),
    "blank inside": (lambda n: f"P {n}", lambda n: f"P{n:05d}", True),
    ".0 among words": (lambda n: f"A{n}" if n < 3 else str(n), lambda n: f"{n}.0", True),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_labels_by_coin_are_not_learnt_over_two_spellings(
    manifest: Callable[..., Path], name: str
) -> None:
    first, second, noticed = SPELLINGS[name]
    dataset = load_lesions(manifest(first, second))
    assert any("several spellings" in notice for notice in dataset.notices) == noticed
    groups = groups_of(dataset.table)
    assert groups.nunique() <= 42
    if name != ".0 among words":
        assert groups.nunique() == 40
        assert auc(dataset) < 0.65
        apart = dataset.table.assign(group_id=dataset.table["crop_id"])
        assert auc(Dataset("x", dataset.source, apart, dataset.left_out, dataset.subsets)) > 0.75


def test_the_notice_names_two_of_them(manifest: Callable[..., Path]) -> None:
    (notice,) = (
        n for n in load_lesions(manifest(str, lambda n: f"{n:02d}")).notices if "spell" in n
    )
    assert notice.startswith(
        "18 patients may be fewer under several spellings, such as '1' and '01'"
    )


def test_under_official_they_leave_training(manifest: Callable[..., Path]) -> None:
    dataset = load_lesions(manifest(str, lambda n: f"{n:03d}", split="train test train train"))
    assert "20 patients are in both train and test" in dataset.notices
    split = official(dataset.table, 1, 0)
    groups = groups_of(dataset.table).to_numpy()
    assert not set(groups[split.folds[0].train]) & set(groups[split.folds[0].test])
    assert "20 patients of the training rows share" in split.notices[0]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("PatientID", ""),
        ("patientid", ""),
        ("patient id", ""),
        ("Patient", "taken from the column 'patient'"),
        ("subject_id", "taken from the column 'subject_id'"),
    ],
)
def test_columns_that_hold_patient_ids_are_taken(
    manifest: Callable[..., Path], column: str, said: str
) -> None:
    dataset = load_lesions(manifest(str, str, column))
    assert dataset.table["patient_id"].nunique() == 40
    assert [n for n in dataset.notices if "column" in n] == [
        f"patient ids are {said}" for _ in range(1) if said
    ]


def test_a_near_miss_is_named_and_settled(manifest: Callable[..., Path]) -> None:
    file = manifest(str, str, "Case Ref")
    first, second = load_lesions(file).notices[:2]
    assert "every image counts as a patient of its own" in first
    assert "'case_ref' (--columns patient_id=case_ref takes it)" in second
    for name in ("Case Ref", "case_ref"):
        dataset = load_lesions(file, columns={"patient_id": name})
        assert dataset.table["patient_id"].nunique() == 40
        assert not [n for n in dataset.notices if "patient" in n]
    with pytest.raises(UnusableInput, match="--columns patient_id=case: there is no such column"):
        load_lesions(file, columns={"patient_id": "case"})


def test_any_column_can_be_named(tmp_path: Path, save: Callable[..., Path]) -> None:
    lines = ["File;Class;patient_id;Who"]
    lines += [f"{save(tmp_path / f'{n}.png').name};{n % 2};x;{n}" for n in range(4)]
    (tmp_path / "set.csv").write_text("\n".join(lines))
    columns = {"path": "File", "label": "class", "patient_id": "Who"}
    for given in (tmp_path, tmp_path / "set.csv"):
        table = load_lesions(given, columns=columns).table
        assert table["patient_id"].tolist() == list("0123")
        assert table["label"].tolist() == [0, 1, 0, 1]


def test_columns_are_for_a_manifest(classes: Path, phantom: Path) -> None:
    for root in (classes, phantom):
        with pytest.raises(UnusableInput, match=r"--columns|no column path"):
            load_lesions(root, columns={"patient_id": "x"})


def test_where_there_are_no_ids_paths_are_no_spellings(
    tmp_path: Path, save: Callable[..., Path]
) -> None:
    paths = [save(tmp_path / name).name for name in ("P1.png", "p01.png", "P-1.png", "x.png")]
    (tmp_path / "set.csv").write_text(
        "\n".join(["path,label", *(f"{p},{n % 2}" for n, p in enumerate(paths))])
    )
    dataset = load_lesions(tmp_path)
    assert "group_id" not in dataset.table
    assert not any("spell" in notice for notice in dataset.notices)


def test_without_patient_ids_images_of_a_lesion_stay_together(
    manifest: Callable[..., Path],
) -> None:
    dataset = load_lesions(manifest(str, str, "lesion_id"))
    assert groups_of(dataset.table).nunique() == 40
    assert auc(dataset) < 0.65
    assert "every image counts as a patient of its own" in dataset.notices[0]
    assert dataset.notices[1].startswith("80 images show 40 lesions several times")
    alone = load_lesions(manifest(str, lambda n: f"other {n}", "lesion_id"))
    assert "group_id" not in alone.table
    assert not any("lesions" in notice for notice in alone.notices)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("P12_1.png", "P12_2.png"),
        ("P12a.png", "P12b.png"),
        ("P12_L.png", "P12_R.png"),
        ("P12-CC.png", "P12-MLO.png"),
        ("P12 (1).png", "P12 (2).png"),
        ("benign/P12/left.png", "benign/P12/right.png"),
        ("NORMAL/IMG-12-0001.png", "NORMAL/IMG-12-0002.png"),
        ("person12_bacteria_1.png", "person12_bacteria_2.png"),
        ("P_00012_LEFT_CC.png", "P_00012_RIGHT_MLO.png"),
        ("P12_LEFT_CC_7.png", "P12_LEFT_MLO_8.png"),
        ("Pat 12 links CC.PNG", "Pat 12 rechts MLO Übersicht.JPG"),
    ],
)
def test_names_that_may_hold_patient_ids(one: str, other: str) -> None:
    paths = [p.replace("12", str(n), 1) for n in range(30, 40) for p in (one, other)]
    groups = named_alike(paths)
    assert [len(group) for group in groups] == [2] * 10
    assert groups[0] == paths[:2]


@pytest.mark.parametrize(
    "name",
    [
        "{}.png",
        "benign ({}).png",
        "ISIC_{:07d}.png",
        "mdb{:03d}.png",
        "a/img_2020_{}.png",
        "40X/{}.png",
    ],
)
def test_numbered_names_hold_no_patient_ids(name: str) -> None:
    assert named_alike([name.format(number) for number in range(40)]) == []


@pytest.mark.parametrize("date", ["{}-03-04", "film {}0304", "{}"])
def test_years_in_names_are_no_patients(date: str) -> None:
    days = [date.format(2000 + n // 3) for n in range(40)]
    assert named_alike([f"{day}_x{n:02d}y.png" for n, day in enumerate(days)]) == []


@pytest.mark.parametrize("manifest", [False, True])
def test_ids_in_names_alone_are_pointed_out(
    tmp_path: Path, save: Callable[..., Path], manifest: bool
) -> None:
    paths = [
        f"{name}/P{n}_{k}.png" for name in ("benign", "malignant") for n in range(9) for k in "12"
    ]
    for path in paths:
        save(tmp_path / path)
    if manifest:
        lines = [f"{path},{path.partition('/')[0]}" for path in paths]
        (tmp_path / "set.csv").write_text("\n".join(["path,label", *lines]))
    notice = load_lesions(tmp_path).notices[1]
    assert "36 images" in notice
    assert "benign/P0_1.png and benign/P0_2.png" in notice


@pytest.mark.parametrize("manifest", [False, True])
@pytest.mark.parametrize(
    ("ids", "told"),
    [("SECRET1 SECRET1 SECRET2 SECRET3", True), ("A B C D", False), ("A A A A", False)],
)
def test_ids_in_dicom_headers_are_pointed_out_and_not_named(
    tmp_path: Path, dicom_file: Callable[..., bytes], manifest: bool, ids: str, told: bool
) -> None:
    lines = ["path,label"]
    for n, one in enumerate(ids.split()):
        name = ("benign", "malignant")[n % 2]
        file = tmp_path / name / ("x.dcm" if n < 2 else "IM1")
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(dicom_file(PatientID=one))
        lines.append(f"{name}/{file.name},{name}")
    (tmp_path / "benign" / "damaged.dcm").write_bytes(b"x" * 300)
    if manifest:
        (tmp_path / "set.csv").write_text("\n".join(lines))
    notices = load_lesions(tmp_path).notices
    found = [one for one in notices if "headers of 4 DICOM files have 3 patient ids" in one]
    assert len(found) == told
    assert not any("SECRET" in notice for notice in notices)

"""The index of image files: what it finds, what it keeps, and that it sees every change."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data.cbis_ddsm.index import Facts, ImageIndex


@pytest.fixture
def root(tmp_path: Path, save: Callable[..., Path]) -> Path:
    for name in ("a.png", "x/b.jpg", "x/y/c.PNG", ".hidden/d.png", "x/.e.png"):
        save(tmp_path / "root" / name)
    (tmp_path / "root" / "notes.txt").write_text("no image")
    return tmp_path / "root"


def facts_of(index: ImageIndex) -> dict[str, tuple[int, int]]:
    return {file.path: (index.facts(file).rows, index.facts(file).columns) for file in index.files}


def test_one_walk_finds_every_image(root: Path, tmp_path: Path) -> None:
    index = ImageIndex(root, tmp_path / "cache", ())
    assert facts_of(index) == {"a.png": (12, 16), "x/b.jpg": (12, 16), "x/y/c.PNG": (12, 16)}


def test_links_that_lead_out_are_not_followed(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.png").write_bytes(b"secret")
    (root / "folder").symlink_to(outside)
    (root / "file.png").symlink_to(outside / "secret.png")
    (root / "within.png").symlink_to(root / "a.png")
    (root / "loop").symlink_to(root)
    index = ImageIndex(root, tmp_path / "cache", ())
    assert [file.path for file in index.files] == ["a.png", "within.png", "x/b.jpg", "x/y/c.PNG"]
    assert index.links == ["file.png", "folder"]


def test_the_second_look_reads_no_file(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ImageIndex(root, tmp_path / "cache", ())
    expected = facts_of(first)
    two_valued = [first.is_two_valued(file) for file in first.files]
    first.save()

    def refuse(*_: object) -> None:
        raise AssertionError("a file was read again")

    monkeypatch.setattr("bench.data.cbis_ddsm.index._picture_header", refuse)
    monkeypatch.setattr("bench.data.cbis_ddsm.index._is_two_valued", refuse)
    second = ImageIndex(root, tmp_path / "cache", ())
    assert facts_of(second) == expected
    assert [second.is_two_valued(file) for file in second.files] == two_valued


@pytest.mark.parametrize("keep_time", [False, True])
def test_a_changed_file_is_read_again(
    root: Path, tmp_path: Path, save: Callable[..., Path], keep_time: bool
) -> None:
    index = ImageIndex(root, tmp_path / "cache", ())
    facts_of(index)
    index.save()
    before = (root / "a.png").stat()
    save(root / "a.png", (30, 20))
    if keep_time:
        os.utime(root / "a.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert facts_of(ImageIndex(root, tmp_path / "cache", ()))["a.png"] == (30, 20)


def test_a_change_that_leaves_size_and_time_alike_is_seen(tmp_path: Path) -> None:
    root, file = tmp_path / "root", tmp_path / "root" / "a.tif"
    root.mkdir()
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(file)
    index = ImageIndex(root, tmp_path / "cache", ())
    assert facts_of(index) == {"a.tif": (20, 30)}
    index.save()
    before = file.stat()
    Image.fromarray(np.zeros((30, 20), np.uint8)).save(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert facts_of(ImageIndex(root, tmp_path / "cache", ())) == {"a.tif": (30, 20)}


def test_a_problem_is_looked_into_again(root: Path, tmp_path: Path) -> None:
    (root / "a.png").write_bytes(b"no image")
    index = ImageIndex(root, tmp_path / "cache", ())
    facts_of(index)
    index.save()
    (kept,) = (tmp_path / "cache" / "index").iterdir()
    assert set(json.loads(kept.read_text())["facts"]) == {"x/b.jpg", "x/y/c.PNG"}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"facts": {}, "sha256": ""}'])
def test_a_damaged_cache_is_not_believed(root: Path, tmp_path: Path, content: str) -> None:
    index = ImageIndex(root, tmp_path / "cache", ())
    expected = facts_of(index)
    index.save()
    (file,) = (tmp_path / "cache" / "index").iterdir()
    file.write_text(content)
    assert facts_of(ImageIndex(root, tmp_path / "cache", ())) == expected


def test_altered_facts_are_not_believed(root: Path, tmp_path: Path) -> None:
    index = ImageIndex(root, tmp_path / "cache", ())
    expected = facts_of(index)
    index.save()
    (file,) = (tmp_path / "cache" / "index").iterdir()
    body = json.loads(file.read_text())
    body["facts"]["a.png"][5] = 99
    file.write_text(json.dumps(body))
    assert facts_of(ImageIndex(root, tmp_path / "cache", ())) == expected


def test_a_cache_that_cannot_be_written_stops_nothing(root: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    index = ImageIndex(root, tmp_path / "cache", ())
    facts_of(index)
    index.save()


def write(path: Path, pixels: np.ndarray, **options: object) -> None:
    Image.fromarray(pixels).save(path, **options)  # type: ignore[arg-type]


def test_two_values_and_many(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    mask = np.zeros((200, 150), np.uint8)
    mask[60:140, 40:110] = 1
    many = rng.integers(0, 65536, (90, 80), dtype=np.uint16)
    narrow = rng.integers(100, 140, (90, 80), dtype=np.uint8)
    for name, pixels, two_valued in (
        ("mask8.png", mask * 255, True),
        ("mask1.png", mask, True),
        ("mask16.png", mask.astype(np.uint16) * 65280, True),
        ("mask.jpg", mask * 255, True),
        ("black.png", mask * 0, True),
        ("crop16.png", many, False),
        # All above 255: clipped to eight bits they would all be white.
        ("bright16.png", many // 2 + 30000, False),
        ("crop8.png", narrow, False),
        ("crop.jpg", narrow, False),
    ):
        write(tmp_path / name, pixels)
        index = ImageIndex(tmp_path, tmp_path / "cache", ())
        (file,) = (one for one in index.files if one.path == name)
        assert index.is_two_valued(file) == two_valued, name


def facts_of_dicom(folder: Path, data: bytes) -> Facts:
    (folder / "set").mkdir()
    (folder / "set" / "x.dcm").write_bytes(data)
    index = ImageIndex(folder / "set", folder / "cache", ())
    return index.facts(*index.files)


@pytest.mark.parametrize(
    ("description", "kind"),
    [
        ("ROI mask images", "mask"),
        ("full mammogram images", "film"),
        (" CROPPED  Images ", "crop"),
        ("", ""),
        ("cropped", ""),
        ("images of Jane Doe", ""),
    ],
)
def test_the_kind_is_that_of_the_file(
    tmp_path: Path, dicom_file: Callable[..., bytes], description: str, kind: str
) -> None:
    data = dicom_file(SeriesDescription=description)
    assert facts_of_dicom(tmp_path, data).kind == kind


@pytest.mark.parametrize(
    ("patient", "case"),
    [
        ("Calc-Test_P_00038_RIGHT_MLO", "Calc-Test_P_00038_RIGHT_MLO"),
        ("calc-TEST_p_00038_right_mlo_12 ", "Calc-Test_P_00038_RIGHT_MLO_12"),
        ("Mass-Training_P_00001_LEFT_CC_1.dcm", "Mass-Training_P_00001_LEFT_CC_1"),
        ("P_00562_LEFT_CC_2.dcm", ""),  # its table cannot be concluded
        ("Mass-Training_P_0001_LEFT_CC_1", ""),
        ("Mass-Training_P_00001_LEFT_CC_1_2", ""),
        ("Jane Doe", ""),
        ("", ""),
    ],
)
def test_the_case_is_parsed_or_empty(
    tmp_path: Path, dicom_file: Callable[..., bytes], patient: str, case: str
) -> None:
    data = dicom_file(PatientID=patient)
    assert facts_of_dicom(tmp_path, data).case == case


def test_only_the_meaning_of_a_headers_text_is_kept(
    tmp_path: Path, dicom_file: Callable[..., bytes]
) -> None:
    texts = {"PatientID": "Jane Doe", "SeriesDescription": "for Dr Who"}
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "x.dcm").write_bytes(dicom_file(**texts, SeriesInstanceUID="1.2.3.4"))
    index = ImageIndex(tmp_path / "set", tmp_path / "cache", ())
    index.read_headers()
    index.save()
    (kept,) = (tmp_path / "cache" / "index").iterdir()
    for text in (*texts.values(), "1.2.3.4"):
        assert text not in kept.read_text()
        assert text not in repr(index.facts(*index.files))

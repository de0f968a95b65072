"""Folders and manifests as people have them: DICOM of any name, links, paths of any form."""

import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from bench.data import CropSettings, build_stack, load_lesions, write_phantom
from bench.data.sources import below_root
from bench.errors import UnusableInput

RNG = np.random.default_rng(4)


def dicom_bytes() -> bytes:
    pixels = RNG.integers(0, 4096, (12, 14), np.uint16)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    record = FileDataset("x", {}, file_meta=meta, preamble=b"\0" * 128)
    record.SOPClassUID = SecondaryCaptureImageStorage
    record.SOPInstanceUID = "2.25.1"
    record.Rows, record.Columns = pixels.shape
    record.BitsAllocated = record.BitsStored = 16
    record.HighBit, record.SamplesPerPixel, record.PixelRepresentation = 15, 1, 0
    record.PhotometricInterpretation = "MONOCHROME2"
    record.add_new("PixelData", "OW", pixels.tobytes())
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(stream, record, enforce_file_format=True)
    return stream.getvalue()


def picture(file: Path, **options: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(RNG.integers(0, 256, (12, 14), np.uint8))
    image.save(file, **options)
    return file


@pytest.mark.parametrize(
    "name", ["{}", "{}.IMA", "{}.ima", "IM{:06}", "1.2.840.{}", "scan.MR.{}", "a.{}.20200101"]
)
def test_dicom_of_any_name_in_class_folders(tmp_path: Path, name: str) -> None:
    for label in ("benign", "malignant"):
        (tmp_path / "set" / label / "series").mkdir(parents=True)
        for number in range(2):
            file = tmp_path / "set" / label / "series" / name.format(number)
            file.write_bytes(dicom_bytes())
        (tmp_path / "set" / label / "notes").write_text("no image")
    dataset = load_lesions(tmp_path / "set")
    assert len(dataset.table) == 4
    assert list(dataset.left_out["path"]) == ["benign/notes", "malignant/notes"]
    stack = build_stack(dataset, CropSettings(16), tmp_path / "store")
    assert len(stack.table) == 4
    assert set(stack.table["file_format"]) == {"DICOM"}


def test_ima_without_a_preamble_is_dicom(tmp_path: Path) -> None:
    for label in ("benign", "malignant"):
        (tmp_path / "set" / label).mkdir(parents=True)
        (tmp_path / "set" / label / "a.IMA").write_bytes(dicom_bytes()[132:])
    stack = build_stack(load_lesions(tmp_path / "set"), CropSettings(16), tmp_path / "store")
    assert len(stack.table) == 2


def test_a_pipe_in_a_class_folder_is_not_opened(classes: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes on this system")
    os.mkfifo(classes / "benign" / "pipe")
    assert list(load_lesions(classes).left_out["path"]) == ["benign/pipe"]


@pytest.mark.parametrize("ending", ["webp", "gif", "jp2", "j2k", "JPX", "WEBP"])
def test_other_formats_in_class_folders(tmp_path: Path, ending: str) -> None:
    for label in ("benign", "malignant"):
        for number in range(2):
            picture(tmp_path / "set" / label / f"{number}.{ending}")
    dataset = load_lesions(tmp_path / "set")
    assert (len(dataset.table), len(dataset.left_out)) == (4, 0)
    stack = build_stack(dataset, CropSettings(16), tmp_path / "store")
    assert len(stack.table) == 4


@pytest.mark.parametrize("content", [None, "notes.txt", "report.pdf", "deep/notes.txt"])
@pytest.mark.parametrize("name", ["docs", "csv", "masks", "annotations", "a"])
def test_a_folder_without_images_is_no_class(classes: Path, content: str | None, name: str) -> None:
    expected = load_lesions(classes).table
    (classes / name).mkdir()
    if content:
        (classes / name / content).parent.mkdir(exist_ok=True)
        (classes / name / content).write_text("x")
    for dataset in ("auto", "folder"):
        assert load_lesions(classes, dataset).table.equals(expected)


# --- links


def outside(classes: Path) -> Path:
    """A folder outside the root, with two pictures, and links to it in three ways."""
    folder = classes.parent / "elsewhere"
    one, two = picture(folder / "x.png"), picture(folder / "more" / "y.png")
    (classes / "benign" / "file.png").symlink_to(one)
    (classes / "benign" / "folder").symlink_to(two.parent)
    return folder


def test_links_out_of_the_root_are_followed_on_request(classes: Path, tmp_path: Path) -> None:
    outside(classes)
    plain = load_lesions(classes)
    assert all("--follow-links" in reason for reason in plain.left_out["reason"])
    assert list(plain.left_out["path"]) == ["benign/file.png", "benign/folder"]
    followed = load_lesions(classes, follow_links=True)
    assert followed.left_out.empty
    more = {"benign/file.png", "benign/folder/y.png"}
    assert set(followed.table["path"]) == set(plain.table["path"]) | more
    assert len(build_stack(followed, CropSettings(16), tmp_path / "store").table) == len(
        followed.table
    )


def test_class_folders_that_are_links(classes: Path) -> None:
    root = classes.parent / "linked"
    root.mkdir()
    for label in ("benign", "malignant"):
        (root / label).symlink_to(classes / label)
    with pytest.raises(UnusableInput, match="--follow-links"):
        load_lesions(root)
    assert len(load_lesions(root, follow_links=True).table) == len(load_lesions(classes).table)


def test_links_in_a_circle_end(classes: Path) -> None:
    (classes / "benign" / "up").symlink_to(classes)
    (classes / "benign" / "itself").symlink_to(classes / "benign")
    other = picture(classes.parent / "other" / "z.png").parent
    (other / "back").symlink_to(classes / "benign")
    (classes / "benign" / "one").symlink_to(other)
    (classes / "benign" / "two").symlink_to(other)
    followed = load_lesions(classes, follow_links=True)
    assert followed.table["path"].is_unique
    assert "benign/one/z.png" in set(followed.table["path"])
    assert all("read already" in reason for reason in followed.left_out["reason"])


def test_a_class_of_linked_folders_alone(classes: Path) -> None:
    root = classes.parent / "linked"
    for label in ("benign", "malignant"):
        (root / label).mkdir(parents=True)
        (root / label / "series").symlink_to(classes / label)
    assert len(load_lesions(root, follow_links=True).table) == len(load_lesions(classes).table)


def test_the_images_of_cbis_ddsm_behind_a_link(tmp_path: Path) -> None:
    write_phantom(tmp_path / "set", patients=16, layout="kaggle")
    expected = load_lesions(tmp_path / "set", cache=tmp_path / "store").table
    (tmp_path / "set" / "jpeg").rename(tmp_path / "elsewhere")
    (tmp_path / "set" / "jpeg").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "circle").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnusableInput, match="--follow-links"):
        load_lesions(tmp_path / "set", cache=tmp_path / "store")
    followed = load_lesions(tmp_path / "set", cache=tmp_path / "store", follow_links=True)
    assert followed.table.equals(expected)


def test_a_manifest_follows_links_on_request(tmp_path: Path) -> None:
    picture(tmp_path / "elsewhere" / "b.png")
    picture(tmp_path / "set" / "a.png")
    (tmp_path / "set" / "b.png").symlink_to(tmp_path / "elsewhere" / "b.png")
    (tmp_path / "set" / "set.csv").write_text("path,label\na.png,0\nb.png,1\n")
    with pytest.raises(UnusableInput, match="--follow-links"):
        load_lesions(tmp_path / "set")
    assert len(load_lesions(tmp_path / "set", follow_links=True).table) == 2


# --- paths of a manifest


def manifest(folder: Path, paths: list[str], splits: list[str] | None = None) -> Path:
    lines = ["path,label,split"]
    splits = splits or ["none"] * len(paths)
    for number, (path, split) in enumerate(zip(paths, splits, strict=True)):
        lines.append(f'"{path}",{number % 2},{split}')
    (folder / "set.csv").write_text("\n".join(lines))
    return folder / "set.csv"


def test_absolute_and_windows_paths_below_the_root(tmp_path: Path) -> None:
    root = tmp_path / "real" / "set"
    names = ["benign/a.png", "malignant/b.png", "benign/c.png", "malignant/d.png"]
    for name in names:
        picture(root / name)
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    alias = tmp_path / "alias" / "set"
    windows = ["benign\\a.png", ".\\malignant\\b.png", "benign\\\\c.png", "malignant/d.png"]
    forms = [
        [str(root / name) for name in names],
        [str(alias / name) for name in names],
        [f"{root}//{name}" for name in names],
        [str(root / names[0]), windows[1], "./" + names[2], names[3]],
        windows,
    ]
    for paths in forms:
        manifest(root, paths)
        for given in (root, alias / "set.csv"):
            table = load_lesions(given).table
            assert list(table["path"]) == names
            assert list(table["crop_id"]) == names


def test_paths_that_are_not_below_the_root_stay_refused(tmp_path: Path) -> None:
    picture(tmp_path / "set" / "a.png")
    picture(tmp_path / "settings" / "b.png")
    for path in (
        str(tmp_path / "settings" / "b.png"),
        str(tmp_path / "set" / ".." / "settings" / "b.png"),
        "..\\settings\\b.png",
        "C:\\set\\a.png",
        "\\\\server\\set\\a.png",
        str(tmp_path / "set"),
    ):
        manifest(tmp_path / "set", [path])
        with pytest.raises(UnusableInput) as caught:
            load_lesions(tmp_path / "set")
        assert len(str(caught.value).splitlines()) == 1


def test_one_file_under_two_forms_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "set" / "a.png")
    manifest(tmp_path / "set", ["a.png", str(tmp_path / "set" / "a.png")])
    with pytest.raises(UnusableInput, match="occurs in 2 rows"):
        load_lesions(tmp_path / "set")


def test_a_drive_in_either_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "realpath", lambda _: "C:/Data/Set")
    monkeypatch.setattr(os.path, "normcase", lambda text: text.lower().replace("/", "\\"))
    assert below_root(Path("set"), "c:\\data\\set\\Benign\\a.png") == "Benign/a.png"


# --- a validation set


@pytest.mark.parametrize("name", ["val", "VAL", "valid", "Validation", "dev"])
def test_a_validation_set_joins_training(
    tmp_path: Path, name: str, save: Callable[..., Path]
) -> None:
    names = [f"{number}.png" for number in range(6)]
    for one in names:
        save(tmp_path / "set" / one)
    manifest(tmp_path / "set", names, ["train", "train", name, name, "test", "test"])
    dataset = load_lesions(tmp_path / "set")
    assert list(dataset.table["split"]) == ["train"] * 4 + ["test"] * 2
    (notice,) = [line for line in dataset.notices if "join training" in line]
    assert notice == f"2 rows of split {name!r} join training"
    manifest(tmp_path / "set", names, ["train"] * 4 + ["test"] * 2)
    assert not [line for line in load_lesions(tmp_path / "set").notices if "join" in line]

"""What `load_lesions` makes of a path: the right kind by looking, or one line that says why not."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.data import load_lesions, loading
from bench.errors import UnusableInput


def refusal(*arguments: object, **named: object) -> str:
    with pytest.raises(UnusableInput) as caught:
        load_lesions(*arguments, **named)  # type: ignore[arg-type]
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_each_kind_is_found_by_looking(
    phantom: Path, classes: Path, tmp_path: Path, save: Callable[..., Path]
) -> None:
    assert load_lesions(phantom).name == "phantom"
    assert load_lesions(phantom.parent).name == "phantom"
    assert load_lesions(str(classes)).name == "folder"
    (phantom / "PHANTOM.json").rename(phantom.parent / "aside")
    try:
        assert load_lesions(phantom).name == "cbis-ddsm"
        assert "is not a phantom" in refusal(phantom, "phantom")
    finally:
        (phantom.parent / "aside").rename(phantom / "PHANTOM.json")


def test_a_data_set_says_what_its_images_show(phantom: Path, classes: Path) -> None:
    assert load_lesions(phantom).organ == "breast"
    assert load_lesions(classes).organ == ""


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    assert f"{tmp_path}/absent: there is no such file" in refusal(tmp_path / "absent")


def test_an_empty_folder(tmp_path: Path) -> None:
    assert "the folder is empty" in refusal(tmp_path)


def test_a_folder_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    assert "none of its files is an image by its name (1 .txt)" in refusal(tmp_path)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.png").touch()
    assert "all in one folder, 'one'; two classes need a folder each" in refusal(tmp_path)


def test_a_data_set_deeper_down_is_named(classes: Path, tmp_path: Path) -> None:
    deep = tmp_path / "one" / "two" / "three"
    deep.parent.mkdir(parents=True)
    classes.rename(deep)
    assert f"there is one in {deep}: name that folder" in refusal(tmp_path)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    assert "notes.txt" in refusal(tmp_path / "notes.txt")
    assert "notes.txt" in refusal(tmp_path / "notes.txt", "folder")


@pytest.mark.parametrize("dataset", ["mias", "cbis-ddsm", "phantom"])
def test_the_wrong_kind_asked_for(classes: Path, dataset: str) -> None:
    assert "looked for" in refusal(classes, dataset)


def test_the_wrong_kind_for_a_file(mias_archive: Path) -> None:
    assert "looked for" in refusal(mias_archive, "cbis-ddsm")
    assert "neither a folder nor a CSV" in refusal(mias_archive, "folder")


def test_a_data_set_that_does_not_exist(classes: Path) -> None:
    assert "'ddsm'" in refusal(classes, "ddsm")


def test_tables_belong_to_one_kind(classes: Path, tmp_path: Path) -> None:
    assert "case tables belong to CBIS-DDSM" in refusal(classes, "folder", tables=tmp_path)


def test_a_name_with_a_line_break_stays_on_one_line(tmp_path: Path) -> None:
    (tmp_path / "two\nlines").mkdir()
    assert "the folder is empty" in refusal(tmp_path / "two\nlines")


def test_a_further_row_is_a_further_kind_of_data_set(
    classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = loading.Loader(
        name="notes",
        title="a folder of notes",
        find=lambda path: (path / "notes.txt").is_file(),
        load=lambda *_: load_lesions(classes),
        file="a note",
    )
    with_notes, without = tmp_path / "with", tmp_path / "without"
    for folder, name in ((with_notes, "notes.txt"), (without, "letter.txt")):
        (folder / "one").mkdir(parents=True)
        (folder / "one" / "a.png").touch()
        (folder / name).write_text("nothing")
    assert "notes.txt" not in refusal(with_notes)
    monkeypatch.setattr(loading, "LOADERS", (row, *loading.LOADERS))
    assert load_lesions(with_notes).source.root == classes
    refusal(without)
    assert "neither a folder, a note, a tar archive" in refusal(without / "letter.txt")


def test_the_import_is_light() -> None:
    code = (
        "import sys, bench.data; bench.data.load_lesions;"
        "heavy = {'pandas', 'PIL', 'pydicom', 'torch'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

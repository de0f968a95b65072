"""A folder of one's own: class folders and manifests, good ones and each kind of bad one."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.data import load_lesions
from bench.errors import UnusableInput


def refusal(path: Path, dataset: str = "auto") -> str:
    with pytest.raises(UnusableInput) as caught:
        load_lesions(path, dataset)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_class_folders(classes: Path, save: Callable[..., Path]) -> None:
    save(classes / "benign" / "deep" / "x.jpg")
    save(classes / "benign" / ".hidden.png")
    (classes / "benign" / "notes.txt").write_text("n")
    (classes / ".git").mkdir()
    dataset = load_lesions(classes)
    rows = dataset.rows("all")
    assert list(rows["label"]) == [0] * 4 + [1] * 3
    assert list(rows["path"])[3] == "benign/deep/x.jpg"
    assert rows["patient_id"].is_unique
    assert list(dataset.left_out["path"]) == ["benign/notes.txt"]
    assert any("every image counts as a patient" in note for note in dataset.notices)
    info = dataset.subsets["all"]
    assert (info.positive, info.negative) == ("malignant", "benign")


@pytest.mark.parametrize(
    ("first", "second", "positive", "certain"),
    [
        ("Cancer", "Normal", "Cancer", True),
        ("0", "1", "1", True),
        ("positive", "negative", "positive", True),
        ("abnormal", "other", "abnormal", True),
        ("cats", "dogs", "dogs", False),
    ],
)
def test_names_decide_which_class_is_positive(
    tmp_path: Path,
    save: Callable[..., Path],
    first: str,
    second: str,
    positive: str,
    certain: bool,
) -> None:
    save(tmp_path / first / "a.png")
    save(tmp_path / second / "b.png")
    dataset = load_lesions(tmp_path)
    rows = dataset.table
    assert list(rows.loc[rows["label"] == 1, "pathology"]) == [positive]
    assert dataset.subsets["all"].positive == positive
    assert any("do not say which class" in note for note in dataset.notices) != certain


def test_links_out_of_the_root_are_left_out(classes: Path, save: Callable[..., Path]) -> None:
    outside = save(classes.parent / "outside" / "x.png")
    (classes / "benign" / "link.png").symlink_to(outside)
    (classes / "benign" / "gone.png").symlink_to(classes / "nowhere.png")
    left_out = load_lesions(classes).left_out.set_index("path")["reason"]
    assert "symbolic link" in left_out["benign/link.png"]
    assert "missing" in left_out["benign/gone.png"]


def test_folders_that_are_no_classes(classes: Path, save: Callable[..., Path]) -> None:
    save(classes / "third" / "c.png")
    assert "'third'" in refusal(classes, "folder")
    for old, new in (("benign", "train"), ("malignant", "test")):
        (classes / old).rename(classes / new)
    (classes / "third" / "c.png").unlink()
    (classes / "third").rmdir()
    assert "'test', 'train' are parts of a split, not classes" in refusal(classes)


def test_class_folders_without_images(classes: Path) -> None:
    for path in (classes / "malignant").iterdir():
        path.unlink()
    assert "one class only" in refusal(classes, "folder")
    for path in (classes / "benign").iterdir():
        path.unlink()
    assert "hold no images" in refusal(classes, "folder")


@pytest.fixture
def manifest(tmp_path: Path, save: Callable[..., Path]) -> Callable[[str | bytes], Path]:
    """Write a manifest beside the images a.png, b.png and ü.png."""
    for name in ("a.png", "b.png", "ü.png"):
        save(tmp_path / "m" / name)

    def write(content: str | bytes) -> Path:
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / "m" / "set.csv").write_bytes(data)
        return tmp_path / "m" / "set.csv"

    return write


Write = Callable[[str | bytes], Path]
GOOD = "path,label,patient_id,split\na.png,0,p1,train\nb.png,1,p2,test\n"


def test_a_manifest_from_its_file_or_its_folder(manifest: Write) -> None:
    file = manifest(GOOD)
    for given in (file, file.parent):
        dataset = load_lesions(given)
        assert list(dataset.table["patient_id"]) == ["p1", "p2"]
        assert list(dataset.table["split"]) == ["train", "test"]
        assert dataset.notices == ()


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-16-le", "utf-16-be"]
)
@pytest.mark.parametrize("separator", [",", ";"])
def test_encodings_and_separators(manifest: Write, encoding: str, separator: str) -> None:
    text = "Path,Label,lesion_id,Notes\r\nü.png,Malignant,7,x\r\n\r\na.png,benign,8,y\r\n"
    dataset = load_lesions(manifest(text.replace(",", separator).encode(encoding)))
    assert list(dataset.table["path"]) == ["ü.png", "a.png"]
    assert list(dataset.table["label"]) == [1, 0]
    assert list(dataset.table["lesion_id"]) == ["7", "8"]
    assert any("'notes'" in note for note in dataset.notices)


def test_optional_columns(manifest: Write) -> None:
    text = "path,label,laterality,view,density,abnormality_id,crop_id\n"
    text += "a.png,1,left,cc,3,2,x\nb.png,0,,,,,\n"
    row, other = load_lesions(manifest(text)).table.to_dict("records")
    assert (row["laterality"], row["view"], row["density"]) == ("LEFT", "CC", "3")
    assert (row["abnormality_id"], row["crop_id"], other["crop_id"]) == (2, "x", "b.png")


def test_missing_images_are_left_out(manifest: Write) -> None:
    dataset = load_lesions(manifest(GOOD + "c.png,1,p3,test\n"))
    assert list(dataset.left_out["path"]) == ["c.png"]
    assert len(dataset.table) == 2


def test_a_patient_on_both_sides_is_noticed(manifest: Write) -> None:
    dataset = load_lesions(manifest(GOOD.replace("p2", "p1")))
    assert dataset.notices == ("1 patients are in both train and test",)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no column path and label"),
        ("file,label\na.png,1\n", "no column path"),
        ("path,label,label\na.png,1,1\n", "column label occurs more than once"),
        ("path,label\n", "the manifest has no rows"),
        ("path,label\na.png,0\nb.png,0\n", "one class only"),
        ("path,label\na.png,0\nb.png,2\n", "line 3: label '2'"),
        ("path,label\na.png,0\n\nb.png,perhaps\n", "line 4: label 'perhaps'"),
        ("path,label\na.png,0\n./a.png,1\n", "path 'a.png' occurs in 2 rows"),
        ("path,label,crop_id\na.png,0,x\nb.png,1,x\n", "crop_id 'x' occurs in 2 rows"),
        ("path,label\n../a.png,0\n", "line 2: path '../a.png' holds '..'"),
        ("path,label\n/etc/passwd,0\n", "line 2: path '/etc/passwd' is not relative"),
        ("path,label\nC:\\a.png,0\n", "is not relative"),
        ("path,label\n,0\n", "line 2: path '' is empty"),
        ("path,label,split\na.png,0,later\n", "line 2: split 'later'"),
        ("path,label,patient_id\na.png,0,\n", "line 2: patient_id is empty"),
        ("path,label,abnormality_id\na.png,0,x\n", "abnormality_id 'x'"),
        ("path,label\na.png,0,extra\n", "line 2 has 3 cells, the header 2"),
        ('path,label\n"a.png,0\n', "line 2 is not CSV"),
        ("path,label\nx.png,0\ny.png,1\n", "none of its 2 files is there; the first, x.png"),
        (
            "path,label,patient_id,lesion_id\na.png,0,p,l\nb.png,1,q,l\n",
            "lesion_id 'l' belongs to more than one patient_id",
        ),
    ],
)
def test_each_bad_manifest_is_refused_in_one_line(manifest: Write, text: str, reason: str) -> None:
    file = manifest(text)
    message = refusal(file)
    assert reason in message
    assert str(file.parent) in message


def test_a_manifest_may_not_follow_a_link_out(manifest: Write, save: Callable[..., Path]) -> None:
    file = manifest("path,label\nlink.png,0\nb.png,1\n")
    (file.parent / "link.png").symlink_to(save(file.parent.parent / "outside.png"))
    assert "symbolic link" in refusal(file)


def test_two_manifests_are_not_guessed_between(manifest: Write) -> None:
    file = manifest(GOOD)
    (file.parent / "other.csv").write_text(GOOD)
    assert "other.csv, set.csv" in refusal(file.parent)


def test_one_csv_without_the_columns_is_named(manifest: Write) -> None:
    for text in ("image,Class,pid\na.png,1,2\n", "image|Class|pid\na.png|1|2\n"):
        file = manifest(text)
        message = refusal(file.parent)
        # As the file has them: what the user has to name.
        assert (
            f"{file}: no column path and label; the first line holds image, Class, pid" in message
        )
        assert "--columns path=NAME,label=NAME" in message
    file.write_bytes(b"a\0\1b,label\n")
    assert refusal(file).isprintable()


def test_what_is_not_read_in_a_class_folder_is_listed(
    classes: Path, save: Callable[..., Path]
) -> None:
    elsewhere = classes / "benign" / "deep"
    save(elsewhere / "x.png")
    (classes / "malignant" / "link").symlink_to(elsewhere)
    bad = os.fsencode(classes / "malignant") + b"/bad\xff.png"
    shutil.copy(elsewhere / "x.png", bad)
    left_out = load_lesions(classes).left_out.set_index("path")["reason"]
    assert "not followed" in left_out["malignant/link"]
    assert "not text" in left_out["malignant/bad\\xff.png"]


def test_a_column_with_spaces_is_known_and_nan_is_no_patient(
    classes: Path, save: Callable[..., Path]
) -> None:
    file = classes / "lesions.csv"
    paths = sorted(path.relative_to(classes).as_posix() for path in classes.rglob("*.png"))
    lines = [f"{path},{int('malignant' in path)},P{i // 2}" for i, path in enumerate(paths)]
    file.write_text("\n".join(["Path,Label,Patient ID", *lines]))
    assert load_lesions(file).table["patient_id"].nunique() == (len(paths) + 1) // 2
    file.write_text("\n".join(["path,label,patient_id", f"{paths[0]},0,NaN", *lines[1:]]))
    assert "patient_id is empty" in refusal(file)


@pytest.mark.parametrize(
    ("written", "there"),
    [("{}.png", "img/a/{}.png"), ("{}", "{}.png"), ("img/{}.jpg", ""), ("b/{}", "img/{}.PNG")],
)
def test_paths_that_lead_nowhere_are_told_what_is_there(
    tmp_path: Path, save: Callable[..., Path], written: str, there: str
) -> None:
    for n in range(4):
        save(tmp_path / (there or "img/{}.png").format(n))
    rows = [f"{written.format(n)},{n % 2}" for n in range(4)]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *rows]))
    with pytest.raises(UnusableInput) as caught:
        load_lesions(tmp_path)
    said = str(caught.value)
    assert ("; " + there.format(0) + " is there: write paths like that" in said) == bool(there)
    assert said.endswith("paths are relative to it") == (not there)


def test_columns_for_a_table_that_lies_deeper(tmp_path: Path, save: Callable[..., Path]) -> None:
    for n in range(4):
        save(tmp_path / "img" / f"{n}.png")
    columns = {"path": "file", "label": "what"}
    with pytest.raises(UnusableInput, match=r"there is none$"):
        load_lesions(tmp_path, columns=columns)
    lines = ["file,what", *(f"{n}.png,{n % 2}" for n in range(4))]
    (tmp_path / "img" / "list.csv").write_text("\n".join(lines))
    with pytest.raises(UnusableInput, match=r"there is one in img: name that folder$"):
        load_lesions(tmp_path, columns=columns)
    assert len(load_lesions(tmp_path / "img", columns=columns).table) == 4

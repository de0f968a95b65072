"""Which class is positive: words of both sides, negations, several classes, and `--positive`."""

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from bench.data import CropSettings, build_stack, load_lesions
from bench.data.class_words import decide_sides, label_of
from bench.data.summary import lost_classes, summarise
from bench.errors import UnusableInput


@pytest.mark.parametrize(
    ("positive", "negative"),
    [
        ("Covid", "No_findings"),
        ("melanoma", "nevus"),
        ("COVID-19", "Normal"),
        ("PNEUMONIA", "NORMAL"),
        ("malignant", "non-malignant"),
        ("IDC", "non_IDC"),
        ("Parasitized", "Uninfected"),
        ("yes", "no"),
        ("tumor", "notumor"),
        ("Demented", "NonDemented"),
        ("glaucoma", "healthy"),
        ("not benign", "benign"),
        ("unhealthy", "healthy"),
        ("TB positive", "TB negative"),
        ("non-small cell carcinoma", "benign nodule"),
        ("Malignant cases", "Normal cases"),
        ("nodule", "nevi"),
    ],
)
def test_words_and_negations_say_which_class_is_positive(positive: str, negative: str) -> None:
    for classes in ((positive, negative), (negative, positive)):
        sides = decide_sides(sorted(classes))
        assert (sides.negative, sides.positive) == ((negative,), (positive,))
        assert sides.notices == ()


def test_a_word_that_is_no_negation() -> None:
    assert label_of("nodule") is None
    assert label_of("cats") is None


def test_a_guess_is_said_and_can_be_settled() -> None:
    (notice,) = decide_sides(["cats", "dogs"]).notices
    assert "GUESSED" in notice
    assert "--positive" in notice
    assert decide_sides(["cats", "dogs"], "Cats").positive == ("cats",)
    assert decide_sides(["cats", "dogs"], "Cats").notices == ()
    with pytest.raises(UnusableInput, match="'cats', 'dogs'"):
        decide_sides(["cats", "dogs"], "birds")


def test_minus_one_is_no_other_spelling_of_one() -> None:
    for one in ("1", "+1", "1.0"):
        sides = decide_sides(sorted(["-1", one]))
        assert (sides.negative, sides.positive, sides.notices) == (("-1",), (one,), ())
    # In some sets it stands for what is not known.
    with pytest.raises(UnusableInput, match="3 classes, '-1', '0', '1'"):
        decide_sides(["-1", "0", "1"])
    assert decide_sides(["10", "2"]).positive == ("10",)


def test_one_is_the_lower_of_one_and_two() -> None:
    for classes, negative in ((["1", "2"], "1"), (["2", "4"], "2"), (["1.0", "2.0"], "1.0")):
        sides = decide_sides(classes)
        assert sides.negative == (negative,)
        assert "GUESSED" in sides.notices[0]
    for classes in (["0", "1"], ["0", "2"], ["1", "normal"]):
        assert decide_sides(classes).notices == ()


def as_folders(root: Path, names: list[str], save: Callable[..., Path]) -> Path:
    for name in names:
        for number in range(2):
            save(root / name / f"{name}{number}.png")
    return root


def as_csv(root: Path, names: list[str], save: Callable[..., Path]) -> Path:
    as_folders(root / "images", names, save)
    lines = [f"images/{name}/{name}{n}.png,{name}" for name in names for n in range(2)]
    (root / "set.csv").write_text("\n".join(["path,label", *lines]))
    return root / "set.csv"


@pytest.mark.parametrize(("folder", "typed"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_a_class_is_found_however_its_marks_are_written(
    folder: Literal["NFC", "NFD"], typed: Literal["NFC", "NFD"]
) -> None:
    classes = [unicodedata.normalize(folder, name) for name in ("bösartig", "gutartig")]
    sides = decide_sides(classes, unicodedata.normalize(typed, "bösartig"))
    assert sides.positive == (classes[0],)
    assert sides.notices == ()


@pytest.mark.parametrize("layout", [as_folders, as_csv])
def test_three_classes_follow_one_rule(
    tmp_path: Path, save: Callable[..., Path], layout: Callable[..., Path]
) -> None:
    known = layout(tmp_path / "known", ["benign", "malignant", "normal"], save)
    dataset = load_lesions(known)
    assert dict(dataset.table.groupby("pathology")["label"].first()) == {
        "benign": 0,
        "malignant": 1,
        "normal": 0,
    }
    assert any("'benign', 'normal'" in notice for notice in dataset.notices)
    unknown = layout(tmp_path / "unknown", ["akiec", "bcc", "bkl"], save)
    with pytest.raises(UnusableInput, match="--positive") as caught:
        load_lesions(unknown)
    assert "akiec" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    dataset = load_lesions(unknown, positive="BCC")
    assert list(dataset.table.groupby("pathology")["label"].first()) == [0, 1, 0]
    (together,) = [notice for notice in dataset.notices if "put together" in notice]
    assert "--positive" not in together  # it was given


@pytest.mark.parametrize("layout", [as_folders, as_csv])
def test_minus_one_does_not_join_one(
    tmp_path: Path, save: Callable[..., Path], layout: Callable[..., Path]
) -> None:
    table = load_lesions(layout(tmp_path / "two", ["-1", "1"], save)).table
    assert dict(table.groupby("pathology")["label"].first()) == {"-1": 0, "1": 1}
    with pytest.raises(UnusableInput, match="--positive"):
        load_lesions(layout(tmp_path / "three", ["-1", "0", "1"], save))


@pytest.mark.parametrize("layout", [as_folders, as_csv])
def test_the_positive_class_can_be_named(
    tmp_path: Path, save: Callable[..., Path], layout: Callable[..., Path]
) -> None:
    place = layout(tmp_path, ["benign", "malignant"], save)
    dataset = load_lesions(place, positive="benign")
    assert set(dataset.table.loc[dataset.table["label"] == 1, "pathology"]) == {"benign"}
    assert dataset.subsets["all"].positive == "benign"
    with pytest.raises(UnusableInput, match="'benign', 'malignant'"):
        load_lesions(place, positive="cancer")


def test_a_data_set_with_given_classes_takes_no_other(phantom: Path) -> None:
    assert len(load_lesions(phantom, positive="malignant").table)
    with pytest.raises(UnusableInput, match="positive is malignant"):
        load_lesions(phantom, positive="benign")


def test_an_unreadable_class_stays_in_the_counts(classes: Path, tmp_path: Path) -> None:
    for file in (classes / "malignant").iterdir():
        file.write_bytes(b"broken")
    dataset = load_lesions(classes)
    stack = build_stack(dataset, CropSettings(32), tmp_path / "store")
    counts = summarise(dataset, stack)["counts"].set_index("class")["crops"]
    assert dict(counts) == {"benign": 3, "malignant": 0}
    (line,) = lost_classes(dataset, stack)
    assert "none of the 3 crops of class 'malignant'" in line
    assert "not an image" in line


def test_a_class_without_a_usable_file_is_refused_with_the_reason(classes: Path) -> None:
    for file in (classes / "malignant").iterdir():
        file.rename(file.with_suffix(".txt"))
    with pytest.raises(UnusableInput, match="'malignant': none of its 3 files"):
        load_lesions(classes, "folder")


def test_a_class_of_a_csv_without_a_file_is_refused_with_the_reason(
    tmp_path: Path, save: Callable[..., Path]
) -> None:
    place = as_csv(tmp_path, ["benign", "malignant"], save)
    for file in (tmp_path / "images" / "malignant").iterdir():
        file.unlink()
    with pytest.raises(UnusableInput) as caught:
        load_lesions(place)
    assert "none of the 2 files of one class (label 1) can be used" in str(caught.value)
    assert "malignant0.png: the file is missing" in str(caught.value)


def test_a_third_folder_without_images_is_named(classes: Path) -> None:
    (classes / "normal").mkdir()
    assert not any("folders" in notice for notice in load_lesions(classes).notices)
    (classes / "normal" / "n.xyz").write_bytes(b"an image of some other kind")
    assert "folders without images, which are no classes: 'normal'" in load_lesions(classes).notices

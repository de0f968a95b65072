"""docs/own_pictures.md: each refusal of its table is brought about, and so are its notices."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data import load_lesions
from bench.errors import UnusableInput
from bench.planning.external import match

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/own_pictures.md").read_text("utf-8")


def refusals() -> list[str]:
    """What the lines hold, by the first column of the page's table."""
    table = PAGE.split("## What each refusal means")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    return [text for row in rows for text in re.findall(r"`([^`]+)`", row)]


def pictures(folder: Path, *names: str, size: int = 3) -> None:
    for i in range(size):
        for name in names:
            file = folder / name / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            values = np.random.default_rng(i).integers(0, 256, (16, 16), dtype=np.uint8)
            Image.fromarray(values).save(file)


def listed(header: str, *rows: str):
    def make(folder: Path) -> None:
        pictures(folder, "img", size=6)
        (folder / "list.csv").write_text("\n".join((header, *rows)))

    return make


def of(*names: str):
    return lambda folder: pictures(folder, *names)


def rows(labels: str, place: str = "img/") -> list[str]:
    return [f"{place}{i}.png,{label}" for i, label in enumerate(labels.split())]


def nothing(folder: Path) -> None:
    """An empty folder."""


def absent(folder: Path) -> None:
    folder.rmdir()


def flat(folder: Path) -> None:
    pictures(folder, ".")


def half_empty(folder: Path) -> None:
    pictures(folder, "benign")
    (folder / "malignant").mkdir()


def texts(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "x.txt").write_text("x")


def unreadable(folder: Path) -> None:
    pictures(folder, "benign")
    (folder / "malignant").mkdir()
    (folder / "malignant" / "x.png.txt").write_text("x")
    (folder / "malignant" / "y.png").symlink_to("/nowhere.png")


def two_tables(folder: Path) -> None:
    listed("path,label", *rows("0 1"))(folder)
    (folder / "other.csv").write_text("path,label\nimg/0.png,0\n")


def linked(folder: Path) -> None:
    outside = folder.parent / "outside"
    pictures(outside, ".")
    listed("path,label", *rows("0 1 0"), "link/0.png,1")(folder)
    (folder / "link").symlink_to(outside)


CASES = {
    "there is no such file or folder": absent,
    "the folder is empty": nothing,
    "but there is one in …: name that folder": of("inner/benign", "inner/malignant"),
    "its images are all in one folder": of("benign"),
    "only … holds images": half_empty,
    "neither class folders nor a CSV that says which is which": flat,
    "none of its files is an image by its name": texts,
    "are parts of a split, not classes": of("train", "test"),
    "their names do not say which are positive": of("normal", "covid", "xyz"),
    "is not one of the known words": listed("path,label", *rows("red blue")),
    "--positive …: the classes are …": of("alpha", "beta"),
    "no column path": listed("file,label", *rows("0 1")),
    "no column label": listed("path,class", *rows("0 1")),
    "more than one CSV has the columns path and label": two_tables,
    "has 3 cells, the header 2": listed("path,label", *rows("0 1"), "img/2.png,1,x"),
    "none of its … files is there": listed("path,label", *rows("0 1", "elsewhere/")),
    "may leave the data root": listed("path,label", *rows("0 1", "../")),
    "leaves the data root through a symbolic link": linked,
    "occurs in 2 rows": listed("path,label", *rows("0 1"), "img/0.png,0"),
    "patient_id is empty": listed("path,label,patient_id", "img/0.png,0,7", "img/1.png,1,"),
    "is not one of train, val, test, none": listed("path,label,split", "img/0.png,0,holdout"),
    "holds one class only": listed("path,label", *rows("0 0 0")),
    "none of its … files can be used; the first, …": unreadable,
}
# Of several published sets in one folder: loaders/test_several_sets.py.
SEVERAL = "holds several data sets"
OF_EXTERNAL_SETS = ("is the data set that is trained on", "its positive class is")


def test_each_refusal_of_the_page_has_its_case() -> None:
    assert set(refusals()) == {*CASES, SEVERAL, *OF_EXTERNAL_SETS}


@pytest.mark.parametrize("said", CASES)
def test_the_line_is_the_one_of_the_page(tmp_path: Path, said: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    CASES[said](folder)
    positive = "gamma" if said.startswith("--positive") else None
    with pytest.raises(UnusableInput) as caught:
        load_lesions(folder, positive=positive, cache=tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert re.search(re.escape(said).replace("…", ".+"), str(caught.value)), str(caught.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (of("alpha", "beta"), "GUESSED"),
        (of("normal", "benign", "malignant"), "classes are put together"),
        (listed("path,label,case_id", *(f"{row},1" for row in rows("0 1"))), "case_id"),
        (listed("path,label,Patient No", "img/0.png,0,1", "img/1.png,1,2"), "patient_no"),
        (listed("path,label,patient_id", "img/0.png,0,P-1", "img/1.png,1,P_01"), "P_01"),
        (listed("path;label;split", "img/0.png;0;val", "img/1.png;1;test"), "join training"),
        (listed("path,label", "img\\0.png,0", "img/1.png,1"), "there are no patient ids"),
    ],
)
def test_the_notices_of_the_page_come(tmp_path: Path, make, said: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    make(folder)
    notices = load_lesions(folder, cache=tmp_path / "cache").notices
    assert any(said in notice for notice in notices), notices


def test_the_lines_on_external_sets_are_those_of_the_page(tmp_path: Path) -> None:
    sets = {}
    for name, classes in (("own", ("benign", "malignant")), ("other", ("healthy", "covid"))):
        pictures(tmp_path / name, *classes)
        sets[name] = load_lesions(tmp_path / name, cache=tmp_path / "cache")
    for external, said in zip(("own", "other"), OF_EXTERNAL_SETS, strict=True):
        with pytest.raises(UnusableInput, match=said):
            match("B", sets[external], sets["own"], ["all"], None)
    assert match("B", sets["other"], sets["own"], ["all"], "covid").parts


def test_the_table_of_names_that_hold_patients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = PAGE.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    for name in ("benign", "malignant"):
        pictures(tmp_path / "pictures", name, size=4)
        for i, file in enumerate(sorted((tmp_path / "pictures" / name).iterdir())):
            file.rename(file.with_name(f"P{i // 2}_left{i}.png"))
    exec(code, {})
    table = load_lesions("pictures", cache=tmp_path / "cache").table
    assert len(table) == 8
    assert set(table["patient_id"]) == {"P0", "P1"}

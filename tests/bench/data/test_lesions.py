"""The rules of the lesion table: each broken one is refused in one line that says which."""

from pathlib import Path

import pandas as pd
import pytest

from bench.data.crops.squares import may_hold_masks
from bench.data.lesions import REQUIRED_COLUMNS, SubsetInfo, finish, validate
from bench.data.sources import FolderSource
from bench.errors import UnusableInput


def table(**changes: list[object]) -> pd.DataFrame:
    rows = {
        "crop_id": ["a", "b"],
        "lesion_id": ["l1", "l2"],
        "patient_id": ["p1", "p2"],
        "laterality": ["LEFT", ""],
        "view": ["CC", ""],
        "abnormality": ["mass", "mass"],
        "abnormality_id": [1, 1],
        "pathology": ["BENIGN", "MALIGNANT"],
        "label": [0, 1],
        "split": ["train", "test"],
        "path": ["x/a.png", "x/b.png"],
        "subset": ["mass", "mass"],
    }
    return pd.DataFrame({**rows, **changes})


def refusal(rows: pd.DataFrame, root: Path) -> str:
    with pytest.raises(UnusableInput) as caught:
        validate(rows, root)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert str(root) in message
    return message


def test_a_good_table_comes_back_in_the_order_of_the_schema(tmp_path: Path) -> None:
    mixed = table().assign(density=[1, 2])[["density", *reversed(REQUIRED_COLUMNS)]]
    assert list(validate(mixed, tmp_path).columns) == [*REQUIRED_COLUMNS, "density"]


@pytest.mark.parametrize("column", REQUIRED_COLUMNS)
def test_each_column_is_needed(tmp_path: Path, column: str) -> None:
    assert column in refusal(table().drop(columns=column), tmp_path)


def test_an_empty_table(tmp_path: Path) -> None:
    assert "empty" in refusal(table().iloc[:0], tmp_path)


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [
        ("crop_id", ["a", "a"], "'a' occurs more than once"),
        ("crop_id", ["a", None], "row 2"),
        ("patient_id", ["", "p"], "row 1"),
        ("lesion_id", ["same", "same"], "'same' belongs to more than one patient"),
        ("label", [0, 2], "label '2'"),
        ("label", [0, float("nan")], "label 'nan'"),
        ("split", ["train", "validation"], "'validation'"),
        ("path", ["/etc/passwd", "b"], "not relative"),
        ("path", ["C:/x.png", "b"], "not relative"),
        ("path", ["c:x.png", "b"], "not relative"),
        ("path", ["x\\..\\..\\y.png", "b"], "backslash"),
        ("path", ["//server/share.png", "b"], "not relative"),
        ("path", ["x/../../y.png", "b"], "'..'"),
        ("path", ["a\0b", "b"], "NUL"),
        ("path", ["", "b"], "empty"),
        ("path", [None, "b"], "missing"),
        ("path", ["line\nbreak/../x", "b"], "'..'"),
    ],
)
def test_each_broken_rule_is_named(
    tmp_path: Path, column: str, values: list[object], reason: str
) -> None:
    assert reason in refusal(table(**{column: values}), tmp_path)


def test_a_symbolic_link_may_not_lead_out(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "a.png").write_bytes(b"secret")
    (root / "x").symlink_to(outside)
    assert "symbolic link" in refusal(table(), root)


def test_a_symbolic_link_within_the_root_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "x").symlink_to(tmp_path / "real")
    assert len(validate(table(), tmp_path)) == 2


def test_geometry_is_all_or_nothing(tmp_path: Path) -> None:
    assert "half_side" in refusal(table().assign(centre_row=[1, 2]), tmp_path)
    square: dict[str, list[object]] = {
        "centre_row": [1, 2],
        "centre_column": [1, None],
        "half_side": [4, 4],
    }
    assert "'b'" in refusal(table(**square), tmp_path)


def test_one_class_is_told_not_refused(tmp_path: Path) -> None:
    rows = table(label=[1, 1], split=["train", "test"])
    found = finish("folder", FolderSource(tmp_path), rows, [], {"mass": SubsetInfo(("mass",))})
    assert found.notices == (
        "subset mass holds one class only (malignant): nothing to be classified",
    )


@pytest.mark.parametrize("own", [True, False])
def test_what_a_user_has_put_together_is_known_as_such(tmp_path: Path, own: bool) -> None:
    """Whatever its name: masks may lie in it, and its patients may be those of any set."""
    info = {"mass": SubsetInfo(("mass",))}
    rows = table().to_dict("records")
    found = finish("mine", FolderSource(tmp_path), rows, [], info, own=own)
    assert may_hold_masks(found) == own
    assert found.numbering == ("" if own else "mine")


def test_masks_and_films_stay_below_the_root_too(tmp_path: Path) -> None:
    for column in ("mask_path", "film_path"):
        assert "'..'" in refusal(table(**{column: ["", "../x.png"]}), tmp_path)

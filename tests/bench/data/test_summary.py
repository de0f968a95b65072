"""The small tables for `data info`: counted by hand here."""

from pathlib import Path

import pandas as pd
import pytest

from bench.data import CropSettings, build_stack, load_lesions, summarise
from bench.data.summary import left_out_notice, rare_first


def test_counts_of_a_folder(classes: Path, tmp_path: Path) -> None:
    (classes / "benign" / "notes.txt").write_text("n")
    (classes / "benign" / "empty.png").touch()
    dataset = load_lesions(classes)
    counts = summarise(dataset)["counts"].to_dict("records")
    assert counts[0] == {
        "subset": "all",
        "split": "none",
        "label": 0,
        "class": "benign",
        "crops": 4,
        "lesions": 4,
        "patients": 4,
    }
    tables = summarise(dataset, build_stack(dataset, CropSettings(16), tmp_path))
    assert list(tables["counts"]["crops"]) == [3, 3]
    assert dict(tables["left_out"].to_numpy()) == {
        "it is not an image file by its name": 1,
        "the file is empty": 1,
    }


def test_pooled_subsets_and_shared_patients(phantom: Path) -> None:
    dataset = load_lesions(phantom)
    tables = summarise(dataset)
    counts = tables["counts"].groupby("subset")["crops"].sum()
    assert counts["all"] == counts["mass"] + counts["calc"] == len(dataset.table)
    shared = tables["shared_patients"].set_index("subset")["patients"]
    assert list(shared[["mass", "calc", "all"]]) == [0, 0, 2]


def test_counts_of_mias(mias_archive: Path) -> None:
    tables = summarise(load_lesions(mias_archive))
    assert list(tables["counts"]["class"]) == ["normal", "abnormal", "benign", "malignant"]
    assert list(tables["counts"]["crops"]) == [207, 115, 68, 51]
    assert tables["left_out"]["rows"].sum() == 4
    assert tables["counts"]["patients"].iloc[2] + tables["counts"]["patients"].iloc[
        3
    ] == pytest.approx(104 + 7)


def test_what_is_left_out_is_said_in_one_line() -> None:
    left_out = pd.DataFrame({"reason": ["a"] * 5 + ["b"] * 2 + ["c", "d", "e"]})
    assert left_out_notice(left_out, 90) == [
        "10 of 100 rows are left out: 5 (a), 2 (b), 1 (c), the others for 2 more reasons"
    ]
    assert left_out_notice(left_out.tail(1), 1) == ["1 of 2 rows is left out: 1 (e)"]
    assert left_out_notice(left_out.head(0), 1) == []
    assert rare_first(left_out)["reason"].tolist() == [*"cde", *"bb", *"aaaaa"]

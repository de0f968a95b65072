"""The case tables of CBIS-DDSM: the counts of the real ones, their traps, and altered copies."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bench.data.cbis_ddsm.case_tables import CaseTables, count_tables, find_tables, read_tables
from bench.data.cbis_ddsm.notices import count_notices, row_notices
from bench.data.lesions import shared_patients
from bench.errors import UnusableInput

TRAIN = "mass_case_description_train_set.csv"


@pytest.fixture(scope="module")
def real(cbis_tables: Path) -> CaseTables:
    return read_tables(find_tables(cbis_tables))


# The numbers of the set's FACTS.md, which were counted on the published tables.


def test_the_real_counts(real: CaseTables) -> None:
    counts = count_tables(real)["source_tables"].set_index("table")
    assert counts.T.to_dict("list") == {
        "mass train": [1318, 637, 577, 104, 691, 1231],
        "mass test": [378, 147, 194, 37, 201, 361],
        "calc train": [1546, 544, 528, 474, 602, 1227],
        "calc test": [326, 129, 130, 67, 151, 284],
    }
    rows = real.rows
    assert rows["patient_id"].nunique() == 1566
    assert rows["lesion_id"].nunique() == 2050
    assert rows["crop_id"].is_unique
    views = rows.groupby("lesion_id").size()
    assert [(views == n).sum() for n in (2, 1)] == [1518, 532]
    labels = rows.groupby("patient_id")["label"].agg(["min", "max"])
    assert (labels["min"] < labels["max"]).sum() == 56
    assert (rows["crop_series"] != rows["mask_series"]).sum() == 104


def test_the_real_overlaps(real: CaseTables) -> None:
    overlaps = count_tables(real)["overlaps"]
    assert list(overlaps.itertuples(index=False, name=None)) == [
        ("mass train", "calc train", 45),
        ("mass train", "calc test", 13),
        ("mass test", "calc train", 18),
        ("mass test", "calc test", 3),
    ]
    both = shared_patients(real.rows)
    assert len(both) == 31
    of_shared = real.rows[real.rows["patient_id"].isin(both)]
    sizes = of_shared.groupby(["subset", "split"]).size()
    assert sizes["mass"].to_dict() == {"train": 27, "test": 32}
    assert sizes["calc"].to_dict() == {"train": 56, "test": 28}


def test_the_real_conflicts(real: CaseTables) -> None:
    conflicts = count_tables(real)["conflicts"].set_index("lesion_id")
    assert conflicts.T.to_dict("list") == {
        "mass_P_00419_LEFT_1": ["BENIGN", "MALIGNANT"],
        "mass_P_00419_LEFT_2": ["MALIGNANT", "BENIGN"],
        "mass_P_01623_RIGHT_1": ["MALIGNANT", "BENIGN"],
    }
    assert count_notices(real) == []
    assert row_notices(real.rows) == [
        "3 lesions have conflicting pathology between views: "
        "mass_P_00419_LEFT_1, mass_P_00419_LEFT_2, mass_P_01623_RIGHT_1",
        "31 patients are in both train and test once mass and calc are pooled",
    ]


def test_real_cells_are_stripped_and_absent_ones_empty(real: CaseTables) -> None:
    rows = real.rows
    assert rows["crop_id"].iloc[0] == "Mass-Training_P_00001_LEFT_CC_1"
    assert rows["lesion_id"].iloc[0] == "mass_P_00001_LEFT_1"
    assert not rows["mask_cell"].str.contains(r"\s").any()
    empty = rows[["shape", "margins", "calc_type", "calc_distribution"]].isna()
    parts = empty.groupby([rows["subset"], rows["split"]]).sum()
    assert list(parts.loc[("mass", "train"), ["shape", "margins"]]) == [4, 43]
    assert list(parts.loc[("mass", "test"), ["shape", "margins"]]) == [0, 17]
    assert list(parts.loc[("calc", "train"), ["calc_type", "calc_distribution"]]) == [20, 376]
    assert list(parts.loc[("calc", "test"), ["calc_type", "calc_distribution"]]) == [4, 63]
    zeros = (rows[["density", "subtlety", "assessment"]] == 0).sum()
    assert list(zeros) == [2, 2, 238]


@pytest.fixture
def variant(shared_data: Path, tmp_path: Path) -> Callable[[str], CaseTables]:
    """Read an altered copy under the name of the table that it was made of."""

    def read(name: str) -> CaseTables:
        kind, split = name.removesuffix(".csv").split("__")[1].split("_")
        file = tmp_path / f"{kind}_case_description_{split}_set.csv"
        shutil.copy(shared_data / "cbis-ddsm" / "csv_variants" / name, file)
        return read_tables(find_tables(tmp_path))

    return read


@pytest.mark.parametrize("name", ["mass_train", "mass_test", "calc_train", "calc_test"])
def test_na_is_read_as_absent(
    variant: Callable[[str], CaseTables], real: CaseTables, name: str
) -> None:
    kind, split = name.split("_")
    expected = real.rows[(real.rows["subset"] == kind) & (real.rows["split"] == split)]
    found = variant(f"NA_cells__{name}.csv").rows
    assert not found.isin(["NA", "N/A"]).any().any()
    same = expected[found.columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, same, check_dtype=False)


def test_the_form_of_2017_is_read(variant: Callable[[str], CaseTables], real: CaseTables) -> None:
    found = variant("columns_2017__mass_train.csv").rows
    assert len(found) == 1317
    expected = real.rows.set_index("crop_id").loc[found["crop_id"]].reset_index()
    columns = ["crop_id", "label", "crop_series", "mask_series", "film_series", "density", "shape"]
    pd.testing.assert_frame_equal(found[columns], expected[columns], check_dtype=False)


def test_a_truncated_table_is_told_with_the_expected_count(
    variant: Callable[[str], CaseTables],
) -> None:
    cases = variant("truncated__calc_train.csv")
    notices = [*count_notices(cases), *cases.lacking]
    assert len(cases.rows) == 63
    name = "calc_case_description_train_set.csv"
    assert f"{name} has 63 rows of its own, the published one 1546" in notices
    # This copy has lost a column's name as well.
    assert f"{name} has no column subtlety: unknown here" in notices
    assert cases.rows["subtlety"].isna().all()


@pytest.mark.parametrize(("split", "own", "others"), [("train", 1546, 1318), ("test", 326, 378)])
def test_mass_rows_under_calc_headers_are_left_out(
    variant: Callable[[str], CaseTables], split: str, own: int, others: int
) -> None:
    cases = variant(f"mass_rows_appended__calc_{split}.csv")
    assert (len(cases.rows), len(cases.left_out)) == (own, others)
    assert set(cases.rows["abnormality"]) == {"calc"}
    assert all(row.crop_id.startswith("Mass-T") for row in cases.left_out)
    assert "not a calcification row" in cases.left_out[0].reason


@pytest.fixture
def tables(phantom: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(phantom / "csv", tmp_path / "tables"))


def refusal(folder: Path) -> str:
    with pytest.raises(UnusableInput) as caught:
        read_tables(find_tables(folder))
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("pathology", "outcome", "no column pathology"),
        ("assessment", "pathology", "column pathology occurs more than once"),
        ("MALIGNANT", "UNSURE", "column pathology: cannot understand 'UNSURE'"),
        (",LEFT,", ",MIDDLE,", "column left or right breast: cannot understand 'MIDDLE'"),
        ("/000000.dcm", "", "cannot understand"),
        ("Mass-Training_P_0", "../../../etc/passwd/Mass-Training_P_0", "cannot understand"),
        ("Mass-Training_", "Mass-Test_", "its path is that of Mass-Test_P_0"),
        (",MALIGNANT,", ",MALIGNANT,,", "cells, the header 14"),
        ("P_00001", "P_٠٠٠٠١", "column patient id: cannot understand"),
    ],
)
def test_a_table_that_cannot_be_understood(tables: Path, old: str, new: str, reason: str) -> None:
    file = tables / TRAIN
    text = file.read_bytes().decode()
    assert old in text
    file.write_bytes(text.replace(old, new).encode())
    message = refusal(tables)
    assert reason in message
    assert file.name in message


def test_a_table_under_another_name_is_refused(tables: Path) -> None:
    # It would turn training rows into test rows.
    (tables / TRAIN).rename(tables / TRAIN.replace("train", "test"))
    assert "its path is that of Mass-Training_P_" in refusal(tables)


def test_a_row_given_twice_is_refused(tables: Path) -> None:
    file = tables / TRAIN
    text = file.read_bytes().decode()
    file.write_bytes((text + text.split("\r\n", 1)[1]).encode())
    assert "more than one row describes Mass-Training_P_" in refusal(tables)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize(("ends", "delimiter"), [("\n", ","), ("\r\n", ";"), ("\r", ",")])
def test_tables_as_other_programs_save_them(
    tables: Path, encoding: str, ends: str, delimiter: str
) -> None:
    expected = read_tables(find_tables(tables)).rows
    for file in find_tables(tables).values():
        text = file.read_bytes().decode().replace("\r\n", ends)
        assert delimiter not in text or delimiter == ","
        file.write_bytes(text.replace(",", delimiter).encode(encoding))
    pd.testing.assert_frame_equal(read_tables(find_tables(tables)).rows, expected)


def test_an_empty_table_is_refused(tables: Path) -> None:
    for content in (b"", (tables / TRAIN).read_bytes().split(b"\r\n")[0]):
        (tables / TRAIN).write_bytes(content)
        assert "has no rows" in refusal(tables)


def test_a_film_of_another_row_is_refused(tables: Path) -> None:
    """As when a spreadsheet has sorted one column alone."""
    file = tables / TRAIN
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    table["image file path"] = table["image file path"].to_numpy()[::-1]
    table.to_csv(file, index=False)
    assert "its path is that of Mass-Training_P_" in refusal(tables)


def test_two_files_for_one_table_are_refused(tables: Path) -> None:
    shutil.copy(tables / TRAIN, tables / TRAIN.replace("mass", "Mass"))
    with pytest.raises(UnusableInput, match="two tables for one"):
        find_tables(tables)

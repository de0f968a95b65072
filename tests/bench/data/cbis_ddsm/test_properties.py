"""Altered case tables end in the right lesion table, a listed row or one clear line.

A table may be saved by any program without changing what it says; whatever else happens to it, no
crop may come out with another patient, split or label than its own.
"""

import csv
import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.data import load_lesions, write_phantom
from bench.data.cbis_ddsm.case_tables import find_tables
from bench.errors import UnusableInput

Rows = list[list[str]]
IDENTITY = ["patient_id", "lesion_id", "split", "label", "subset", "path"]


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A phantom whose pictures are empty: only its tables are read."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "phantom"
        write_phantom(made, patients=16, seed=5)
        for picture in made.glob("jpeg/*/*.jpg"):
            picture.write_bytes(b"")
        shutil.copytree(made / "csv", made / "tables")
        yield made


@pytest.fixture(scope="module")
def truth(root: Path) -> pd.DataFrame:
    return load_lesions(root, tables=root / "tables").table.set_index("crop_id")


def outcome(root: Path, name: str, data: bytes) -> pd.DataFrame | None:
    """The lesion table with one altered case table, or None where it is refused in one line."""
    file = root / "csv" / name
    before = file.read_bytes()
    file.write_bytes(data)
    try:
        found = load_lesions(root)
    except UnusableInput as error:
        refusal = str(error)
    else:
        refusal = ""
    finally:
        file.write_bytes(before)
    if refusal:
        assert len(refusal.splitlines()) == 1
        assert len(refusal) < 600
        return None
    assert (found.left_out["reason"] != "").all()
    return found.table.set_index("crop_id")


def check(found: pd.DataFrame | None, truth: pd.DataFrame) -> None:
    if found is not None:
        assert set(found.index) <= set(truth.index)
        pd.testing.assert_frame_equal(
            found[IDENTITY], truth.loc[found.index, IDENTITY], check_dtype=False
        )


def rows_of(root: Path, name: str) -> Rows:
    text = (root / "tables" / name).read_bytes().decode()
    return list(csv.reader(io.StringIO(text, newline="")))


def written(rows: Rows, **dialect: object) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, **dialect).writerows(rows)  # type: ignore[arg-type]
    return stream.getvalue()


names = st.sampled_from(
    [
        f"{kind}_case_description_{split}_set.csv"
        for kind in ("mass", "calc")
        for split in ("train", "test")
    ]
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    name=names,
    # With a lone CR between records only quotes distinguish the line feed in a cell.
    form=st.sampled_from(
        [("\r\n", csv.QUOTE_MINIMAL), ("\n", csv.QUOTE_MINIMAL), ("\r", csv.QUOTE_ALL)]
    ),
    delimiter=st.sampled_from([",", ";"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]),
    order=st.randoms(use_true_random=False),
    spaces=st.booleans(),
    blank=st.integers(0, 3),
    spelling=st.sampled_from([str, str.upper, lambda text: text.replace(" ", "_")]),
)
def test_what_a_spreadsheet_does_to_a_table_changes_nothing(
    root: Path,
    truth: pd.DataFrame,
    name: str,
    form: tuple[str, int],
    delimiter: str,
    encoding: str,
    order: "object",
    spaces: bool,
    blank: int,
    spelling: Callable[[str], str],
) -> None:
    (ends, quoting), (header, *rows) = form, rows_of(root, name)
    columns = list(range(len(header)))
    order.shuffle(columns)  # type: ignore[attr-defined]
    order.shuffle(rows)  # type: ignore[attr-defined]
    pad = " " if spaces else ""
    table = [[pad + spelling(header[column]) for column in columns]]
    table += [[pad + row[column] for column in columns] for row in rows]
    text = written(table, delimiter=delimiter, quoting=quoting, lineterminator=ends)
    found = outcome(root, name, (text + blank * ends).encode(encoding))
    assert found is not None
    assert set(found.index) == set(truth.index)
    check(found, truth)


cells = st.sampled_from(
    [
        "",
        "N/A",
        "NA",
        "nan",
        "-1",
        "3.0",
        "1e9",
        "9" * 40,
        "../../etc/passwd",
        "/etc/passwd",
        "..\\..\\secret",
        "Mass-Training_P_00001_LEFT_CC_1/../../000000.dcm",
        "Calc-Test_P_00002_LEFT_CC_1/1.2.3/4.5.6/000000.dcm",
        "P_00003",
        "LEFT",
        "MLO",
        "mass",
        "calcification",
        '"',
        "a\nb",
        "\0",
        "ü\u2028",
    ]
) | st.text(max_size=12)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(name=names, data=st.data())
def test_altered_cells_rows_and_columns(
    root: Path, truth: pd.DataFrame, name: str, data: st.DataObject
) -> None:
    rows = rows_of(root, name)
    header = list(rows[0])
    for _ in range(data.draw(st.integers(1, 3))):
        kind = data.draw(
            st.sampled_from(["cell", "drop row", "repeat", "drop column", "swap", "cut"])
        )
        row = data.draw(st.integers(0, len(rows) - 1))
        column = data.draw(st.integers(0, max(0, len(rows[row]) - 1)))
        if kind == "cell" and column < len(rows[row]) and header[min(column, 13)] != "pathology":
            rows[row][column] = data.draw(cells)
        elif kind == "drop row" and len(rows) > 2:
            del rows[row]
        elif kind == "repeat":
            rows.append(list(rows[row]))
        elif kind == "drop column":
            rows = [one[:column] + one[column + 1 :] for one in rows]
            header = header[:column] + header[column + 1 :]
        elif kind == "swap":
            # The names of two columns change places: crop for mask is harmless, others are not.
            other = data.draw(st.integers(0, max(0, len(rows[0]) - 1)))
            if rows[0]:
                rows[0][column % len(rows[0])], rows[0][other] = (
                    rows[0][other],
                    rows[0][column % len(rows[0])],
                )
        elif kind == "cut":
            rows[row] = rows[row][:column]
        if not any(rows):
            break
    check(outcome(root, name, written(rows).encode("utf-8", "replace")), truth)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    name=names,
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=4),
)
def test_altered_bytes(
    root: Path,
    truth: pd.DataFrame,
    name: str,
    cut: float,
    flips: list[tuple[float, int]],
) -> None:
    content = bytearray((root / "tables" / name).read_bytes())
    content = content[: max(1, int(len(content) * cut))]
    for place, value in flips:
        content[int(place * (len(content) - 1))] = value
    check(outcome(root, name, bytes(content)), truth)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.binary(max_size=300), name=names)
def test_any_bytes(root: Path, truth: pd.DataFrame, data: bytes, name: str) -> None:
    check(outcome(root, name, data), truth)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    paths=st.lists(st.text(max_size=30) | cells, max_size=5),
    kinds=st.lists(st.text(max_size=12) | st.just("cropped images"), max_size=5),
)
def test_altered_descriptions(
    root: Path, truth: pd.DataFrame, paths: list[str], kinds: list[str]
) -> None:
    """Whatever dicom_info.csv holds besides, it sends no row to another row's file."""
    rows = [[path, kind] for path, kind in zip(paths, kinds, strict=False)]
    real = rows_of(root, "dicom_info.csv")
    place = [real[0].index(column) for column in ("image_path", "SeriesDescription")]
    table = [["image_path", "SeriesDescription"], *rows]
    table += [[row[column] for column in place] for row in real[1:]]
    check(outcome(root, "dicom_info.csv", written(table).encode("utf-8", "replace")), truth)


def test_the_tables_are_as_they_were(root: Path) -> None:
    for file in find_tables(root / "csv").values():
        assert file.read_bytes() == (root / "tables" / file.name).read_bytes()

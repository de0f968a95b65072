"""Whatever bytes a manifest holds, they end as a valid table, as rows left out, or in one line."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.data import Dataset, load_lesions
from bench.data.lesions import REQUIRED_COLUMNS
from bench.data.sources import path_problem
from bench.errors import UnusableInput


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A root with two images (nothing decodes them) and a file outside that must stay unread."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        root.mkdir()
        for path in ("a.png", "b.png"):
            (root / path).write_bytes(b"image")
        (Path(name) / "secret.png").write_bytes(b"secret")
        yield root


def attempt(file: Path) -> tuple[Dataset | None, str]:
    try:
        return load_lesions(file), ""
    except UnusableInput as error:
        return None, str(error)


def check(folder: Path, data: bytes) -> None:
    (folder / "set.csv").write_bytes(data)
    dataset, refusal = attempt(folder / "set.csv")
    if dataset is None:
        assert len(refusal.splitlines()) == 1
        assert str(folder) in refusal
        return
    assert set(REQUIRED_COLUMNS) <= set(dataset.table.columns)
    assert set(dataset.table["label"]) == {0, 1}
    assert set(dataset.table["path"]) <= {"a.png", "b.png", "set.csv"}
    assert dataset.left_out["reason"].str.len().min() > 0 or dataset.left_out.empty


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes(folder: Path, data: bytes) -> None:
    check(folder, data)


cells = st.sampled_from(
    ["a.png", "b.png", "./b.png", "../secret.png", "x.png", "0", "1", "malignant", "", " ", '"']
) | st.text(max_size=8)
columns = st.sampled_from(
    ["path", "label", "patient_id", "split", "lesion_id", "view", "PATH", " label", "x", ""]
)


@settings(max_examples=250, deadline=None)
@given(
    header=st.lists(columns, max_size=6),
    rows=st.lists(st.lists(cells, max_size=6), max_size=4),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"]),
    ending=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_any_table(
    folder: Path,
    header: list[str],
    rows: list[list[str]],
    separator: str,
    encoding: str,
    ending: str,
) -> None:
    text = ending.join(separator.join(row) for row in (header, *rows))
    check(folder, text.encode(encoding, errors="replace"))


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["a.png", "b.png", "x.png"]), st.sampled_from(["0", "1"])),
        max_size=3,
        unique_by=lambda row: row[0],
    ),
    splits=st.lists(st.sampled_from(["train", "test", "none", ""]), min_size=3, max_size=3),
)
def test_every_row_of_a_good_manifest_is_used_or_listed(
    folder: Path, rows: list[tuple[str, str]], splits: list[str]
) -> None:
    lines = [f"{path},{label},{split}" for (path, label), split in zip(rows, splits, strict=False)]
    data = "\n".join(["path,label,split", *lines]).encode()
    if {label for path, label in rows if path != "x.png"} == {"0", "1"}:
        (folder / "set.csv").write_bytes(data)
        dataset = load_lesions(folder / "set.csv")
        assert len(dataset.table) + len(dataset.left_out) == len(rows)
    check(folder, data)


@settings(max_examples=300)
@given(parts=st.lists(st.sampled_from(["..", ".", "a", "", "C:", "\\", "b.png"]), max_size=5))
def test_no_accepted_path_leads_out(parts: list[str]) -> None:
    path = "/".join(parts)
    if path_problem(path) is None:
        root = Path("/root/of/data")
        assert not Path(path).is_absolute()
        resolved = (root / path).resolve()
        assert resolved.is_relative_to(root.resolve())

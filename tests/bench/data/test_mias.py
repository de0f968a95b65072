"""mini-MIAS: the counts of the real set, the crop rule, and what a broken Info.txt leads to."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.data import CropSettings, build_stack, load_lesions
from bench.errors import UnusableInput


def test_the_real_counts(mias_archive: Path) -> None:
    dataset = load_lesions(mias_archive)
    films, crops = dataset.rows("films"), dataset.rows("crops")
    assert dataset.name == "mias"
    assert list(films["label"].value_counts().loc[[0, 1]]) == [207, 115]
    assert list(crops["label"].value_counts().loc[[0, 1]]) == [68, 51]
    assert films["patient_id"].nunique() == 161
    assert crops["patient_id"].nunique() == 104
    assert crops["path"].nunique() == 111
    labels = crops.groupby("patient_id")["label"].agg(["min", "max"])
    assert (labels["min"] < labels["max"]).sum() == 7
    assert set(dataset.table["split"]) == {"none"}
    assert list(dataset.left_out["path"]) == [f"mdb{n:03d}.pgm" for n in (59, 216, 233, 245)]
    assert dataset.left_out["reason"].str.contains("coordinates").all()
    assert dataset.subsets["films"].positive == "abnormal"
    assert not dataset.synthetic


def test_the_crop_rule_on_real_rows(mias_archive: Path) -> None:
    crops = load_lesions(mias_archive).rows("crops").set_index("crop_id")
    assert list(crops.loc["mdb001_1", ["centre_row", "centre_column"]]) == [1024 - 425, 535]
    assert crops.loc["mdb001_1", "half_side"] == 197
    assert crops.loc["mdb005_2", "half_side"] == 32
    assert crops.loc["mdb005_2", "radius"] == 26
    assert crops.loc["mdb001_1", "patient_id"] == crops.loc["mdb002_1", "patient_id"] == "P001"


def test_folder_and_archive_give_the_same_table_and_stack(
    mias_archive: Path, mias_folder: Path, tmp_path: Path
) -> None:
    packed, unpacked = load_lesions(mias_archive), load_lesions(mias_folder)
    pd.testing.assert_frame_equal(packed.table, unpacked.table)
    pd.testing.assert_frame_equal(packed.left_out, unpacked.left_out)
    stacks = [build_stack(data, CropSettings(64), tmp_path) for data in (packed, unpacked)]
    assert stacks[0].fingerprint == stacks[1].fingerprint
    assert stacks[0].images.shape == (441, 64, 64)
    # One crop by hand: the square about (row 599, column 535), its border beyond nothing.
    with Image.open(mias_folder / "mdb001.pgm") as film:
        square = film.crop((535 - 197, 599 - 197, 535 + 197, 599 + 197))
        by_hand = np.asarray(square.resize((64, 64), Image.Resampling.BILINEAR))
    place = int(stacks[0].table.index[stacks[0].table["crop_id"] == "mdb001_1"][0])
    np.testing.assert_array_equal(stacks[0].images[place], by_hand)


INFO = """Notes that mean nothing here
mdb001 G CIRC B 30 20 9
mdb002 G NORM
mdb003 D CALC M 10 1000 3
mdb004 F CALC M *NOTE 3*
"""


def small_set(root: Path, info: str = INFO, films: tuple[int, ...] = (1, 2, 3, 4)) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "Info.txt").write_text(info)
    for number in films:
        pixels = np.full((1024, 1024), number, np.uint8)
        Image.fromarray(pixels).save(root / f"mdb{number:03d}.pgm")
    return root


def test_one_level_below_is_found_too(tmp_path: Path) -> None:
    small_set(tmp_path / "all-mias")
    dataset = load_lesions(tmp_path)
    assert dataset.name == "mias"
    assert dataset.rows("films")["path"].iloc[0] == "all-mias/mdb001.pgm"


def test_a_crop_at_the_border_is_filled_with_zeros(tmp_path: Path) -> None:
    root = small_set(tmp_path / "set")
    stack = build_stack(load_lesions(root), CropSettings(64), tmp_path / "cache")
    square = stack.images[int(stack.table.index[stack.table["crop_id"] == "mdb003_1"][0])]
    # Centre (row 24, column 10), half side 32: 8 rows above and 22 columns left of the film.
    assert not square[:8].any()
    assert not square[:, :22].any()
    assert (square[8:, 22:] == 3).all()


def test_missing_films_are_listed(tmp_path: Path) -> None:
    info = INFO + "mdb005 F CIRC B 30 20 9\nmdb006 F NORM\n"
    dataset = load_lesions(small_set(tmp_path / "set", info))
    missing = dataset.left_out[dataset.left_out["reason"] == "the film is missing"]
    assert list(missing["crop_id"]) == ["mdb005", "mdb005_1", "mdb006"]
    assert list(missing["path"].unique()) == ["mdb005.pgm", "mdb006.pgm"]


@pytest.mark.parametrize(
    ("line", "number"),
    [("mdb002 G CIRC X 1 2 3", 3), ("mdb002 Q NORM", 3), ("mdb002 G CIRC B 1 2", 3)],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str, number: int) -> None:
    root = small_set(tmp_path / "set", INFO.replace("mdb002 G NORM", line))
    with pytest.raises(UnusableInput, match=f"Info.txt: line {number} cannot be read"):
        load_lesions(root)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"no archive", b"\x1f\x8b\x08\0\0\0\0\0"):
        (tmp_path / "set.tar.gz").write_bytes(content)
        with pytest.raises(UnusableInput, match="not a complete tar archive"):
            load_lesions(tmp_path / "set.tar.gz")


def test_an_archive_cut_short_is_refused(mias_archive: Path, tmp_path: Path) -> None:
    with mias_archive.open("rb") as stream:
        (tmp_path / "cut.tar.gz").write_bytes(stream.read(3_000_000))
    with pytest.raises(UnusableInput, match="not a complete tar archive"):
        load_lesions(tmp_path / "cut.tar.gz")


def test_mias_where_there_is_none_is_said(classes: Path) -> None:
    with pytest.raises(UnusableInput, match=r"no mini-MIAS here; looked for Info\.txt"):
        load_lesions(classes, dataset="mias")

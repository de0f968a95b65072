"""The data section shows what the data set has, counts it rightly, and trusts none of it."""

import base64
import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reports import build_report
from reports.figures.crops import PatchGrid, set_apart
from reports.figures.data import draw_data
from reports.figures.data_counts import (
    NEGATIVE,
    POSITIVE,
    Bar,
    class_bands,
    pathology_bands,
    plain_crops,
)
from reports.figures.drawing import Drawing, lean
from reports.figures.pictures import read_grey
from reports.systems.run_folder import Run, read_run


@pytest.fixture(scope="module")
def small_run(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one system, quick to report on. Read only."""
    return make_run(
        tmp_path_factory.mktemp("small") / "run",
        extractors=("timm:vit_small_patch16_224",),
        classifiers=("linear",),
        subsets=("mass",),
        protocols=(("official", 1, 1),),
        n=20,
        failed=None,
    )


@pytest.fixture
def folder(small_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_run, tmp_path / "run"))


def with_data(folder: Path, **changed: Any) -> Path:
    """The folder with other parts in its manifest's data section."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["data"] |= changed
    path.write_text(json.dumps(manifest))
    return folder


def with_lesions(run: Run, **columns: Any) -> Run:
    return replace(run, lesions=run.lesions.assign(**columns))


def drawn(run: Run) -> dict[str, Drawing]:
    return {drawing.kind: drawing for drawing in draw_data(run)}


def texts(drawing: Drawing) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", drawing.svg.decode())


def rows_of(folder: Path, name: str) -> list[list[str]]:
    with (folder / "tables" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


# Tables


def test_the_tables_of_the_source_keep_their_columns(reported_run: Path) -> None:
    assert rows_of(reported_run, "source_tables") == [
        ["table", "rows", "BENIGN_<&>", "patients", "images"],
        ["mass train", "1318", "681", "691", ""],
        ["mass test", "378", "231", "", "361"],
    ]
    assert rows_of(reported_run, "overlaps")[1] == ["mass train", "calc test", "13"]
    page = (reported_run / "report.html").read_text()
    for text in (
        "What the case tables hold",
        "Patients that two tables share",
        "Lesions whose views have different pathology",
        "Benign \\u003c\\u0026>",
        "Full mammograms",
        "1,318",
    ):
        assert text in page


def test_a_column_named_by_the_data_is_no_formula(reported_run: Path) -> None:
    assert rows_of(reported_run, "conflicts")[0] == ["lesion_id", "CC", "'=MLO", "in_this_run"]


def test_nothing_is_shown_of_what_the_manifest_does_not_tell(folder: Path) -> None:
    with_data(folder, source_tables=[], overlaps=None, conflicts="no list")
    page = build_report(folder).read_text()
    assert "What the case tables hold" not in page
    assert not (folder / "tables" / "source_tables.csv").exists()
    assert (folder / "tables" / "left_out.csv").exists()


# What is counted


def made_up(run: Run, **columns: Any) -> pd.DataFrame:
    """Five crops of the subset mass, with columns of one's own."""
    lesions = pd.DataFrame(
        {
            "crop_id": list("abcde"),
            "patient_id": list("abcde"),
            "subset": "mass",
            "split": ["train", "train", "train", "test", "test"],
            "label": [0, 0, 1, 0, 1],
            **columns,
        }
    )
    return plain_crops(replace(run, lesions=lesions))


def test_pathologies_are_counted_by_split_benign_ones_first(small_run: Path) -> None:
    crops = made_up(read_run(small_run), pathology=["B", "N", "M", "B", "M"])
    train, test = pathology_bands(crops)
    assert (train.name, train.crops, test.name, test.crops) == ("mass, train", 3, "mass, test", 2)
    assert [(row.name, row.bars) for row in train.rows] == [
        ("B", [Bar(NEGATIVE, 1, 3)]),
        ("N", [Bar(NEGATIVE, 1, 3)]),
        ("M", [Bar(POSITIVE, 1, 3)]),
    ]
    assert [row.name for row in test.rows] == ["B", "M"]


@pytest.mark.parametrize(
    "density",
    [[3, 3, 10, 3, 10], [3.0, 3.0, 10.0, 3.0, 10.0], ["3", "3.0", "10", " 3", "10"]],
    ids=["int", "float", "text"],
)
def test_density_is_the_same_as_a_number_or_as_text(small_run: Path, density: Any) -> None:
    (band,) = class_bands(made_up(read_run(small_run), density=density), "density")
    assert [(row.name, row.bars) for row in band.rows] == [
        ("3", [Bar(NEGATIVE, 3, 3), Bar(POSITIVE, 0, 2)]),
        ("10", [Bar(NEGATIVE, 0, 3), Bar(POSITIVE, 2, 2)]),
    ]


def test_what_is_not_given_is_counted_as_such(small_run: Path) -> None:
    crops = made_up(read_run(small_run), density=["G", None, "D", float("nan"), "G"])
    (band,) = class_bands(crops, "density")
    assert [row.name for row in band.rows] == ["D", "G", "not given"]
    assert band.rows[-1].bars[0] == Bar(NEGATIVE, 2, 3)


def test_three_hundred_pathologies_are_put_together(small_run: Path) -> None:
    run = read_run(small_run)
    count = len(run.lesions)
    run = with_lesions(run, pathology=[f"kind {place}" for place in range(count)], subset="mass")
    (band,) = pathology_bands(plain_crops(run))
    assert len(band.rows) == 13
    assert (band.rows[-1].name, band.rows[-1].bars[0].of) == (f"{count - 12} others", count)
    assert sum(bar.crops for row in band.rows for bar in row.bars) == count


# What is drawn


def test_every_figure_of_the_data_is_on_the_page_with_its_files(reported_run: Path) -> None:
    page = (reported_run / "report.html").read_text()
    for kind in ("pathology", "size", "view", "density", "montage", "patches"):
        for suffix in ("svg", "pdf"):
            assert f'href="figures/data-{kind}.{suffix}"' in page
            assert (reported_run / "figures" / f"data-{kind}.{suffix}").is_file()


def test_counts_are_written_at_the_bars(small_run: Path) -> None:
    run = read_run(small_run)
    labels = [1, 0, 0, 0] * (len(run.lesions) // 4)
    run = with_lesions(run, label=labels, subset="mass", view="CC", density=[1, 2] * 10)
    figures = drawn(run)
    # One view only: nothing to compare.
    assert "data-view" not in figures
    # The positives, every fourth crop, all have density 1.
    assert {"5 (100 %)", "0 (0 %)", "5 (33 %)", "10 (67 %)"} <= set(texts(figures["data-density"]))


def test_the_share_that_has_to_be_enlarged_is_stated(small_run: Path) -> None:
    run = read_run(small_run)
    n = len(run.lesions)
    # Below 224 px: the positive quarter. As large as the input is large enough.
    labels = [1, 0, 0, 0] * (n // 4)
    run = with_lesions(
        run,
        subset="mass",
        label=labels,
        crop_height=100,
        crop_width=[223, 224, 500, 1000] * (n // 4),
    )
    caption = drawn(run)["data-size"].caption
    assert "mass: 25 % below 224 px (benign 0 %, malignant 100 %)" in caption


def test_a_set_without_views_densities_and_splits_has_no_such_figure(small_run: Path) -> None:
    run = read_run(small_run)
    figures = drawn(with_lesions(run, view="", density=None, split="none"))
    assert set(figures) == {"data-pathology", "data-size", "data-montage", "data-patches"}
    assert "mass: 20 crops" in texts(figures["data-pathology"])


@pytest.mark.parametrize("kept", [0, 1])
def test_hardly_a_crop(small_run: Path, kept: int) -> None:
    run = read_run(small_run)
    one = replace(run, lesions=run.lesions.iloc[:kept])
    assert "data-pathology" not in drawn(one)


HOSTILE_COLUMNS = {
    "none": None,
    "nan": float("nan"),
    "text": "<b>&'\n\x00$x$",
    "far too large": 1e300,
    "infinite": float("inf"),
    "negative": -1,
    "truth": True,
    "date": pd.Timestamp("2020-01-01"),
    "bytes": b"\xff",
}


@pytest.mark.parametrize("value", HOSTILE_COLUMNS.values(), ids=HOSTILE_COLUMNS)
def test_no_value_of_a_column_stops_the_figures(small_run: Path, value: Any) -> None:
    run = read_run(small_run)
    count = len(run.lesions)
    columns = ("split", "pathology", "view", "density", "label", "crop_height", "subset")
    for name in columns:
        for strange in (value, [value, 1], {"a": value}):
            crops = plain_crops(with_lesions(run, **{name: pd.Series([strange] * count)}))
            pathology_bands(crops)
            class_bands(crops, "view")
    draw_data(with_lesions(run, **dict.fromkeys(columns[:-1], pd.Series([value, None] * 10))))


def test_a_table_of_little_more_than_names_is_enough(small_run: Path) -> None:
    run = read_run(small_run)
    bare = run.lesions[["crop_id", "patient_id"]]
    figures = drawn(replace(run, lesions=bare))
    assert set(figures) == {"data-montage", "data-patches"}


# Pictures


def test_a_crop_is_shown_once_and_under_its_own_subset(folder: Path) -> None:
    entry = {"file": "images/one.png", "crop_id": "mass-0001", "label": "benign"}
    own, union = entry | {"subset": "mass"}, entry | {"subset": "all"}
    figure = drawn(read_run(with_data(folder, thumbnails=[union, own])))["data-montage"]
    assert figure.svg.count(b"<image ") == 1
    assert {"mass", "benign", "mass-0001", "125 × 107 px"} <= set(texts(figure))
    assert "all" not in texts(figure)


def test_pictures_in_a_figure_are_grey_data_and_unchanged(folder: Path) -> None:
    thumbnail = {"file": "images/patches.png", "crop_id": "x", "label": "benign", "subset": "mass"}
    figure = drawn(read_run(with_data(folder, thumbnails=[thumbnail])))["data-montage"]
    (source,) = re.findall(rb'xlink:href="data:image/png;base64,([^"]+)"', figure.svg)
    with Image.open(io.BytesIO(base64.b64decode(source))) as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), read_grey(folder, "images/patches.png"))


def test_a_figure_without_a_picture_stays_as_it_is() -> None:
    assert lean(b'<svg><path id="image"/></svg>') == b'<svg><path id="image"/></svg>'


def test_patches_are_cut_in_reading_order_and_set_apart() -> None:
    whole = np.arange(64, dtype=np.uint8).reshape(8, 8)
    spaced = set_apart(whole, PatchGrid(8, 4, 2))
    assert spaced.shape == (9, 9)
    np.testing.assert_array_equal(spaced[:4, 5:], whole[:4, 4:])
    np.testing.assert_array_equal(spaced[5:, :4], whole[4:, :4])
    assert (spaced[4] == 255).all()
    assert (spaced[:, 4] == 255).all()


@pytest.mark.parametrize(
    ("fit", "covered"),
    [("pad", "a patch covers 9.3 × 9.3"), ("stretch", "a patch covers 9.3 × 8.1")],
)
def test_the_caption_counts_tokens_and_native_pixels(folder: Path, fit: str, covered: str) -> None:
    # The crop mass-0002 is 130 wide and 114 high; a patch is a fourteenth of the input.
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["configuration"]["fit"] = fit
    path.write_text(json.dumps(manifest))
    caption = drawn(read_run(folder))["data-patches"].caption
    assert "14 × 14 = 196 tokens of 16 × 16 px" in caption
    assert f"The crop itself is 130 × 114 px, so {covered} of its own pixels." in caption


def test_another_input_and_patch(folder: Path) -> None:
    patches = {"file": "images/patches.png", "crop_id": "?", "input": 518, "patch": 14}
    figure = drawn(read_run(with_data(folder, patches=patches)))["data-patches"]
    assert "37 × 37 = 1369 tokens of 14 × 14 px" in figure.caption
    assert "its own pixels" not in figure.caption


@pytest.mark.parametrize(
    "patches",
    [
        None,
        [],
        {"file": None},
        {"file": "images/none.png"},
        {"file": "../outside.png"},
        {"file": "a\0b"},
        {"file": "x" * 5000},
        {"file": ["images/patches.png"]},
        {"file": "images/wide.png"},
        {"file": "images/huge.png"},
        {"file": "images/cut.png"},
        {"file": "images/deep.png"},
    ],
)
def test_without_a_usable_picture_there_is_no_figure(folder: Path, patches: Any) -> None:
    images = folder / "images"
    shutil.copy(images / "patches.png", folder.parent / "outside.png")
    Image.new("L", (20, 10)).save(images / "wide.png")
    Image.new("1", (9000, 9000)).save(images / "huge.png")
    Image.new("I;16", (64, 64)).save(images / "deep.png")
    (images / "cut.png").write_bytes((images / "patches.png").read_bytes()[:80])
    run = read_run(with_data(folder, patches=patches, thumbnails=[patches]))
    assert "data-patches" not in drawn(run)


@pytest.mark.parametrize("value", [0, -1, 2**40, 1.5, True, "224", None, [], float("nan")])
def test_an_input_that_makes_no_sense_is_that_of_most(folder: Path, value: Any) -> None:
    patches = {"file": "images/patches.png", "input": value, "patch": value}
    figure = drawn(read_run(with_data(folder, patches=patches)))["data-patches"]
    assert "224 × 224 px it makes 14 × 14 = 196 tokens of 16 × 16 px" in figure.caption


# Manifests of any kind


STRANGE = {
    "nothing": None,
    "a number": 7,
    "more than any float": 10**400,
    "nan": float("nan"),
    "half a letter": "\ud83d",
    "a list": [None, 7],
    "a mapping": {"a": 7},
}


@pytest.mark.parametrize("value", STRANGE.values(), ids=STRANGE)
def test_no_part_of_the_manifest_stops_the_report(folder: Path, value: Any) -> None:
    names = ("source_tables", "overlaps", "conflicts", "thumbnails", "patches", "subsets", "counts")
    strange = {"": value, "<script>": value, "rows": value, "patients": value, "lesion_id": value}
    with_data(folder, **dict.fromkeys(names, value), fingerprint=value, licence=value)
    build_report(folder)
    with_data(folder, **{name: [strange, strange, value] for name in names})
    page = build_report(folder).read_text()
    # The values of the page, and its script.
    assert page.count("<script") == 2


def test_the_same_bytes_again(folder: Path) -> None:
    def made() -> dict[str, bytes]:
        build_report(folder)
        return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    assert made() == made()


# Audits and regions


@pytest.fixture(scope="module")
def audited(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(
        tmp_path_factory.mktemp("audited") / "run",
        extractors=("timm:vit_small_patch16_224",),
        classifiers=("linear",),
        subsets=("all",),
        protocols=(("official", 1, 1), ("pooled-official", 1, 1)),
        n=20,
        failed=None,
    )
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"audits": ["pooled-official"]}))
    build_report(folder)
    return folder


def test_an_audit_is_called_one_wherever_its_group_is_titled(audited: Path) -> None:
    page = (audited / "report.html").read_text()
    title = "all, pooled-official (audit: patients on both sides)"
    assert f'"title":"{title}","audit":true' in page
    assert "Their figures are no estimates of performance." in page
    assert "official, pooled-official (audit)</dd>" in page
    assert '"pooled-official (audit)"' in page
    assert not re.search(r"(?<!pooled-)official \(audit", page)


def test_a_figure_of_an_audit_says_so_without_the_page(audited: Path) -> None:
    def said(name: str) -> bool:
        svg = (audited / "figures" / name).read_text()
        return bool(re.search(r"<text[^>]*>audit: patients on both sides</text>", svg))

    for kind in ("auc", "roc", "confusion", "cost"):
        assert said(f"{kind}-all-pooled-official.svg")
        assert not said(f"{kind}-all-official.svg")


def test_in_tables_the_protocol_keeps_its_name_and_the_notes_tell(audited: Path) -> None:
    names, *rows = rows_of(audited, "summary")
    told = {row[names.index("protocol")]: row[names.index("notes")] for row in rows}
    assert told == {"official": "", "pooled-official": "audit: patients on both sides"}
    printed = (audited / "tables" / "summary.tex").read_text()
    assert "pooled-official (" not in printed
    marked = [line for line in printed.splitlines() if "audit: patients on both sides" in line]
    assert ["pooled-official &" in line for line in marked] == [True]


@pytest.mark.parametrize("audits", [None, 7, "official", {"official": 1}, [["official"], None]])
def test_what_is_no_list_of_names_is_no_audit(folder: Path, audits: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"audits": audits}))
    page = build_report(folder).read_text()
    assert '"audit":true' not in page
    assert 'id="audits"' not in page


def test_regions_are_named_where_they_differ_and_else_once(folder: Path) -> None:
    path = folder / "units.parquet"
    units = pd.read_parquet(path)
    units.assign(region="context:1.5").to_parquet(path)
    page = build_report(folder).read_text()
    assert "<dt>Region</dt><dd>context:1.5</dd>" in page
    assert '"title":"mass, official"' in page
    pd.concat([units, units.assign(region="full")]).to_parquet(path)
    page = build_report(folder).read_text()
    assert '"title":"mass, official, region crop"' in page
    assert '"title":"mass, official, region full"' in page
    assert "<dt>Region</dt><dd>crop, full</dd>" in page


def test_the_region_of_the_crops_alone_goes_without_saying(reported_run: Path) -> None:
    assert "<dt>Region</dt>" not in (reported_run / "report.html").read_text()

"""A report is a pure function of its run folder, and a folder that is none is refused in a line."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from bench.commands.report import report
from reports import RunFolderError, build_report


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def own_copy(made_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_run, tmp_path / "run"))


def test_a_second_build_writes_the_same_bytes(reported_run: Path, tmp_path: Path) -> None:
    # In another process and another place: no hash seed, path or time may show;
    # and matplotlib's settings are afterwards what they were.
    again = Path(shutil.copytree(reported_run, tmp_path / "elsewhere"))
    before = contents(again)
    code = (
        "import sys; from pathlib import Path; import matplotlib, reports\n"
        # dict's own copy: that of rcParams looks at the backend, which is chosen when looked at.
        "before = dict.copy(matplotlib.rcParams); reports.build_report(Path(sys.argv[1]))\n"
        "assert dict.copy(matplotlib.rcParams) == before"
    )
    subprocess.run([sys.executable, "-c", code, str(again)], check=True)
    after = contents(again)
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == []


def test_the_report_has_its_files_and_no_leftovers(reported_run: Path) -> None:
    names = contents(reported_run)
    for name in ("report.html", "tables/summary.csv", "tables/summary.tex"):
        assert name in names
    for kind in ("auc", "roc", "confusion", "cost"):
        for suffix in ("svg", "pdf"):
            assert f"figures/{kind}-mass-patient-cv.{suffix}" in names
    # Of each subset the first protocol is looked at closely.
    drawn = {name for name in names if "precision_recall-" in name and name.endswith(".svg")}
    assert "figures/precision_recall-mass-official.svg" in drawn
    assert not any("patient-cv" in name for name in drawn)
    assert not [name for name in names if ".tmp" in name]


def test_figures_are_well_formed_and_say_synthetic(reported_run: Path) -> None:
    for path in (reported_run / "figures").glob("*.svg"):
        text = " ".join(ElementTree.parse(path).getroot().itertext())
        assert "synthetic data" in text
        assert "script" not in {e.tag.split("}")[-1] for e in ElementTree.parse(path).iter()}


def test_the_page_escapes_names_and_asks_nothing_of_the_network(reported_run: Path) -> None:
    page = (reported_run / "report.html").read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert page.count("<script") == 2
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_identifiers_are_unique_and_anchors_lead_somewhere(reported_run: Path) -> None:
    page = (reported_run / "report.html").read_text()
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    anchors = set(re.findall(r'href="#([^"]+)"', page)) | set(re.findall(r"url\(#([^)]+)\)", page))
    assert anchors <= set(ids)
    for target in re.findall(r'href="((?:tables|figures)/[^"]+)"', page):
        assert (reported_run / target).is_file()


def test_the_page_says_what_a_reader_must_know(reported_run: Path) -> None:
    page = (reported_run / "report.html").read_text()
    for text in (
        "Synthetic data: the figures mean nothing for mammography.",
        "random:resnet18",
        "did not run",
        "weights not cached: python -m bench doctor",
        "given the trained models",
        "python -m bench all --preset full",
        "CC0-1.0",
        "file is missing",
    ):
        assert text in page


def test_real_data_do_not_say_synthetic(own_copy: Path) -> None:
    manifest = json.loads((own_copy / "manifest.json").read_text())
    manifest["data"]["synthetic"] = False
    (own_copy / "manifest.json").write_text(json.dumps(manifest))
    page = build_report(own_copy).read_text()
    assert "ynthetic data" not in page


def test_a_bare_manifest_is_enough(own_copy: Path) -> None:
    (own_copy / "manifest.json").write_text("{}")
    assert build_report(own_copy).is_file()


def test_thumbnails_stay_inside_the_run_folder(own_copy: Path) -> None:
    secret = own_copy.parent / "secret.png"
    secret.write_bytes((own_copy / "images" / "one.png").read_bytes())
    (own_copy / "images" / "text.png").write_text("no image")
    manifest = json.loads((own_copy / "manifest.json").read_text())
    del manifest["data"]["patches"]
    manifest["data"]["thumbnails"] = [
        {"file": name, "crop_id": "x", "label": "benign", "subset": "mass"}
        for name in ("../secret.png", str(secret), "images/text.png", "images/none.png")
    ]
    (own_copy / "manifest.json").write_text(json.dumps(manifest))
    assert "data:image" not in build_report(own_copy).read_text()


def test_a_run_in_which_nothing_ran_still_has_a_report(own_copy: Path) -> None:
    units = pd.read_parquet(own_copy / "units.parquet").assign(status="out of memory")
    units.to_parquet(own_copy / "units.parquet")
    page = build_report(own_copy).read_text()
    assert "No system ran" in page
    # The data are there to be judged all the same.
    assert {path.name.split("-")[0] for path in (own_copy / "figures").iterdir()} == {"data"}


def refused(folder: Path) -> str:
    with pytest.raises(RunFolderError) as caught:
        build_report(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_no_run_folder(tmp_path: Path) -> None:
    assert "no such folder" in refused(tmp_path / "none")
    assert "not a run folder" in refused(tmp_path)
    file = tmp_path / "b" / "manifest.json"
    file.parent.mkdir()
    file.write_text("{}")
    assert f"there is one in {file.parent.as_posix()}" in refused(tmp_path)
    assert "name the run folder in which it lies" in refused(file)


@pytest.mark.parametrize("name", ["units.parquet", "predictions.parquet", "lesions.parquet"])
def test_missing_and_broken_tables(own_copy: Path, name: str) -> None:
    (own_copy / name).write_bytes(b"no table")
    assert name in refused(own_copy)
    (own_copy / name).unlink()
    assert f"no {name}" in refused(own_copy)


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 99}'])
def test_broken_manifests(own_copy: Path, text: str) -> None:
    (own_copy / "manifest.json").write_text(text)
    assert "manifest.json" in refused(own_copy)


def test_a_folder_of_an_older_schema_says_how_to_renew_it(own_copy: Path) -> None:
    (own_copy / "manifest.json").write_text('{"schema": 1}')
    assert "the same `bench all` command renews the folder" in refused(own_copy)
    (own_copy / "manifest.json").write_text('{"schema": 99}')
    assert "renews" not in refused(own_copy)


def test_missing_column(own_copy: Path) -> None:
    path = own_copy / "predictions.parquet"
    pd.read_parquet(path).drop(columns="score").to_parquet(path)
    assert refused(own_copy).endswith("lacks the column score")


@pytest.mark.parametrize(
    ("name", "column", "value", "message"),
    [
        ("predictions.parquet", "score", float("nan"), "has a score that is not finite"),
        ("predictions.parquet", "label", 2, "must hold 0 and 1 only"),
        ("predictions.parquet", "patient_id", None, "has no patient_id"),
        ("units.parquet", "threshold", float("nan"), "has no threshold"),
    ],
)
def test_unusable_values(
    own_copy: Path, name: str, column: str, value: object, message: str
) -> None:
    table = pd.read_parquet(own_copy / name)
    table.loc[0, column] = value
    table.to_parquet(own_copy / name)
    assert message in refused(own_copy)


def test_importing_the_package_stays_light() -> None:
    heavy = "{'numpy', 'pandas', 'matplotlib', 'seaborn', 'sklearn', 'jinja2'}"
    code = f"import sys, reports; assert not {heavy} & set(sys.modules)"
    code += "; import reports.statistics.measures; assert callable(reports.measures)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_report_without_images_has_none_and_leaves_nothing_of_an_earlier_one(
    own_copy: Path,
) -> None:
    """No picture and no figure of crops stays; only what a report wrote is removed."""
    (own_copy / "figures").mkdir()
    gone = [own_copy / "figures" / name for name in ("old.svg", "data-patches.svg")]
    kept = [own_copy.parent / "kept.txt", own_copy / "log.txt", own_copy / "figures" / "own.svg"]
    for file in (*gone, *kept):
        file.write_text("x")
    written = {"figures/old.svg": "0", "../kept.txt": "0", "log.txt": "0"}
    (own_copy / "report.json").write_text(json.dumps({"made_from": {}, "written": written}))
    report(own_copy, images=False)
    page = (own_copy / "report.html").read_text()
    assert "data:image" not in page
    assert "Images and saliency maps are left out" in page
    assert not (own_copy / "images").exists()
    assert not [name for name in contents(own_copy) if name.endswith((".png", ".jpg"))]
    assert not [file for file in gone if file.exists()]
    assert all(file.exists() for file in kept)
    # A later report of the folder says the same: its manifest does.
    assert json.loads((own_copy / "manifest.json").read_text())["images"] is False

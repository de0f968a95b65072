"""A whole run over every layout of CBIS-DDSM, and what must never leave a DICOM header."""

import json
from pathlib import Path

import pandas as pd
import pytest

from bench.data import write_phantom

LAYOUTS = ("kaggle", "nbia", "uid", "png")
# What differs by layout: where a file lies, its format, and the mean of what JPEG altered.
PLACES = [
    *("path", "mask_path", "film_path", "mean_intensity"),
    *("file_format", "file_bits", "file_mode"),
]


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layouts")
    for layout in LAYOUTS:
        write_phantom(folder / layout, patients=16, seed=1, layout=layout)
    return {layout: folder / layout for layout in LAYOUTS}


@pytest.mark.slow
def test_every_layout_runs_to_the_same_lesions(bench, roots, tmp_path):
    """With the bundled network; the three lossless layouts give the same crops, and figures."""
    lesions, summaries, fingerprints = {}, {}, {}
    chosen = ("--extractors", "bundled:efficientnet_lite0", "--classifiers", "linear")
    for layout, root in roots.items():
        ended = bench("all", "--data", root, "--out", layout, "--subset", "all", *chosen)
        assert ended.status == 0, ended.err
        run = tmp_path / layout
        lesions[layout] = pd.read_parquet(run / "lesions.parquet").drop(columns=PLACES)
        summaries[layout] = pd.read_csv(run / "tables/summary.csv")
        fingerprints[layout] = json.loads((run / "manifest.json").read_text())["data"][
            "fingerprint"
        ]
    for layout in LAYOUTS:
        pd.testing.assert_frame_equal(lesions[layout], lesions["uid"])
    assert fingerprints["nbia"] == fingerprints["uid"] == fingerprints["png"]
    measures = ["extractor", "n_train", "n_test", "auc", "accuracy"]
    for layout in ("nbia", "png"):
        pd.testing.assert_frame_equal(summaries[layout][measures], summaries["uid"][measures])
    assert fingerprints["kaggle"] != fingerprints["uid"]


@pytest.mark.parametrize("region", ["context", "full"])
def test_regions_run_and_are_named(bench, roots, plugin, tmp_path, region):
    chosen = ("--extractors", "tiny-a", "--classifiers", "linear", "--subset", "mass")
    ended = bench(
        *("all", "--data", roots["uid"], "--plugin", plugin, "--out", "run", *chosen),
        *("--region", region, "--margin", "2"),
    )
    assert ended.status == 0, ended.err
    summary = pd.read_csv(tmp_path / "run/tables/summary.csv")
    assert set(summary["region"]) == {"context:2" if region == "context" else "full"}
    left_out = json.loads((tmp_path / "run/manifest.json").read_text())["left_out"]
    reasons = " ".join(row["reason"] for row in left_out)
    assert ("different proportions" in reasons) == (region == "context")


def test_the_audit_is_called_an_audit(bench, roots, plugin, tmp_path):
    chosen = ("--extractors", "tiny-a", "--classifiers", "linear", "--subset", "all")
    ended = bench(
        *("all", "--data", roots["uid"], "--plugin", plugin, "--out", "run", *chosen),
        *("--protocols", "official,pooled-official"),
    )
    assert ended.status == 0, ended.err
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    assert manifest["audits"] == ["pooled-official"]
    assert any("an audit: 2 patients stand on both sides" in n for n in manifest["notices"])
    summary = pd.read_csv(tmp_path / "run/tables/summary.csv").set_index("protocol")
    audit, official = (summary.loc[name, "n_train"] for name in ("pooled-official", "official"))
    assert audit.min() > official.max()
    assert "audit" in (tmp_path / "run/report.html").read_text()


MARK = "Qx7secret"


def brand(file: Path) -> None:
    """Put a mark into every field of a header that could tell a person, a place or a time."""
    import pydicom

    record = pydicom.dcmread(file)
    texts = (
        *("PatientName", "OtherPatientNames", "PatientAddress", "PatientComments"),
        *("ReferringPhysicianName", "InstitutionName", "InstitutionAddress", "OperatorsName"),
        *("StudyDescription", "RequestingPhysician", "ImageComments", "StationName"),
        *("DeviceSerialNumber", "AccessionNumber", "StudyID", "PatientBirthName"),
    )
    for name in texts:
        setattr(record, name, MARK)
    record.PatientID = f"{MARK}_{record.PatientID}"
    for name in ("StudyDate", "SeriesDate", "ContentDate", "PatientBirthDate", "AcquisitionDate"):
        setattr(record, name, "18991231")
    record.SOPInstanceUID = "1.2.3.4.18991231"
    if record.get("SeriesDescription", "").startswith("full"):
        # A series that the tables do not name is an identifier, too.
        record.SeriesInstanceUID = "1.2.3.5.18991231"
    record.add_new(0x00990010, "LO", MARK)
    record.save_as(file)


def test_no_identifier_of_a_header_leaves_it(bench, roots, plugin, tmp_path):
    root = tmp_path / "branded"
    write_phantom(root, patients=16, seed=1, layout="uid")
    for file in root.rglob("*.dcm"):
        brand(file)
    # One crop is broken, so that an error message is written about a branded file, too.
    crop = next(iter(sorted(root.glob("Mass-Training_*_1/*/*/*.dcm"))))
    crop.write_bytes(crop.read_bytes()[:-400])
    chosen = ("--extractors", "tiny-a", "--classifiers", "linear", "--subset", "mass")
    ended = bench("all", "--data", root, "--plugin", plugin, "--out", "run", *chosen)
    assert ended.status == 0, ended.err
    info = bench("data", "info", root)
    texts = [ended.out, ended.err, info.out, info.err]
    written = [
        path
        for folder in ("run", "cache")
        for path in (tmp_path / folder).rglob("*")
        if path.is_file()
    ]
    assert len(written) > 20
    # Parquet is compressed: its tables are written out to be looked through.
    tables = [pd.read_parquet(p).to_csv() for p in written if p.suffix == ".parquet"]
    for content in [*(p.read_bytes() for p in written), *(t.encode() for t in texts + tables)]:
        assert MARK.encode() not in content
        assert b"18991231" not in content

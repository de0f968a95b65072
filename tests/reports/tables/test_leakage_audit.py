"""The leakage audit tells differences with their intervals, marks audits and claims no more."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.planning.protocols import PROTOCOLS, manifest_rows
from reports import build_report, measures
from reports.evaluation import Evaluation
from reports.statistics.bootstrap import draw_patients
from reports.systems.pairs import pairs
from reports.systems.pooling import pool
from reports.systems.protocols import Comparison, audit_comparisons, headline_protocols
from reports.systems.run_folder import Run, read_run
from reports.systems.schema import ALL_ROWS, SHARED, UNSHARED
from reports.tables.leakage_audit import (
    COLUMNS,
    DRAWN,
    DRAWN_AND_GIVEN,
    leakage_audit,
)
from reports.tables.published import beside_published
from reports.text.answers import answers
from reports.text.leakage_audit import audit_text

ALEXNET = "torchvision:alexnet"
SHARING = 6
AUDITS = [name for name, protocol in PROTOCOLS.items() if protocol.audit]
MakeRun = Callable[..., Path]


def audited(
    make_run: MakeRun,
    folder: Path,
    protocols: tuple[tuple[str, int, int], ...],
    extractors: tuple[str, ...] = (ALEXNET,),
    subset: str = "mass",
    **options: object,
) -> Path:
    made = make_run(folder, extractors, ("linear",), (subset,), protocols, failed=None, **options)
    change(made, audits=AUDITS)
    return made


def change(folder: Path, **entries: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def scores_of(folder: Path, protocol: str) -> pd.DataFrame:
    """The predictions under a protocol, with the verdict of each."""
    units = pd.read_parquet(folder / "units.parquet")
    own = units.loc[units["protocol"] == protocol, ["unit", "threshold"]]
    rows = pd.read_parquet(folder / "predictions.parquet").merge(own, on="unit")
    return rows.assign(called=rows["score"] > rows["threshold"])


def value(rows: pd.DataFrame, name: str, times: np.ndarray | None = None) -> float:
    """A measure of rows that stand so many times each, the mean over repeats."""
    found = []
    for repeat in sorted(set(rows["repeat"])):
        places = np.flatnonzero(rows["repeat"] == repeat)
        places = places if times is None else np.repeat(places, times[places])
        columns = ("label", "score", "fold", "called")
        label, score, fold, called = (rows[column].to_numpy()[places] for column in columns)
        if not len(places):
            return float("nan")
        one = float((called == label).mean()) if name == "accuracy" else None
        found.append(measures(label, score, fold=fold)["auc"] if one is None else one)
    return float(np.mean(found))


def by_loop(one: pd.DataFrame, other: pd.DataFrame, name: str) -> list[float]:
    """The interval by drawing patients of both sides, 2,000 times."""
    patients = np.unique([*one["patient_id"], *other["patient_id"]])
    of_row = [np.searchsorted(patients, side["patient_id"]) for side in (one, other)]
    differences = []
    for drawn in draw_patients(len(patients), 2000, 0).T.astype(int):
        values = [
            value(side, name, drawn[places])
            for side, places in zip((one, other), of_row, strict=True)
        ]
        differences.append(values[0] - values[1])
    return list(np.nanquantile(differences, [0.025, 0.975]))


def made_up(manifest: dict[str, object], folder: Path) -> Run:
    run = read_run(folder)
    return replace(run, manifest=run.manifest | manifest)


def test_what_an_audit_is_compared_with_stands_in_the_manifest(made_run: Path) -> None:
    rows = manifest_rows(PROTOCOLS)
    run = made_up({"audits": AUDITS, "protocols": rows}, made_run)
    wanted = [
        Comparison(name, twin.protocol, twin.besides, twin.rows, twin.twin_rows)
        for name in AUDITS
        for twin in PROTOCOLS[name].twins
    ]
    assert audit_comparisons(run) == wanted
    assert headline_protocols(run) == {"official", "patient-cv"}
    # It is one only if the manifest calls it one, and a headline never.
    assert audit_comparisons(replace(run, manifest=run.manifest | {"audits": []})) == []
    one = replace(run, manifest=run.manifest | {"audits": ["official"]})
    assert headline_protocols(one) == {"patient-cv"}


@pytest.mark.parametrize(
    "twin", [None, [], {"protocol": "a"}, {"protocol": "a", "rows": "some", "twin_rows": ALL_ROWS}]
)
def test_a_twin_that_is_none_compares_nothing(made_run: Path, twin: object) -> None:
    row = {"name": "image-cv", "twins": [twin]}
    run = made_up({"audits": ["image-cv"], "protocols": [row, 7]}, made_run)
    assert audit_comparisons(run) == []
    assert headline_protocols(run) == set()


def test_differences_and_intervals_equal_a_plain_loop(tmp_path: Path, make_run: MakeRun) -> None:
    protocols = (("patient-cv", 1, 2), ("image-cv", 2, 2))
    folder = audited(make_run, tmp_path / "run", protocols, n=30)
    # Patients of one side alone: the interval draws from all of either side.
    scores = pd.read_parquet(folder / "predictions.parquet")
    units = pd.read_parquet(folder / "units.parquet").set_index("unit")["protocol"]
    twin = scores["unit"].map(units) == "patient-cv"
    first, last = scores["patient_id"].min(), scores["patient_id"].max()
    kept = (twin & (scores["patient_id"] != last)) | (~twin & (scores["patient_id"] != first))
    scores[kept].to_parquet(folder / "predictions.parquet")
    run = read_run(folder)
    table = leakage_audit(pairs(run, pool(run)), run.patients)
    assert tuple(table.columns) == COLUMNS
    (row,) = table.to_dict("records")
    assert (row["audit"], row["twin"]) == ("image-cv", "patient-cv")
    one, other = (scores_of(folder, name) for name in ("image-cv", "patient-cv"))
    assert set(one["patient_id"]) != set(other["patient_id"])
    assert (row["n_patients"], row["n_runs"], row["twin_n_runs"]) == (
        one["patient_id"].nunique(),
        2,
        1,
    )
    assert row["n_test"] == len(one) / 2
    assert row["twin_n_test"] == len(other)
    for name in ("auc", "accuracy"):
        assert row[name] == pytest.approx(value(one, name))
        assert row[f"twin_{name}"] == pytest.approx(value(other, name))
        assert row[f"{name}_difference"] == pytest.approx(row[name] - row[f"twin_{name}"])
    ends = [row[f"accuracy_difference_ci_{end}"] for end in ("low", "high")]
    assert ends == pytest.approx(by_loop(one, other, "accuracy"))
    assert row["interval"] == DRAWN_AND_GIVEN


def test_the_interval_of_the_auc_takes_the_same_patients_for_both(
    tmp_path: Path, make_run: MakeRun
) -> None:
    protocols = (("official", 1, 1), ("pooled-official", 1, 1))
    folder = audited(make_run, tmp_path / "run", protocols, subset="all", n=60)
    run = read_run(folder)
    (row,) = leakage_audit(pairs(run, pool(run)), run.patients).to_dict("records")
    one, other = (scores_of(folder, name) for name in ("pooled-official", "official"))
    ends = [row[f"auc_difference_ci_{end}"] for end in ("low", "high")]
    assert ends == pytest.approx(by_loop(one, other, "auc"))
    assert row["interval"] == DRAWN


def test_rotated_rows_go_with_their_patient(tmp_path: Path, make_run: MakeRun) -> None:
    """Four copies of each row with one score change neither difference nor interval."""
    protocols = (("rotated-by-patient", 1, 2), ("rotated-image-cv", 1, 2))
    folder = audited(make_run, tmp_path / "run", protocols, n=30)
    run = read_run(folder)
    upright = leakage_audit(pairs(run, pool(run)), run.patients)
    scores = pd.read_parquet(folder / "predictions.parquet")
    turned = [scores.assign(rotation=degrees) for degrees in (0, 90, 180, 270)]
    pd.concat(turned).to_parquet(folder / "predictions.parquet")
    run = read_run(folder)
    copied = leakage_audit(pairs(run, pool(run)), run.patients)
    assert (copied["n_test"] == 4 * upright["n_test"]).all()
    assert (copied["n_patients"] == upright["n_patients"]).all()
    columns = [name for name in COLUMNS if "difference" in name]
    pd.testing.assert_frame_equal(copied[columns], upright[columns])


@pytest.fixture
def pooled(tmp_path: Path, make_run: MakeRun) -> Path:
    """A run of `all` in which the first test patients stand in training, too."""
    protocols = (("official", 1, 1), ("pooled-official", 1, 1))
    folder = audited(make_run, tmp_path / "run", protocols, (ALEXNET, "bundled:a"), subset="all")
    lesions = pd.read_parquet(folder / "lesions.parquet")
    lesions["subset"] = np.where(np.arange(len(lesions)) % 4 < 2, "mass", "calc")
    shared = sorted(set(lesions["patient_id"]))[:SHARING]
    train = lesions[lesions["patient_id"].isin(shared)].assign(split="train")
    # Somebody in training alone is not shared.
    other = train.assign(crop_id="o" + train["crop_id"], patient_id="P_none")
    train = train.assign(crop_id="t" + train["crop_id"])
    pd.concat([lesions, train, other]).to_parquet(folder / "lesions.parquet")
    return folder


def test_shared_patients_are_set_apart(pooled: Path) -> None:
    run = read_run(pooled)
    table = leakage_audit(pairs(run, pool(run)), run.patients)
    assert list(table["extractor"]) == [ALEXNET, "bundled:a"] * 3
    own = table[table["extractor"] == ALEXNET].to_dict("records")
    assert [(row["twin"], row["rows"], row["twin_rows"]) for row in own] == [
        ("official", "all", "all"),
        ("official", SHARED, SHARED),
        ("pooled-official", SHARED, UNSHARED),
    ]
    _, on_shared, within = own
    rows = scores_of(pooled, "pooled-official")
    rows = rows[rows["unit"].str.contains(ALEXNET)]
    shared = rows["patient_id"].isin(sorted(set(rows["patient_id"]))[:SHARING])
    assert within["n_patients"] == on_shared["n_patients"] == SHARING
    assert (within["n_test"], within["twin_n_test"]) == (shared.sum(), (~shared).sum())
    assert within["accuracy"] == pytest.approx(value(rows[shared], "accuracy"))
    assert within["twin_accuracy"] == pytest.approx(value(rows[~shared], "accuracy"))
    ends = [within[f"accuracy_difference_ci_{end}"] for end in ("low", "high")]
    assert ends == pytest.approx(by_loop(rows[shared], rows[~shared], "accuracy"))


def test_an_undefined_measure_is_empty(tmp_path: Path, make_run: MakeRun) -> None:
    folder = audited(make_run, tmp_path / "run", (("patient-cv", 1, 2), ("image-cv", 1, 2)))
    scores = pd.read_parquet(folder / "predictions.parquet")
    scores.assign(label=0).to_parquet(folder / "predictions.parquet")
    build_report(folder)
    row = pd.read_csv(folder / "tables" / "leakage_audit.csv", dtype=str, keep_default_na=False)
    empty = [name for name in COLUMNS if name.split("_diff")[0] in ("auc", "sensitivity")]
    assert (row[empty] == "").all(axis=None)
    assert row["accuracy_difference_ci_low"][0]


def test_a_run_without_audits_has_no_table_and_no_section(reported_run: Path) -> None:
    assert not list((reported_run / "tables").glob("*audit*"))
    assert not list((reported_run / "tables").glob("protocols*"))
    assert not list((reported_run / "figures").glob("audit-*"))
    page = (reported_run / "report.html").read_text()
    assert 'id="audit"' not in page
    assert 'href="#audit"' not in page


def test_an_audit_without_a_twin_stands_in_the_wide_table_alone(
    tmp_path: Path, make_run: MakeRun
) -> None:
    folder = audited(make_run, tmp_path / "run", (("official", 1, 1), ("image-cv", 1, 2)))
    build_report(folder)
    assert not (folder / "tables" / "leakage_audit.csv").exists()
    assert (folder / "tables" / "protocols_side_by_side.csv").exists()
    assert "there is no difference to tell" in (folder / "report.html").read_text()


def test_columns_say_which_protocol_is_an_audit_and_published_stays_apart(
    tmp_path: Path, make_run: MakeRun
) -> None:
    protocols = (("patient-cv", 2, 2), ("image-cv", 1, 2), ("official", 1, 1))
    names = ("bundled:a", ALEXNET)
    folder = audited(make_run, tmp_path / "run", protocols, names, synthetic=False)
    build_report(folder)
    table = pd.read_csv(folder / "tables" / "protocols_side_by_side.csv")
    start = list(table.columns).index("measure") + 1
    assert list(table.columns[start:]) == [
        *("official", "patient-cv", "image-cv (audit)"),
        *("published", "published_system", "published_data", "published_protocol"),
    ]
    assert list(table["extractor"]) == [ALEXNET] * 2 + ["bundled:a"] * 2
    summary = pd.read_csv(folder / "tables" / "summary.csv")
    own = summary[(summary["extractor"] == ALEXNET) & (summary["protocol"] == "image-cv")].iloc[0]
    low, high = own["auc_ci_low"], own["auc_ci_high"]
    assert table["image-cv (audit)"][0] == f"{own['auc']:.3f} [{low:.3f}, {high:.3f}]"
    # The table of Ragab et al., linear kernel: AUC 0.97, accuracy 91.3 %.
    assert list(table["published"][:2]) == [0.97, 0.913]
    assert table["published"][2:].isna().all()
    page = (folder / "report.html").read_text()
    figure = (folder / "figures" / "audit-mass-image-cv.svg").read_text()
    assert "image-cv (audit) less patient-cv" in page
    assert "audit: patients on both sides" in figure
    for name in ("further_measures", "confusion", "fits"):
        rows = pd.read_csv(folder / "tables" / f"{name}.csv")
        assert rows["audit"].notna().tolist() == (rows["protocol"] == "image-cv").tolist(), name
        assert "audit: patients" in (folder / "tables" / f"{name}.tex").read_text(), name
    before = (folder / "tables" / "leakage_audit.csv").read_bytes(), figure
    build_report(folder)
    again = (folder / "figures" / "audit-mass-image-cv.svg").read_text()
    assert ((folder / "tables" / "leakage_audit.csv").read_bytes(), again) == before


def sentences(folder: Path) -> tuple[Run, list[str], list[str]]:
    run = read_run(folder)
    return run, *audit_text(run, leakage_audit(pairs(run, pool(run)), run.patients))


def test_the_share_of_the_gap_is_that_of_the_figures(tmp_path: Path, make_run: MakeRun) -> None:
    protocols = (("patient-cv", 1, 2), ("image-cv", 1, 2))
    folder = audited(make_run, tmp_path / "run", protocols, synthetic=False)
    run, heading, found = sentences(folder)
    (row,) = leakage_audit(pairs(run, pool(run)), run.patients).to_dict("records")
    gap = 0.913 - row["twin_accuracy"]
    assert gap > 0
    share = round(100 * row["accuracy_difference"] / gap)
    assert f"the accuracy is {gap:.3f} below the published one" in found[-1]
    assert f"is {share} % of that gap" in found[-1]
    assert "prove nothing" in heading[0]
    assert "not how it came about" in heading[1]
    change(folder, data={"synthetic": True})
    _, heading, found = sentences(folder)
    assert "synthetic: no figure here can be set against the published ones" in heading[1]
    assert not any("gap" in text for text in found)


@pytest.mark.parametrize(
    ("names", "subset", "wanted"),
    [
        ((ALEXNET,), "calc", "These are not the mass crops of CBIS-DDSM"),
        (("bundled:a",), "mass", "AlexNet with the published SVMs did not run"),
    ],
)
def test_nothing_else_is_set_against_published_figures(
    tmp_path: Path, make_run: MakeRun, names: tuple[str, ...], subset: str, wanted: str
) -> None:
    protocols = (("patient-cv", 1, 2), ("image-cv", 1, 2))
    folder = audited(make_run, tmp_path / "run", protocols, names, subset, synthetic=False)
    _, heading, found = sentences(folder)
    assert wanted in heading[1]
    assert not any("gap" in text for text in found)


def test_a_changed_data_set_has_no_published_figure_beside_it(
    tmp_path: Path, make_run: MakeRun
) -> None:
    protocols = (("patient-cv", 1, 2), ("image-cv", 1, 2))
    folder = audited(make_run, tmp_path / "run", protocols, synthetic=False)
    for changed in (False, True):
        change(folder, data={"published_figures": not changed, "derived_from": "CBIS-DDSM"})
        evaluation = Evaluation.of(read_run(folder))
        summary, side = (evaluation.tables[n] for n in ("summary", "protocols_side_by_side"))
        beside = beside_published(evaluation.run, summary)
        # It stands in the table with a note, and in no other place.
        assert beside["measured_extractor"].notna().any()
        assert beside["measured_data"].dropna().str.contains("changed copy").all() == changed
        assert ("published" not in side) == changed
        _, heading, found = sentences(folder)
        assert ("derived from another one and changed" in heading[1]) == changed
        assert any("gap" in text for text in found) != changed


def test_the_answer_has_the_interval(tmp_path: Path, make_run: MakeRun) -> None:
    folder = audited(make_run, tmp_path / "run", (("patient-cv", 1, 2), ("image-cv", 1, 2)))
    evaluation = Evaluation.of(read_run(folder))
    row = evaluation.tables["leakage_audit"].iloc[0]
    answer = answers(evaluation)[4]
    low, high = row["auc_difference_ci_low"], row["auc_difference_ci_high"]
    assert f"AUC differs by {row['auc_difference']:.3f} [{low:.3f}, {high:.3f}]." in answer.lines[0]
    assert answer.links == [("Leakage audit", "audit")]

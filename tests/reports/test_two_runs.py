"""Two runs are compared on the same crops, or refused with the reason."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.statistics.bootstrap import bootstrap
from reports.statistics.difference import ALIKE, HIGHER, NotComparable
from reports.statistics.intervals import interval
from reports.systems.rows import ScoredRows
from reports.systems.run_folder import read_run
from reports.two_runs import COLUMNS, TwoRuns, compare_runs

OFFICIAL = (("official", 1, 1),)
EXTRACTORS = ("timm:a", "timm:b")


@pytest.fixture(scope="module")
def first(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two") / "first"
    return make_run(folder, EXTRACTORS, protocols=OFFICIAL, n=240, failed=None)


@pytest.fixture
def second(first: Path, tmp_path: Path) -> Path:
    """A copy, to be changed."""
    shutil.copytree(first, tmp_path / "second")
    return tmp_path / "second"


def change(folder: Path, name: str, how: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    path = folder / f"{name}.parquet"
    how(pd.read_parquet(path)).to_parquet(path)


def compare(first: Path, second: Path, measure: str = "auc") -> TwoRuns:
    return compare_runs(read_run(first), read_run(second), measure)


def test_a_run_does_not_differ_from_itself(first: Path, second: Path) -> None:
    # The rows stand in another order, which is no difference.
    change(second, "predictions", lambda frame: frame.sample(frac=1, random_state=0))
    found = compare(first, second)
    assert tuple(found.table.columns) == COLUMNS
    assert len(found.table) == 8
    assert (found.table[["difference", "ci_low", "ci_high"]] == 0).all(axis=None)
    assert (found.table["verdict"] == ALIKE).all()
    assert (found.table["differs"] == "").all()
    assert found.left_out == ()


def test_the_same_draws_serve_both_runs(first: Path, second: Path) -> None:
    def better(frame: pd.DataFrame) -> pd.DataFrame:
        chosen = frame["unit"].str.contains("timm:a/") & frame["crop_id"].str.startswith("mass")
        return frame.assign(score=frame["score"] + 3.0 * (chosen & (frame["label"] == 1)))

    change(second, "predictions", better)
    table = compare(first, second).table.set_index(["subset", "extractor", "classifier"])
    row = table.loc["mass", "timm:a", "linear"]
    assert row["verdict"] == HIGHER
    assert 0 < row["ci_low"] < row["difference"] < row["ci_high"]
    assert (table["verdict"] == HIGHER).sum() == 2
    # By hand: patients drawn once, both runs measured on them.
    frames = [pd.read_parquet(folder / "predictions.parquet") for folder in (first, second)]
    own = [
        f[f["unit"].str.contains("mass") & f["unit"].str.contains("timm:a.*linear")] for f in frames
    ]
    patient = np.unique(own[0]["patient_id"], return_inverse=True)[1]
    none = np.zeros(len(patient), dtype=np.int64)
    repeats = [
        [ScoredRows(f["label"].to_numpy() == 1, f["score"].to_numpy(), none > 0, patient, none)]
        for f in own
    ]
    drawn = bootstrap(repeats, ["auc"])[:, 0]
    assert (row["ci_low"], row["ci_high"]) == interval(drawn[1] - drawn[0])


def test_settings_that_differ_are_named(first: Path, second: Path) -> None:
    change(second, "units", lambda frame: frame.assign(seed=1, recipe="quick"))
    found = compare(first, second).table
    assert set(found["differs"]) == {"recipe frozen and quick; seed 0 and 1"}


def test_what_stands_in_one_run_only_is_left_out_by_name(first: Path, second: Path) -> None:
    change(second, "units", lambda f: f[(f["extractor"] != "timm:b") | (f["subset"] != "calc")])
    change(
        second,
        "units",
        lambda f: f.assign(status=f["status"].mask(f["classifier"] == "linear", "out of memory")),
    )
    found = compare(first, second)
    assert len(found.table) == 3
    assert ("calc, official, timm:b + medium_gaussian", "only in the first run") in found.left_out
    assert (
        "mass, official, timm:a + linear",
        "did not run in the second run: out of memory",
    ) in found.left_out


def test_runs_on_other_subsets_are_compared_where_they_meet(
    make_run: Callable[..., Path], first: Path, tmp_path: Path
) -> None:
    # The generator draws the masses first, so that they are the same crops.
    alone = make_run(tmp_path / "masses", EXTRACTORS, protocols=OFFICIAL, n=240, failed=None)
    for name in ("lesions", "units", "predictions"):
        column = "unit" if name == "predictions" else "subset"
        change(alone, name, lambda f, c=column: f[f[c].str.contains("mass")])  # type: ignore[misc]
    found = compare(first, alone)
    assert set(found.table["subset"]) == {"mass"}
    assert (found.table["difference"] == 0).all()
    assert {reason for _, reason in found.left_out} == {"only in the first run"}


def relabelled(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    frame.loc[frame["crop_id"] == "mass-0003", "label"] ^= 1
    return frame


@pytest.mark.parametrize(
    ("table", "how", "message"),
    [
        ("lesions", relabelled, "the crop mass-0003 has another label in each"),
        ("predictions", relabelled, "mass, official: the test crops, or their labels"),
        ("predictions", lambda f: f[f["crop_id"] != "mass-0003"], "240 and 239, 239 of them"),
        ("predictions", lambda f: f.assign(patient_id=f["patient_id"].str[::-1]), "patients"),
        ("units", lambda f: f.assign(n_train=f["n_train"] - 1), "trained on 960 and on 959 crops"),
        ("units", lambda f: f.assign(protocol="patient-cv"), "no subset and protocol in common"),
        (
            "units",
            lambda f: f.assign(extractor="timm:z"),
            "no system ran in both: .* [(]and 11 more",
        ),
        ("lesions", lambda f: f.assign(crop_id="z" + f["crop_id"]), "no crop in common"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    first: Path,
    second: Path,
    table: str,
    how: Callable[[pd.DataFrame], pd.DataFrame],
    message: str,
) -> None:
    change(second, table, how)
    with pytest.raises(NotComparable, match=message):
        compare(first, second)


def test_another_data_set_is_refused_and_other_pixels_are_named(first: Path, second: Path) -> None:
    manifest = json.loads((second / "manifest.json").read_text())
    manifest["data"]["fingerprint"] = "0"
    (second / "manifest.json").write_text(json.dumps(manifest))
    assert set(compare(first, second).table["differs"]) == {"other pixels"}
    manifest["configuration"]["fit"] = "stretch"
    (second / "manifest.json").write_text(json.dumps(manifest))
    assert set(compare(first, second).table["differs"]) == {"fit none and stretch"}
    manifest["data"]["dataset"] = "mias"
    (second / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(NotComparable, match="one holds phantom, the other mias"):
        compare(first, second)


def test_other_folds_are_refused(make_run: Callable[..., Path], tmp_path: Path) -> None:
    folds = (("patient-cv", 1, 3),)
    folder = make_run(tmp_path / "a", ("timm:a",), ("linear",), ("mass",), folds, failed=None)
    shutil.copytree(folder, tmp_path / "b")
    assert len(compare(folder, tmp_path / "b").table) == 1

    def shifted(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(fold=(frame["fold"] + 1) % 3)

    change(tmp_path / "b", "predictions", shifted)
    with pytest.raises(NotComparable, match="the same crops, split into other folds"):
        compare(folder, tmp_path / "b")


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", "compare", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_prints_and_writes(first: Path, second: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "compared.csv"
    ended = bench(first, second, "--measure", "mcc", "--out", file)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count(ALIKE) == 8
    assert "mcc, first" in ended.stdout
    assert list(pd.read_csv(file)["measure"]) == ["mcc"] * 8
    same = "both runs have the same {} in every row"
    assert same.format("mcc") in ended.stdout
    change(second, "predictions", lambda frame: frame.assign(score=-frame["score"]))
    assert same.format("auc") not in bench(first, second).stdout


def test_the_command_refuses_in_one_line(first: Path, second: Path, tmp_path: Path) -> None:
    change(second, "lesions", relabelled)
    for arguments, reason in (
        ((first, second), "cannot be compared: the crop mass-0003 has another label"),
        ((first, tmp_path / "none"), "no such folder"),
        ((first, second, "--measure", "kappa"), "--measure 'kappa' is unknown"),
    ):
        ended = bench(*arguments)
        assert ended.returncode == 2
        assert reason in ended.stderr
        assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("drawn", ["patients", "images"])
def test_what_is_drawn_is_named(first: Path, drawn: str) -> None:
    run = read_run(first)
    run.manifest["data"]["patient_ids"] = drawn == "patients"
    assert compare_runs(run, run).drawn == drawn

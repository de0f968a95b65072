"""Bundles hold no path, no user and no id that is not public, and damage to them is found."""

import json
import random
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.commands.predictions import predictions
from bench.commands.sharing.submit import submit
from bench.commands.sharing.verify import verify
from bench.errors import UnusableInput, WorkStopped
from bench.record.folder import RUN_FILES, output_file
from reports.board.bundle import FILES, NotShareable, make_bundle, sealed
from reports.board.cleaning import without_paths
from reports.board.verification import verify_bundle
from reports.systems.run_folder import read_scores

AUDITS = frozenset({"image-cv"})
Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, make_run: Callable[..., Path]) -> Path:
    """A bundle of a small run. Read only."""
    folder = tmp_path_factory.mktemp("bundle")
    # The made-up runs draw other folds for each system, so one system it is.
    run = make_run(
        folder / "run",
        extractors=("torchvision:alexnet",),
        classifiers=("linear",),
        failed=None,
        synthetic=False,
    )
    # The order of rows depends on what is drawn, and which row a damage meets on that.
    drawn = random.Random(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "randbits", drawn.getrandbits)
        patch.setattr(secrets, "token_hex", lambda size: drawn.randbytes(size).hex())
        write(folder / "bundle", make_bundle(read_scores(run)).files)
    return folder / "bundle"


def write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "python -m bench all --data /home/ann/x --out runs/a",
            "python -m bench all --data DATA --out OUT",
        ),
        ("read '/mnt/my data/x.png' twice", "read PATH twice"),
        (r"C:\Users\ann\x and \\host\share", "PATH and PATH"),
        ("~ann/data, ../up and file:///srv/x", "PATH, PATH and PATH"),
        (
            "hf-hub:timm/resnet, https://doi.org/10.1/x",
            "hf-hub:timm/resnet, https://doi.org/10.1/x",
        ),
    ],
)
def test_paths_are_taken_out(text: str, wanted: str) -> None:
    assert without_paths(text, {"ann"}) == wanted


def test_private_ids_are_drawn_for_each_bundle(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    run = read_scores(make_run(tmp_path / "run", synthetic=False))
    run.manifest["run"]["command"] = "bench all --data '/home/ann lee/scans'"
    one, other = (make_bundle(run) for _ in range(2))
    write(tmp_path / "one", one.files)
    write(tmp_path / "other", other.files)
    tables = [pd.read_parquet(tmp_path / name / "predictions.parquet") for name in ("one", "other")]
    for column in ("unit", "crop_id", "lesion_id", "patient_id"):
        sets = [set(table[column]) for table in (*tables, run.predictions)]
        assert not sets[0] & sets[1]
        assert not sets[0] & sets[2]
    assert "ann" not in one.files["manifest.json"].decode()
    assert str(run.manifest["data"].get("fingerprint")) not in one.files["manifest.json"].decode()


def test_a_synthetic_run_is_refused(made_run: Path) -> None:
    with pytest.raises(NotShareable, match="synthetic"):
        make_bundle(read_scores(made_run))


def test_a_whole_bundle_has_no_fault(bundle: Path) -> None:
    verdict = verify_bundle(bundle, AUDITS)
    assert verdict.faults == []
    assert any("scikit-learn" in line for line in verdict.checked)
    assert any("forger" in line for line in verdict.unchecked)


def manifest_damage(change: Callable[[dict[str, Any]], Any]) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / "manifest.json"
        manifest = json.loads(path.read_text())
        change(manifest)
        path.write_text(json.dumps(manifest))

    return damage


def table_damage(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Damage:
    """Damage to a table, under new digests, so that the rows themselves have to show it."""

    def damage(folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text())
        tables = {
            one: pd.read_parquet(folder / f"{one}.parquet") for one in ("units", "predictions")
        }
        tables[name] = change(tables[name].copy())
        write(folder, sealed(manifest, tables["units"], tables["predictions"]))

    return damage


def put(column: str, value: Any, row: int = 0) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[table.index[row], column] = value
        return table

    return change


def lowest_is_highest(table: pd.DataFrame) -> pd.DataFrame:
    """Which row is the first depends on ids that are drawn, and may have the highest score."""
    table.loc[table["score"].idxmin(), "score"] = 99.0
    return table


def flipped(table: pd.DataFrame) -> pd.DataFrame:
    table.loc[0, "label"] = 1 - table.loc[0, "label"]
    return table


def whole_text(folder: Path, name: str, text: bytes) -> None:
    (folder / name).write_bytes(text)


def linked(folder: Path) -> None:
    (folder / "manifest.json").rename(folder.parent / "elsewhere.json")
    (folder / "manifest.json").symlink_to(folder.parent / "elsewhere.json")


def huge(folder: Path) -> None:
    with (folder / "manifest.json").open("r+b") as stream:
        stream.truncate(64 << 20)


def moved_patient(folder: Path) -> None:
    """Two folds of one repeat change the names of a patient each, consistently everywhere."""
    manifest = json.loads((folder / "manifest.json").read_text())
    units, scores = (
        pd.read_parquet(folder / f"{name}.parquet") for name in ("units", "predictions")
    )
    protocol = scores["unit"].map(units.set_index("unit")["protocol"])
    cv = scores[(protocol == "patient-cv") & (scores["repeat"] == 0)]
    first, second = (cv.loc[cv["fold"] == fold, "patient_id"].iloc[0] for fold in (0, 1))
    scores.loc[scores["patient_id"] == second, "patient_id"] = first
    counts = scores.groupby("unit")["patient_id"].nunique()
    units["n_test_patients"] = units["unit"].map(counts).fillna(units["n_test_patients"])
    write(folder, sealed(manifest, units, scores))


def as_audit(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(protocol=table["protocol"].replace("official", "image-cv"))


def changed_figure(manifest: dict[str, Any]) -> None:
    manifest["bundle"]["figures"][0]["auc"] += 2e-6


DAMAGE: dict[str, tuple[Damage, str]] = {
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "is missing"),
    "no JSON": (lambda f: whole_text(f, "manifest.json", b"{"), "cannot be read as JSON"),
    "deep JSON": (lambda f: whole_text(f, "manifest.json", b"[" * 99999), "cannot be read as JSON"),
    "a list": (lambda f: whole_text(f, "manifest.json", b"[]"), "one JSON object"),
    "huge": (huge, "more than"),
    "a link": (linked, "not a plain file"),
    "an image": (lambda f: whole_text(f, "x.png", b"x"), "does not belong"),
    "a pickle": (lambda f: whole_text(f, "x.pkl", b"x"), "does not belong"),
    "other schema": (manifest_damage(lambda m: m.update(schema=99)), "schema is not"),
    "no figures": (manifest_damage(lambda m: m["bundle"].pop("figures")), "lacks its figures"),
    "no data": (manifest_damage(lambda m: m.update(data=[])), "lacks data"),
    "synthetic": (manifest_damage(lambda m: m["data"].update(synthetic=True)), "synthetic"),
    "a path": (manifest_damage(lambda m: m["run"].update(name="/home/ann/x")), "holds a path"),
    "a figure": (manifest_damage(changed_figure), "is stated as"),
    "a figure as text": (
        manifest_damage(lambda m: m["bundle"]["figures"][0].update(auc="0.9")),
        "is stated as",
    ),
    "a system less": (manifest_damage(lambda m: m["bundle"]["figures"].pop()), "states no figures"),
    "truncated": (
        lambda f: whole_text(f, "units.parquet", (f / "units.parquet").read_bytes()[:99]),
        "digest",
    ),
    "no column": (
        table_damage("predictions", lambda t: t.drop(columns="score")),
        "lacks the column",
    ),
    "text": (
        table_damage("predictions", lambda t: t.assign(score=t["score"].astype(str))),
        "must hold numbers",
    ),
    "lists": (
        table_damage("units", lambda t: t.assign(notes=[[1]] * len(t))),
        "holds list",
    ),
    "not finite": (table_damage("predictions", put("score", float("inf"))), "not finite"),
    "label 2": (table_damage("predictions", put("label", 2)), "0 and 1 only"),
    "a label": (table_damage("predictions", flipped), "two values of label"),
    "a score": (table_damage("predictions", lowest_is_highest), "is stated as"),
    "a row less": (table_damage("predictions", lambda t: t.iloc[1:]), "n_test is not"),
    "a row twice": (
        table_damage("predictions", lambda t: pd.concat([t, t.iloc[:1]])),
        "stands twice",
    ),
    "unknown unit": (table_damage("predictions", put("unit", "other")), "not in units.parquet"),
    "no threshold": (table_damage("units", put("threshold", None)), "no threshold"),
    "fold": (table_damage("predictions", put("fold", 9)), "fold is not that"),
    "unit twice": (table_damage("units", lambda t: pd.concat([t, t.iloc[:1]])), "stands twice"),
    "failed": (table_damage("units", put("status", "failed")), "did not run have rows"),
    "no rows": (table_damage("predictions", lambda t: t.iloc[:0]), "has no rows"),
    "patient": (moved_patient, "in two folds"),
    "hidden audit": (table_damage("units", as_audit), "is an audit"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_refused_in_a_line(
    name: str, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder)
    damage, wanted = DAMAGE[name]
    damage(folder)
    with pytest.raises(WorkStopped, match=r"\d+ faults?, see above"):
        verify(folder)
    wrong = [line for line in capsys.readouterr().out.splitlines() if line.startswith("wrong: ")]
    assert any(wanted in line for line in wrong), wrong
    # What a changed value moves are the figures of its system, and each is a line.
    assert len(wrong) == 1 or all("is stated as" in line for line in wrong)


def test_a_bundle_is_made_and_verified_by_command(
    make_run: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(
        tmp_path / "my run",
        extractors=("torchvision:alexnet",),
        subsets=("mass",),
        protocols=(("official", 1, 1),),
        failed=None,
        synthetic=False,
    )
    submit(run, tmp_path / "out", submitter="A. Nobody,  Nowhere")
    (made,) = (tmp_path / "out" / "runs").iterdir()
    assert "/" not in made.name
    assert str(tmp_path) not in (made / "manifest.json").read_text()
    assert read_scores(made).manifest["bundle"]["submitter"] == "A. Nobody, Nowhere"
    verify(made)
    told = capsys.readouterr().out
    assert "nothing wrong was found" in told
    assert "cannot detect a forger" in told
    with pytest.raises(UnusableInput, match="is there already"):
        submit(run, tmp_path / "out")


def test_what_is_taken_for_a_bundle_is_told_from_one(
    make_run: Callable[..., Path], bundle: Path, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "runs" / "first", failed=None, synthetic=False)
    with pytest.raises(UnusableInput, match=r"a run folder, not a bundle; python -m bench submit"):
        verify(run)
    for n in "123":
        shutil.copytree(bundle, tmp_path / "shared" / "runs" / n)
    (tmp_path / "shared" / "runs" / "3" / "manifest.json").unlink()
    for folder in (tmp_path / "shared", tmp_path / "shared" / "runs"):
        with pytest.raises(UnusableInput, match=r"there is one in .*/shared/runs/1, .*runs/2$"):
            verify(folder)
    with pytest.raises(WorkStopped):
        verify(tmp_path / "shared" / "runs" / "3")


def test_there_are_three_files(bundle: Path) -> None:
    assert {one.name for one in bundle.iterdir()} == set(FILES)


def test_no_file_of_a_run_is_replaced(reported_run: Path, tmp_path: Path) -> None:
    there = {one.name for one in reported_run.iterdir() if one.is_file()}
    assert there <= RUN_FILES, "a new file of a run has to stand in RUN_FILES"
    for name in there:
        with pytest.raises(UnusableInput, match="is a file of a run"):
            output_file(reported_run / name)
    assert output_file(reported_run / "scores.csv") == reported_run / "scores.csv"
    assert output_file(tmp_path / "report.html") == tmp_path / "report.html"


def test_the_scores_of_a_run_are_not_replaced_by_a_table_of_them(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run")
    before = (run / "predictions.parquet").read_bytes()
    with pytest.raises(UnusableInput, match=r"predictions\.parquet: is a file of a run"):
        predictions(run, run / "predictions.parquet")
    assert (run / "predictions.parquet").read_bytes() == before


def test_a_bundle_that_did_not_fit_is_not_in_the_way(
    make_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run", failed=None, synthetic=False)
    written = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if len(list(path.parent.iterdir())) > 1:
            raise OSError(28, "No space left on device")
        return written(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            submit(run, tmp_path / "out")
    assert list((tmp_path / "out" / "runs").iterdir()) == []
    submit(run, tmp_path / "out")
    (made,) = (tmp_path / "out" / "runs").iterdir()
    assert {one.name for one in made.iterdir()} == set(FILES)


def test_no_bundle_is_made_that_would_be_refused_for_its_submitter(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run", failed=None, synthetic=False)
    with pytest.raises(UnusableInput, match=r"--submitter 'Ann /home/ann'.*path"):
        submit(run, tmp_path / "out", submitter="Ann /home/ann")
    assert not (tmp_path / "out").exists()

"""Times of several machines never stand in one comparison without a word; of one, no word is."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from reports import build_report
from reports.systems.hosts import distinct_hosts, hosts_note, join_hosts

NOTE = re.compile(r"Times\s+are\s+of\s+2\s+machines\s+\(one, two \(GPU\)\)")
TABLES = ("costs", "fits", "trainings", "comparisons")


def with_hosts(run: Path, folder: Path, trained: str) -> Path:
    """A copy of a run whose networks were trained on one machine and all else done on `one`."""
    copy = Path(shutil.copytree(run, folder))
    for name in ("units", "trainings"):
        table = pd.read_parquet(copy / f"{name}.parquet")
        networks = table["network_time_s"].notna()
        table["host"] = [trained if network else "one" for network in networks]
        table.to_parquet(copy / f"{name}.parquet")
    with_training = set(table["extractor"])
    manifest = json.loads((copy / "manifest.json").read_text())
    for extractor in manifest["extractors"]:
        extractor["host"] = trained if extractor["name"] in with_training else "one"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return copy


def columns(run: Path) -> dict[str, bool]:
    return {name: "host" in pd.read_csv(run / f"tables/{name}.csv") for name in TABLES}


@pytest.mark.parametrize("trained", ["one", "two (GPU)"])
def test_costs_of_several_machines_are_marked(
    trained_run: Path, tmp_path: Path, trained: str
) -> None:
    run = with_hosts(trained_run, tmp_path / "run", trained)
    page = build_report(run).read_text()
    several = trained != "one"
    found = columns(run)
    assert found.pop("trainings") is False  # all on one machine
    assert set(found.values()) == {several}
    assert ("Machines" in page) is several
    for place in ("What does each system cost?", "Cost of each extractor", "Cost of each fit"):
        start = page.index(place)
        assert bool(NOTE.search(page[start : start + 6000])) is several
    figures = [path.read_text() for path in (run / "figures").glob("*cost*.svg")]
    assert figures
    assert all(("machines" in figure) is several for figure in figures)


def test_a_run_without_hosts_has_no_word(trained_run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(trained_run, tmp_path / "run"))
    for name in ("units", "trainings"):
        table = pd.read_parquet(copy / f"{name}.parquet").drop(columns="host", errors="ignore")
        table.to_parquet(copy / f"{name}.parquet")
    page = build_report(copy).read_text()
    assert "Machines" not in page
    assert not any(columns(copy).values())


def test_a_machine_and_its_gpu_are_one_machine() -> None:
    assert distinct_hosts(["one; one (GPU)", None, "one", float("nan"), ""]) == ["one (GPU)"]
    assert join_hosts(["one", "two", "one"]) == "one; two"
    assert not hosts_note(["one", "one (GPU)"])
    assert distinct_hosts(["one (GPU); one (other GPU)"]) == ["one (GPU)", "one (other GPU)"]

"""What a run leaves in the store: what it needs, how long it took, and what may go."""

import importlib.util
import os

import pytest

from bench.execution.clusters import LOCAL
from reports.whole_files import WRITING

TRAINED = """

from extractors import Recipe

RECIPE = Recipe(name="short", epochs=2, batch_size=16, learning_rate=1e-3, weight_decay=0.05)


@register("learner", input_size=32, recipe=RECIPE)
def learner():
    return tiny(4)
"""


@pytest.fixture
def work(phantom, plugin):
    plugin.write_text(plugin.read_text() + TRAINED)
    return (
        *("all", "--data", phantom, "--plugin", plugin, "--subset", "mass"),
        *("--extractors", "tiny-a,learner", "--classifiers", "linear,softmax,logistic"),
        *("--protocols", "official"),
    )


def test_a_run_names_what_it_needs_and_that_is_all_it_needs(bench, work, tmp_path, artifacts):
    run = tmp_path / "run"
    left_over = tmp_path / "cache" / "units" / f"{WRITING}old"
    left_over.parent.mkdir(parents=True)
    left_over.touch()
    os.utime(left_over, (1, 1))
    before = bench(*work, "--dry-run")
    assert "time      roughly" in before.out
    assert "unknown, never measured: training of learner" in " ".join(before.out.split())
    assert bench(*work, "--out", run).status == 0
    after = bench(*work, "--dry-run")
    assert "time      about" in after.out
    assert "never measured" not in after.out
    told = {line for line in (run / "artifacts.txt").read_text().split("\n") if line}
    assert {line.split()[0] for line in told} >= {
        "crops", "copies", "features", "profiles", "trainings", "networks", "units", "saliency",
    }  # fmt: skip
    # No run looks through the store for it.
    assert left_over.exists()
    kept = artifacts()
    other = bench(*work, "--seed", "1", "--out", tmp_path / "other")
    assert other.status == 0
    assert artifacts().keys() > kept.keys()
    pruned = bench("cache", "prune", "--older-than", "0d", "--keep", run, "--yes")
    assert "removed" in pruned.out
    assert not left_over.exists()
    left = artifacts()
    needed = {file: time for file, time in kept.items() if file.parent.parent.name != "sizes"}
    assert left == {file: time for file, time in needed.items() if "index" not in file.parts}
    # It goes on from what is left without a computation.
    assert bench(*work, "--out", run).status == 0
    assert {file: artifacts()[file] for file in left} == left
    new = {file.relative_to(tmp_path / "cache").parts[0] for file in artifacts().keys() - left}
    assert new <= {"index", "sizes"}


@pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="dask and distributed are not installed"
)
@pytest.mark.parametrize("scheduler", ["processes:3", "tcp://127.0.0.1:9", LOCAL])
def test_a_dry_run_says_what_would_be_submitted(bench, work, tmp_path, scheduler):
    ended = bench(*work, "--dry-run", "--scheduler", scheduler)
    assert ended.status == 0, ended.err
    lines = dict(line.split(maxsplit=1) for line in ended.out.splitlines() if " " in line.strip())
    assert ("submits" in lines) == (scheduler != LOCAL)
    assert "not counted, of unknown size: learner, tiny-a" in ended.out
    if scheduler != LOCAL:
        assert "2 of them with a network" in lines["submits"]
        assert "by way of the store: crops" in lines["shares"]
    assert not list((tmp_path / "cache").rglob("*.pickle"))

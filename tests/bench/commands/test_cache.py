"""`cache info` counts what lies in the store; `cache prune` removes what nobody needs."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.errors import UnusableInput, WorkStopped
from bench.record.folder import ARTIFACTS, RunFolder, artifacts_of
from bench.store import Store
from reports.whole_files import WRITING

OLD, NEW, TRAINED = "ab" * 32, "cd" * 32, "ef" * 32
DAYS = {OLD: 40, NEW: 2, TRAINED: 100}


@pytest.fixture
def store(tmp_path):
    """Artifacts of several ages, a crop stack, and what a killed writer left."""
    store = Store(tmp_path / "store")
    for kind, keys in {"features": (OLD, NEW), "units": (OLD,), "networks": (TRAINED,)}.items():
        for key in keys:
            store.put(kind, key, {"x": np.zeros(100)}, {})
            age(store.path(kind, key), DAYS[key])
    for ending in ("stack", "json"):
        file = store.root / "crops" / OLD[:2] / f"{OLD}.{ending}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"12")
        age(file, 40)
    (store.root / "units" / "precious.txt").write_text("no artifact")
    age(store.root / "units" / "precious.txt", 900)
    for name, days in {"killed": 1, "at-work": 0}.items():
        file = store.root / "units" / f"{WRITING}{name}"
        file.write_bytes(b"half")
        age(file, days)
    return store


def age(file, days):
    then = time.time() - days * 86_400
    os.utime(file, (then, then))


@pytest.fixture
def cache(store):
    """Run `bench cache ...`; what it prints."""

    def run(*arguments):
        command = ["cache", *map(str, arguments), "--cache", str(store.root)]
        ended = CliRunner().invoke(app, command, catch_exceptions=False)
        assert ended.exit_code == 0
        return ended.stdout

    return run


def files(store):
    return {path.relative_to(store.root).as_posix(): path for path in store.root.rglob("*.*")
            if path.is_file()}  # fmt: skip


def test_info_is_one_table_by_kind_and_age(cache, store):
    rows = {line.split()[0]: line for line in cache("info").splitlines()}
    size = store.path("features", OLD).stat().st_size
    assert rows["kind"].split()[-7:] == ["under", "7", "d", "under", "30", "d", "older"]
    assert f"{2 * size:,} bytes" in rows["features"] or "kB" in rows["features"]
    assert "2" in rows["features"].split()
    assert "4 bytes" in rows["temporary"]
    found = json.loads(cache("info", "--json"))
    kinds = {one["kind"]: one for one in found["kinds"]}
    assert kinds["features"] == {
        "kind": "features", "files": 2, "size": 2 * size,
        "younger_than_1d": 0, "younger_than_7d": size, "younger_than_30d": 0, "older": size,
    }  # fmt: skip
    assert kinds["crops"]["files"] == 2
    assert kinds["temporary"]["size"] == 4
    assert found["free"] > 0


def test_an_empty_store_is_empty(tmp_path):
    for command in ("info", "prune"):
        ended = CliRunner().invoke(app, ["cache", command, "--cache", str(tmp_path / "none")])
        assert ended.exit_code == 0, ended
        assert "Traceback" not in ended.output
    assert not (tmp_path / "none").exists()


def test_nothing_goes_before_somebody_says_yes(cache, store):
    before = files(store)
    printed = cache("prune")
    assert files(store) == before
    # Two of 40 days, one of 100, a stack of two files, and a temporary one.
    assert "would remove 6 files" in printed
    assert "--yes" in printed
    printed = cache("prune", "--yes")
    assert "removed 6 files" in printed
    gone = before.keys() - files(store).keys()
    assert {name.split("/")[0] for name in gone} == {"features", "units", "networks", "crops"}
    assert store.get("features", NEW) is not None
    assert (store.root / "units" / "precious.txt").exists()
    assert (store.root / "units" / f"{WRITING}at-work").exists()
    assert not (store.root / "units" / f"{WRITING}killed").exists()
    assert "would remove 0 files" in cache("prune")


def test_by_kind_and_age(cache, store):
    cache("prune", "--kinds", "features,networks", "--older-than", "8w", "--yes")
    assert ("networks", TRAINED) not in store
    assert ("features", OLD) in store
    cache("prune", "--kinds", "features", "--older-than", "0d", "--yes")
    assert ("features", NEW) not in store
    assert ("units", OLD) in store


def test_what_a_run_needs_stays(cache, store, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "manifest.json").write_text("{}")
    RunFolder(run).note_artifacts({("features", OLD), ("crops", OLD)})
    # The run goes on, and is cut short in the middle of a line.
    RunFolder(run).note_artifacts({("features", OLD), ("trainings", TRAINED)})
    with (run / ARTIFACTS).open("a") as stream:
        stream.write("\nunits ab")
    RunFolder(run).note_artifacts({("units", NEW)})
    assert (run / ARTIFACTS).read_text().count(OLD) == 2
    assert ("units", NEW) in artifacts_of(run)
    printed = cache("prune", "--older-than", "0d", "--keep", run, "--yes")
    assert "removed 3 files" in printed
    assert ("features", OLD) in store
    # A network goes with its training.
    assert ("networks", TRAINED) in store
    assert ("units", OLD) not in store
    assert (store.root / "crops" / OLD[:2] / f"{OLD}.stack").exists()


def test_a_list_that_a_full_disk_left_empty_keeps_nothing_and_is_refused(cache, store, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "manifest.json").write_text("{}")
    (run / ARTIFACTS).touch()
    with pytest.raises(UnusableInput, match=r"artifacts\.txt: names nothing"):
        cache("prune", "--older-than", "0d", "--keep", run, "--yes")
    assert ("features", OLD) in store
    RunFolder(run).note_artifacts({("features", OLD)})
    assert artifacts_of(run) == {("features", OLD)}


def test_a_list_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / ARTIFACTS).touch()
    full = OSError(28, "No space left on device")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", unwritable(full))
        with pytest.raises(OSError, match=r"No space left.*artifacts\.txt"):
            RunFolder(tmp_path).note_artifacts({("features", OLD)})


def unwritable(error):
    opened = Path.open

    def instead(path, mode="r", *more, **rest):
        if "a" in mode:
            raise error
        return opened(path, mode, *more, **rest)

    return instead


def test_a_folder_that_does_not_say_what_it_needs_is_refused(cache, store, tmp_path):
    with pytest.raises(UnusableInput, match="holds no run"):
        cache("prune", "--keep", tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(UnusableInput, match=ARTIFACTS):
        cache("prune", "--keep", tmp_path, "--yes")
    assert ("units", OLD) in store


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--older-than", "soon"), "not an age such as 12h"),
        (("--older-than", "-1d"), "not an age"),
        (("--kinds", "feature"), "did you mean features"),
    ],
)
def test_what_cannot_be_meant_is_refused(cache, options, reason):
    with pytest.raises(UnusableInput, match=reason):
        cache("prune", *options)


def test_what_cannot_be_removed_is_named_and_the_rest_goes(cache, store, monkeypatch):
    from bench import inventory

    remove = inventory.remove_whole

    def some(path):
        if "features" in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        remove(path)

    monkeypatch.setattr(inventory, "remove_whole", some)
    with pytest.raises(WorkStopped, match=r"1 of 6 files cannot be removed.*Permission denied"):
        cache("prune", "--yes")
    assert ("features", OLD) in store
    assert ("units", OLD) not in store

"""A run that is killed loses nothing that was finished, computes nothing twice, ends the same."""

import json
import random
import re
import signal
import time

import pytest


def arguments(phantom, plugin, out):
    return (
        "all",
        *("--data", phantom, "--plugin", plugin, "--out", out),
        *("--extractors", "tiny-a,tiny-b", "--classifiers", "linear,medium_gaussian,logistic"),
        *("--protocols", "official,patient-cv", "--repeats", "2"),
    )


@pytest.fixture
def undisturbed(bench, phantom, plugin, tmp_path, tables):
    ended = bench(
        *arguments(phantom, plugin, tmp_path / "whole"), BENCH_CACHE=str(tmp_path / "other")
    )
    assert ended.status == 0, ended.err
    return tables(tmp_path / "whole")


@pytest.mark.slow
def test_killed_at_random_points_and_resumed_it_ends_the_same(
    bench, start, phantom, plugin, tmp_path, undisturbed, artifacts, tables
):
    chance = random.Random(5)
    command = arguments(phantom, plugin, tmp_path / "run")
    finished = {}
    for _ in range(4):
        process = start(*command)
        # The store fills within some seconds after the imports; a kill comes somewhere in there.
        deadline = time.monotonic() + 60
        goal = len(finished) + chance.randint(1, 25)
        while process.poll() is None and time.monotonic() < deadline:
            if len(artifacts()) >= goal:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.01)
        process.communicate()
        now = artifacts()
        assert finished.items() <= now.items(), "what was finished was lost or computed again"
        finished = now
    ended = bench(*command)
    assert ended.status == 0, ended.err
    assert finished.items() <= artifacts().items()
    found = tables(tmp_path / "run")
    assert found.keys() == undisturbed.keys()
    for name, content in found.items():
        assert content == undisturbed[name], name


def report_files(run):
    folders = [run / name for name in ("tables", "figures", "paper")]
    return [run / "report.html", *(file for folder in folders for file in folder.iterdir())]


@pytest.mark.slow
def test_a_report_that_was_altered_is_written_again_and_so_it_is_by_its_own_command(
    bench, phantom, plugin, tmp_path
):
    command = arguments(phantom, plugin, tmp_path / "run")
    assert bench(*command).status == 0
    page = tmp_path / "run" / "report.html"
    content = page.read_bytes()
    page.write_bytes(content + b" ")
    assert bench(*command).status == 0
    assert page.read_bytes() == content
    before = page.stat().st_mtime_ns
    assert bench("report", tmp_path / "run").status == 0
    assert page.stat().st_mtime_ns != before
    assert page.read_bytes() == content


def test_a_second_run_computes_nothing(bench, phantom, plugin, tmp_path, artifacts):
    command = arguments(phantom, plugin, tmp_path / "run")
    assert bench(*command).status == 0
    first, summary = artifacts(), (tmp_path / "run/tables/summary.csv").read_bytes()
    written = {file: file.stat().st_mtime_ns for file in report_files(tmp_path / "run")}
    assert bench(*command).status == 0
    assert artifacts() == first
    # Nor is the report written again.
    assert {file: file.stat().st_mtime_ns for file in report_files(tmp_path / "run")} == written
    # Times too: a resumed run keeps the first measurement.
    assert (tmp_path / "run/tables/summary.csv").read_bytes() == summary


@pytest.mark.slow
def test_the_same_command_renews_a_folder_of_an_older_schema(
    bench, phantom, plugin, tmp_path, tables
):
    command = arguments(phantom, plugin, tmp_path / "run")
    assert bench(*command).status == 0
    before, file = tables(tmp_path / "run"), tmp_path / "run" / "manifest.json"
    manifest = json.loads(file.read_text())
    del manifest["protocols"]
    file.write_text(json.dumps(manifest | {"schema": 1}))
    refused = bench("report", tmp_path / "run")
    assert refused.status == 2
    assert "the same `bench all` command renews the folder" in refused.err
    assert bench(*command).status == 0
    assert tables(tmp_path / "run") == before
    assert bench("report", tmp_path / "run").status == 0


def test_an_altered_artifact_is_computed_again(bench, phantom, plugin, tmp_path, tables):
    command = arguments(phantom, plugin, tmp_path / "run")
    assert bench(*command).status == 0
    before = tables(tmp_path / "run")
    unit = sorted((tmp_path / "cache/units").rglob("*.safetensors"))[0]
    content = bytearray(unit.read_bytes())
    content[-1] ^= 0xFF
    unit.write_bytes(content)
    assert bench(*command).status == 0
    assert tables(tmp_path / "run") == before


def test_ctrl_c_leaves_a_clean_store_and_says_how_to_go_on(
    start, bench, phantom, plugin, tmp_path, artifacts
):
    command = arguments(phantom, plugin, tmp_path / "run")
    process = start(*command)
    while process.poll() is None and len(artifacts()) < 8:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in err
    assert "same command" in err
    assert "Traceback" not in err
    assert not list(tmp_path.rglob(".writing-*"))
    assert bench(*command).status == 0


def test_a_second_run_imports_no_torch(bench, phantom, tmp_path):
    """It takes seconds, and nothing is left to compute."""
    command = (
        *("all", "--data", phantom, "--subset", "mass", "--out", tmp_path / "run"),
        *("--extractors", "bundled:efficientnet_lite0", "--classifiers", "linear"),
    )
    first = bench(*command, PYTHONPROFILEIMPORTTIME="1")
    assert first.status == 0
    assert re.search(r"\| +torch\n", first.err)
    second = bench(*command, PYTHONPROFILEIMPORTTIME="1")
    assert second.status == 0
    assert re.search(r"\| +pandas\n", second.err)
    assert not re.search(r"\| +(torch|timm)\n", second.err)

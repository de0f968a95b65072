"""A run from a file of options, and a run again from its own manifest."""

import json

import pytest


@pytest.fixture
def command(many_patients, plugin):
    return (
        *("all", "--data", many_patients, "--plugin", plugin, "--subset", "mass"),
        *("--extractors", "tiny-a,selected", "--classifiers", "linear,medium_gaussian"),
        *("--protocols", "patient-cv", "--repeats", "2", "--seed", "5", "--size", "64"),
    )


def manifest(run):
    return json.loads((run / "manifest.json").read_text())


def test_a_manifest_repeats_its_run_byte_for_byte(bench, command, tmp_path, same_run):
    assert bench(*command, "--out", tmp_path / "one").status == 0
    again = bench(
        *("all", "--config", tmp_path / "one" / "manifest.json", "--out", tmp_path / "two"),
        BENCH_CACHE=str(tmp_path / "fresh"),
        PYTHONHASHSEED="7",
    )
    assert again.status == 0, again.err
    same_run(tmp_path / "one", tmp_path / "two")
    first, second = manifest(tmp_path / "one"), manifest(tmp_path / "two")
    assert first["configuration"] == second["configuration"]
    assert first["configuration_digest"] == second["configuration_digest"]
    page = (tmp_path / "two" / "report.html").read_text()
    assert f"SHA-256 {first['configuration_digest']}" in page
    # What the machine decides stands among the options: another machine takes it from there.
    options = first["options"]
    assert {"threads", "memory", "precision", "device"} <= set(options)
    assert {**options, "out": ""} == {**second["options"], "out": ""}
    assert "changed since" not in again.err


def test_the_command_line_wins_over_the_file(bench, command, tmp_path, many_patients, plugin):
    file = tmp_path / "run.toml"
    file.write_text(
        f'data = "{many_patients}"\nplugin = ["{plugin}"]\nsubset = ["mass"]\n'
        'extractors = ["tiny-a"]\nclassifiers = ["linear"]\ndry-run = true\ntune = true\n'
    )
    plan = bench("all", "--config", file)
    assert plan.status == 0, plan.err
    assert "linear+tuned" in plan.out
    plan = bench("all", "--config", file, "--no-tune", "--extractors", "tiny-b", "--dry-run")
    assert plan.status == 0, plan.err
    assert "tiny-b" in plan.out
    assert "tuned" not in plan.out
    assert "tiny-a" not in plan.out


def test_a_wrong_option_in_a_file_is_one_line(bench, tmp_path):
    file = tmp_path / "run.toml"
    file.write_text("extractor = 'a'\n")
    ended = bench("all", "--config", file)
    assert ended.status == 2
    assert ended.err.strip() == f"bench: {file}: 'extractor' is no option; did you mean extractors?"


def test_a_file_to_begin_with_is_written_once(bench, tmp_path):
    assert bench("init").status == 0
    assert "# extractors = [" in (tmp_path / "run.toml").read_text()
    again = bench("init")
    assert again.status == 2
    assert "run.toml: is there already, and is not replaced" in again.err


def test_data_that_have_changed_since_are_said(bench, plugin, tmp_path):
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for name in ("benign", "malignant"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(10):
            grey = rng.integers(0, 256, (24, 24)).astype(np.uint8)
            Image.fromarray(grey).save(tmp_path / "data" / name / f"{number}.png")
    command = ("all", "--data", "data", "--plugin", plugin, "--extractors", "tiny-a")
    chosen = ("--classifiers", "linear", "--protocols", "patient-cv", "--repeats", "1")
    assert bench(*command, *chosen, "--out", "one").status == 0
    Image.fromarray(grey.T).save(tmp_path / "data/benign/3.png")
    again = bench("all", "--config", "one", "--out", "two")
    assert again.status == 0
    assert "one/manifest.json: the data changed since that run" in " ".join(again.err.split())
    again = bench("all", "--config", "one")
    assert again.status == 2
    assert "holds a run on other crops" in again.err

"""A run folder belongs to one configuration from its first moment."""

import json

import pytest

from bench.errors import UnusableInput
from bench.record.folder import RunFolder


def manifest(created="2026-01-01", **configuration):
    return {
        "schema": 1,
        "run": {"name": "r", "created": created},
        "configuration": {"seed": 0, "extractors": ["a", "b"]} | configuration,
    }


def test_the_same_configuration_goes_on_and_keeps_the_first_date(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.claim(manifest("2026-01-01"))
    before = folder.manifest_file.read_bytes()
    assert folder.claim(manifest("2026-02-02"))["run"]["created"] == "2026-01-01"
    # A finished run's manifest is replaced when there are results again, not before.
    assert folder.manifest_file.read_bytes() == before


def test_a_folder_of_an_older_schema_is_gone_on_with(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.claim(manifest("2026-01-01") | {"schema": 0})
    assert folder.claim(manifest("2026-02-02"))["run"]["created"] == "2026-01-01"


@pytest.mark.parametrize("change", [{"seed": 1}, {"extractors": ["a"]}, {"new": True}])
def test_another_configuration_is_refused_by_name_and_nothing_changes(tmp_path, change):
    folder = RunFolder(tmp_path / "run")
    folder.claim(manifest())
    before = folder.manifest_file.read_bytes()
    with pytest.raises(UnusableInput, match=rf"with {next(iter(change))} .*--out"):
        folder.claim(manifest(**change))
    assert folder.manifest_file.read_bytes() == before


def test_a_folder_of_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UnusableInput, match="holds files but no run"):
        RunFolder(tmp_path).claim(manifest())
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    "name", [".writing-4f2a.json", ".DS_Store", "Thumbs.db", "thumbs.db", "desktop.ini", "._run"]
)
def test_what_nobody_put_there_on_purpose_does_not_matter(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    RunFolder(tmp_path).claim(manifest())
    assert (tmp_path / "manifest.json").is_file()
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UnusableInput, match="holds files but no run"):
        RunFolder(tmp_path).claim(manifest())


def test_an_empty_folder_is_taken(tmp_path):
    RunFolder(tmp_path).claim(manifest())
    assert json.loads((tmp_path / "manifest.json").read_text())["configuration"]["seed"] == 0


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"run": {}}', '{"run": 1, "configuration": 2}']
)
def test_a_manifest_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(UnusableInput, match="not the manifest of a run"):
        RunFolder(tmp_path).claim(manifest())


def test_a_file_in_the_folders_place_is_refused(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(UnusableInput, match="is a file"):
        RunFolder(tmp_path / "run").claim(manifest())


def test_the_rule_that_differs_is_named(tmp_path):
    folder = RunFolder(tmp_path / "run")
    rules = {"device": "cpu", "bfloat16": True, "threads": 2}
    folder.claim(manifest(rules=rules))
    with pytest.raises(UnusableInput, match="holds a run with threads 2, this one has 4"):
        folder.claim(manifest(rules={**rules, "threads": 4}))

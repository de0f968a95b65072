"""What the doctor says fits 80 columns, names together what is fine, cuts no name; as JSON, too."""

import json

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.commands.doctor import Check, print_checks
from bench.provenance import suite_version

ADDRESS = "https://example.org/" + "a" * 90


def test_findings_fit_80_columns_and_keep_names_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    fine = [Check("ok", f"timm:network_{i}", "cached", backbone=True) for i in range(30)]
    print_checks(
        [
            *fine,
            Check("ok", "memory", "20 GiB free"),
            Check("bad", "data", "x " * 60 + "[bold]", "see `data info PATH`"),
            Check("note", "timm:one", "weights not cached", f"get {ADDRESS}"),
            Check("note", "timm:two", "weights not cached", f"get {ADDRESS}"),
        ]
    )
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert [line for line in lines if len(line) > 80 and ADDRESS not in line] == []
    assert printed.count("weights cached:") == 1
    assert all(finding.what in printed.split() or f"{finding.what}," in printed for finding in fine)
    # One hint for both, and text is no markup.
    assert printed.count(ADDRESS) == 1
    assert "timm:one, timm:two: weights not cached" in printed
    assert "[bold]" in printed


def test_json_holds_versions_and_each_check(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Check("ok", "memory", "20 GiB free"), Check("bad", "store", "full", "make room")]
    monkeypatch.setattr("bench.commands.doctor.examine", lambda *_: found)
    ended = CliRunner().invoke(app, ["doctor", "--json"])
    assert ended.exit_code == 1
    printed = json.loads(ended.stdout)
    assert [(one["state"], one["what"], one["hint"]) for one in printed["checks"]] == [
        ("ok", "memory", ""),
        ("bad", "store", "make room"),
    ]
    assert printed["environment"]["packages"].keys() >= {"torch", "timm", "scikit-learn"}


def test_version_is_printed_without_a_command() -> None:
    ended = CliRunner().invoke(app, ["--version"])
    assert ended.exit_code == 0
    assert ended.stdout == f"vit-svm-bench {suite_version()}\n"

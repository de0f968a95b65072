"""What the doctor says fits 80 columns, names together what is fine, and cuts no name."""

import pytest

from bench.commands.doctor import Check, print_checks

ADDRESS = "https://example.org/" + "a" * 90


def test_findings_fit_80_columns_and_keep_names_whole(capsys: pytest.CaptureFixture[str]) -> None:
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

"""The values that the page draws are those of the tables."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.page.lead import counted
from reports.page.page import as_json, squeezed
from reports.statistics.all_pairs import critical_value, defined_draws, pairwise


def values(folder: Path) -> dict:
    page = (folder / "report.html").read_text(encoding="utf-8")
    found = re.search(r'<script id="data-of-page"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


@pytest.mark.parametrize("kind", ["reported_run", "trained_run"])
def test_every_value_is_that_of_the_summary(request: pytest.FixtureRequest, kind: str) -> None:
    folder = request.getfixturevalue(kind)
    summary = pd.read_csv(folder / "tables" / "summary.csv")
    told = values(folder)
    compared = 0
    for group in told["groups"]:
        subset, _, protocol = group["title"].partition(", ")
        rows = summary[(summary["subset"] == subset) & (summary["protocol"] == protocol)]
        for system in group["systems"]:
            if "v" not in system:
                continue
            name = system["x"]
            name = f"'{name}" if name.startswith("=") else name
            own = rows[rows["extractor"] == name]
            for place, (measure, *_) in enumerate(told["measures"]):
                ends = ("", "_ci_low", "_ci_high", "_std")
                columns = [f"{measure}{end}" for end in ends]
                known = own[columns].astype(float).to_numpy()
                wanted = np.array([np.nan if v is None else v for v in system["v"][place]])
                assert any(np.allclose(row, wanted, rtol=1e-6, equal_nan=True) for row in known)
                compared += 1
    assert compared > 100


def test_nothing_in_the_values_opens_or_ends_an_element() -> None:
    text = as_json({"name": "</script><b>&"})
    assert "<" not in text
    assert json.loads(text) == {"name": "</script><b>&"}


def test_the_script_is_small(reported_run: Path) -> None:
    page = (reported_run / "report.html").read_text()
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(script) <= 45_000
    assert squeezed("// a\n  b;\n/* c */") == "b;"


def test_one_row_is_one_row() -> None:
    assert [counted(n, "row") for n in (1, 2, 1234)] == ["1 row", "2 rows", "1,234 rows"]


def test_all_pairs_at_once_take_more_than_one_pair() -> None:
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(6, 4000))
    value = np.zeros(6)
    assert 1.9 < critical_value(value[:2], draws[:2]) < 2.05
    # 15 pairs of 6 independent means: the studentized range, 4.03 by table, over the root of 2.
    assert critical_value(value, draws) == pytest.approx(4.03 / np.sqrt(2), abs=0.08)
    assert critical_value(value[:2], np.ones((2, 100))) == 0
    assert np.isnan(critical_value(value[:1], draws[:1]))


def test_pairs_are_the_differences_of_the_draws() -> None:
    draws = np.random.default_rng(1).normal(size=(4, 500))
    found = pairwise(draws)
    assert len(found.error) == 6
    last = draws[2] - draws[3]
    assert found.error[-1] == pytest.approx(last.std(ddof=1))
    assert (found.low[-1], found.high[-1]) == pytest.approx(
        tuple(np.quantile(last, [0.025, 0.975]))
    )


def test_too_many_undefined_draws_give_nothing() -> None:
    draws = np.ones((2, 100))
    draws[0, :4] = np.nan
    assert defined_draws(draws).shape == (2, 96)
    draws[1, :6] = np.nan
    assert defined_draws(draws) is None

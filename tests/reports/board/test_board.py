"""The board puts equal settings into one column, averages nothing early, and works in a browser."""

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.commands.sharing.board import board
from bench.errors import UnusableInput, WorkStopped
from reports.board.matrix import matrix_of
from reports.board.settings import settings_of
from reports.systems.run_folder import read_scores

CHROMIUM = os.environ.get("BENCH_CHROMIUM") or shutil.which("chromium")
SYSTEMS = ("torchvision:alexnet", "timm:vit_tiny_patch16_224", "random:resnet18", "shortcut:size")
Runs = Callable[..., Path]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, make_run: Runs) -> Path:
    """A run with an audit. Read only."""
    folder = make_run(
        tmp_path_factory.mktemp("board") / "first",
        extractors=SYSTEMS,
        classifiers=("medium_gaussian",),
        subsets=("mass",),
        protocols=(("official", 1, 1), ("image-cv", 1, 2)),
        failed=None,
        synthetic=False,
    )
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"audits": ["image-cv"]}))
    return folder


def changed(run: Path, to: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """A copy of a run whose manifest is another."""
    shutil.copytree(run, to)
    manifest = json.loads((to / "manifest.json").read_text())
    change(manifest)
    (to / "manifest.json").write_text(json.dumps(manifest))
    return to


def later(manifest: dict[str, Any]) -> None:
    manifest["run"] |= {"created": "2031-01-01T00:00:00+0000", "name": "later"}


def test_equal_settings_share_a_column_and_the_newest_run_is_drawn(
    run: Path, tmp_path: Path
) -> None:
    newer = changed(run, tmp_path / "later", later)
    settings, left_out = settings_of([read_scores(newer), read_scores(run)])
    assert len(settings) == 1
    entries = settings[0].entries["torchvision:alexnet", "imagenet", "frozen"]
    assert entries[0].created.startswith("2031")
    assert len(entries) == 2
    assert (0, "image-cv is an audit") in left_out
    # Random weights have no row.
    assert not [row for row in settings[0].entries if row[0].startswith("random:")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m["data"].update(fingerprint="0" * 64), "other pictures"),
        (lambda m: m["data"].update(dataset="x", fingerprint="1" * 64), "other pictures"),
    ],
)
def test_another_setting_has_a_column_of_its_own_and_the_reason(
    run: Path, tmp_path: Path, change: Callable[[dict[str, Any]], Any], reason: str
) -> None:
    other = changed(run, tmp_path / "other", change)
    settings, _ = settings_of([read_scores(run), read_scores(other)])
    assert len(settings) == 2
    assert any(reason in why for why in settings[1].reasons)


def test_other_test_rows_are_another_setting(run: Path) -> None:
    one = read_scores(run)
    others = one.predictions.assign(patient_id="x" + one.predictions["patient_id"].astype(str))
    settings, _ = settings_of([one, replace(one, predictions=others)])
    assert "patients" in settings[1].reasons[0]


def test_nothing_is_averaged_over_fewer_than_five_settings(run: Path) -> None:
    runs = [read_scores(run)]
    for number in range(4):
        data = {**runs[0].manifest["data"], "fingerprint": str(number)}
        runs.append(replace(runs[0], manifest=runs[0].manifest | {"data": data}))
    assert matrix_of(settings_of(runs[:4])[0]).ranks is None
    found = matrix_of(settings_of(runs)[0])
    assert found.ranks is not None
    # Neither reference points nor what is chosen inside training have a rank.
    assert {row[0] for row in found.ranked} == set(SYSTEMS[:2])


def test_the_page_asks_nothing_of_the_network_and_escapes_names(run: Path, tmp_path: Path) -> None:
    def hostile(manifest: dict[str, Any]) -> None:
        later(manifest)
        manifest["data"]["title"] = manifest["run"]["name"] = "<script>alert(1)</script>"

    board([run, changed(run, tmp_path / "later", hostile)], tmp_path / "board.html")
    page = (tmp_path / "board.html").read_text()
    assert page.startswith("<!doctype html>")
    assert page.count("<script") == 1
    assert "default-src 'none'" in page
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    assert str(tmp_path) not in page
    assert len(page) < 60_000


def test_what_has_no_place_on_the_board_is_told_in_a_line(
    run: Path, made_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "board.html"
    with pytest.raises(UnusableInput, match="synthetic"):
        board([made_run], out)
    assert not out.exists()
    older = changed(run, tmp_path / "older", lambda m: m.update(schema=2))
    with pytest.raises(WorkStopped, match="3 of 4 runs"):
        board([run, made_run, older, tmp_path / "none"], out)
    told = capsys.readouterr().out
    assert "written with schema 2" in told
    assert "older/manifest.json: written with schema 2" in out.read_text()
    assert str(tmp_path) not in out.read_text()


def test_an_audit_is_left_out_whatever_its_run_says_of_it(run: Path, tmp_path: Path) -> None:
    hidden = changed(run, tmp_path / "hidden", lambda m: m.update(audits=[]))
    board([hidden], tmp_path / "board.html")
    page = (tmp_path / "board.html").read_text()
    assert "image-cv is an audit" in page
    assert 'scope="colgroup" data-over="0" colspan="1">image-cv' not in page


def test_an_empty_board_says_how_to_submit(tmp_path: Path) -> None:
    board(None, tmp_path / "board.html")
    page = (tmp_path / "board.html").read_text()
    assert "python -m bench submit" in page
    assert "Made-up values" in page


@pytest.mark.skipif(
    not CHROMIUM and not os.environ.get("CI"),
    reason="no Chromium (set BENCH_CHROMIUM, or install chromium)",
)
def test_facets_work_in_a_browser_and_stand_in_the_address(run: Path, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    board([run, changed(run, tmp_path / "later", later)], tmp_path / "board.html")
    address = (tmp_path / "board.html").as_uri()
    trouble: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.goto(address + "#family=pretrained+CNN")
        rows = page.locator(".matrix tr[data-row]:visible th").all_inner_texts()
        assert [text.split("\n")[0] for text in rows] == ["torchvision:alexnet", "shortcut:size"]
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.get_by_text("Choose").click()
        page.get_by_role("button", name="clear").click()
        page.locator(".matrix tr[data-row]:visible").nth(2).wait_for(timeout=5000)
        assert "family" not in page.url
        browser.close()
    assert not trouble

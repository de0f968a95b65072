"""The page works in a browser: picture, facets, pairs, table, address, print, without a script."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = os.environ.get("BENCH_CHROMIUM") or shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    not CHROMIUM and not os.environ.get("CI"),
    reason="no Chromium (set BENCH_CHROMIUM, or install chromium)",
)
ROWS = "#systems tbody tr"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def opened(
    browser: Any, folder: Path, width: int = 1280, view: str = "", **options: Any
) -> tuple[Any, list[str]]:
    """The page, and a list that fills with what went wrong or was asked of the network."""
    page = browser.new_page(viewport={"width": width, "height": 900}, **options)
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    address = (folder / "report.html").as_uri()
    page.on(
        "request",
        lambda request: (
            None
            if request.url.partition("#")[0] == address or request.url.startswith("data:")
            else trouble.append(request.url)
        ),
    )
    page.goto(address + view)
    return page, trouble


def lines(page: Any) -> list[str]:
    """What a screen reader is told of each line of the picture."""
    found = page.locator("#forest [role=option]").evaluate_all(
        "all => all.map(one => one.getAttribute('aria-label'))"
    )
    return [str(text) for text in found]


def test_the_picture_has_a_line_a_backbone_and_leaves_random_weights_out(
    browser: Any, reported_run: Path
) -> None:
    page, trouble = opened(browser, reported_run)
    told = lines(page)
    assert any(text.startswith("vit_small_patch16_224, medium gaussian: AUC") for text in told)
    assert not any("resnet18" in text for text in told)
    # What failed stands at the end with its reason.
    assert "weights not cached" in told[-1]
    page.get_by_label("random weights (1)").check()
    assert any("resnet18 (random)" in text for text in lines(page))
    assert "r=1" in page.url
    assert trouble == []


def test_the_address_brings_a_view_back(browser: Any, reported_run: Path) -> None:
    page, trouble = opened(browser, reported_run)
    page.locator("#m").select_option("accuracy")
    page.locator("#rule").select_option("linear")
    page.locator("#o").select_option("name")
    page.locator("#q").fill("vit")
    told = lines(page)
    assert told
    assert all(", linear: Accuracy" in text for text in told)
    again, _ = opened(browser, reported_run, view="#" + page.url.partition("#")[2])
    assert lines(again) == told
    assert again.locator("#q").input_value() == "vit"
    assert trouble == []


def test_figures_filter_the_table_and_the_number_of_rows_stays_in_view(
    browser: Any, reported_run: Path
) -> None:
    page, trouble = opened(browser, reported_run)
    page.locator("#all h2").scroll_into_view_if_needed()
    page.locator("#all-groups").check()
    page.locator("#q2").fill("auc>0.55 classifier:linear")
    page.locator(ROWS).first.wait_for()
    values = page.locator(f"{ROWS} td:nth-child(2)").all_inner_texts()
    assert all(float(text.split()[0]) > 0.55 for text in values)
    page.locator("#q2").fill("auc>2")
    assert page.locator("#count").inner_text() == "0 of 48 rows"
    page.locator("#clear").click()
    assert page.locator("#count").inner_text() == "48 of 48 rows"
    assert page.locator(ROWS).count() == 48
    page.locator("#systems thead button").nth(1).click()
    shown = [t.split()[0] for t in page.locator(f"{ROWS} td:nth-child(2)").all_inner_texts() if t]
    assert [float(t) for t in shown] == sorted((float(t) for t in shown), reverse=True)
    assert trouble == []


def test_a_pair_shows_both_intervals_and_who_is_wrong(browser: Any, reported_run: Path) -> None:
    page, trouble = opened(browser, reported_run)
    page.locator("#forest").focus()
    page.keyboard.press("p")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("p")
    text = page.locator("#pair").inner_text()
    assert re.search(r"A − B: -?\d\.\d{3} \[.*\] alone, \[.*\] with all pairs shown", text)
    cells = page.locator("#pair td.number").all_inner_texts()
    assert sum(int(cell) for cell in cells) == 60
    assert "a=" in page.url
    assert "b=" in page.url
    assert trouble == []


def test_a_table_is_made_when_it_is_opened(browser: Any, reported_run: Path) -> None:
    page, trouble = opened(browser, reported_run)
    part = page.locator("details[data-table=confusion]")
    assert part.locator("table").count() == 0
    part.locator("summary").click()
    part.locator("table").wait_for()
    assert part.locator("caption").inner_text() == "Confusion counts"
    part.locator("thead button").first.click()
    assert part.locator("thead th").first.get_attribute("aria-sort") == "ascending"
    assert trouble == []


def test_without_a_script_there_is_a_picture_and_a_table(browser: Any, reported_run: Path) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto((reported_run / "report.html").as_uri())
    assert page.locator("svg.still").is_visible()
    texts = page.locator("svg.still text").all_text_contents()
    assert "vit_small_patch16_224, medium gaussian" in texts
    assert not page.locator("#controls").is_visible()
    context.close()


def test_print_is_short_and_begins_with_the_picture(
    browser: Any, reported_run: Path, tmp_path: Path
) -> None:
    page, _ = opened(browser, reported_run)
    page.emulate_media(media="print")
    path = tmp_path / "page.pdf"
    page.pdf(path=path, format="A4")
    assert len(re.findall(rb"/Type\s*/Page[^s]", path.read_bytes())) <= 8
    assert page.locator("#all .printed").first.is_visible()
    assert not page.locator("#systems").is_visible()


@pytest.mark.parametrize(
    ("kind", "width", "scheme"),
    [
        ("reported_run", 1280, "light"),
        ("trained_run", 390, "dark"),
        pytest.param("reported_run", 390, "dark", marks=pytest.mark.slow),
        pytest.param("trained_run", 1280, "dark", marks=pytest.mark.slow),
    ],
)
def test_fits_its_width_and_has_no_serious_barrier(
    browser: Any, request: pytest.FixtureRequest, kind: str, width: int, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    # axe is injected as a script, which the page's own policy would refuse.
    folder = request.getfixturevalue(kind)
    page, trouble = opened(browser, folder, width, color_scheme=scheme, bypass_csp=True)
    top = page.locator("#forest").bounding_box()["y"]
    assert top <= (320 if width > 640 else 560)
    for details in page.locator("details").all():
        details.evaluate("element => { element.open = true }")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    violations = Axe().run(page).response["violations"]
    serious = [v["id"] for v in violations if v["impact"] in ("serious", "critical")]
    assert serious == []
    assert trouble == []


def test_a_script_in_a_name_does_not_run(browser: Any, reported_run: Path) -> None:
    page, _ = opened(browser, reported_run)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(1)>')")
    page.wait_for_timeout(200)
    assert dialogs == []

"""The page works in a browser: it sorts, filters, asks for nothing, and has no barriers."""

import os
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
TABLE = "#table-mass-official"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def opened(browser: Any, folder: Path, width: int = 1280, **options: Any) -> tuple[Any, list[str]]:
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
            if request.url == address or request.url.startswith("data:")
            else trouble.append(request.url)
        ),
    )
    page.goto(address)
    return page, trouble


def shown(page: Any, column: int, rows: str = "tbody tr:not([hidden])") -> list[str]:
    cells = page.locator(f"{TABLE} {rows} > :nth-child({column})")
    return [text.split()[0] if text.split() else "" for text in cells.all_inner_texts()]


def test_sorts_by_mouse_and_keyboard_with_empty_cells_last(
    browser: Any, reported_run: Path
) -> None:
    page, trouble = opened(browser, reported_run)
    heading = page.locator(f"{TABLE} thead th").nth(3)
    assert heading.inner_text().startswith("AUC")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    values = shown(page, 4)
    figures = [float(value) for value in values if value]
    assert figures == sorted(figures, reverse=True)
    assert values[-1] == ""
    heading.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    values = shown(page, 4)
    assert [float(value) for value in values if value] == sorted(figures)
    assert values[-1] == ""
    page.locator(f"{TABLE} thead th").nth(0).get_by_role("button").press("Space")
    assert heading.get_attribute("aria-sort") == "none"
    assert trouble == []


def test_filters_by_words_and_says_how_many(browser: Any, reported_run: Path) -> None:
    page, trouble = opened(browser, reported_run)
    field = page.locator("#filter-table-mass-official")
    field.fill("random gaussian")
    assert shown(page, 1) == ["random:resnet18"]
    assert page.locator("#results .tools .shown").first.inner_text() == "1 of 12 rows"
    field.fill("<script>")
    assert len(shown(page, 1)) == 2
    field.fill("")
    assert len(shown(page, 1)) == 12
    assert trouble == []


def test_a_word_can_be_sought_in_one_column(browser: Any, reported_run: Path) -> None:
    page, trouble = opened(browser, reported_run)
    field = page.locator("#filter-table-mass-official")
    field.fill("classifier:linear")
    assert len(shown(page, 1)) == 6
    field.fill("extractor:linear")
    assert shown(page, 1) == []
    # A name's own colon is no column.
    field.fill("random:resnet18 weights:random")
    assert set(shown(page, 1)) == {"random:resnet18"}
    assert trouble == []


def test_the_search_filters_every_table_and_leads_to_folded_ones(
    browser: Any, reported_run: Path
) -> None:
    page, trouble = opened(browser, reported_run)
    page.locator("#filter-table-mass-official").fill("gaussian")
    page.locator("#search").fill("resnet18")
    assert shown(page, 1) == ["random:resnet18"]
    links = page.locator("#hits a").all_inner_texts()
    assert "Results: mass, official (1)" in links
    assert "Confusion counts (8)" in links
    assert page.locator("#found").inner_text().endswith(f"in {len(links)} tables")
    table = page.locator("#rows-confusion")
    assert not table.is_visible()
    page.get_by_role("link", name="Confusion counts (8)").click()
    table.wait_for(state="visible")
    page.locator("#search").fill("")
    assert len(shown(page, 1)) == 6
    assert page.locator("#hits a").count() == 0
    assert trouble == []


def test_anchors_and_skip_link(browser: Any, reported_run: Path) -> None:
    page, trouble = opened(browser, reported_run)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "results"
    page.get_by_role("navigation").get_by_role("link", name="Costs").click()
    assert page.locator("#costs h2").is_visible()
    assert page.url.endswith("#costs")
    assert trouble == []


def test_the_crops_in_figures_are_shown(browser: Any, reported_run: Path) -> None:
    page, trouble = opened(browser, reported_run)
    # The montage's crop, then a crop whole and in patches, by their pixels as decoded.
    sizes = page.evaluate(
        """Promise.all([...document.querySelectorAll("#data svg image")].map(async (image) => {
            const picture = new Image();
            picture.src = image.href.baseVal;
            await picture.decode();
            const box = image.getBoundingClientRect();
            return [picture.naturalWidth, box.width > 50 && Math.abs(box.width - box.height) < 1];
        }))"""
    )
    assert sizes == [[1, True], [224, True], [14 * 20 - 4, True]]
    assert trouble == []


@pytest.mark.parametrize("kind", ["reported_run", "trained_run"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "dark")])
def test_fits_its_width_and_has_no_serious_barrier(
    browser: Any,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    width: int,
    scheme: str,
    kind: str,
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    # axe is injected as a script, which the page's own policy would refuse.
    folder = request.getfixturevalue(kind)
    page, trouble = opened(browser, folder, width, color_scheme=scheme, bypass_csp=True)
    for details in page.locator("details").all():
        details.evaluate("element => { element.open = true }")
    # What the page leaves for later has to fit, too.
    page.add_style_tag(content="* { content-visibility: visible !important }")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=tmp_path / f"report-{width}-{scheme}.png")
    violations = Axe().run(page).response["violations"]
    serious = [v["id"] for v in violations if v["impact"] in ("serious", "critical")]
    assert serious == []
    assert trouble == []


def test_what_is_far_from_the_window_waits_and_is_there_when_reached(
    browser: Any, reported_run: Path
) -> None:
    page, trouble = opened(browser, reported_run)
    laid_out = "element => element.checkVisibility({contentVisibilityAuto: true})"
    figure = page.locator("#costs figure svg").first
    assert not figure.evaluate(laid_out)
    page.get_by_role("navigation").get_by_role("link", name="Costs").click()
    page.wait_for_timeout(200)
    assert figure.evaluate(laid_out)
    assert page.locator("#costs h2").bounding_box()["y"] < 450
    assert trouble == []


def test_the_name_of_a_row_stays_in_view_while_its_table_moves(
    browser: Any, trained_run: Path
) -> None:
    page, trouble = opened(browser, trained_run, 800)
    name = page.locator("#rows-trainings tbody th").first
    frame = page.locator(".scroll:has(#rows-trainings)")
    name.scroll_into_view_if_needed()
    before = name.bounding_box()
    frame.evaluate("element => { element.scrollLeft = 300 }")
    assert frame.evaluate("element => element.scrollLeft") == 300
    assert name.bounding_box()["x"] == before["x"]
    assert trouble == []


def test_a_script_in_a_name_does_not_run(browser: Any, reported_run: Path) -> None:
    page, _ = opened(browser, reported_run)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(1)>')")
    page.wait_for_timeout(200)
    assert dialogs == []

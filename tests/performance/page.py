"""Prints the budgets of a report's page: size, elements, loading, place of the picture, facets.

    python tests/performance/page.py RUN/report.html

The limits are for a run of some 330 rows on a machine that is not busy.
"""

import os
import shutil
import sys
from pathlib import Path

_MEASURED = """() => {
    const box = document.querySelector('#families input');
    const times = [];
    for (let turn = 0; box && turn < 6; turn += 1) {
        const start = performance.now();
        box.click();
        document.body.getBoundingClientRect();
        times.push(performance.now() - start);
    }
    return {
        top: document.querySelector('#forest').getBoundingClientRect().top,
        loaded: performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd,
        facet: Math.max(0, ...times),
    };
}"""


def main(path: Path) -> None:
    """Measure one page on a desk and on a phone, and print each figure beside its limit."""
    from playwright.sync_api import sync_playwright

    print(f"size: {path.stat().st_size / 1e6:.2f} MB (limit 1.2)")
    with sync_playwright() as playwright:
        chromium = os.environ.get("BENCH_CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, width, height, top in (("desk", 1400, 900, 320), ("phone", 390, 844, 560)):
            page = browser.new_page(viewport={"width": width, "height": height})
            page.goto(f"{path.resolve().as_uri()}#r=1")
            elements = page.evaluate("document.querySelectorAll('*').length")
            found = page.evaluate(_MEASURED)
            print(
                f"{name}: {elements} elements (3,000), DOMContentLoaded {found['loaded']:.0f} ms "
                f"(300), picture at {found['top']:.0f} px ({top}), "
                f"facet {found['facet']:.0f} ms (50)"
            )
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

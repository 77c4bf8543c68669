"""The picture of the page in the README: ``python -m tests.browser.picture`` writes ``docs/page.png``.

A standard run against the simulated endpoint without a tool parser, from the top of its page to the end of the finding.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from reports.html.page import render
from tests.live.parts import program
from tests.scenarios.runs import diagnose

FILE = Path(__file__).parent.parent.parent / "docs" / "page.png"
#: Pixels of the picture for one of the page: the README shows it 720 wide.
SCALE = 0.75
FAULT, PORT, WIDTH = "tools-as-hermes", 8000, 1000


def main() -> int:
    """Run, render and take the picture."""
    from playwright.sync_api import sync_playwright

    page = render(diagnose([FAULT], sim={"port": PORT, "rate_tokens_s": 200.0}))
    chromium = shutil.which("chromium-browser") or shutil.which("google-chrome") or program("chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "report.html"
        file.write_bytes(page)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-lcd-text"])
        shown = browser.new_page(viewport={"width": WIDTH, "height": 900}, device_scale_factor=SCALE)
        shown.goto(file.as_uri())
        finding = shown.locator("#finding-1").bounding_box()
        assert finding is not None
        height = finding["y"] + finding["height"] + 16
        shown.screenshot(path=FILE, full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
        browser.close()
    print(f"{FILE.name}: {FILE.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

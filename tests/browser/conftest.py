"""A browser, and pages opened from disk in it.

Needs a chromium, the extra `browser` and, for the accessibility rules, axe-core from npm;
where one cannot be had its tests are skipped with the reason, and fail where CI is true.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from probe.model import Report
from reports.html.page import render
from tests.live.conftest import unavailable
from tests.live.parts import PartMissing, program

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: Kept by CI, and not in git.
SCREENSHOTS = Path(__file__).parent.parent.parent / "artifacts" / "screenshots"


def part(name: str) -> Path:
    """The installed part, or the end of the test with the reason."""
    try:
        return program(name)
    except PartMissing as missing:
        unavailable(str(missing))


@dataclass
class Opened:
    """A page, and what happened on it."""

    page: Page
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def unfold(self) -> None:
        """Open whatever is folded."""
        self.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")

    def shoot(self, name: str) -> None:
        """Keep a picture of the whole page."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    def width(self) -> int:
        """How wide the page is, in CSS pixels."""
        return int(self.page.evaluate("document.documentElement.scrollWidth"))

    def tab_stops(self, presses: int) -> set[str]:
        """The tags that so many presses of Tab reach, after the link that skips to the content."""
        self.page.keyboard.press("Tab")
        assert self.page.evaluate("document.activeElement.className") == "skip"
        seen = set()
        for _ in range(presses):
            self.page.keyboard.press("Tab")
            seen.add(self.page.evaluate("document.activeElement.tagName"))
        return seen

    def serious(self) -> list[Any]:
        """What axe-core finds that is serious or critical; the page must be open with bypass_csp."""
        self.page.add_script_tag(path=part("axe-core"))
        found = self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        return [
            (item["id"], item["impact"], [node["target"] for node in item["nodes"]][:3])
            for item in found["violations"]
            if item["impact"] in ("serious", "critical")
        ]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        unavailable("the extra 'browser' is not installed")
    chromium = shutil.which("chromium-browser") or shutil.which("google-chrome") or part("chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """`opened(report or page, width=…, **settings of the browser context)`."""
    contexts: list[Any] = []

    def opens(what: Report | bytes, *, width: int = 1280, **settings: Any) -> Opened:
        file = tmp_path / "report.html"
        file.write_bytes(what if isinstance(what, bytes) else render(what))
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("console", lambda message: found.console.append(f"{message.type}: {message.text}"))
        found.page.on("pageerror", lambda error: found.console.append(f"error: {error}"))
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.goto(file.as_uri())
        return found

    yield opens
    for context in contexts:
        context.close()

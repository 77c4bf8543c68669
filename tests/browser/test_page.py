"""The page in a real browser, opened from disk: nothing leaves it, everything on it works.

Needs Debian's chromium and the `browser` extra; skipped with the reason where they are
not.  Screenshots go to artifacts/, which is not kept in git.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from probe.model import Report
from reports import html
from tests.reports_fixtures import crowded, faulty, healthy, hostile

sync_api = pytest.importorskip("playwright.sync_api", reason="the extra 'browser' is not installed")
if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parent.parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
REPORTS: dict[str, Callable[[], Report]] = {"healthy": healthy, "faulty": faulty, "hostile": hostile}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
]


@dataclass
class Opened:
    """A page, and what happened on it."""

    page: Page
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    contexts: list[Any] = []

    def opens(report: Report, *, width: int = 1280, **settings: Any) -> Opened:
        file = tmp_path / "report.html"
        file.write_bytes(html.render(report))
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


@pytest.mark.parametrize("name", REPORTS)
def test_it_opens_without_a_word_on_the_console_and_asks_for_nothing(name: str, opened: Callable[..., Opened]) -> None:
    found = opened(REPORTS[name]())
    found.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert found.console == []
    assert [url for url in found.requests if not url.endswith("/report.html")] == []
    assert found.page.evaluate("document.scripts.length") == 1
    assert found.page.evaluate("document.images.length") == 0


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", REPORTS)
def test_it_fits_the_screen(name: str, width: int, opened: Callable[..., Opened]) -> None:
    found = opened(REPORTS[name](), width=width)
    found.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    folder = ROOT / "artifacts" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    found.page.screenshot(path=folder / f"{name}-{width}.png", full_page=True)
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width


def test_search_and_filters_narrow_the_exchanges(opened: Callable[..., Opened]) -> None:
    page = opened(faulty()).page
    shown = page.locator("details.exchange:visible")
    assert shown.count() == 4
    page.fill("#search", "tools | not enabled")
    sync_api.expect(page.locator("#shown")).to_have_text("1 of 4 exchanges")
    assert shown.count() == 1
    page.fill("#search", "")
    sync_api.expect(page.locator("#shown")).to_have_text("4 of 4 exchanges")
    page.select_option("#kind", "problem")
    assert shown.count() == 2
    page.select_option("#kind", "stream")
    assert shown.count() == 1
    page.select_option("#kind", "")
    page.select_option("#check", "tools.auto")
    assert shown.count() == 1


def test_a_link_opens_its_exchange_even_when_the_filter_hid_it(opened: Callable[..., Opened]) -> None:
    page = opened(faulty()).page
    page.select_option("#check", "tools.auto")
    page.locator("#finding-1 table a").first.click()
    target = page.locator("#exchange-2")
    assert target.is_visible()
    assert target.get_attribute("open") is not None


def test_copy_puts_the_text_on_the_clipboard(opened: Callable[..., Opened]) -> None:
    page = opened(faulty(), permissions=["clipboard-read", "clipboard-write"]).page
    button = page.locator("#finding-1 button.copy")
    button.click()
    sync_api.expect(button).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "Set proxy_buffering off; in the location of the API."


def test_the_theme_follows_the_system_and_the_button(opened: Callable[..., Opened]) -> None:
    page = opened(healthy(), color_scheme="dark").page
    back = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(back)
    page.click("#theme")
    light = page.evaluate(back)
    assert dark != light
    assert page.locator("#theme").text_content() == "Dark theme"
    page.click("#theme")
    assert page.evaluate(back) == dark


def test_it_can_be_used_without_scripts(opened: Callable[..., Opened]) -> None:
    page = opened(faulty(), java_script_enabled=False).page
    assert page.locator("button:visible").count() == 0
    page.locator("#exchange-3 > summary").click()
    assert page.get_by_text("tools | not enabled").first.is_visible()


def test_the_keyboard_reaches_everything(opened: Callable[..., Opened]) -> None:
    page = opened(healthy()).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.tagName"))
    assert {"A", "BUTTON", "INPUT", "SELECT", "SUMMARY"} <= seen


def test_on_paper_the_controls_are_gone(opened: Callable[..., Opened]) -> None:
    page = opened(faulty()).page
    page.emulate_media(media="print")
    assert page.locator("button:visible").count() == 0
    assert page.locator("nav:visible").count() == 0
    assert page.locator("#finding-1").is_visible()


def test_five_hundred_exchanges_open_in_two_seconds(opened: Callable[..., Opened]) -> None:
    report = crowded(500)
    opened(healthy())  # the browser's own start is not the page's
    times = []
    for _ in range(2):
        begin = time.monotonic()
        found = opened(report)
        sync_api.expect(found.page.locator("#shown")).to_have_text("500 of 500 exchanges")
        rendering = found.page.evaluate("performance.getEntriesByType('navigation')[0].domComplete")
        times.append(rendering / 1000)
        assert time.monotonic() - begin < 60
    assert min(times) < 2.0


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: npm install in tests/browser")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", REPORTS)
def test_axe_finds_nothing_serious(name: str, scheme: str, opened: Callable[..., Opened]) -> None:
    page = opened(REPORTS[name](), color_scheme=scheme, bypass_csp=True).page
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    serious = [
        (item["id"], item["impact"], [node["target"] for node in item["nodes"]][:3])
        for item in found["violations"]
        if item["impact"] in ("serious", "critical")
    ]
    assert serious == []

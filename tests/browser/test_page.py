"""The page in a real browser, opened from disk: nothing leaves it, everything on it works."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from probe.model import Report
from reports.diff import compare
from reports.diff.text import as_html
from tests.browser.conftest import Opened
from tests.reports_fixtures import crowded, faulty, healthy, hostile

REPORTS: dict[str, Callable[[], Report]] = {"healthy": healthy, "faulty": faulty, "hostile": hostile}
#: Comparisons of two reports, by name.
COMPARISONS = {"diff-faulty": (healthy, faulty), "diff-hostile": (healthy, hostile)}

pytestmark = pytest.mark.slow


def expect(*words: Any) -> Any:
    """Playwright's assertion that waits; imported late, since the extra may be missing."""
    from playwright.sync_api import expect as waiting

    return waiting(*words)


def page_of(name: str) -> Report | bytes:
    """A report, or the page of a comparison."""
    if name in COMPARISONS:
        old, new = COMPARISONS[name]
        return as_html(compare(old(), new()))
    return REPORTS[name]()


def fold(page: Any, name: str) -> Any:
    """The line that opens and closes a section."""
    return page.locator(f"summary:has(#{name})")


PAGES = [*REPORTS, *COMPARISONS]


@pytest.mark.parametrize("name", PAGES)
def test_it_opens_without_a_word_on_the_console_and_asks_for_nothing(name: str, opened: Callable[..., Opened]) -> None:
    found = opened(page_of(name))
    found.unfold()
    assert found.console == []
    assert [url for url in found.requests if not url.endswith("/report.html")] == []
    assert found.page.evaluate("document.scripts.length") == (0 if name in COMPARISONS else 1)
    assert found.page.evaluate("document.images.length") == 0


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_it_fits_the_screen(name: str, width: int, opened: Callable[..., Opened]) -> None:
    found = opened(page_of(name), width=width)
    found.unfold()
    found.shoot(f"{name}-{width}")
    assert found.width() <= width


def test_on_a_phone_expected_and_actual_are_both_seen(opened: Callable[..., Opened]) -> None:
    page = opened(faulty(), width=390).page
    for label in ("Expected", "Actual"):
        box = page.locator(f"#finding-2 td[data-label={label}]").first.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 390


def test_search_and_filters_narrow_the_exchanges(opened: Callable[..., Opened]) -> None:
    page = opened(faulty()).page
    fold(page, "exchanges").click()
    shown = page.locator("details.exchange:visible")
    assert shown.count() == 4
    page.fill("#search", "tools | not enabled")
    expect(page.locator("#shown")).to_have_text("1 of 4 exchanges")
    assert shown.count() == 1
    page.fill("#search", "")
    expect(page.locator("#shown")).to_have_text("4 of 4 exchanges")
    page.select_option("#kind", "problem")
    assert shown.count() == 2
    page.select_option("#kind", "stream")
    assert shown.count() == 1
    page.select_option("#kind", "")
    page.select_option("#check", "tools.auto")
    assert shown.count() == 1


def test_a_link_opens_its_exchange_even_when_the_filter_hid_it(opened: Callable[..., Opened]) -> None:
    page = opened(faulty()).page
    fold(page, "exchanges").click()
    page.select_option("#check", "tools.auto")
    fold(page, "exchanges").click()
    page.locator("#finding-1 table a").first.click()
    target = page.locator("#exchange-2")
    assert target.is_visible()
    assert target.get_attribute("open") is not None


def test_copy_puts_the_text_on_the_clipboard(opened: Callable[..., Opened]) -> None:
    page = opened(faulty(), permissions=["clipboard-read", "clipboard-write"]).page
    for button, text in (
        (page.locator("#finding-1 .remedy > button.copy"), "Set proxy_buffering off; in the location of the API."),
        (page.locator("#finding-1 .command button.copy").first, "proxy_buffering off;"),
    ):
        button.click()
        expect(button).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()").strip() == text


def test_a_configuration_is_copied_whole(opened: Callable[..., Opened]) -> None:
    page = opened(healthy(), permissions=["clipboard-read", "clipboard-write"]).page
    page.get_by_text("Configurations to copy").click()
    page.locator("#config-litellm > summary").click()
    button = page.locator("#config-litellm button.copy")
    button.click()
    expect(button).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == page.locator("#config-text-litellm").text_content().strip()
    assert "api_base: https://api.example.com/v1" in copied


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
    fold(page, "exchanges").click()
    page.locator("#exchange-3 > summary").click()
    assert page.get_by_text("tools | not enabled").first.is_visible()


def test_the_keyboard_reaches_everything(opened: Callable[..., Opened]) -> None:
    found = opened(healthy())
    found.page.evaluate("document.querySelector('details:has(#exchanges)').open = true")
    assert found.tab_stops(90) >= {"A", "BUTTON", "INPUT", "SELECT", "SUMMARY"}


@pytest.mark.parametrize(
    ("name", "width", "most"), [("healthy", 1280, 3500), ("healthy", 390, 6000), ("faulty", 390, 6000)]
)
def test_it_is_short(name: str, width: int, most: int, opened: Callable[..., Opened]) -> None:
    """What passed is folded, so that what is wrong is seen without scrolling past it."""
    page = opened(REPORTS[name](), width=width).page
    assert page.evaluate("document.documentElement.scrollHeight") <= most
    if name == "faulty":
        findings = page.locator("#finding-1").bounding_box()
        assert findings is not None
        assert findings["y"] < page.locator("#capabilities").bounding_box()["y"]


def test_a_chart_fits_a_phone(opened: Callable[..., Opened]) -> None:
    """The chart that proves a finding stands in it, whole and with text of a readable size."""
    page = opened(faulty(), width=390).page
    chart = page.locator("#finding-1 svg.chart:visible")
    box = chart.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    drawn = chart.evaluate("(each) => each.getBoundingClientRect().width / each.viewBox.baseVal.width")
    assert drawn * 11 >= 8  # the style sheet's size of text in a drawing, in its units


def test_on_paper_everything_is_open_but_the_exchanges(opened: Callable[..., Opened]) -> None:
    page = opened(healthy()).page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#config-text-litellm").is_visible()
    assert page.locator("details.exchange[open]").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not page.locator("#config-text-litellm").is_visible()


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
        expect(found.page.locator("#shown")).to_have_text("500 of 500 exchanges")
        rendering = found.page.evaluate("performance.getEntriesByType('navigation')[0].domComplete")
        times.append(rendering / 1000)
        assert time.monotonic() - begin < 60
    assert min(times) < 2.0


@pytest.mark.parametrize(
    ("name", "scheme", "width"),
    [
        *((name, scheme, 1280) for name in REPORTS for scheme in ("light", "dark")),
        ("faulty", "light", 390),
        ("diff-faulty", "light", 1280),
        ("diff-faulty", "dark", 390),
    ],
)
def test_axe_finds_nothing_serious(name: str, scheme: str, width: int, opened: Callable[..., Opened]) -> None:
    found = opened(page_of(name), width=width, color_scheme=scheme, bypass_csp=True)
    found.unfold()
    assert found.serious() == []

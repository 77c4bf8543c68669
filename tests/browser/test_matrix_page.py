"""The matrix page in a real browser, under the same tests as the single report."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reports.matrix import history
from reports.matrix.page import render
from reports.matrix.table import Matrix
from tests.browser.conftest import Opened
from tests.matrix_fixtures import calm, eventful, hostile, large
from tests.unit.test_history_page import AUDITS, changed

MATRICES: dict[str, Callable[[], Matrix]] = {"calm": calm, "eventful": eventful, "hostile": hostile}
Opens = Callable[..., Opened]

pytestmark = pytest.mark.slow


def expect(*words: Any) -> Any:
    """Playwright's assertion that waits; imported late, since the extra may be missing."""
    from playwright.sync_api import expect as waiting

    return waiting(*words)


@pytest.mark.parametrize("name", MATRICES)
def test_it_opens_without_a_word_on_the_console_and_asks_for_nothing(name: str, opened: Opens) -> None:
    found = opened(render(MATRICES[name]()))
    page = found.page
    assert found.console == []
    assert [url for url in found.requests if not url.endswith("/report.html")] == []
    assert page.evaluate("document.scripts.length") == 1
    assert page.evaluate("document.images.length") == 0


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", MATRICES)
def test_it_fits_the_screen(name: str, width: int, opened: Opens) -> None:
    found = opened(render(MATRICES[name]()), width=width)
    found.shoot(f"matrix-{name}-{width}")
    assert found.width() <= width


def test_search_and_filters_narrow_the_rows(opened: Opens) -> None:
    page = opened(render(eventful())).page
    shown = page.locator("table.matrix tbody tr:visible")
    assert shown.count() == 4
    page.fill("#search", "gw-001")
    expect(page.locator("#shown")).to_have_text("1 of 4 rows")
    page.fill("#search", "")
    expect(page.locator("#shown")).to_have_text("4 of 4 rows")
    for kind, count in (("changed", 1), ("unmet", 2), ("unusable", 1), ("failed", 1), ("", 4)):
        page.select_option("#kind", kind)
        assert shown.count() == count, kind
    page.select_option('select[data-label="site"]', "ams")
    assert shown.count() == 1
    page.select_option('select[data-label="site"]', "")
    page.select_option('select[data-label="tier"]', "prod")
    assert shown.count() == 4


def test_a_row_leads_to_its_report(opened: Opens, tmp_path: Path) -> None:
    page = opened(render(calm())).page
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "gw-1.html").write_text("<title>the report</title>")
    page.get_by_role("link", name="gw-001 model-a").click()
    expect(page).to_have_title("the report")


def test_the_theme_follows_the_system_and_the_button(opened: Opens) -> None:
    page = opened(render(calm()), color_scheme="dark").page
    back = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(back)
    page.click("#theme")
    assert page.evaluate(back) != dark
    page.click("#theme")
    assert page.evaluate(back) == dark


def test_it_can_be_read_without_scripts(opened: Opens) -> None:
    page = opened(render(eventful()), java_script_enabled=False).page
    assert page.locator("button:visible").count() == 0
    assert page.locator("table.matrix tbody tr:visible").count() == 4


def test_the_keyboard_reaches_everything(opened: Opens) -> None:
    assert opened(render(eventful())).tab_stops(30) >= {"A", "BUTTON", "INPUT", "SELECT"}


def test_on_paper_the_controls_are_gone(opened: Opens) -> None:
    page = opened(render(eventful())).page
    page.emulate_media(media="print")
    assert page.locator("button:visible").count() == 0
    assert page.locator("nav:visible").count() == 0
    assert page.locator("form:visible").count() == 0


def test_five_hundred_rows_open_in_two_seconds(opened: Opens) -> None:
    opened(render(calm()))  # the browser's own start is not the page's
    times = []
    for _ in range(2):
        begin = time.monotonic()
        page = opened(render(large(500))).page
        expect(page.locator("#shown")).to_have_text("500 of 500 rows")
        times.append(page.evaluate("performance.getEntriesByType('navigation')[0].domComplete") / 1000)
        assert time.monotonic() - begin < 60
    assert min(times) < 2.0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", MATRICES)
def test_axe_finds_nothing_serious(name: str, scheme: str, opened: Opens) -> None:
    assert opened(render(MATRICES[name]()), color_scheme=scheme, bypass_csp=True).serious() == []


@pytest.mark.parametrize("width", [390, 1280])
def test_a_history_fits_the_screen_and_can_be_read_by_all(width: int, opened: Opens) -> None:
    found = opened(history.render("production", AUDITS, changed()), width=width, bypass_csp=True)
    found.shoot(f"history-{width}")
    assert found.width() <= width
    assert found.page.locator("svg.chart:visible").count() == 1
    assert found.serious() == []

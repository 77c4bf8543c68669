"""The page of a history: every change on the axis and in the table, and harmless whatever is in it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from reports.html.charts import NARROW, WIDE
from reports.matrix import history
from reports.matrix.table import ChangeLine
from tests.matrix_fixtures import eventful, hostile
from tests.unit.test_reports_html import Page

AUDITS = [f"2026-11-{day}T06:00:00.000+00:00" for day in (24, 22, 20)]


def changed() -> list[ChangeLine]:
    """Two changes of one run, the later recovery of one of them, and a flapping verdict of another target."""
    lost = replace(eventful().changes[0], kind="regression", target="gw-1", since=AUDITS[1])
    other = replace(lost, capability="vision", kind="change")
    again = replace(lost, kind="recovery", before=lost.after, after=lost.before, since=AUDITS[0])
    return [again, lost, other, replace(lost, kind="flapping", target="gw-2", since=AUDITS[2])]


def texts(drawing: str) -> list[tuple[str, float, str]]:
    """The marks of a drawing: their kind, position and text."""
    found = re.findall(r'<text class="kind (\w+)" x="([\d.]+)"[^>]*>([^<]*)<', drawing)
    return [(kind, float(x), text) for kind, x, text in found]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_each_change_has_its_mark_at_its_time(width: float) -> None:
    marks = texts(history.draw(AUDITS, changed(), width))
    assert [(kind, text) for kind, _, text in marks] == [("recovery", "▲"), ("regression", "▼2"), ("flapping", "◆")]
    last, middle, first = (x for _, x, _ in marks)
    assert middle - first == pytest.approx(last - middle, abs=0.02)
    assert last <= width


def test_the_page_says_all_of_it_in_words() -> None:
    page = Page(history.render("production", AUDITS, changed()))
    assert page.crossed == page.open == []
    assert "1 regression, 1 flapping, 1 change, 1 recovery" in page.shown
    assert "3 audits, 2026-11-20 06:00 to 2026-11-24 06:00 UTC" in page.shown
    assert page.shown.count("gw-1") == 5  # three rows of the table, and the label of each drawing
    assert page.all("script") == []
    quiet = Page(history.render("production", AUDITS, [])).shown
    assert "No verdict changed" in quiet


def test_a_hostile_name_is_text_only() -> None:
    wild = [replace(changed()[0], target=row.target, model=row.model) for row in hostile().rows]
    content = history.render(hostile().fleet, AUDITS, wild).decode()
    assert "<script" not in content
    assert "<img" not in content
    assert Page(content.encode()).crossed == []


def test_a_long_history_stays_small() -> None:
    many = [replace(changed()[0], target=f"gw-{number}") for number in range(2000)]
    content = history.render("production", AUDITS, many)
    assert len(content) < 400_000
    assert "1700 earlier changes are not shown" in content.decode()

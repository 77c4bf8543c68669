"""The summary card: a picture that says what the report says, and nothing that an endpoint smuggles in."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from probe.model import Report
from reports.html.badge import render
from reports.summary import headline, untried
from tests.reports_fixtures import faulty, healthy, hostile

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("report", [healthy(), faulty(), hostile()], ids=["healthy", "faulty", "hostile"])
def test_each_tried_capability_is_on_it(report: Report) -> None:
    root = ElementTree.fromstring(render(report))
    texts = [item.text or "" for item in root.iter(f"{SVG}text")]
    for name in report.capabilities:
        shown = any(text.endswith(f" {name.replace('_', ' ')}") for text in texts)
        assert shown is (name not in untried(report)), name
    assert any(text.startswith(headline(report)[:40]) for text in texts)
    assert {item.tag for item in root.iter()} == {f"{SVG}{name}" for name in ("svg", "title", "desc", "rect", "text")}
    assert all("href" not in name and not name.startswith("on") for item in root.iter() for name in item.attrib)

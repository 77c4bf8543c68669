"""The matrix in every format: right, and harmless whatever is in it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import pytest
from lxml import etree
from markdown_it import MarkdownIt

from reports.matrix import formats, junit, page
from reports.matrix.table import Matrix, headline
from tests.matrix_fixtures import calm, eventful, hostile, large
from tests.unit.test_reports_html import Page

EVERY = pytest.mark.parametrize("make", [calm, eventful, hostile], ids=lambda make: make.__name__)
Make = Callable[[], Matrix]


def test_the_headline_says_what_matters() -> None:
    assert headline(calm()) == "3 of 3 usable"
    assert headline(eventful()) == "2 of 4 usable, 2 expectations not met, 1 regression, 1 flapping verdict"


@EVERY
def test_the_page_is_well_formed_and_inert(make: Make) -> None:
    shown = Page(page.render(make()))
    assert shown.crossed == []
    assert shown.open == []
    assert len(shown.all("script")) == 1
    assert len(shown.all("style")) == 1
    assert not {"img", "iframe", "object", "embed", "link", "base"} & {name for name, _ in shown.elements}
    for name, attributes in shown.elements:
        assert not [key for key in attributes if key.startswith("on")], name
        for key in ("href", "src", "action"):
            assert (attributes.get(key) or "#").startswith(("#", "reports/")), (name, attributes)


@EVERY
def test_labels_survive_the_way_into_the_page(make: Make) -> None:
    found = make()
    shown = Page(page.render(found))
    rows = [attributes for attributes in shown.all("tr") if "data-labels" in attributes]
    assert len(rows) == len(found.rows)
    for attributes in rows:
        assert isinstance(json.loads(attributes["data-labels"] or ""), dict)


def test_the_page_says_what_the_matrix_says() -> None:
    shown = Page(page.render(eventful())).shown
    for text in (
        "tools.ignored",
        "1 of 3 trials",
        "only on that path: nginx",
        "the variable K is not set",
        "was works",
    ):
        assert text in shown or text in str(page.render(eventful())), text


@EVERY
def test_json_reads_back(make: Make) -> None:
    found = json.loads(formats.as_json(make()))
    assert found["schema_version"] == "1.0"
    assert len(found["rows"]) == len(make().rows)


@EVERY
def test_csv_has_a_line_a_row_and_no_formula(make: Make) -> None:
    rows = list(csv.reader(io.StringIO(formats.as_csv(make()).decode(), newline="")))
    assert len(rows) == len(make().rows) + 1
    assert {len(cells) for cells in rows} == {len(rows[0])}
    assert not [cell for cells in rows for cell in cells if cell.startswith(("=", "+", "-", "@"))]


@EVERY
def test_markdown_holds_no_markup_of_others(make: Make) -> None:
    text = formats.as_markdown(make()).decode()
    shown = MarkdownIt("gfm-like", {"linkify": False}).render(text)
    assert "<script" not in shown.replace("&lt;script", "")
    assert "<img" not in shown
    assert "<a " not in shown


@EVERY
def test_junit_has_a_case_for_each_expectation(make: Make) -> None:
    root = etree.fromstring(junit.render(make()))
    wanted = sum(
        max(1, sum(bool(mark.expected) for mark in row.marks.values())) if row.state == "done" else 1
        for row in make().rows
    )
    assert len(list(root.iter("testcase"))) == wanted
    for suite in root.iter("testsuite"):
        assert int(suite.get("failures")) == len(list(suite.iter("failure")))
        assert int(suite.get("errors")) == len(list(suite.iter("error")))


@EVERY
def test_metrics_are_valid_openmetrics(make: Make) -> None:
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    text = formats.as_metrics(make()).decode()
    families = {family.name: family for family in parser.text_string_to_metric_families(text)}
    assert len(families["endpoint_probe_usable"].samples) == len(make().done)
    assert text.endswith("# EOF\n")


def test_many_rows_stay_small() -> None:
    assert len(page.render(large(1000))) < 4_000_000

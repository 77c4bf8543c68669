"""JUnit XML: valid against the schema, and each outcome with its own element."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from probe.model import Report
from reports import junit
from tests.reports_fixtures import crowded, faulty, healthy, hostile

XSD = Path(__file__).parent.parent / "contract" / "junit.xsd"


def parsed(report: Report) -> etree._Element:
    """The document, read by a parser that resolves nothing."""
    return etree.fromstring(junit.render(report), etree.XMLParser(resolve_entities=False, no_network=True))


@pytest.mark.parametrize("make", [healthy, faulty, hostile, crowded], ids=lambda make: make.__name__)
def test_it_is_valid(make: Callable[[], Report]) -> None:
    schema = etree.XMLSchema(etree.parse(str(XSD)))
    schema.assertValid(parsed(make()))


def test_the_schema_can_say_no() -> None:
    schema = etree.XMLSchema(etree.parse(str(XSD)))
    document = parsed(faulty())
    document.find("testsuite").remove(document.find("testsuite/properties"))
    assert not schema.validate(document)


def test_one_case_a_check_and_each_outcome_by_its_element() -> None:
    suite = parsed(faulty()).find("testsuite")
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert set(cases) == {check.id for check in faulty().checks}
    assert {name: [child.tag for child in case] for name, case in cases.items()} == {
        "idle.silence": ["error"],
        "stream.delivery": ["failure"],
        "tools.auto": [],
        "url.resolve": [],
        "vision.picture": [],
        "output.json-schema": ["skipped"],
    }
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "6", "failures": "1", "errors": "1", "skipped": "1"}
    assert cases["stream.delivery"].find("failure").get("type") == "stream.replayed"
    assert "proxy_buffering off;" in cases["stream.delivery"].find("failure").text


@pytest.mark.parametrize(
    ("fail_on", "failed"),
    [("error", ["stream.delivery"]), ("warning", ["stream.delivery", "tools.auto"]), ("never", [])],
)
def test_a_check_fails_by_the_rule_of_the_exit_status(fail_on: str, failed: list[str]) -> None:
    report = faulty()
    document = parsed(replace(report, run=replace(report.run, fail_on=fail_on)))
    assert [case.get("name") for case in document.iter("testcase") if case.find("failure") is not None] == failed


def test_what_could_not_be_told_is_skipped_with_its_reason() -> None:
    (case,) = [item for item in parsed(healthy()).iter("testcase") if item.get("name") == "vision.picture"]
    assert case.find("skipped").get("message") == "inconclusive: the model named one colour of four"


def test_characters_that_xml_forbids_are_written_out() -> None:
    content = junit.render(hostile()).decode()
    for character in "\x00\x07\x0b\x1b\ufffe\uffff\u202e":
        assert character not in content
    assert "<script>" not in content
    assert "<!DOCTYPE" not in content


def test_verdicts_are_properties() -> None:
    properties = {item.get("name"): item.get("value") for item in parsed(faulty()).iter("property")}
    assert properties["capability.streaming"] == "broken"
    assert properties["base_url"] == "https://api.example.com/v1"

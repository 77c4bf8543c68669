"""SARIF: valid for its readers, one rule a code, and nothing in it that a page would obey."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from markdown_it import MarkdownIt

from probe.model import Report, Severity
from probe.report import encode
from reports import sarif
from tests.reports_fixtures import faulty, healthy, hostile, report

SCHEMA = Path(__file__).parent.parent / "contract" / "sarif.schema.json"


def log(of: Report) -> Any:
    return json.loads(sarif.render(of))


def run_of(of: Report) -> Any:
    (run,) = log(of)["runs"]
    return run


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("make", [healthy, faulty, hostile], ids=lambda make: make.__name__)
def test_it_is_valid(make: Callable[[], Report], validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(log(make()))


def test_the_schema_can_say_no(validator: jsonschema.Draft202012Validator) -> None:
    wrong = log(faulty())
    wrong["runs"][0]["results"][0]["level"] = "catastrophe"
    assert not validator.is_valid(wrong)


def test_a_healthy_report_has_no_results() -> None:
    run = run_of(healthy())
    assert run["results"] == []
    assert run["tool"]["driver"]["rules"] == []
    assert run["invocations"][0]["executionSuccessful"] is True


def test_each_finding_is_a_result_of_its_rule() -> None:
    run = run_of(faulty())
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [result["ruleId"] for result in run["results"]] == [finding.code for finding in faulty().findings]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == [result["ruleId"] for result in run["results"]]
    assert [result["level"] for result in run["results"]] == ["error", "warning", "note"]
    assert "proxy_buffering off;" in run["results"][0]["message"]["text"]


def test_a_code_found_twice_has_one_rule() -> None:
    twice = (faulty().findings[0], replace(faulty().findings[0], detail="elsewhere"))
    run = run_of(report(findings=twice))
    assert len(run["tool"]["driver"]["rules"]) == 1
    assert [result["ruleIndex"] for result in run["results"]] == [0, 0]


def test_rules_say_what_the_catalogue_says() -> None:
    from probe.catalogue import registry

    rule = run_of(faulty())["tool"]["driver"]["rules"][0]
    known = registry.catalogue()["stream.replayed"]
    assert rule["fullDescription"]["text"].startswith(sarif.plain(known.what)[:40])
    assert rule["defaultConfiguration"]["level"] == {"error": "error", "warning": "warning"}[known.severity]


def test_a_code_that_the_catalogue_does_not_know_is_described_by_the_report() -> None:
    finding = replace(faulty().findings[0], code="plugin.fault", severity=Severity.WARNING)
    (rule,) = run_of(report(findings=(finding,)))["tool"]["driver"]["rules"]
    assert rule["fullDescription"]["text"] == finding.title
    assert rule["defaultConfiguration"]["level"] == "warning"


def test_the_line_is_the_findings_in_the_report() -> None:
    lines = encode(faulty()).decode().split("\n")
    for result, finding in zip(run_of(faulty())["results"], faulty().findings, strict=True):
        start = result["locations"][0]["physicalLocation"]["region"]["startLine"]
        assert lines[start] == f'      "code": "{finding.code}",'  # the line after the opening brace


def test_the_endpoint_is_the_logical_location() -> None:
    for result in run_of(faulty())["results"]:
        assert result["locations"][0]["logicalLocations"][0]["name"] == "https://api.example.com/v1"


def test_the_fingerprint_is_the_same_in_every_run_and_another_for_another_fault() -> None:
    def prints(of: Report) -> list[str]:
        return [result["partialFingerprints"]["primaryLocationLineHash"] for result in run_of(of)["results"]]

    first = faulty()
    later = replace(
        first,
        run=replace(first.run, id="x", started_at="2027-01-01T00:00:00+00:00"),
        findings=tuple(replace(finding, detail="another code") for finding in first.findings),
    )
    assert prints(first) == prints(later)
    assert len(set(prints(first))) == 3
    elsewhere = replace(first, target=replace(first.target, base_url="https://b.example/v1"))
    assert not set(prints(first)) & set(prints(elsewhere))


def test_a_run_that_was_cut_short_and_a_check_that_broke_are_told() -> None:
    (invocation,) = run_of(faulty())["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "idle.silence" in invocation["toolExecutionNotifications"][0]["message"]["text"]
    assert invocation["startTimeUtc"] == "2026-03-01T12:00:00Z"


def test_a_time_that_is_none_is_left_out() -> None:
    odd = report(run=replace(healthy().run, started_at="yesterday"))
    assert "startTimeUtc" not in run_of(odd)["invocations"][0]


def test_what_an_endpoint_sends_stays_text() -> None:
    text = sarif.render(hostile()).decode()
    assert "\x1b" not in text
    assert "\u202e" not in text
    run = run_of(hostile())
    for result in run["results"]:
        assert not re.search(r"(?<!\\)\[[^\]]*(?<!\\)\]\(", result["message"]["text"])
    for rule in run["tool"]["driver"]["rules"]:
        shown = MarkdownIt("commonmark", {"html": True}).render(rule["help"]["markdown"])
        for tag in ("<script", "<img", "<a "):
            assert tag not in shown


def test_strings_without_end_are_cut() -> None:
    assert len(sarif.render(hostile(2_000_000))) < 100_000

"""The published JSON Schema: up to date, and every report valid against it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from probe.catalogue.docs import schema_text
from probe.model import Report
from probe.report import encode
from tests.reports_fixtures import crowded, faulty, healthy, hostile

ROOT = Path(__file__).parent.parent.parent
SCHEMA = ROOT / "reports" / "schema" / "report.schema.json"
GOLDEN = sorted((ROOT / "tests" / "golden").glob("*.report.json"))


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_it_is_what_the_model_says() -> None:
    assert SCHEMA.read_text() == schema_text(), "run `python -m probe.catalogue.docs`"


@pytest.mark.parametrize("make", [healthy, faulty, hostile, crowded], ids=lambda make: make.__name__)
def test_reports_are_valid(make: Callable[[], Report], validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(json.loads(encode(make())))


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.name)
def test_golden_reports_are_valid(file: Path, validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(json.loads(file.read_text()))


def test_the_schema_can_say_no(validator: jsonschema.Draft202012Validator) -> None:
    wrong = json.loads(encode(faulty()))
    wrong["findings"][0]["severity"] = "catastrophe"
    assert not validator.is_valid(wrong)
    del wrong["findings"]
    assert not validator.is_valid(wrong)


def test_the_contracts_fields_are_there() -> None:
    report = json.loads(encode(faulty()))
    assert set(report) >= set(
        "schema_version tool run target server capabilities facts findings checks exchanges".split()
    )
    assert set(report["run"]) >= set(
        "id started_at finished_at duration_s depth complete requests prompt_tokens completion_tokens "
        "loop_lag_p99_ms".split()
    )
    assert set(report["target"]) >= {"endpoint", "base_url", "chat_url", "model", "auth", "http_version", "tls"}
    assert set(report["target"]["auth"]) >= {"scheme", "header", "source"}
    assert set(report["findings"][0]) >= set(
        "code severity check title detail remedy owner confidence evidence".split()
    )
    assert set(report["findings"][0]["evidence"][0]) >= {"exchange", "pointer", "expected", "actual"}
    assert set(report["checks"][0]) >= set("id version title outcome reason duration_s requests findings".split())
    assert set(report["exchanges"][0]) >= {"id", "check", "request", "response", "timeline", "error"}
    assert set(report["capabilities"]["chat"]) >= {"verdict", "confidence", "finding", "checks", "note"}

"""Reports that earlier versions wrote stay readable: tests/golden/schema-*.json are never written anew.

Each is what the first program of its schema version left on disk.  A change that cannot
read one needs another major version of the schema.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from probe.model import SCHEMA_VERSION
from probe.report import BadReport, decode, encode, json_schema, load
from reports.diff import compare
from reports.registry import reporters

FILES = sorted((Path(__file__).parent.parent / "golden").glob("schema-*.json"))


def lost(old: Any, new: Any, where: str = "") -> list[str]:
    """The places at which the new value lacks what the old one says."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            place
            for key, value in old.items()
            for place in (lost(value, new[key], f"{where}/{key}") if key in new else [f"{where}/{key}"])
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [place for number, value in enumerate(old) for place in lost(value, new[number], f"{where}/{number}")]
    return [] if old == new else [where]


def test_there_is_one_for_this_schema() -> None:
    assert f"schema-{SCHEMA_VERSION}.json" in [file.name for file in FILES]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_old_report_is_read_and_nothing_of_it_is_lost(file: Path) -> None:
    old = json.loads(file.read_text())
    assert f"schema-{old['schema_version']}.json" == file.name
    jsonschema.validate(old, json_schema())
    again = json.loads(encode(load(file)))
    # A stream's events are parsed anew from its text, of which only the beginning was kept.
    for exchange in (*old["exchanges"], *again["exchanges"]):
        if exchange["response"]:
            exchange["response"]["events"] = None
    assert lost(old, again) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_old_report_is_rendered_in_every_format_and_compared(file: Path) -> None:
    report = load(file)
    for reporter in reporters().values():
        assert b"tools.parser-missing" in reporter.render(report), reporter.name
    assert compare(report, report).changes == ()


def test_fields_of_a_later_minor_version_are_passed_over() -> None:
    raw = json.loads(FILES[0].read_text())
    raw["schema_version"] = "1.7"
    raw["weather"] = "fair"
    raw["run"]["mood"] = {"good": True}
    raw["findings"][0]["icon"] = "x"
    report = decode(json.dumps(raw).encode())
    assert report.findings[0].code == raw["findings"][0]["code"]


def test_another_major_version_is_refused_in_one_line() -> None:
    raw = json.loads(FILES[0].read_text())
    raw["schema_version"] = "2.0"
    with pytest.raises(BadReport, match=r"its schema version is 2\.0; this program reads 1\."):
        decode(json.dumps(raw).encode())

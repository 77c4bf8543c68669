"""report.json: whole or not at all, readable again, and fit for any reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe import files
from probe import report as file
from probe.model import Evidence, Exchange, Report, Request, Response, Timeline
from tests.scenarios.runs import diagnose


@pytest.fixture(scope="module")
def made() -> Report:
    return diagnose(["missing-v1"], only=("url.*", "models.*"))


def test_it_reads_back_equal_and_fits_its_schema(made: Report) -> None:
    content = file.encode(made)
    jsonschema.validate(json.loads(content), file.json_schema())
    again = file.decode(content)
    assert again.findings == made.findings
    assert again.capabilities == dict(made.capabilities)
    assert [item.id for item in again.exchanges] == [item.id for item in made.exchanges]
    assert json.loads(file.encode(again))["exchanges"] == json.loads(content)["exchanges"]


def test_evidence_points_at_what_it_claims(made: Report) -> None:
    document = json.loads(file.encode(made))
    exchanges = {item["id"]: item for item in document["exchanges"]}
    for finding in document["findings"]:
        for evidence in finding["evidence"]:
            value: Any = exchanges[evidence["exchange"]]
            for step in evidence["pointer"].strip("/").split("/"):
                value = value[int(step)] if isinstance(value, list) else value[step]
            assert value == evidence["actual"]


def with_body(made: Report, content: bytes, kind: str = "application/json") -> Report:
    from dataclasses import replace

    exchange = Exchange(
        "x1",
        "c",
        Request("GET", "http://h/", {}),
        Response(200, "OK", "HTTP/1.1", (("content-type", kind),), content),
        Timeline(reads=((0.1, len(content)),)),
    )
    return replace(made, exchanges=(exchange,), findings=())


@given(content=st.binary(max_size=300))
def test_any_body_is_written_and_read(made: Report, content: bytes) -> None:
    for kind in ("application/json", "text/event-stream"):
        written = file.encode(with_body(made, content, kind))
        json.loads(written)
        file.decode(written)


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": "\\ud800"}',
        b'{"a": 99999999999999999999999999}',
        b'{"a": 1e999}',
        b"[" * 500 + b"]" * 500,
        b'{"a": "\\u0000\\u001b[31m"}',
        b"x" * 2_000_000,
        b'{"k": "' + b"y" * 100_000 + b'"}',
    ],
)
def test_odd_values_do_not_spoil_the_file(made: Report, content: bytes) -> None:
    written = file.encode(with_body(made, content))
    json.loads(written)
    file.decode(written)
    assert len(written) < 400_000


@pytest.mark.parametrize(
    "value",
    ["x" * 40_000, "\ud800" * 40_000, list(range(9_000)), {"a": ["y" * 20_000] * 3}, 10**400, float("nan")],
    ids=["long", "surrogates", "many", "inside", "huge", "nan"],
)
def test_what_is_tidy_stays_as_it_is(made: Report, value: Any) -> None:
    from dataclasses import replace

    written = file.encode(replace(made, facts={"models": value}))
    assert json.loads(file.encode(file.decode(written))) == json.loads(written)


def test_evidence_values_are_tidied(made: Report) -> None:
    from dataclasses import replace

    finding = replace(made.findings[0], evidence=(Evidence("x1", "/a", {1, 2}, "\ud800"),))
    json.loads(file.encode(replace(made, findings=(finding,))))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is not JSON"),
        (b"[]", "it has no schema_version"),
        (b'{"schema_version": "2.0"}', "its schema version is 2.0"),
        (b'{"schema_version": "1.0"}', "it is not a valid report"),
        (b"[" * 100_000, "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
    ],
)
def test_bad_files_are_named_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(file.BadReport) as caught:
        file.load(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(file.BadReport, match="cannot read"):
        file.load(tmp_path / "none.json")


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "out" / "report.json"
    files.write_whole(target, b"old")
    target.unlink()
    target.mkdir()
    with pytest.raises(OSError):
        files.write_whole(target, b"new")
    assert [item.name for item in target.parent.iterdir()] == ["report.json"]

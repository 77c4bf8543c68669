"""An audit of simulated endpoints: the verdicts of single runs, nothing secret kept, exit statuses."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audits import FEW, audit, fleet_file, matrix, verdicts
from tests.contract.running import run
from tests.fleetfarm import Served, farm
from tests.scenarios.runs import diagnose

pytestmark = pytest.mark.slow
RATE = 1000.0
MIXED = [
    ("openai", []),
    ("vllm", ["tools-ignored"]),
    ("llamacpp", ["system-ignored"]),
    ("ollama", []),
    ("openai", ["stream-no-done"]),
    ("litellm", ["auth-rejected"]),
]


@pytest.fixture(scope="module")
def served() -> Iterator[list[Served]]:
    with farm([{"style": style, "faults": faults} for style, faults in MIXED], rate_tokens_s=RATE) as found:
        yield found


@pytest.fixture(scope="module")
def audited(served: list[Served], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, dict[str, str]]:
    """The folder of one audit of all of them, its status, and the keys."""
    folder = tmp_path_factory.mktemp("audit")
    _, env = fleet_file(folder, served, extra='expect = { tools = "works", streaming = "works" }')
    done = audit(folder, "--metrics", "metrics.prom", env=env)
    assert "Traceback" not in done.err, done.err
    return folder, done.status, env


def test_every_verdict_is_that_of_a_single_run(audited: tuple[Path, int, dict[str, str]]) -> None:
    found = verdicts(matrix(audited[0]))
    assert len(found) == len(MIXED)
    for number, (style, faults) in enumerate(MIXED):
        alone = diagnose(faults, style=style, sim={"rate_tokens_s": RATE}, only=tuple(FEW))
        expected = {name: str(verdict.verdict) for name, verdict in alone.capabilities.items()}
        assert found[f"t{number:03d}"] == expected, (style, faults)
        rows = matrix(audited[0])["rows"]
        assert [item["code"] for item in rows[number]["findings"]] == [item.code for item in alone.findings]


def test_a_missed_expectation_is_exit_status_1_and_named(audited: tuple[Path, int, dict[str, str]]) -> None:
    folder, status, _ = audited
    assert status == 1
    rows = {row["target"]: row for row in matrix(folder)["rows"]}
    assert rows["t001"]["marks"]["tools"]["met"] is False
    assert rows["t000"]["marks"]["tools"]["met"] is True
    assert rows["t005"]["usable"] is False
    assert rows["t005"]["marks"]["tools"]["met"] is False


def test_nothing_that_is_written_holds_a_key(audited: tuple[Path, int, dict[str, str]]) -> None:
    folder, _, env = audited
    assert env
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert len(files) > 10
    for file in files:
        content = file.read_bytes()
        for key in env.values():
            assert key.encode() not in content, file


def test_every_row_leads_to_its_report(audited: tuple[Path, int, dict[str, str]]) -> None:
    folder = audited[0] / "endpoint-audit"
    page = (folder / "matrix.html").read_text()
    for row in matrix(audited[0])["rows"]:
        assert (folder / row["report"]).is_file()
        assert (folder / row["report"]).with_suffix(".json").is_file()
        assert f'href="{row["report"]}"' in page


def test_csv_and_junit_agree_with_the_json(audited: tuple[Path, int, dict[str, str]]) -> None:
    from lxml import etree

    folder = audited[0] / "endpoint-audit"
    rows = list(csv.DictReader(io.StringIO((folder / "matrix.csv").read_text())))
    found = verdicts(matrix(audited[0]))
    assert {row["target"]: row["tools"] for row in rows} == {name: marks["tools"] for name, marks in found.items()}
    assert rows[0]["label.style"] == "openai"
    root = etree.parse(folder / "matrix.junit.xml").getroot()
    failed = {case.get("classname") for case in root.iter("testcase") if case.find("failure") is not None}
    assert {"endpoint-probe.t001", "endpoint-probe.t005"} <= failed
    assert "endpoint-probe.t000" not in failed


def test_the_metrics_can_be_read(audited: tuple[Path, int, dict[str, str]]) -> None:
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    text = (audited[0] / "metrics.prom").read_text()
    families = {family.name: family for family in parser.text_string_to_metric_families(text)}
    usable = {s.labels["target"]: s.value for s in families["endpoint_probe_usable"].samples}
    assert usable["t000"] == 1
    assert usable["t005"] == 0
    states = [s for s in families["endpoint_probe_capability"].samples if s.labels["capability"] == "tools"]
    assert {s.labels["state"] for s in states if s.value and s.labels["target"] == "t001"} == {"ignored"}
    assert {s.labels["label_style"] for s in states if s.labels["target"] == "t001"} == {"vllm"}
    from prometheus_client.parser import text_string_to_metric_families

    assert len(list(text_string_to_metric_families(text))) == len(families)


def test_history_tells_what_was_said(audited: tuple[Path, int, dict[str, str]]) -> None:
    folder = audited[0]
    shown = run("history", "t001", "--format", "json", cwd=folder)
    assert shown.status == 0, shown.err
    (found,) = json.loads(shown.out)["runs"]
    assert found["verdicts"]["tools"] == "ignored"
    report = run("history", "--report", found["id"][:10], cwd=folder)
    assert json.loads(report.out)["run"]["id"] == found["id"]
    unknown = run("history", "t01", cwd=folder)
    assert (unknown.status, unknown.out) == (2, ""), unknown.err
    assert "did you mean" in unknown.err


def test_models_are_discovered_and_chosen_by_globs(tmp_path: Path) -> None:
    names = ["chat-small", "chat-large", "embed-1"]
    with farm([{"style": "openai", "faults": [], "settings": {"models": names}}], rate_tokens_s=RATE) as (one,):
        (tmp_path / "fleet.toml").write_text(
            '[defaults]\nidle = 0\ndepth = "quick"\nonly = ["models.list"]\n[[target]]\nname = "a"\n'
            f'endpoint = "{one.url}"\napi_key_env = "K"\ndiscover = true\ninclude = ["chat-*"]\nexclude = ["*large"]\n'
        )
        done = audit(tmp_path, env={"K": one.key or ""})
        assert done.status == 0, done.err
        assert [row["model"] for row in matrix(tmp_path)["rows"]] == ["chat-small"]


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (
            '[[target]]\nname = "a"\nendpoint = "http://127.0.0.1:9"\napi_key_env = "NOT_SET"',
            (),
            "fleet.toml:1: target 'a'",
        ),
        ('[[target]]\nendpoint = "http://127.0.0.1:9"\nonly = ["nothing.*"]', (), "no check is called"),
        ('[[target]]\nendpoint = "http://127.0.0.1:9"\nvantage = ["dmz"]', (), "--executor dask://"),
        ('[[target]]\nendpoint = "http://127.0.0.1:9"', ("--executor", "cloud"), "--executor cannot be 'cloud'"),
        ('[[target]]\nendpoint = "http://127.0.0.1:9"', ("--since", "someday"), "is not a time"),
        ('[[target]]\nendpoint = "http://127.0.0.1:9"', ("--webhook", "${NO_HOOK}"), "NO_HOOK"),
        ('[[target]]\nendpoint = "http://127.0.0.1:9"', ("--store", "mysql://h/d"), "sqlite and postgresql"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_exit_status_2(
    text: str, options: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    (tmp_path / "fleet.toml").write_text(text)
    done = audit(tmp_path, *options, env={})
    assert (done.status, done.out) == (2, ""), done.err
    assert said in done.err
    assert done.err.count("\n") == 1


def test_where_nothing_answers_the_status_is_3_and_the_matrix_is_written(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(
        '[[target]]\nname = "gone"\nendpoint = "http://127.0.0.1:9/v1"\ndepth = "quick"\n'
    )
    done = audit(tmp_path, env={})
    assert done.status == 3, done.err
    (row,) = matrix(tmp_path)["rows"]
    assert (row["state"], row["usable"]) == ("done", False)
    assert "connect.refused" in [item["code"] for item in row["findings"]]


def test_a_dry_run_sends_nothing(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(
        '[[target]]\nname = "a"\nendpoint = "http://127.0.0.1:9"\nmodels = ["x", "y"]\n'
    )
    done = audit(tmp_path, "--dry-run", env={})
    assert done.status == 0
    assert "a: http://127.0.0.1:9: x, y (depth standard)" in done.out
    assert not (tmp_path / "endpoint-audit").exists()

"""Text of an endpoint is no command to the build server that reads the program's output."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from probe.model import Report
from probe.report import decode, encode
from reports.diff import compare
from reports.diff.text import FORMS
from reports.github import render as annotated
from reports.registry import chosen
from reports.terminal import print_report
from reports.text import inert, printable, visible
from tests.contract.running import run
from tests.reports_fixtures import faulty, healthy

COMMANDS = (
    "##vso[task.setvariable variable=PATH]/evil",
    "##teamcity[buildStatus status='SUCCESS']",
    "##[set-env name=PATH]/evil",
    "::set-output name=key::evil",
    "::error file=app.py,line=1::evil",
    "::stop-commands::evil",
)
#: GitHub's runner (actions/runner, ActionCommand.cs), Azure's agent (CommandStringConvertor) and TeamCity.
_OBEYED = re.compile(rb"##(?:vso|teamcity)?\[|^\s*::[a-z-]+(?: [^\n]*)?::", re.MULTILINE | re.IGNORECASE)
_BIDI = ("\u202e", "\u2066", "\u200f", "\u061c", "\U000e0041", "\x9b", "\ufeff")


def hostile(before: str = "") -> Report:
    """A report that holds every command in every text of the endpoint, after so much other text."""
    text = f"{before}{' '.join(COMMANDS)}\n" + "\n".join(COMMANDS) + "\n\t" + "\n\t".join(COMMANDS)
    report = faulty()
    return replace(
        report,
        target=replace(report.target, model=COMMANDS[0] + COMMANDS[3]),
        server=replace(report.server, software=COMMANDS[1]),
        findings=tuple(
            replace(
                item,
                title=COMMANDS[number % len(COMMANDS)],
                detail=text,
                remedy=text,
                evidence=tuple(replace(one, expected=text, actual=[text, {text: 1}]) for one in item.evidence),
            )
            for number, item in enumerate(report.findings)
        ),
        checks=tuple(replace(item, reason=text) for item in report.checks),
        facts={**report.facts, "models": list(COMMANDS), COMMANDS[2]: text},
    )


#: So that the wrapping puts each command at the beginning of a line in one of them.
_WRAPS = [*("x" * length + " " for length in range(0, 76, 5)), "", "word " * 14]


@pytest.mark.parametrize("name", ["terminal", "json", "html", "markdown", "junit", "sarif"])
def test_no_format_holds_a_command(name: str) -> None:
    (reporter,) = chosen([name])
    for before in _WRAPS:
        found = _OBEYED.search(reporter.render(hostile(before)))
        assert found is None, found


def test_the_annotations_hold_no_command_but_their_own() -> None:
    for line in annotated(hostile()).splitlines():
        assert line.count(b"::") >= 2
        assert re.match(rb"::(error|warning|notice) title=", line)
        assert not re.search(rb"##(?:vso|teamcity)?\[", line)


@pytest.mark.parametrize("form", FORMS)
def test_no_comparison_holds_a_command(form: str) -> None:
    for old, new in ((healthy(), hostile()), (hostile(), healthy())):
        assert _OBEYED.search(FORMS[form](compare(old, new))) is None


@pytest.mark.parametrize("quiet", [True, False])
def test_what_a_run_prints_holds_no_command(quiet: bool, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    print_report(hostile(), [Path("report.json")], quiet=quiet)
    assert _OBEYED.search(capsysbinary.readouterr().out) is None


def test_render_prints_no_command(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes(encode(hostile()))
    for name in ("json", "terminal", "junit"):
        done = run("render", "report.json", "--format", name, cwd=tmp_path)
        assert done.status == 0
        assert _OBEYED.search((done.out + done.err).encode()) is None


def test_the_values_in_json_are_the_same() -> None:
    report = replace(hostile(), facts={"models": ["".join(_BIDI) + "é \u4e2d", *COMMANDS]})
    content = encode(report)
    assert not any(letter in content.decode() for letter in _BIDI)
    assert "é 中".encode() in content
    assert json.loads(content)["facts"]["models"] == ["".join(_BIDI) + "é \u4e2d", *COMMANDS]
    assert encode(decode(content)) == content


def test_an_address_or_a_heading_stays_as_it_is() -> None:
    for text in ("::1 refused", "::ffff:127.0.0.1", "a ::b:: c", "## Heading", "# [1]", "std::string"):
        assert printable(text) == visible(text) == inert(text) == text

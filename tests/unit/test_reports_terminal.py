"""The terminal: 80 columns, nothing the endpoint sends is obeyed, colour is not the only sign."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reports import terminal
from tests.reports_fixtures import faulty, healthy, hostile


@pytest.mark.parametrize("make", [healthy, faulty, hostile], ids=lambda make: make.__name__)
def test_it_fits_eighty_columns(make) -> None:  # type: ignore[no-untyped-def]
    for line in terminal.render(make()).decode().splitlines():
        assert len(line) <= 80, line


def test_a_hostile_report_prints_only_printable_characters() -> None:
    text = terminal.render(hostile()).decode()
    assert all(character.isprintable() or character == "\n" for character in text)
    assert "nimda" in text
    assert "[31m" not in text


def test_markup_of_the_endpoint_is_text() -> None:
    from dataclasses import replace

    from probe.model import State, Verdict

    said = {"chat": Verdict(State.WORKS, 1.0, None, ("url.resolve",), "[bold red]x[/] :smile:")}
    text = terminal.render(replace(healthy(), capabilities=said)).decode()
    assert "[bold red]x[/] :smile:" in text


def test_findings_stand_with_remedy_and_owner() -> None:
    text = terminal.render(faulty()).decode()
    for part in (
        "ERROR  stream.replayed",
        "proxy_buffering off;",
        "gateway",
        "WARNING  tools.not-enabled",
        "did not finish",
        "crashed (internal error of endpoint-probe)",
    ):
        assert part in text, part
    labels = [line.split()[0] for line in text.splitlines() if line.startswith("  ")]
    assert (labels.count("Seen"), labels.count("Fix"), labels.count("Who")) == (3, 2, 3)


def test_what_was_not_tried_is_one_line_and_not_a_row() -> None:
    text = terminal.render(healthy()).decode()
    assert "Not tried:" in text
    assert "long_silence  unknown" not in text


def test_no_colour_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal.print_report(faulty(), [Path("out/report.json"), Path("out/report.html")])
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert shown.rstrip().endswith("Report: out/report.html, out/report.json")


def test_quiet_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_report(faulty(), [Path("out/report.html")], quiet=True)
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1
    assert "1 error, 1 warning, 1 note" in shown
    assert "out/report.html" in shown
    assert "rich" in sys.modules

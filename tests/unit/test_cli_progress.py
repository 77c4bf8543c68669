"""Progress: in order, printable, and never in the way of the run."""

from __future__ import annotations

import io
import threading
import time

import pytest

from probe.cli import progress
from probe.model import Event
from probe.parsing.urls import parse
from probe.run.options import Options

OPTIONS = Options(parse("http://127.0.0.1:9/v1"), max_requests=9)


def request(number: int, text: str = "POST http://127.0.0.1:9/v1/chat/completions") -> Event:
    data = {"exchange": f"x{number:03d}", "status": 200, "seconds": 0.25}
    return Event("request", "url.resolve", text, data=data)


def test_plain_lines_tell_each_check_once(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.PlainLines(OPTIONS, [], verbose=False) as display:
        display.emit(Event("check-started", "url.resolve", "Find the URL"))
        display.emit(request(1))
        display.emit(Event("waiting", "url.resolve", "429: waiting 1.0 s"))
        display.emit(Event("check-finished", "url.resolve", "fail", data={"reason": "because"}))
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("url.resolve: 429: waiting 1.0 s")
    assert lines[1].endswith("1/0 url.resolve: fail (because)")


def test_verbose_adds_a_line_for_each_exchange(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.PlainLines(OPTIONS, [], verbose=True) as display:
        display.emit(request(1))
        display.emit(request(2, "GET http://127.0.0.1:9/\x1b[2J\u202ev1"))
    lines = capsys.readouterr().err.splitlines()
    assert "x001 200 0.25 s  POST http://127.0.0.1:9/v1/chat/completions" in lines[0]
    assert lines[1].endswith("GET http://127.0.0.1:9/v1")


class _Stuck(io.StringIO):
    """A terminal stopped with Ctrl-S, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def write(self, text: str) -> int:
        self.let_go.wait(30)
        return super().write(text)


def test_a_stopped_terminal_does_not_hold_up_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = _Stuck()
    monkeypatch.setattr(progress.sys, "stderr", stuck)
    with progress.PlainLines(OPTIONS, [], verbose=True) as display:
        begin = time.monotonic()
        for number in range(50):
            display.emit(request(number))
        assert time.monotonic() - begin < 5
        assert stuck.getvalue() == ""
        stuck.let_go.set()
    assert stuck.getvalue().count("\n") == 50


class _Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


def test_a_reader_that_left_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress.sys, "stderr", _Gone())
    with progress.PlainLines(OPTIONS, [], verbose=True) as display:
        display.emit(request(1))
        display.emit(request(2))
    assert display.requests >= 1


def test_the_live_line_says_what_is_tried_and_what_is_spent() -> None:
    from rich.console import Console

    from probe.model import Check, Result

    async def nothing(_context: object) -> Result:
        return Result()

    check = Check("url.resolve", 1, "Find the URL", "p", nothing)
    display = progress.LiveLine(OPTIONS, [check], verbose=False)
    display.show(0.0, Event("check-started", "url.resolve", "Find the URL"))
    display.requests = 4
    console = Console(file=io.StringIO(), width=100)
    console.print(display._line())
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Find the URL" in shown
    assert "4/9 requests" in shown
    display.show(0.1, Event("note", "url.resolve", "trying \x1b[31m/v1"))
    console.print(display._line())
    assert "trying /v1" in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("quiet", "kind"), [(True, progress.Display), (False, progress.PlainLines)])
def test_which_display_is_taken(quiet: bool, kind: type, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.unit.test_cli_settings import given

    made = progress.make_display(given(*(["--quiet"] if quiet else [])), OPTIONS, [])
    assert type(made) is kind


def test_what_is_found_is_said_at_once_and_what_was_skipped_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    found = [("error", "tools.parser-missing", "Calls stay in the text"), ("info", "vision.rejected", "No pictures")]
    with progress.PlainLines(OPTIONS, [], verbose=False) as display:
        display.emit(Event("check-finished", "tools.call", "fail", data={"reason": "x", "findings": found}))
        display.emit(Event("check-finished", "tools.cut", "skip", data={"reason": "needs tools"}))
        display.emit(Event("check-finished", "errors.unsteady", "fail", data={"reason": "y", "retracts": ["tools"]}))
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("] ")[2].split(" ")[0] for line in lines] == [
        "error:", "1/0", "withdrawn:", "3/0",
    ]  # fmt: skip
    assert "tools.parser-missing: Calls stay in the text" in lines[0]

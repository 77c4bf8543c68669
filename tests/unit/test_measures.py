"""Nothing an endpoint sends is kept, shown or asked for again without measure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import anyio
import pytest

from checks.dialects.questions import is_way
from checks.shared.discovery import LONGEST_ID, pick
from checks.url.checks import _unreadable
from probe.fleet.executors import room_of_a_run
from probe.fleet.timing_workers import COPIED, shortened
from probe.model import Exchange, Finding, Owner, Report, Request, Response, Severity, Timeline, unknown
from probe.parsing.sse import MOST_LINES
from probe.redaction.redactor import Redactor
from probe.run.runner import LONGEST, without_secrets
from probe.wire import recorder
from probe.wire.recorder import BODY_LIMIT, LEAST, LEAST_READS, Recorder, Room
from probe.wire.transport import Wire
from reports.clients import kenaz
from reports.registry import chosen
from tests.reports_fixtures import faulty

MOST_READS = Wire().most_reads


class _Body:
    """A response whose body comes in these pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces

    async def aiter_raw(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


def _read(room: Room, *pieces: bytes) -> Recorder:
    made = Recorder()
    body: Any = _Body(*pieces)
    anyio.run(made.read, body, room, MOST_READS)
    return made


@pytest.mark.parametrize(("left", "limit"), [(recorder.RUN_LIMIT, BODY_LIMIT), (0, LEAST)])
def test_a_body_is_kept_up_to_its_limit_and_not_a_byte_further(left: int, limit: int) -> None:
    exact = _read(Room(left), b"x" * limit)
    assert (sum(len(piece) for _, piece in exact.reads), exact.cut) == (limit, False)
    over = _read(Room(left), b"x" * (limit - 10), b"y" * 4_000, b"z")
    assert (sum(len(piece) for _, piece in over.reads), over.cut) == (limit, True)
    assert over.reads[-1][1] == b"y" * 10
    assert over.size == limit - 10 + 4_000, "what came over the wire is counted whole"


def test_a_body_is_kept_in_so_many_pieces() -> None:
    assert len(_read(Room(), *[b"x"] * (MOST_READS + 9)).reads) == MOST_READS
    used_up = _read(Room(0), *[b"x"] * (MOST_READS + 9))
    assert (len(used_up.reads), used_up.cut) == (LEAST_READS, True)


def test_a_run_that_used_its_room_up_takes_less_of_the_next_body() -> None:
    room = Room(100_000)
    first = _read(room, b"x" * 90_000, b"x" * 90_000)
    assert first.cut
    assert sum(len(piece) for _, piece in first.reads) == 90_000
    assert room.left < 0
    assert sum(len(piece) for _, piece in _read(room, b"y" * 200_000).reads) == LEAST


def _answered(number: int, size: int, *, cut: bool = False) -> Exchange:
    response = Response(200, "OK", "HTTP/1.1", (("content-type", "application/json"),), b"x" * size, cut)
    return Exchange(
        f"x{number}", "chat", Request("POST", "http://a.test/v1/chat/completions", {}), response, Timeline()
    )


def test_the_runs_of_an_audit_keep_no_more_than_one_process_can_hold() -> None:
    for concurrency in (1, 4, 16, 32):
        assert concurrency * room_of_a_run(concurrency) <= 64 * 2**20
    assert room_of_a_run(1) == recorder.RUN_LIMIT
    assert room_of_a_run(256) == 2 * 2**20, "a long model list is read whole however many runs there are"


def test_a_worker_gets_the_beginning_of_what_is_too_long_to_be_copied() -> None:
    sizes = [COPIED // 2, COPIED, 2 * LEAST, COPIED // 2, LEAST]
    whole = [_answered(number, size) for number, size in enumerate(sizes)]
    short = shortened(whole)
    assert set(short) == {"x1", "x3"}
    for item in short.values():
        assert item.response is not None
        assert (len(item.response.content), item.response.cut) == (LEAST, True)
    assert shortened([replace(whole[1], response=None)]) == {}


def test_an_answer_that_is_too_long_to_be_read_whole_accuses_nobody() -> None:
    found = _unreadable(_answered(1, 1_000, cut=True), "CODE")
    assert found.findings == ()
    assert "with more than 1,000 bytes, not read on" in found.verdicts["chat"].note
    assert is_way(_answered(1, 1_000, cut=True))
    assert not is_way(_answered(1, 1_000))


def test_a_model_id_without_measure_is_not_asked_for() -> None:
    assert pick(["m" * (LONGEST_ID + 1), "", "small"]) == "small"
    assert pick(["m" * LONGEST_ID]) == "m" * LONGEST_ID
    assert pick(["m" * (LONGEST_ID + 1), ""]) is None


def _flooded() -> Report:
    whole = faulty()
    flood = "é`@ " * 500_000
    exchange = Exchange(
        "x1",
        "c",
        Request("GET", "http://h/", {}),
        Response(200, "OK", "HTTP/1.1", (), b"\0" * 4_000_000),
        Timeline(reads=((0.1, 1),) * 12_000),
    )
    finding = Finding(
        "url.no-chat",
        Severity.ERROR,
        "url.resolve",
        "A title",
        flood,
        flood,
        Owner.SERVER,
        0.9,
        evidence=(exchange.shows("/response/status", expected=flood, actual=[flood]),),
    )
    return replace(
        whole,
        target=replace(whole.target, model=flood),
        capabilities={**whole.capabilities, "chat": unknown(flood)},
        findings=(finding,),
        checks=tuple(replace(item, reason=flood) for item in whole.checks),
        exchanges=(exchange,),
    )


def test_what_a_check_quotes_is_cut_before_any_format_has_to_carry_it() -> None:
    report = without_secrets(_flooded(), Redactor())
    told = report.findings[0]
    texts = [
        told.detail,
        told.remedy,
        report.capabilities["chat"].note,
        report.checks[0].reason,
        report.target.model or "",
    ]
    assert all(LONGEST <= len(text) <= LONGEST + 40 for text in texts)
    assert "characters)" in told.detail
    for reporter in chosen(("json", "html", "markdown", "junit", "sarif", "terminal")):
        assert len(reporter.render(report)) < 3_000_000, reporter.name


def test_a_report_is_written_down_in_short_where_it_is_the_result_of_a_task() -> None:
    assert len(repr(without_secrets(_flooded(), Redactor()))) < 300_000
    assert len(repr(_flooded().exchanges[0])) < 2_000


@pytest.mark.parametrize("line", [b"\n", b"data: {}\n", b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'])
def test_a_flooded_stream_is_read_as_far_as_any_stream_is(line: bytes) -> None:
    found = kenaz.read(line * (BODY_LIMIT // len(line)))
    assert found.frames <= kenaz.MOST_LINES == MOST_LINES
    assert found.malformed is None

"""However an endpoint answers, a run keeps to its budget and does not hammer: counted by the server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anyio
import pytest

from probe.catalogue import registry
from probe.fleet.job import Cell, Job, Target
from probe.fleet.job_runner import probe
from probe.model import Report
from probe.parsing.urls import parse
from probe.run import context
from probe.run.budget import Pace
from probe.run.options import Auth, Options
from probe.run.runner import run
from tests.audits import audit

Answer = tuple[int, dict[str, str], Any]
#: The most requests that may come within one second (probe.run.budget.Pace).
MOST_A_SECOND = 52
_TEXT = "The codes are many and the words are long. " * 20
#: What a request without any feature holds.
_PLAIN = {"model", "messages", "max_tokens", "max_completion_tokens", "temperature", "stream"}


class Counting(ThreadingHTTPServer):
    """A server that answers as it is told, and counts."""

    daemon_threads = True

    def __init__(self, answer: Callable[[str, Any], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.times: list[float] = []
        self.throttled: list[float] = []
        self.words = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


def most_a_second(times: Sequence[float]) -> int:
    return max((sum(0 <= other - one < 1 for other in times) for one in times), default=0)


class _Handler(BaseHTTPRequestHandler):
    server: Counting
    protocol_version = "HTTP/1.1"

    def _reply(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(sent) if sent else None
        except ValueError:
            body = None
        status, headers, answer = self.server.answer(self.path, body)
        content = json.dumps(answer).encode()
        with self.server.lock:
            self.server.times.append(time.monotonic())
            if status in (429, 503):
                self.server.throttled.append(time.monotonic())
            if status == 200 and self.command == "POST":
                self.server.words += (len(sent) + len(json.dumps(answer["choices"]))) // 4
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_OPTIONS = _reply

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def counting(answer: Callable[[str, Any], Answer]) -> Iterator[Counting]:
    with Counting(answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


def completion(body: Any, usage: Any = None, text: str = _TEXT) -> Answer:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    made = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return 200, {}, made if usage is None else {**made, "usage": usage}


def options(url: str, **more: Any) -> Options:
    return Options(parse(url), model="m", auth=Auth(key="sk-storm-0123456789", source="test"), timeout_s=5, **more)


def report_of(url: str, **more: Any) -> Report:
    return anyio.run(lambda: run(options(url, **more)))


@pytest.mark.slow
@pytest.mark.parametrize("named", ["0", "-5", "NaN", "Sun, 06 Nov 1994 08:49:37 GMT", "soon", "1e-9"])
@pytest.mark.parametrize("status", [429, 503])
def test_no_wait_of_the_endpoints_choice_becomes_a_storm(named: str, status: int) -> None:
    def answer(path: str, body: Any) -> Answer:
        if body is None:
            return 200, {}, {"object": "list", "data": [{"id": "m", "object": "model"}]}
        if set(body) <= _PLAIN and len(body["messages"]) == 1:
            return completion(body, text="OK")
        return status, {"Retry-After": named}, {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}

    with counting(answer) as server:
        report = report_of(server.url, deadline_s=3, max_requests=120)
    assert len(server.times) == report.run.requests
    assert len(server.throttled) >= 2
    assert most_a_second(server.throttled) <= 4


def test_after_one_wait_in_vain_the_others_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "_BACKOFF_S", (0.05, 0.1, 0.2))
    monkeypatch.setattr(context, "_PATIENCE_AFTER_S", 0.2)

    def answer(path: str, body: Any) -> Answer:
        if body is None:
            return 200, {}, {"object": "list", "data": [{"id": "m", "object": "model"}]}
        if body.get("stream") or "tools" in body:
            return 429, {}, {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}
        return completion(body, text=str(body["messages"]))

    with counting(answer) as server:
        report = report_of(server.url, only=("stream.shape", "tools.call"))
    asked = {item.id: item.requests for item in report.checks if item.outcome == "inconclusive"}
    assert asked == {"stream.shape": 7, "tools.call": 2}


def test_errors_at_once_do_not_become_a_storm() -> None:
    with counting(lambda path, body: (502, {}, {"error": {"message": "bad gateway"}})) as server:
        report_of(server.url, deadline_s=4, max_requests=25)
    assert 1 <= len(server.times) <= 25
    assert most_a_second(server.times) <= MOST_A_SECOND


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": 0, "completion_tokens": 0}, {"prompt_tokens": -9}])
def test_tokens_are_counted_here_where_the_endpoint_counts_none(usage: Any) -> None:
    def answer(path: str, body: Any) -> Answer:
        if body is None:
            return 200, {}, {"object": "list", "data": [{"id": "m", "object": "model"}]}
        return completion(body, usage, f"{body.get('messages')} {_TEXT}")

    with counting(answer) as server:
        report_of(server.url, max_tokens=2000, deadline_s=20)
    # What is in flight when the budget ends is answered all the same.
    assert 1000 < server.words <= 2000 + 4 * len(_TEXT) // 3


def test_requests_follow_each_other_at_a_pace() -> None:
    async def five() -> list[float]:
        pace, begin, times = Pace(burst=2, per_second=20), time.monotonic(), []
        for _ in range(5):
            await pace.turn()
            times.append(time.monotonic() - begin)
        return times

    times = anyio.run(five)
    assert times[1] < 0.05 <= times[2]
    assert times[4] >= 0.14


def test_a_verdict_that_changed_is_tried_again_within_the_targets_budget(tmp_path: Path) -> None:
    def answer(path: str, body: Any) -> Answer:
        if body is None:
            return 200, {}, {"object": "list", "data": [{"id": "m", "object": "model"}]}
        if any(item.get("role") == "system" for item in body.get("messages", ())):
            return 400, {}, {"error": {"message": "System role not supported", "type": "invalid_request_error"}}
        return completion(body, {"prompt_tokens": 9, "completion_tokens": 2}, f"{body.get('messages')} OK")

    with counting(answer) as server:
        target = Target("t", server.url, options={"max_requests": 20, "depth": "quick"})
        known = {"streaming": "works", "chat": "works"}
        outcome = anyio.run(probe, Job(Cell("t", "m"), target, known, confirm=5))
    assert outcome.summary is not None
    assert {item.capability: item.state for item in outcome.summary.verdicts}["streaming"] == "ignored"
    assert 10 < len(server.times) <= 20
    (tmp_path / "fleet.toml").write_text(
        f'[fleet]\nconfirm = 5\n[[target]]\nname = "t"\nendpoint = "{server.url}"\nmax_requests = 20\n'
        f'[[target]]\nname = "u"\nendpoint = "{server.url}"\nonly = ["connect.reach"]\n'
    )
    once = next(check.max_requests for check in registry.checks() if check.id == "connect.reach")
    assert f"At most {20 + 6 * once} requests" in audit(tmp_path, "--dry-run", env={}).out

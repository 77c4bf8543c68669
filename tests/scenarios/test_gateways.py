"""Gateways that answer paths they do not know, models they do not have and keys they do not take in their own way."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anyio
import pytest

from probe.model import Report, State
from probe.parsing.urls import parse
from probe.run.options import Auth, Options
from probe.run.runner import run
from tests.scenarios.runs import codes, errors

KEY = "gateway-test-key-48213"
MODEL = "team/tiny-chat"
ONLY = ("url.*", "models.identity", "limits.*")
#: A run that ends without a chat completion may send no more than this.
IN_VAIN = 6

Answer = tuple[int, Any]


def completion(text: str, model: str) -> Answer:
    """A chat completion that repeats what was asked for, with token counts written as 12.0."""
    body = {
        "object": "chat.completion",
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12.0, "completion_tokens": 5.0},
    }
    return 200, body


class Gateway:
    """Chat under ``/v1`` for one key and one model; the other answers are given.

    Args:
        unknown: the answer to a path that is not there.
        refused: the answer to a refused key.
        no_model: the answer to an unknown model, made from its id.
        busy_once: whether the first request for an unknown model is answered 429.
    """

    def __init__(
        self,
        unknown: Answer = (404, {"error": {"message": "nothing here"}}),
        refused: Answer = (401, {"message": "no"}),
        no_model: Callable[[str], Answer] = lambda name: (404, {"error": {"message": f"We do not have {name}."}}),
        *,
        busy_once: bool = False,
    ) -> None:
        self.unknown, self.refused, self.no_model, self.busy = unknown, refused, no_model, busy_once

    def answer(self, path: str, key: str | None, body: bytes) -> Answer:
        if path != "/v1/chat/completions":
            return self.unknown
        if key != f"Bearer {KEY}":
            return self.refused
        asked = json.loads(body)
        if asked["model"] == MODEL:
            return completion(asked["messages"][-1]["content"].partition(": ")[2], MODEL)
        if self.busy:
            self.busy = False
            return 429, {"error": {"message": "slow down"}}
        return self.no_model(asked["model"])


@contextmanager
def serving(gateway: Gateway) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, value = gateway.answer(self.path, self.headers.get("Authorization"), body)
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if status == 429:
                self.send_header("Retry-After", "1")
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def diagnose(gateway: Gateway, path: str = "/v1", *, key: str = KEY, **options: Any) -> tuple[Report, str]:
    """The report of a run against the gateway, and the gateway's origin."""
    options = {"model": MODEL, "only": ONLY, "timeout_s": 15.0, **options}
    with serving(gateway) as origin:
        settings = Options(parse(origin + path), Auth(key=key, source="test"), **options)
        return anyio.run(lambda: run(settings)), origin


def test_a_model_list_that_a_limit_refused_is_read_again() -> None:
    class Limited(Gateway):
        refusals = 2

        def answer(self, path: str, key: str | None, body: bytes) -> Answer:
            if path != "/v1/models":
                return super().answer(path, key, body)
            self.refusals -= 1
            if self.refusals >= 0:
                return 429, {"message": "API rate limit exceeded"}
            return 200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]}

    report, _ = diagnose(Limited(), model=None)
    assert report.target.model == MODEL
    assert report.capabilities["chat"].verdict is State.WORKS
    assert codes(report, "models", "url", "auth") == set()


UNKNOWN_PATHS = {
    "AWS API Gateway": (403, {"message": "Missing Authentication Token"}),
    "forbidden": (403, {"message": "Forbidden"}),
    "unauthorized": (401, {"error": "Unauthorized"}),
    "bad request": (400, {"error": "bad request"}),
    "server error": (500, {"error": {"message": "no handler"}}),
    "wrong method": (405, {"detail": "Method Not Allowed"}),
}


@pytest.mark.parametrize("unknown", UNKNOWN_PATHS.values(), ids=UNKNOWN_PATHS)
def test_a_gateways_answer_to_unknown_paths_is_no_verdict(unknown: Answer) -> None:
    report, origin = diagnose(Gateway(unknown), "")
    assert codes(report, "url", "auth") == {"url.missing-v1"}
    assert report.target.base_url == f"{origin}/v1"
    assert report.capabilities["chat"].verdict is State.WORKS


@pytest.mark.parametrize("unknown", UNKNOWN_PATHS.values(), ids=UNKNOWN_PATHS)
@pytest.mark.parametrize("path", ["", "/v1"])
def test_a_refused_key_is_still_told(path: str, unknown: Answer) -> None:
    report, _ = diagnose(Gateway(unknown), path, key="another-key-51377")
    assert codes(report) & {"auth.rejected"}
    assert "url.no-chat" not in codes(report)
    assert report.run.requests <= IN_VAIN


NO_MODEL = {
    "named, in other words": lambda name: (404, {"error": {"message": f"Nobody here answers to {name}."}}),
    "a code": lambda name: (404, {"error": {"message": "sorry", "code": "model_not_found"}}),
    "success": lambda name: (200, {"error": {"message": f"model {name} not found"}}),
    "503, as one-api": lambda name: (503, {"error": {"message": f"no available channel for model {name}"}}),
}


@pytest.mark.parametrize("no_model", NO_MODEL.values(), ids=NO_MODEL)
def test_an_unknown_model_is_told_whatever_the_form(no_model: Callable[[str], Answer]) -> None:
    report, _ = diagnose(Gateway(no_model=no_model), model="team/tiny-chat-v2", deadline_s=20.0)
    assert codes(report) == {"models.id-unknown"}


def test_a_limit_on_the_invented_model_is_waited_out() -> None:
    report, _ = diagnose(Gateway(busy_once=True))
    assert codes(report) == {"limits.rate-limited"}
    (finding,) = report.findings
    assert finding.severity == "info"
    assert not errors(report)


def test_counts_written_as_fractions_are_counts() -> None:
    report, _ = diagnose(Gateway())
    assert codes(report) == set()
    assert report.run.prompt_tokens >= 12


@pytest.mark.parametrize("most", [2, 5])
def test_a_small_budget_still_finds_the_chat(most: int) -> None:
    report, _ = diagnose(Gateway(), max_requests=most)
    assert report.capabilities["chat"].verdict is State.WORKS
    assert report.run.requests <= most


def test_the_default_backend_of_an_ingress_is_no_unknown_model() -> None:
    report, _ = diagnose(Gateway((404, "default backend - 404")), "/nowhere/v9", model=None)
    assert "models.id-unknown" not in codes(report)

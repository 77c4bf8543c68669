"""Recognition in whole runs: what it costs, what is named without a chat, what the reports then advise."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
import pytest

from probe.model import Depth, Report, State
from probe.parsing.urls import parse
from probe.run.options import Auth, Options
from probe.run.runner import run
from probe.simulator import Simulator, all_styles
from tests.scenarios.runs import against, errors

#: A run that ends without a chat completion may send no more than this.
IN_VAIN = 6
FAST = {"rate_tokens_s": 0, "first_token_s": 0}
BASICS = ("fingerprint.*", "url.*", "models.*", "auth.*", "tools.call")


def pages(report: Report) -> int:
    """How many pages were asked for."""
    return sum(item.check == "fingerprint.pages" for item in report.exchanges)


@pytest.mark.parametrize("style", [item.name for item in all_styles()])
def test_a_style_is_recognised_with_at_most_one_page(style: str) -> None:
    with Simulator(style, **FAST) as sim:  # type: ignore[arg-type]
        report = against(sim, only=BASICS)
    assert errors(report) == []
    assert report.server.software == style
    assert pages(report) <= 1


def test_a_quick_run_recognises_without_a_further_request() -> None:
    with Simulator("llamacpp", **FAST) as sim:  # type: ignore[arg-type]
        report = against(sim, depth=Depth.QUICK)
    assert (report.server.software, pages(report)) == ("llamacpp", 0)
    assert report.run.requests <= 10


@pytest.mark.parametrize("style", ["groq", "cerebras", "litellm", "lmstudio", "llamacpp", "fireworks", "together"])
def test_a_refused_key_names_the_server_as_well(style: str) -> None:
    """Nothing but refusals comes back, and nothing further is asked."""
    with Simulator(style, **FAST) as sim:  # type: ignore[arg-type]
        report = against(sim, auth=Auth(key="sk-wrong-0123456789abcdef", source="test"))
    assert report.capabilities["chat"].verdict is State.REJECTED
    assert report.run.requests <= IN_VAIN
    assert report.server.software == style
    assert pages(report) == 0


def test_what_two_servers_share_is_left_open() -> None:
    """vLLM and SGLang refuse a key with the same body."""
    with Simulator("sglang", **FAST) as sim:  # type: ignore[arg-type]
        report = against(sim, auth=Auth(key="sk-wrong-0123456789abcdef", source="test"))
    assert report.server.software == "unknown"
    assert report.run.requests <= IN_VAIN


def test_the_recognised_software_s_flag_comes_first() -> None:
    with Simulator("vllm", ["tools-not-enabled"], **FAST) as sim:  # type: ignore[arg-type]
        report = against(sim, only=("tools.call", "fingerprint.*"))
    found = next(item for item in report.findings if item.code == "tools.not-enabled")
    assert found.remedy.startswith(("vLLM: ", "Start `vllm serve`"))
    assert "--enable-auto-tool-choice --tool-call-parser" in found.remedy


def test_every_remedy_of_a_recognised_server_is_filled() -> None:
    with Simulator("litellm", ["auth-not-checked"], **FAST) as sim:  # type: ignore[arg-type]
        report = against(sim, only=("auth.*", "fingerprint.*"))
    found = next(item for item in report.findings if item.code == "auth.not-checked")
    assert "master_key" in found.remedy
    assert "To check: " in found.remedy


# Strangers --------------------------------------------------------------------------------


@contextmanager
def stranger(answers_everything: bool) -> Iterator[str]:
    """A small server of nobody's make: chat, a model list, and perhaps the same page everywhere."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _send(self, status: int, body: object) -> None:
            content = json.dumps(body).encode()
            self.send_response_only(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            if self.path.endswith("/models"):
                return self._send(200, {"object": "list", "data": [{"id": "m", "object": "model"}]})
            everyone = {"version": "0.12.1", "build_info": "b6527-1", "is_generation": True, "lora_names": []}
            return self._send(200, everyone) if answers_everything else self._send(404, {"error": "no"})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            if not self.path.endswith("/v1/chat/completions"):
                return self._send(200 if answers_everything else 404, {"version": "0.12.1"})
            said = str(asked["messages"][-1]["content"]).rpartition(": ")[2]
            message = {"role": "assistant", "content": said}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return self._send(200, {"id": "1", "object": "chat.completion", "model": "m", "choices": [choice]})

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("answers_everything", [False, True])
def test_a_stranger_stays_unknown_after_four_pages(answers_everything: bool) -> None:
    with stranger(answers_everything) as url:
        options = Options(parse(url), Auth(key="k", source="test"), only=BASICS, timeout_s=15)
        report = anyio.run(lambda: run(options))
    assert errors(report) == []
    assert report.server.software == "unknown"
    assert report.server.hops == ()
    assert pages(report) == 4

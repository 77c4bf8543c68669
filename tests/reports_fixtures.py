"""Reports made by hand: a healthy endpoint, a faulty one, and one that attacks its reader.

Every value is fixed, so that the files rendered from them can be compared byte by byte.
"""

from __future__ import annotations

import json
from typing import Any

from probe.model import (
    CAPABILITIES,
    AuthInfo,
    CheckRecord,
    Evidence,
    Exchange,
    Failure,
    Finding,
    Hop,
    Outcome,
    Owner,
    Report,
    Request,
    Response,
    RunInfo,
    ServerInfo,
    Severity,
    State,
    TargetInfo,
    Timeline,
    ToolInfo,
    Verdict,
)

CHAT = "https://api.example.com/v1/chat/completions"
KEYED = {"Accept": "application/json", "Authorization": "Bearer ${API_KEY}", "Content-Type": "application/json"}


def request(body: Any = None, url: str = CHAT, method: str = "POST") -> Request:
    """A request with the key's place holder."""
    return Request(method, url, KEYED, body)


def answer(
    number: int, body: Any, *, status: int = 200, check: str = "url.resolve", started_s: float = 0.1
) -> Exchange:
    """An exchange with a JSON answer."""
    return Exchange(
        f"x{number:03d}",
        check,
        request({"model": "sim-small", "messages": [{"role": "user", "content": "Repeat exactly: ZEBRA-48213"}]}),
        Response(
            status,
            "OK" if status < 400 else "Bad Request",
            "HTTP/1.1",
            (("content-type", "application/json"), ("server", "uvicorn")),
            json.dumps(body).encode(),
        ),
        Timeline(
            started_s=started_s,
            connect_s=0.01,
            sent_s=0.012,
            headers_s=0.2,
            end_s=0.25,
            reads=((0.25, 90),),
            wire_bytes=90,
        ),
    )


def completion(text: str) -> dict[str, Any]:
    """The body of a chat completion."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 14, "completion_tokens": 6, "total_tokens": 20}
    return {
        "id": "c-1",
        "object": "chat.completion",
        "model": "sim-small",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage,
    }


def stream(
    number: int, events: list[tuple[float, str]], *, check: str = "stream.delivery", started_s: float = 0.4
) -> Exchange:
    """A streamed exchange; ``events`` are (arrival in seconds, the bytes of the event)."""
    times: dict[float, int] = {}
    for at_s, text in events:
        times[at_s] = times.get(at_s, 0) + len(text.encode())
    return Exchange(
        f"x{number:03d}",
        check,
        request({"model": "sim-small", "stream": True, "messages": [{"role": "user", "content": "Count to 50."}]}),
        Response(
            200,
            "OK",
            "HTTP/1.1",
            (("content-type", "text/event-stream"),),
            "".join(text for _, text in events).encode(),
        ),
        Timeline(
            started_s=started_s,
            connect_s=None,
            sent_s=0.001,
            headers_s=0.02,
            end_s=max(times) + 0.01,
            reused=True,
            reads=tuple(times.items()),
            wire_bytes=sum(times.values()),
        ),
    )


def delta(text: str) -> str:
    """One content event."""
    return f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': text}}]})}\n\n"


def steady(count: int = 20, gap_s: float = 0.05) -> list[tuple[float, str]]:
    """Events at an even pace with a comment in the middle, and the end mark."""
    events = [(0.3 + number * gap_s, delta(f"{number}\n")) for number in range(count)]
    events.insert(count // 2, (0.3 + (count // 2 - 0.5) * gap_s, ": keep-alive\n\n"))
    return [*events, (0.3 + count * gap_s, "data: [DONE]\n\n")]


def verdicts(**said: Verdict) -> dict[str, Verdict]:
    """All capabilities; what is not said was not tried."""
    return {name: said.get(name, Verdict(State.UNKNOWN, 0.0, note="not tried")) for name in CAPABILITIES}


def record(
    name: str, outcome: Outcome = Outcome.PASS, reason: str = "", *codes: str, started_s: float = 0.1, **more: Any
) -> CheckRecord:
    """A check that ran."""
    return CheckRecord(
        name,
        1,
        f"Title of {name}",
        outcome,
        reason,
        duration_s=0.3,
        requests=1,
        findings=codes,
        started_s=started_s,
        **more,
    )


def report(**parts: Any) -> Report:
    """A report; what is not given is that of a small healthy run."""
    whole: dict[str, Any] = {
        "tool": ToolInfo("endpoint-probe", "0.1.0"),
        "run": RunInfo(
            id="0123456789abcdef0123456789abcdef",
            started_at="2026-03-01T12:00:00.000+00:00",
            finished_at="2026-03-01T12:00:02.500+00:00",
            duration_s=2.5,
            depth="standard",
            complete=True,
            requests=2,
            prompt_tokens=28,
            completion_tokens=26,
            loop_lag_p99_ms=0.4,
        ),
        "target": TargetInfo(
            "https://api.example.com/v1",
            "https://api.example.com/v1",
            CHAT,
            "sim-small",
            AuthInfo("bearer", "Authorization", "env:MY_KEY"),
            "HTTP/1.1",
            {"version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384"},
        ),
        "server": ServerInfo("vllm", "0.16.0", 0.9, ("owned_by: vllm",), (Hop("nginx", ("server: nginx",)),)),
        "capabilities": verdicts(
            chat=Verdict(State.WORKS, 1.0, None, ("url.resolve",), "the model repeated a code"),
            streaming=Verdict(State.WORKS, 0.95, None, ("stream.delivery",), "20 events, evenly spaced"),
            vision=Verdict(State.UNKNOWN, 0.0, None, ("vision.picture",), "the model named one colour of four"),
        ),
        "facts": {"models": ["sim-small"], "context_length": 8192, "delivery": "streaming"},
        "findings": (),
        "checks": (
            record("stream.delivery", started_s=0.4, exclusive=True, prompt_tokens=14, completion_tokens=20),
            record("tls.certificate", Outcome.SKIP, "the endpoint is not https"),
            record("url.resolve", prompt_tokens=14, completion_tokens=6),
            record("vision.picture", Outcome.INCONCLUSIVE, "the model named one colour of four"),
        ),
        "exchanges": (answer(1, completion("ZEBRA-48213")), stream(2, steady())),
    }
    return Report(**{**whole, **parts})


def healthy() -> Report:
    """Nothing wrong."""
    return report()


def faulty() -> Report:
    """An error, a warning and a note, a check of this program's that broke, a run that was cut short."""
    refused = answer(3, {"error": {"message": "tools | not enabled", "code": 400}}, status=400, check="tools.auto")
    lost = Exchange(
        "x004",
        "idle.silence",
        request({"model": "sim-small", "stream": True}),
        None,
        Timeline(started_s=1.0, connect_s=0.01, end_s=1.2),
        Failure("timeout", "headers", "no end after 1.2 s", None, ("TimeoutError",)),
    )
    burst = [(0.2, delta("a")), *[(2.5, delta(f"{number}")) for number in range(12)], (2.5, "data: [DONE]\n\n")]
    held = stream(2, burst)
    findings = (
        Finding(
            "stream.replayed",
            Severity.ERROR,
            "stream.delivery",
            "The whole answer comes at once",
            "1 event came after 0.2 s and 13 together after 2.5 s.",
            "Set `proxy_buffering off;` in the location of the API.",
            Owner.GATEWAY,
            0.9,
            (Evidence("x002", "/timeline/reads", "many arrivals", 2),),
        ),
        Finding(
            "tools.not-enabled",
            Severity.WARNING,
            "tools.auto",
            "Tools are refused: not enabled",
            'The answer was 400 with "tools | not enabled".',
            "Start vLLM with --enable-auto-tool-choice --tool-call-parser hermes.",
            Owner.SERVER,
            1.0,
            (
                Evidence("x003", "/response/status", 200, 400),
                Evidence("x003", "/response/body/error/message", None, "tools | not enabled"),
            ),
        ),
        Finding(
            "vision.rejected",
            Severity.INFO,
            "vision.picture",
            "Pictures are refused",
            "The model takes text only.",
            "",
            Owner.MODEL,
            1.0,
        ),
    )
    return report(
        run=RunInfo(
            "fedcba9876543210fedcba9876543210",
            "2026-03-01T12:00:00+00:00",
            "2026-03-01T12:00:05+00:00",
            5.0,
            "deep",
            False,
            4,
            40,
            30,
        ),
        capabilities=verdicts(
            chat=Verdict(State.WORKS, 1.0, None, ("url.resolve",)),
            streaming=Verdict(
                State.BROKEN, 0.9, "stream.replayed", ("stream.delivery",), "The whole answer comes at once"
            ),
            tools=Verdict(State.REJECTED, 1.0, "tools.not-enabled", ("tools.auto",), "Tools are refused: not enabled"),
            vision=Verdict(State.REJECTED, 1.0, "vision.rejected", ("vision.picture",)),
        ),
        findings=findings,
        checks=(
            record("idle.silence", Outcome.ERROR, "KeyError at checks/idle.py:7", started_s=1.0, exclusive=True),
            record("stream.delivery", Outcome.FAIL, "The whole answer comes at once", "stream.replayed", started_s=0.4),
            record("tools.auto", Outcome.FAIL, "Tools are refused: not enabled", "tools.not-enabled", started_s=0.8),
            record("url.resolve", prompt_tokens=14, completion_tokens=6),
            record("vision.picture", Outcome.PASS, "", "vision.rejected", started_s=0.9),
            record("output.json-schema", Outcome.SKIP, "needs chat, and url.resolve ended as fail", started_s=0.0),
        ),
        exchanges=(answer(1, completion("ZEBRA-48213")), held, refused, lost),
    )


#: What an endpoint may send to reach through a report to its reader.
SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
LINK = "[click](https://evil.example/?q=1) https://evil.example www.evil.example @octocat #1 ![p](https://evil.example/p.png)"
ANSI = "\x1b[2J\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b1m"
BIDI = "user\u202enimda\u202c \u2066x\u2069 \u200b\u200f\ufeff"
NULLS = "nul\x00 bell\x07 \x0b\x0c\x85 \ufffe\uffff"
PIPES = "a | b \\| c ` `` ``` d\n\n# heading\n- list\n> quote\n| x | y |\n~~~"
XML = "]]> <!-- --> <!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]> &e;"
ATTACKS = (SCRIPT, IMAGE, LINK, ANSI, BIDI, NULLS, PIPES, XML)
ALL = "".join(f"{attack} " for attack in ATTACKS)


def hostile(longest: int = 200_000) -> Report:
    """Attacks in every place that an endpoint can write to, and strings without end."""
    body = {"error": {"message": ALL, "code": ALL}, "pad": "<" * longest}
    exchange = Exchange(
        "x001",
        "url.resolve",
        request(
            {"model": ALL, "messages": [{"role": "user", "content": ALL + "${HOME} $(id) `id` !!"}]},
            CHAT + "?a='$(id)'",
        ),
        Response(
            500, ALL, "HTTP/1.1", (("server", ALL), (ALL, ALL)), json.dumps(body).encode(), reflected=("API_KEY",)
        ),
        Timeline(started_s=0.1, headers_s=0.1, end_s=0.2, reads=((0.2, 10),), wire_bytes=10),
    )
    streamed = stream(2, [(0.1 * n, f": {SCRIPT}{ANSI}\n\n{delta(ALL)}") for n in range(1, 6)])
    finding = Finding(
        "models.id-differs",
        Severity.ERROR,
        "models.identity",
        f"Another model {ALL}",
        f"It said {ALL}",
        f"Use {ALL}",
        Owner.SERVER,
        1.0,
        (Evidence("x001", "/response/body/error/message", ALL, {ALL: ALL}), Evidence(ALL, ALL, None, None)),
    )
    return report(
        target=TargetInfo(
            "https://api.example.com/v1",
            "https://api.example.com/v1",
            CHAT,
            ALL,
            AuthInfo("bearer", "Authorization", "file"),
            ALL,
        ),
        server=ServerInfo(ALL, ALL, 0.5, (ALL,), (Hop(ALL, (ALL,)),)),
        capabilities=verdicts(chat=Verdict(State.WORKS, 1.0, ALL, ("url.resolve",), ALL)),
        facts={"models": [ALL] * 3, ALL: ALL},
        findings=(finding,),
        checks=(
            record("url.resolve", Outcome.FAIL, ALL, "models.id-differs"),
            record("tools.auto", Outcome.ERROR, ALL),
        ),
        exchanges=(exchange, streamed),
    )


def crowded(number: int = 500) -> Report:
    """Many exchanges with long bodies and streams."""
    long = completion("lorem ipsum " * 1200)
    made = []
    for index in range(1, number + 1):
        if index % 5 == 0:
            made.append(stream(index, steady(120), started_s=index * 0.1))
        else:
            made.append(answer(index, long, started_s=index * 0.1))
    return report(exchanges=tuple(made))

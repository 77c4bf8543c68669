"""A situation at a gateway or proxy: what it is, whether it is on the wire, and whether its diagnosis is right."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.live.processes import Running
from tests.live.servers import Certificate
from tests.live.simulated import ROOT

KEY = "sk-local-situation-0001"
MODEL = "sim-small"


@dataclass(frozen=True)
class Wire:
    """What a plain client gets for a short chat completion.

    statuses: one status a question, asked in turn over new connections; 0 is a connection that ends without an answer.
    headers: (name, start of the value) of the last answer. body: a text in the last body. size: bytes of padding in
    the question. chat: POST a chat completion, or else GET /models.
    """

    statuses: tuple[int, ...] = (200,)
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    size: int = 0


@dataclass(frozen=True)
class Due:
    """What must be said.

    codes: the errors and warnings that must be there, `a|b` where either names the fault; other errors and warnings
    are accusations of the innocent, except those in `allowed`. owner: of the finding of the first code, `a|b` where
    either can mend it. hop: the id of the software that must be recognised. exit: the exit status.
    base: `typed` (the URL as given), `null`, or empty where either is right. says: words in the finding's detail or
    remedy. verdicts: of capabilities. facts: numbers, within half a second. proxy: `target.proxy` must name the proxy.
    """

    codes: tuple[str, ...]
    owner: str = "gateway"
    hop: str = ""
    exit: int = 3
    base: str = ""
    says: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    verdicts: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)
    proxy: bool = False


@dataclass(frozen=True)
class Asked:
    """How the situation is asked: the URL to type, the proxy to use, and the CA to trust."""

    url: str
    proxy: str | None = None
    ca: Path | None = None


@dataclass(frozen=True)
class Scene:
    """What a situation starts with. endpoint: gives the origin of a simulated endpoint for a rate and faults."""

    endpoint: Callable[[float, tuple[str, ...]], str]
    litellm: Callable[[], Running]
    folder: Path
    certificate: Certificate


Start = Callable[[Scene], contextlib.AbstractContextManager[Asked]]


@dataclass(frozen=True)
class Situation:
    """One row: how it is started, what is on the wire, what must be said, and the words of the command line."""

    name: str
    start: Start
    wire: Wire
    due: Due
    options: tuple[str, ...] = ("--depth", "quick")
    key: bool = True


def on_the_wire(situation: Situation, asked: Asked) -> str | None:
    """What is not on the wire as the row says, or None. A plain client asks; nothing of the program is used."""
    wire = situation.wire
    models = [situation.options[i + 1] for i, word in enumerate(situation.options) if word == "--model"]
    question = {
        "model": (models or [MODEL])[0],
        "messages": [{"role": "user", "content": "Say hello." + " hello" * (wire.size // 6)}],
        "max_tokens": 5,
    }
    headers = {"Authorization": f"Bearer {KEY}"}
    answers: list[httpx.Response | None] = []
    for _ in wire.statuses:
        with httpx.Client(trust_env=False, proxy=asked.proxy, timeout=30, verify=_verify(asked.ca)) as client:
            try:
                answers.append(client.post(f"{asked.url}/chat/completions", json=question, headers=headers))
            except httpx.TransportError:
                answers.append(None)
    statuses = tuple(answer.status_code if answer else 0 for answer in answers)
    last = answers[-1]
    if statuses != wire.statuses:
        return f"statuses {statuses}, the row says {wire.statuses}: {last.text[:200] if last else ''}"
    for name, start in wire.headers:
        if last is None or name not in last.headers or not last.headers[name].startswith(start):
            return f"header {name} is {last.headers.get(name) if last else None!r}, the row says {start!r}"
    if last is not None and wire.body not in last.text:
        return f"the body is {last.text[:200]!r}, the row says {wire.body!r}"
    return None


def _verify(ca: Path | None) -> Any:
    return ssl.create_default_context(cafile=str(ca)) if ca else True


def diagnose(situation: Situation, asked: Asked, out: Path) -> tuple[int, dict[str, Any]]:
    """The diagnosis of a situation: its exit status and its report."""
    return diagnose_at(asked, situation.options, out, key=situation.key)


def diagnose_at(asked: Asked, options: Sequence[str], out: Path, *, key: bool = True) -> tuple[int, dict[str, Any]]:
    """Run the command line as a user would, with these options: its exit status and its report."""
    words = [sys.executable, "-m", "probe", "run", asked.url, "--json", "--out", str(out), *options]
    words += ["--api-key-env", "SITUATION_KEY"] if key else []
    words += ["--proxy", asked.proxy] if asked.proxy else []
    words += ["--ca-bundle", str(asked.ca)] if asked.ca else []
    # No proxy but the row's own, and no endpoint from the environment of whoever runs the tests.
    env = {name: value for name, value in os.environ.items() if not name.lower().startswith("openai_")}
    env = {name: value for name, value in env.items() if not name.lower().endswith("_proxy")}
    env |= {"SITUATION_KEY": KEY, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=env, timeout=150, check=False)
    if not done.stdout.startswith("{"):
        raise RuntimeError(f"no report, exit {done.returncode}: {done.stderr[-500:]}")
    report: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, report


def faulty(situation: Situation, asked: Asked, status: int, report: Mapping[str, Any]) -> list[str]:
    """What the diagnosis says that it must not, or leaves out; empty where it is right."""
    due = situation.due
    loud = {item["code"]: item for item in report["findings"] if item["severity"] in ("error", "warning")}
    listed = {item["code"]: item for item in report["findings"]}
    wrong: list[str] = []
    named: list[Mapping[str, Any]] = []
    for code in due.codes:
        there = [listed[one] for one in code.split("|") if one in listed]
        named += there
        wrong += [] if there else [f"no {code}"]
    known = {one for code in (*due.codes, *due.allowed) for one in code.split("|")}
    wrong += [f"{code} ({loud[code]['owner']})" for code in sorted(set(loud) - known)]
    if named and named[0]["owner"] not in due.owner.split("|"):
        wrong.append(f"owner {named[0]['owner']}, due {due.owner}")
    software = [report["server"]["software"], *(hop["software"] for hop in report["server"]["hops"])]
    if due.hop and due.hop not in software:
        wrong.append(f"recognised {', '.join(map(str, software))}, due {due.hop}")
    base = report["target"]["base_url"]
    if due.base and base != (asked.url if due.base == "typed" else None):
        wrong.append(f"base {base}, due {due.base}")
    if status != due.exit:
        wrong.append(f"exit {status}, due {due.exit}")
    text = " ".join(f"{item['detail']} {item['remedy']}" for item in named)
    wrong += [f"nothing is said of {word}" for word in due.says if named and word not in text]
    for name, verdict in due.verdicts.items():
        found = report["capabilities"][name]["verdict"]
        wrong += [] if found == verdict else [f"{name} {found}, due {verdict}"]
    for name, value in due.facts.items():
        measured = report["facts"].get(name)
        wrong += [] if measured is not None and abs(measured - value) <= 0.5 else [f"{name} {measured}, due {value}"]
    if due.proxy and (report["target"].get("proxy") is None or str(asked.proxy) not in str(report["target"]["proxy"])):
        wrong.append("target.proxy does not name the proxy")
    errors = [f"fault of our own: {item['reason']}" for item in report["checks"] if item["outcome"] == "error"]
    return errors + wrong

"""Client libraries against situations: each is started with its exported configuration, and its row is compared.

A situation is a simulated endpoint with one fault, diagnosed by a whole run.  A driver in `driven/` does a chat, a
stream and a tool loop.  A row that says yes must hold in every step that it does not exclude; one that says no must
fail.

    python -m tests.live.client_matrix [--all]     run it and print the table, with the versions
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from probe.model import Report
from probe.simulator import Simulator
from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.response import Response
from reports.clients.client import export
from reports.clients.compatibility import Answer, Fit, works_with
from reports.clients.registry import client
from reports.clients.settings import CannotExport, settings_of
from tests.benchmarks.mutations import node
from tests.live import consumers
from tests.live.driven.agents import AGENTS, PARTS, turn
from tests.live.parts import ALL, PartMissing, program
from tests.scenarios.runs import against

KEY = "sk-matrix-0123456789abcdef"
TEAM = "blue-team-0001"
DRIVEN = Path(__file__).parent / "driven"
STEPS = ("chat", "stream", "tools")


class NeedsQuery(Fault):
    """A gateway that answers requests with ``?api-version=`` only."""

    name, summary = "needs-query", "every request needs ?api-version=2026-01"

    def typed_url(self, url: str) -> str:
        return f"{url}?api-version=2026-01"

    def on_request(self, call: Call) -> Response | None:
        found = "api-version=2026-01" in call.request.target
        return None if found else self.error(404, "Resource not found")


class NeedsHeader(Fault):
    """A gateway that answers requests with a header of its own only."""

    name, summary = "needs-header", "every request needs the header X-Team"

    def on_request(self, call: Call) -> Response | None:
        sent = call.request.header("x-team") == TEAM
        return None if sent else self.error(403, "X-Team is missing")


class UnderPath(Fault):
    """A gateway that has the API under a path of its own."""

    name, summary = "under-path", "the API is under /corp/llm-1/v1"

    def mount(self, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        return ("/corp/llm-1/v1",)


@dataclass(frozen=True)
class Situation:
    """A simulated endpoint: its faults, the options of the simulator and of the run."""

    faults: tuple[str | Fault, ...] = ()
    style: str = "openai"
    simulator: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)


SITUATIONS: dict[str, Situation] = {
    "healthy": Situation(),
    "no tools": Situation(("tools-rejected",)),
    "calls as text": Situation(("tools-as-hermes",)),
    "calls as text in streams": Situation(("tool-stream-leak",)),
    "held stream": Situation(("stream-held",), simulator={"rate_tokens_s": 60.0}),
    "no stream": Situation(("stream-rejected",)),
    "stream_options refused": Situation(("stream-options-rejected",)),
    "no usage": Situation(("stream-no-usage",)),
    "blocks refused": Situation(("blocks-rejected",)),
    "key in x-api-key": Situation(("auth-wrong-scheme=x-api-key",)),
    "query": Situation((NeedsQuery(),)),
    "extra header": Situation(
        (NeedsHeader(),),
        run={"headers": {"X-Team": TEAM}, "secrets": (("LAB_TEAM", TEAM),), "written": {TEAM: "${LAB_TEAM}"}},
    ),
    "reasoning_content needed": Situation(("echo-reasoning",)),
    "signature needed": Situation(("echo-signature",)),
    "context of 2,048": Situation(style="vllm", simulator={"options": {"context_length": "2048"}}),
    "content as a list": Situation(("content-as-parts",)),
    "temperature refused": Situation(("sampling-rejected=temperature",)),
    "max_tokens refused": Situation(("max-tokens-rejected",)),
    "max_completion_tokens refused": Situation(("max-completion-tokens-rejected",)),
    "no system role": Situation(("system-rejected",)),
    "under a path": Situation((UnderPath(),)),
    "odd model id": Situation(simulator={"models": ["hf.co/lab-é/Qwen3 30B:Q4_K_M@free#1"]}),
    "own certificate authority": Situation(("tls",)),
    "query and header": Situation(
        (NeedsQuery(), NeedsHeader()),
        run={"headers": {"X-Team": TEAM}, "secrets": (("LAB_TEAM", TEAM),), "written": {TEAM: "${LAB_TEAM}"}},
    ),
}
#: The part that is always run.
USUAL = ("healthy", "no tools", "stream_options refused", "key in x-api-key", "query", "extra header")


@dataclass(frozen=True)
class Driver:
    """A client and how it is driven: the part it is in (empty: this environment), the script, the package's name."""

    part: str
    script: str
    package: str
    suffix: str = ".py"


DRIVERS = {
    "kenaz": Driver("", "kenaz_adapter.py", "httpx", ".json"),
    "openai-python": Driver("", "openai_sdk.py", "openai"),
    "dotenv": Driver("", "openai_sdk.py", "openai", ".env"),
    "langchain": Driver("langchain", "langchain_chat.py", "langchain-openai"),
    "pydantic-ai": Driver("pydantic-ai", "pydantic_agent.py", "pydantic-ai-slim"),
    "llm": Driver("llm", "llm_library.py", "llm", ".yaml"),
    "litellm": Driver("litellm", "litellm_router.py", "litellm", ".yaml"),
    "llamaindex": Driver("llamaindex", "llamaindex_llm.py", "llama-index-llms-openai-like"),
    "haystack": Driver("haystack", "haystack_generator.py", "haystack-ai"),
    "continue": Driver("continue-adapters", "continue_adapter.mjs", "@continuedev/openai-adapters", ".yaml"),
    "openai-node": Driver("node", "javascript.mjs", "openai", ".mjs"),
    "ai-sdk": Driver("node", "javascript.mjs", "@ai-sdk/openai-compatible", ".mjs"),
}


@dataclass(frozen=True)
class Cell:
    """One client in one situation: its row, what each step said, and what is wrong with the row."""

    client: str
    situation: str
    fit: Fit
    said: Mapping[str, str]

    @property
    def wrong(self) -> str:
        """Why the row is not true; empty where it is."""
        failed = {name: text for name, text in self.said.items() if text != "ok"}
        if self.fit.answer is Answer.NO:
            return "" if failed else "the row says no, and every step worked"
        excluded = excluded_steps(self.fit) | {"export"}
        left = {name: text for name, text in failed.items() if name not in excluded}
        return "; ".join(f"{name}: {text}" for name, text in left.items())


def excluded_steps(fit: Fit) -> set[str]:
    """The steps that the row says not to do."""
    needs = client(fit.client).needs
    assert needs is not None
    excluded = set()
    settings = set(fit.settings)
    stream_off = {needs.stream_setting, needs.sends.get("stream_options")} - {None, ""}
    if (settings & stream_off and fit.client not in ("langchain", "ai-sdk")) or needs.stream_setting in settings:
        excluded.add("stream")
    by_hand = any(text.startswith("with tools: ") for text in settings)
    if by_hand or needs.tools_setting in settings or any("tools" in reason for reason in fit.reasons):
        excluded.add("tools")
    if any(text.startswith("whole answers") for text in settings):
        excluded.add("stream")
    if any("its command line" in text for text in settings):
        excluded.add("turn")
    return excluded


@contextlib.contextmanager
def diagnosed(names: Iterable[str]) -> Iterator[dict[str, tuple[Simulator, Report]]]:
    """The situations' endpoints, running, with the report of a whole run of each."""
    with contextlib.ExitStack() as stack:
        running = {}
        for name in names:
            chosen = SITUATIONS[name]
            settings: dict[str, Any] = {"key": KEY, "rate_tokens_s": 400.0, "options": {"context_length": "65536"}}
            running[name] = stack.enter_context(Simulator(chosen.style, chosen.faults, **settings | chosen.simulator))
        with ThreadPoolExecutor(2) as pool:
            reports = pool.map(lambda name: against(running[name], **SITUATIONS[name].run), running)
            found = dict(zip(running, reports, strict=True))
        yield {name: (running[name], found[name]) for name in running}


def drive(
    name: str, reports: Mapping[str, Report], folder: Path, authority: Path | None = None
) -> dict[str, dict[str, str]]:
    """What each step of a client said in each situation, `authority` being trusted. Raises PartMissing."""
    driver = DRIVERS[name]
    folder.mkdir(parents=True)
    jobs: list[dict[str, Any]] = []
    refused: dict[str, dict[str, str]] = {}
    for situation, report in reports.items():
        settings = settings_of(report, id="lab", variable="LAB_API_KEY")
        path = folder / f"job{len(jobs)}{driver.suffix}"
        try:
            path.write_text(export(client(name), settings).text, encoding="utf-8")
        except CannotExport as problem:
            refused[situation] = {"export": str(problem)}
            continue
        env = {"LAB_API_KEY": KEY, "LAB_TEAM": TEAM}
        (fit,) = works_with(report, [client(name)])
        job = {"name": situation, "file": str(path), "model": settings.model, "env": env}
        # What the row says to do by hand is done.
        job["system"] = not any("system" in setting for setting in fit.settings)
        job["headers"] = _headers_by_hand(fit)
        jobs.append(job)
    (folder / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    env = {"LLM_USER_PATH": str(folder), "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": str(DRIVEN)}
    env |= {"HAYSTACK_TELEMETRY_ENABLED": "False"}
    if authority is not None:
        env |= {"SSL_CERT_FILE": str(authority), "NODE_EXTRA_CA_CERTS": str(authority)}
    part = _folder(driver)
    if driver.script.endswith(".mjs"):
        assert part is not None
        (folder / "node_modules").symlink_to(part / "node_modules")
        script = folder / driver.script
        script.write_bytes((DRIVEN / driver.script).read_bytes())
        command: Sequence[str | Path] = ["node", "--no-warnings", script]
    else:
        command = [part / "bin" / "python" if part else sys.executable, DRIVEN / driver.script]
    ran = consumers.start([*command, folder / "jobs.json"], folder, env)
    assert ran.status == 0, ran.all[-2000:]
    said: dict[str, dict[str, str]] = ran.said
    return refused | said


def _headers_by_hand(fit: Fit) -> dict[str, str]:
    """The values of the headers that the row says to fill in."""
    given = {"X-Team": TEAM, "X-API-Key": KEY}
    return {name: value for name, value in given.items() if any(name in text for text in fit.settings)}


def _folder(driver: Driver) -> Path | None:
    """The folder of a driver's part, installed now if need be; None for this environment. Raises PartMissing."""
    if driver.part == "node":
        try:
            node.install()
        except node.NodeMissing as missing:
            raise PartMissing(str(missing)) from None
        return node.FOLDER
    if not driver.part:
        return None
    if ALL[driver.part].optin and ALL[driver.part].find() is None:
        raise PartMissing(f"{driver.part} is installed by name only")
    program(driver.part)
    return ALL[driver.part].folder


def cells(names: Iterable[str], clients: Iterable[str], folder: Path) -> Iterator[Cell]:
    """The matrix; a client whose part cannot be had is left out."""
    with diagnosed(names) as found:
        reports = {name: report for name, (_, report) in found.items()}
        authority = next((sim.ca_bundle for sim, _ in found.values() if sim.ca_bundle), None)
        for number, name in enumerate(clients):
            with contextlib.suppress(PartMissing):
                for situation, said in drive(name, reports, folder / str(number), authority).items():
                    (fit,) = works_with(reports[situation], [client(name)])
                    yield Cell(name, situation, fit, said)


def agent_cells(names: Iterable[str], agents: Iterable[str], folder: Path) -> Iterator[Cell]:
    """The same for programs that are asked one question; a row that says no because of calls alone is not tried."""
    with diagnosed(names) as found:
        for name in agents:
            for number, (situation, (sim, report)) in enumerate(found.items()):
                settings = settings_of(report, id="lab", variable="LAB_API_KEY")
                (fit,) = works_with(report, [client(name)])
                of_calls = all(code.startswith("tools.") for code in fit.codes)
                if fit.answer is Answer.NO and of_calls and "tools.rejected" not in fit.codes:
                    continue
                env = {"LAB_API_KEY": KEY, "LAB_TEAM": TEAM, "OPENAI_API_BASE": sim.base_url}
                env["BY_HAND"] = json.dumps(_headers_by_hand(fit))
                if sim.ca_bundle is not None:
                    env |= dict.fromkeys(("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE"), str(sim.ca_bundle))
                text = export(client(name), settings).text
                said = turn(name, folder / f"{name}{number}", text, env)
                print(f"{name}, {situation}: {said}", file=sys.stderr)
                yield Cell(name, situation, fit, {"turn": said})


def version(name: str, agent: bool = False) -> str:
    """The version of the program (`agent`), or of the package, that is driven."""
    if name == "kenaz":
        return "(adapter as documented)"
    if agent or DRIVERS[name].script == "continue_adapter.mjs":
        part = ALL.get(PARTS.get(name, name) if agent else DRIVERS[name].part)
        asked = (*part.pip, *part.npm) if part else ()
        return next((word.partition("==")[2] or word.rpartition("@")[2] for word in asked), "")
    driver = DRIVERS[name]
    if driver.part == "node":
        return node.PACKAGES[driver.package]
    part = _folder(driver)
    python = part / "bin" / "python" if part else Path(sys.executable)
    code = f"import importlib.metadata as m; print(m.version({driver.package!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def table(found: Sequence[Cell]) -> str:
    """The matrix in Markdown: the row's answer, and in brackets the steps that failed."""
    clients = {cell.client: "turn" in cell.said for cell in found}
    lines = ["| situation | " + " | ".join(f"{name} {version(name, agent)}" for name, agent in clients.items()) + " |"]
    lines.append("| --- " * (len(clients) + 1) + "|")
    by = {(cell.situation, cell.client): cell for cell in found}
    for situation in dict.fromkeys(cell.situation for cell in found):
        shown = []
        for name in clients:
            cell = by.get((situation, name))
            if cell is None:
                shown.append("")
                continue
            failed = [step for step, text in cell.said.items() if text != "ok"]
            answer = {Answer.NO: "no", Answer.YES: "yes"}.get(cell.fit.answer, "with settings")
            shown.append(answer + (f" ({', '.join(failed)})" if failed else "") + (" **wrong**" if cell.wrong else ""))
        lines.append(f"| {situation} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the matrix, print its table and what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.live.client_matrix")
    parser.add_argument("--all", action="store_true", help="every situation")
    parser.add_argument("--clients", default=",".join(DRIVERS))
    parser.add_argument("--situations", nargs="+", default=[])
    parser.add_argument("--agents", default="", help=f"programs instead, of: {', '.join(AGENTS)}")
    options = parser.parse_args()
    names = options.situations or (SITUATIONS if options.all else USUAL)
    with tempfile.TemporaryDirectory() as folder:
        if options.agents:
            found = list(agent_cells(names, options.agents.split(","), Path(folder)))
        else:
            found = list(cells(names, options.clients.split(","), Path(folder)))
    print(table(found))
    wrong = [cell for cell in found if cell.wrong]
    for cell in wrong:
        print(f"{cell.client}, {cell.situation}: {cell.fit.sentence}\n    {cell.wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())

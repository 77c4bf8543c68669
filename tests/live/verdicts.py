"""The verdict table of real servers: every capability and every finding, with the exchange that shows it.

The servers: llama.cpp with each of two small models (one also with a chat template that shows
tools to the model), and LiteLLM in front of the first.  The reports are left in a folder, so
that each row can be judged from what was recorded.

    python -m tests.live.verdicts [FOLDER]
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio

from probe.model import Outcome, Report, Severity, State
from probe.parsing.urls import parse
from probe.run.options import Auth, Options
from probe.run.runner import run
from reports.registry import chosen
from tests.live import servers

MASTER = "sk-local-master-0001"


@dataclass(frozen=True)
class Subject:
    """A running server and how it is asked."""

    base_url: str
    key: str | None = None


Start = Callable[[Path], contextlib.AbstractContextManager[Subject]]


@contextlib.contextmanager
def smollm(folder: Path) -> Iterator[Subject]:
    with servers.llamacpp() as server:
        yield Subject(server.base_url)


@contextlib.contextmanager
def smollm_with_tools(folder: Path) -> Iterator[Subject]:
    template = (servers.CONFIGS / "hermes-tools.jinja").read_text(encoding="utf-8")
    with servers.llamacpp(template=template) as server:
        yield Subject(server.base_url)


@contextlib.contextmanager
def gemma(folder: Path) -> Iterator[Subject]:
    with servers.llamacpp(model=servers.gemma(), alias="gemma-3-270m") as server:
        yield Subject(server.base_url)


@contextlib.contextmanager
def litellm(folder: Path) -> Iterator[Subject]:
    with servers.llamacpp() as server, servers.litellm(server.base_url, folder, master_key=MASTER) as proxy:
        yield Subject(proxy.base_url, MASTER)


SUBJECTS: dict[str, Start] = {
    "llama.cpp, SmolLM2 135M": smollm,
    "llama.cpp, SmolLM2, a template with tools": smollm_with_tools,
    "llama.cpp, Gemma 3 270M (base model)": gemma,
    "LiteLLM, llama.cpp, SmolLM2": litellm,
}


def diagnose(subject: Subject, only: tuple[str, ...] = ()) -> Report:
    """A run at standard depth, patient enough for a small machine; all checks, or those named."""
    auth = Auth(key=subject.key, source="test") if subject.key else Auth()
    options = Options(parse(subject.base_url), auth, only=only, timeout_s=120, deadline_s=600)
    return anyio.run(lambda: run(options))


def loud(report: Report) -> list[str]:
    """The codes of the errors and warnings of a run in which no check failed by itself."""
    assert [item.reason for item in report.checks if item.outcome is Outcome.ERROR] == []
    return [item.code for item in report.findings if item.severity in (Severity.ERROR, Severity.WARNING)]


def states(report: Report, *capabilities: str) -> dict[str, State]:
    """What was said of these capabilities."""
    return {name: report.capabilities[name].verdict for name in capabilities}


def table(reports: dict[str, Report]) -> Iterator[str]:
    """The lines of the table, capabilities first, then the findings with their evidence."""
    yield "| capability | " + " | ".join(reports) + " |"
    yield "| --- |" + " --- |" * len(reports)
    for name in next(iter(reports.values())).capabilities:
        cells = [report.capabilities[name] for report in reports.values()]
        yield f"| {name} | " + " | ".join(f"{cell.verdict}" for cell in cells) + " |"
    for title, report in reports.items():
        cost = f"{len(report.exchanges)} exchanges, {report.run.duration_s:.0f} s"
        software = ", ".join([report.server.software, *(hop.software for hop in report.server.hops)])
        yield f"\n{title}: recognised as {software}; {cost}"
        for found in report.findings:
            shown = ", ".join(f"{item.exchange}{item.pointer} = {item.actual!r}"[:120] for item in found.evidence)
            yield f"  {found.severity} {found.code} ({found.owner}): {found.detail[:300]} [{shown}]"
        for item in report.checks:
            if item.outcome not in (Outcome.PASS, Outcome.FAIL):
                yield f"  {item.outcome} {item.id}: {item.reason}"


def main(folder: Path) -> int:
    reports: dict[str, Report] = {}
    for number, (title, start) in enumerate(SUBJECTS.items()):
        with tempfile.TemporaryDirectory(prefix="endpoint-probe-tests-") as scratch, start(Path(scratch)) as subject:
            reports[title] = diagnose(subject)
        (writer,) = chosen(("json",))
        (folder / f"{number}.json").write_bytes(writer.render(reports[title]))
        print(f"{title}: done", file=sys.stderr, flush=True)
    print("\n".join(table(reports)))
    return int(any(item.outcome is Outcome.ERROR for report in reports.values() for item in report.checks))


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "artifacts/verdicts")
    place.mkdir(parents=True, exist_ok=True)
    raise SystemExit(main(place))

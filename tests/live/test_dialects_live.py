"""The Responses and Messages APIs with the official libraries, real servers and real agents."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from probe.model import Report, State
from probe.parsing.urls import parse
from probe.run.options import Auth, Options
from probe.run.runner import run
from probe.simulator import Simulator, all_faults
from probe.simulator.llamacpp_demo import RealServer
from reports.clients.compatibility import Answer, rows
from tests.live.parts import program
from tests.live.processes import Running
from tests.scenarios.runs import against, codes

pytestmark = [pytest.mark.live, pytest.mark.slow]
FAST: dict[str, Any] = {"rate_tokens_s": 0, "first_token_s": 0.0}
ONLY = ("responses.create", "messages.create", "apis.present")
LIBRARIES = {"responses": "openai-python", "messages": "anthropic-python"}
#: Faults of the request and not of the answer's form, or without an effect on these calls.
_NO_FORM = (
    "dropped", "rejected", "refused", "storage", "previous", "leak", "as-text", "unasked", "count-", "schema", "second",
    "reasoning", "signature", "thinking", "stored", "system", "once", "heartbeat",
)  # fmt: skip
#: Faults that show in the library's answers.
FORMS = [
    info
    for info in all_faults()
    if info.name.startswith(tuple(LIBRARIES)) and not any(word in info.name for word in _NO_FORM)
]


@pytest.fixture(scope="module")
def outcomes(part: Callable[[str], None]) -> dict[str, dict[str, str | None]]:
    """What the official libraries make of the healthy styles and of every fault of form."""
    part("dialect-sdks")
    names: list[str] = []
    asked: list[tuple[str, str, str, str]] = []
    with contextlib.ExitStack() as stack:
        for style in ("vllm", "llamacpp", "litellm", "ollama", "lmstudio", "sglang"):
            for api in LIBRARIES:
                sim = stack.enter_context(Simulator(style, **FAST))
                names.append(f"{style} {api}")
                asked.append((api, sim.base_url, sim.key or "none", sim.model))
        for info in FORMS:
            sim = stack.enter_context(Simulator("litellm", [info.name], **FAST))
            names.append(info.name)
            asked.append((info.name.partition("-")[0], sim.base_url, sim.key or "none", sim.model))
        script = Path(__file__).with_name("dialect_sdks.py")
        done = subprocess.run(
            [program("dialect-sdks"), script],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(names, map(json.loads, done.stdout.splitlines()), strict=True))


def test_the_official_libraries_work_with_every_healthy_style(outcomes: dict[str, dict[str, str | None]]) -> None:
    healthy = {name: found for name, found in outcomes.items() if " " in name}
    assert {name: found for name, found in healthy.items() if any(found.values())} == {}


def test_the_libraries_that_are_said_to_fail_do_and_no_others(outcomes: dict[str, dict[str, str | None]]) -> None:
    wrong = {}
    for info in FORMS:
        api = info.name.partition("-")[0]
        with Simulator("litellm", [info.name], **FAST) as sim:
            report = against(sim, only=(f"{api}.create",))
        said = report.facts.get("failing_dialect_clients", {})
        library = LIBRARIES[api]
        expected = {"plain": library in said, "helper": f"{library}'s stream()" in said}
        real = {name: error is not None for name, error in outcomes[info.name].items()}
        # Where plain calls fail, the helper is not judged.
        if real["plain"] != expected["plain"] or (not real["plain"] and real != expected):
            wrong[info.name] = (said, outcomes[info.name])
    assert wrong == {}


def _diagnosed(base: str, key: str, model: str) -> Report:
    options = Options(parse(base), Auth(key=key, source="test"), model=model, only=(*ONLY, "tools.call"))
    return anyio.run(lambda: run(options))


def test_llama_cpp_and_litellm_in_front_of_it(
    llamacpp: Callable[..., RealServer], litellm_proxy: Callable[..., Running]
) -> None:
    key, master = "sk-local-0123456789", "sk-local-master-0001"
    real = llamacpp(key=key)
    gateway = litellm_proxy(upstream=real.base_url, upstream_key=key, master_key=master)
    for base, secret, model in ((real.base_url, key, real.model), (f"{gateway.origin}/v1", master, "small-model")):
        report = _diagnosed(base, secret, model)
        state = {name: report.capabilities[name].verdict for name in report.capabilities}
        assert state["responses_api"] is state["messages_api"] is State.WORKS
        # The chat template of this model shows no tools, on any of the three.
        assert state["responses_tools"] is state["messages_tools"] is state["tools"] is State.IGNORED
        assert report.facts["apis"] == ["chat_completions", "responses", "messages"]
        access = report.facts["messages_access"]
        assert access["base_url"] == base.removesuffix("/v1")
        assert access["auth"] == ["bearer", "x-api-key"] and access["count_tokens"] is True
        # Events of this build have no output_index; stored conversations are refused.
        mine = {"messages.fields-rejected"} if model == "small-model" else set()  # LiteLLM: output_config.effort
        assert codes(report, "responses", "messages") == {"responses.stream", "responses.history"} | mine
        failing = report.facts["failing_dialect_clients"]
        assert "AI SDK" in failing and "Codex CLI" not in failing and "openai-python" not in failing


# The agents themselves: large, run where they are installed ------------------------------------------

SAY, CALL = "Repeat exactly: KIWI-12345", "Run the shell command: echo KIWI-12345"
#: Situation: faults, settings of the endpoint, and what the agent is asked: to say something, or to call a tool.
SITUATIONS: dict[str, tuple[tuple[str, ...], dict[str, Any], str]] = {
    "healthy": ((), {}, CALL),
    "404": (("no-responses", "no-messages"), {}, SAY),
    "no tools": (("responses-tools-rejected", "messages-tools-rejected"), {}, SAY),
    "leak in this API": (("responses-stream-leak", "messages-stream-leak"), {}, CALL),
    "held": (("stream-held",), {}, SAY),
    "small context": ((), {"context_length": "4096"}, SAY),
    "key in a header": (("auth-wrong-scheme",), {}, SAY),
    "silence": (("idle-l7-timeout=1.5",), {}, SAY),
    "fields refused": (("responses-fields-rejected", "messages-fields-rejected"), {}, SAY),
    "forms refused": (("responses-tool-types-rejected", "messages-system-turns-rejected"), {}, SAY),
    "no end": (("responses-no-completed", "messages-no-block-stop"), {}, SAY),
    "whole answers wrong": (("responses-output-null",), {}, SAY),
}


@pytest.mark.optin
@pytest.mark.parametrize("name", SITUATIONS)
@pytest.mark.parametrize("agent", ["codex", "claude-code"])
def test_the_row_of_an_agent_is_what_the_agent_does(
    part: Callable[[str], None], tmp_path: Path, agent: str, name: str
) -> None:
    part(agent)
    faults, options, prompt = SITUATIONS[name]
    others = ("messages", "no-m") if agent == "codex" else ("responses", "no-r")
    mine = [fault for fault in faults if not fault.startswith(others)]
    settings = {"context_length": "200000", **options}
    # Of the two only vLLM declares its context length.
    style = "vllm" if options else "litellm"
    silent = name == "silence"
    with Simulator(style, mine, **({} if silent else FAST), options=settings) as sim:
        report = against(sim, idle_s=3.0 if silent else 0.0)
        row = next(row for row in rows(report) if row.fit.client == agent)
        works = row.fit.answer in (Answer.YES, Answer.WITH_SETTINGS)
        assert _works(agent, sim, report, tmp_path, prompt, tools=name == "no tools") is works, row.fit.sentence
    if silent:
        assert "long silences end its requests" in row.fit.sentence
        with Simulator(style, mine, rate_tokens_s=0, first_token_s=3.0, options=settings) as sim:
            assert not _works(agent, sim, report, tmp_path, prompt, tools=False)


def _works(agent: str, sim: Simulator, report: Report, folder: Path, prompt: str, *, tools: bool) -> bool:
    """Whether the agent says what it is asked to, or gives back the result of the tool that the model called."""
    run_it = _codex if agent == "codex" else _claude
    said = run_it(sim, report, folder, prompt, tools=tools)
    if prompt == SAY:
        return said
    bodies = [one.body.decode() for one in sim.journal if one.method == "POST"][-1:]
    return any('"function_call_output"' in body or '"tool_result"' in body for body in bodies)


def _answers(command: list[str | Path], folder: Path, env: dict[str, str]) -> bool:
    given = {"PATH": os.environ["PATH"], "HOME": str(folder), **env}
    done = subprocess.run(
        command,
        cwd=folder,
        env=given,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode == 0 and "KIWI-12345" in done.stdout


def _config(agent: str, sim: Simulator, report: Report) -> str:
    """The exported configuration, with the address of this endpoint; where there is none, that of a healthy one."""
    row = next(row for row in rows(report) if row.fit.client == agent)
    if row.text is None:
        with Simulator(sim.style.name, **FAST, options={**sim.site.options, "context_length": "200000"}) as healthy:
            report = against(healthy)
        row = next(row for row in rows(report) if row.fit.client == agent)
    assert row.text is not None and report.target.base_url
    return row.text.replace(report.target.base_url.removesuffix("/v1"), sim.origin)


def _codex(sim: Simulator, report: Report, folder: Path, prompt: str, *, tools: bool) -> bool:
    """Codex always sends tools, and the model answers the question to say something without one."""
    (folder / ".codex").mkdir(exist_ok=True)
    (folder / ".codex" / "config.toml").write_text(_config("codex", sim, report))
    provider = tomllib.loads(_config("codex", sim, report))["model_provider"]
    once = [f"-c=model_providers.{provider}.{name}_max_retries=0" for name in ("request", "stream")]
    words = ["exec", *once, "--skip-git-repo-check", "--sandbox", "read-only", prompt]
    return _answers([program("codex"), *words], folder, _key(sim, _config("codex", sim, report)))


def _key(sim: Simulator, config: str) -> dict[str, str]:
    """Every variable that a configuration names, with the key."""
    return dict.fromkeys(re.findall(r"\b[A-Z0-9_]*_API_KEY\b", config), sim.key or "none")


def _claude(sim: Simulator, report: Report, folder: Path, prompt: str, *, tools: bool) -> bool:
    """With tools on offer the simulated model would call one; so they are sent only where they matter."""
    (folder / ".claude").mkdir(exist_ok=True)
    config = _config("claude-code", sim, report)
    (folder / ".claude" / "settings.json").write_text(config)
    quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "CLAUDE_CODE_MAX_RETRIES": "0"}
    offered = ["--tools", "Bash", "--allowedTools", "Bash"] if tools or prompt == CALL else ["--tools", ""]
    return _answers([program("claude-code"), "-p", prompt, *offered], folder, {**_key(sim, config), **quiet})

"""The Responses and Messages APIs with the official libraries, real servers and real agents."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
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
from reports.clients.compatibility import Answer, works_with
from tests.live.parts import program
from tests.live.processes import Running
from tests.scenarios.runs import against, codes

pytestmark = [pytest.mark.live, pytest.mark.slow]
FAST: dict[str, Any] = {"rate_tokens_s": 0, "first_token_s": 0.0}
ONLY = ("responses.create", "messages.create", "apis.present")
LIBRARIES = {"responses": "openai-python", "messages": "anthropic-python"}
#: Faults of the request and not of the answer's form, or without an effect on these calls.
_NO_FORM = ("dropped", "rejected", "refused", "storage", "previous", "leak", "as-text", "unasked", "count-wrong")
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
        assert codes(report, "responses", "messages") == {"responses.stream", "responses.history"}
        failing = report.facts["failing_dialect_clients"]
        assert "AI SDK" in failing and "Codex CLI" not in failing and "openai-python" not in failing


# The agents themselves: large, run where they are installed ------------------------------------------

SITUATIONS: list[tuple[str, list[str], dict[str, str]]] = [
    ("healthy", [], {}),
    ("no API", ["no-responses", "no-messages"], {}),
    ("tools refused", ["responses-tools-rejected", "messages-tools-rejected"], {}),
    ("fields refused", ["responses-fields-rejected", "messages-fields-rejected"], {}),
    ("no end", ["responses-no-completed", "messages-no-block-stop"], {}),
    ("held", ["stream-held"], {}),
    ("small context", [], {"context_length": "4096"}),
    ("whole answers wrong", ["responses-output-null"], {}),
]


@pytest.mark.optin
@pytest.mark.parametrize(("name", "faults", "options"), SITUATIONS, ids=[item[0] for item in SITUATIONS])
@pytest.mark.parametrize("agent", ["codex", "claude-code"])
def test_the_row_of_an_agent_is_what_the_agent_does(
    part: Callable[[str], None], tmp_path: Path, agent: str, name: str, faults: list[str], options: dict[str, str]
) -> None:
    part(agent)
    mine = [
        fault
        for fault in faults
        if not fault.startswith(("messages", "no-m") if agent == "codex" else ("responses", "no-r"))
    ]
    settings = {"context_length": "200000", **options}
    # Of the two only vLLM declares its context length.
    with Simulator("vllm" if options else "litellm", mine, **FAST, options=settings) as sim:
        report = against(sim)
        row = next(fit for fit in works_with(report) if fit.client == agent)
        done = _codex if agent == "codex" else _claude
        assert done(sim, tmp_path, tools=name == "tools refused") is (
            row.answer in (Answer.YES, Answer.WITH_SETTINGS)
        ), (name, row.sentence)


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


def _codex(sim: Simulator, folder: Path, *, tools: bool) -> bool:
    """Codex always sends tools, and the model answers this question without one."""
    (folder / ".codex").mkdir()
    provider = f'name = "Lab"\nbase_url = "{sim.base_url}"\nenv_key = "LAB_KEY"\nwire_api = "responses"\n'
    retries = "request_max_retries = 0\nstream_max_retries = 0\n"
    text = f'model = "{sim.model}"\nmodel_provider = "lab"\n[model_providers.lab]\n{provider}{retries}'
    (folder / ".codex" / "config.toml").write_text(text)
    command = [
        program("codex"),
        "exec",
        "--skip-git-repo-check",
        "--sandbox",
        "read-only",
        "Repeat exactly: KIWI-12345",
    ]
    return _answers(command, folder, {"LAB_KEY": sim.key or "none"})


def _claude(sim: Simulator, folder: Path, *, tools: bool) -> bool:
    """With tools on offer the simulated model would call one; so they are sent only where they are refused."""
    (folder / ".claude").mkdir()
    env = {
        "ANTHROPIC_BASE_URL": sim.origin,
        "ANTHROPIC_MODEL": sim.model,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": sim.model,
    }
    settings = {"env": env, "apiKeyHelper": "printenv LAB_KEY"}
    (folder / ".claude" / "settings.json").write_text(json.dumps(settings))
    quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "CLAUDE_CODE_MAX_RETRIES": "0"}
    command = [program("claude-code"), "-p", "Repeat exactly: KIWI-12345", "--tools", "Read" if tools else ""]
    return _answers(command, folder, {"LAB_KEY": sim.key or "none", **quiet})

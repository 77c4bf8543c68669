"""Each configuration, loaded by its own consumer and read back; a wrong one is refused.

Long, because the consumers are many and each is read by its own rules, beside one another for comparison.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from probe.model import Report, State
from probe.simulator import Simulator
from reports.clients.documents import parsed
from tests.live import consumers
from tests.live.parts import program
from tests.live.processes import serving
from tests.live.recorder import Recorder, recorder
from tests.unit.configs_cases import BASE, MODEL, case, text_of

pytestmark = [pytest.mark.live, pytest.mark.slow]

KEY = "sk-live-test-0123456789"
#: Nothing of tools, pictures, schemas; no usage; two parameters refused.
POOR = {
    "tools": (State.REJECTED, "tools.rejected"),
    "vision": (State.IGNORED, "vision.ignored"),
    "json_schema": (State.REJECTED, "output.schema-rejected"),
    "stream_usage": (State.IGNORED, "stream.no-usage"),
    "streaming": (State.BROKEN, "stream.framing"),
    "tool_choice_required": (State.IGNORED, "tools.choice-ignored"),
    "system_role": (State.REJECTED, "roles.system-rejected"),
}


@pytest.fixture
def recording() -> Iterator[Recorder]:
    with recorder() as kept:
        yield kept


@pytest.fixture
def simulated() -> Iterator[Simulator]:
    with Simulator("openai") as sim:
        yield sim


def at(base_url: str, faults: dict[str, tuple[State, str]] | None = None, model: str = MODEL, **more: Any) -> Report:
    return case(faults, base_url=base_url, chat_url=f"{base_url}/chat/completions", model=model, **more)


def ok(ran: consumers.Ran) -> Any:
    assert ran.status == 0, ran.all
    return ran.said


# LiteLLM ----------------------------------------------------------------------------------------

LITELLM = """
import json, sys, yaml, litellm
from litellm.proxy._types import ConfigYAML
data = yaml.safe_load(open(sys.argv[1]))
ConfigYAML(**data)
router = litellm.Router(model_list=data["model_list"])
name = "openai/" + sys.argv[2]
print(json.dumps({
    "names": router.get_model_names(),
    "vision": litellm.supports_vision(name),
    "tools": litellm.supports_function_calling(name),
    "schema": litellm.supports_response_schema(name),
    "drop": router.model_list[0]["litellm_params"].get("additional_drop_params"),
    "input": litellm.get_model_info(name)["max_input_tokens"],
}))
"""
OFFLINE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LAB_API_KEY": KEY}


def test_litellm_router_reads_it(part: Callable[[str], None], tmp_path: Path) -> None:
    part("litellm")
    said = []
    for name, faults in (("rich", {}), ("poor", POOR)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(text_of("litellm", case(faults)))
        said.append(ok(consumers.python("litellm", LITELLM, tmp_path, str(path), MODEL, env=OFFLINE)))
    shared = {"names": [f"lab/{MODEL}"], "input": 28672}
    assert said[0] == {**shared, "vision": True, "tools": True, "schema": True, "drop": None}
    assert said[1] == {
        **shared,
        "vision": False,
        "tools": False,
        "schema": False,
        "drop": ["tools", "tool_choice", "parallel_tool_calls"],
    }
    wrong = parsed("yaml", text_of("litellm", case()))
    del wrong["model_list"][0]["litellm_params"]
    (tmp_path / "wrong.yaml").write_text(json.dumps(wrong))
    refused = consumers.python("litellm", LITELLM, tmp_path, str(tmp_path / "wrong.yaml"), MODEL, env=OFFLINE)
    assert refused.status != 0 and "litellm_params" in refused.err


def test_litellm_proxy_drops_what_is_off(part: Callable[[str], None], tmp_path: Path, recording: Recorder) -> None:
    part("litellm")
    path = tmp_path / "config.yaml"
    path.write_text(text_of("litellm", at(recording.base_url, POOR)))
    env = {**OFFLINE, "LITELLM_MASTER_KEY": "sk-master-0001", "NO_PROXY": "127.0.0.1,localhost"}

    def command(port: int) -> list[str | Path]:
        return [program("litellm"), "--config", path, "--host", "127.0.0.1", "--port", str(port)]

    def ready(port: int) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/health/liveliness", timeout=5, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    with serving("litellm", command, tmp_path, env=env, timeout=90, ready=ready) as proxy:
        headers = {"Authorization": "Bearer sk-master-0001"}
        with httpx.Client(base_url=proxy.base_url, headers=headers, timeout=60, trust_env=False) as client:
            (info,) = client.get(f"{proxy.origin}/model/info").json()["data"]
            assert info["model_info"]["supports_vision"] is False
            assert info["model_info"]["supports_function_calling"] is False
            tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
            asked = {"model": f"lab/{MODEL}", "messages": [{"role": "user", "content": "Hi"}], "tools": [tool]}
            assert client.post("/chat/completions", json={**asked, "tool_choice": "auto"}).status_code == 200
    (body,) = recording.bodies
    assert body["model"] == MODEL
    assert "tools" not in body and "tool_choice" not in body
    assert recording.requests[0][1]["authorization"] == f"Bearer {KEY}"


# llm --------------------------------------------------------------------------------------------

LLM = """
import json, sys, llm
model = llm.get_model(sys.argv[1])
answer = model.prompt("Repeat exactly: ZEBRA-48213", key=sys.argv[2], stream=False).text() if len(sys.argv) > 2 else ""
print(json.dumps({
    "tools": model.supports_tools, "schema": model.supports_schema, "stream": model.can_stream,
    "pictures": "image/png" in model.attachment_types, "key": model.needs_key, "answer": answer,
}))
"""


def test_llm_reads_it_and_chats(part: Callable[[str], None], tmp_path: Path, simulated: Simulator) -> None:
    part("llm")
    path = tmp_path / "extra-openai-models.yaml"
    env = {"LLM_USER_PATH": str(tmp_path)}
    path.write_text(text_of("llm", at(simulated.base_url, model=simulated.model)))
    said = ok(consumers.python("llm", LLM, tmp_path, f"lab/{simulated.model}", simulated.key or "", env=env))
    assert "ZEBRA-48213" in said.pop("answer")
    assert said == {"tools": True, "schema": True, "stream": True, "pictures": True, "key": "lab"}
    path.write_text(text_of("llm", at(simulated.base_url, POOR, simulated.model)))
    said = ok(consumers.python("llm", LLM, tmp_path, f"lab/{simulated.model}", env=env))
    assert said == {"tools": False, "schema": False, "stream": False, "pictures": False, "key": "lab", "answer": ""}
    path.write_text(path.read_text().replace("model_name:", "model_nam:"))
    refused = consumers.python("llm", LLM, tmp_path, f"lab/{simulated.model}", env=env)
    assert refused.status != 0 and "model_name" in refused.err


# pydantic-ai ------------------------------------------------------------------------------------

PYDANTIC = """
import json, runpy, sys
from pydantic import TypeAdapter
from pydantic_ai import Agent
from pydantic_ai.profiles.openai import OpenAIModelProfile
made = runpy.run_path(sys.argv[1])
profile = made["profile"]
assert set(profile) <= OpenAIModelProfile.__optional_keys__, set(profile) - OpenAIModelProfile.__optional_keys__
TypeAdapter(OpenAIModelProfile).validate_python(dict(profile))
answer = Agent(made["model"]).run_sync("Repeat exactly: ZEBRA-48213").output if len(sys.argv) > 2 else ""
read = made["model"].profile
names = ("supports_tools", "supports_image_input", "supports_json_schema_output", "supports_forced_tool_choice")
print(json.dumps({"answer": answer, **{name: read.get(name) for name in names}}))
"""


def test_pydantic_ai_reads_it_and_chats(part: Callable[[str], None], tmp_path: Path, simulated: Simulator) -> None:
    part("pydantic-ai")
    path = tmp_path / "lab.py"
    env = {"LAB_API_KEY": simulated.key or ""}
    path.write_text(text_of("pydantic-ai", at(simulated.base_url, model=simulated.model)))
    said = ok(consumers.python("pydantic-ai", PYDANTIC, tmp_path, str(path), "ask", env=env))
    assert "ZEBRA-48213" in said.pop("answer")
    assert set(said.values()) == {True}
    path.write_text(text_of("pydantic-ai", at(simulated.base_url, POOR, simulated.model)))
    said = ok(consumers.python("pydantic-ai", PYDANTIC, tmp_path, str(path), env=env))
    del said["answer"]
    assert set(said.values()) == {False}
    right = path.read_text()
    for wrong in (
        right.replace("supports_tools=", "support_tools="),
        right.replace("supports_tools=False", "supports_tools='maybe'"),
    ):
        assert wrong != right
        path.write_text(wrong)
        assert consumers.python("pydantic-ai", PYDANTIC, tmp_path, str(path), env=env).status != 0


def test_pydantic_ai_sends_what_the_profile_says(
    part: Callable[[str], None], tmp_path: Path, recording: Recorder
) -> None:
    part("pydantic-ai")
    made = at(
        recording.base_url,
        {"tool_choice_required": (State.IGNORED, "tools.choice-ignored")},
        scheme="api-key-header",
        header="X-Lab",
        codes=("params.max-completion-tokens-rejected",),
    )
    (tmp_path / "lab.py").write_text(text_of("pydantic-ai", made))
    script = (
        "import runpy, sys\nfrom pydantic import BaseModel\nfrom pydantic_ai import Agent\n"
        "class Answer(BaseModel):\n    text: str\n"
        "made = runpy.run_path(sys.argv[1])\n"
        "agent = Agent(made['model'], output_type=Answer, retries=0, model_settings={'max_tokens': 7})\n"
        "try:\n    agent.run_sync('Hi')\nexcept Exception as error:\n    print(type(error))\n"
    )
    consumers.python("pydantic-ai", script, tmp_path, str(tmp_path / "lab.py"), env={"LAB_API_KEY": KEY})
    body = recording.bodies[0]
    assert body["tool_choice"] == "auto" and body["tools"]
    assert body["max_tokens"] == 7 and "max_completion_tokens" not in body
    assert recording.requests[0][1]["x-lab"] == KEY


# LangChain --------------------------------------------------------------------------------------

LANGCHAIN = """
import json, runpy, sys, warnings
warnings.simplefilter("error")
made = runpy.run_path(sys.argv[1])["model"]
answer = made.invoke("Repeat exactly: ZEBRA-48213").content if len(sys.argv) > 2 else ""
said = {"profile": made.profile, "usage": made.stream_usage, "off": made.disable_streaming, "answer": answer}
print(json.dumps(said))
"""


def test_langchain_reads_it_and_chats(part: Callable[[str], None], tmp_path: Path, simulated: Simulator) -> None:
    part("langchain")
    path = tmp_path / "lab.py"
    env = {"LAB_API_KEY": simulated.key or ""}
    path.write_text(text_of("langchain", at(simulated.base_url, model=simulated.model)))
    said = ok(consumers.python("langchain", LANGCHAIN, tmp_path, str(path), "ask", env=env))
    assert "ZEBRA-48213" in said["answer"] and said["usage"] is True and said["off"] is False
    assert said["profile"]["tool_calling"] is True and said["profile"]["max_input_tokens"] == 28672
    path.write_text(text_of("langchain", at(simulated.base_url, POOR, simulated.model)))
    said = ok(consumers.python("langchain", LANGCHAIN, tmp_path, str(path), env=env))
    assert (said["usage"], said["off"]) == (False, True)
    names = ("tool_calling", "image_inputs", "structured_output", "tool_choice")
    assert [said["profile"][name] for name in names] == [False] * 4
    path.write_text(path.read_text().replace("'tool_calling'", "'tool_callin'"))
    assert consumers.python("langchain", LANGCHAIN, tmp_path, str(path), env=env).status != 0


# aider ------------------------------------------------------------------------------------------

AIDER = """
import json, sys
from aider import models
models.register_models([sys.argv[1]])
models.register_litellm_models([sys.argv[2]])
model = models.Model(sys.argv[3])
print(json.dumps({
    "streaming": model.streaming, "system": model.use_system_prompt, "vision": model.info.get("supports_vision"),
    "input": model.info.get("max_input_tokens"),
}))
"""


def test_aider_reads_both_files(part: Callable[[str], None], tmp_path: Path) -> None:
    part("aider")
    settings, metadata = tmp_path / "settings.yml", tmp_path / "metadata.json"
    words = (str(settings), str(metadata), f"openai/{MODEL}")
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_API_KEY": KEY, "AIDER_ANALYTICS": "false"}
    for faults, on in (({}, True), (POOR, False)):
        settings.write_text(text_of("aider", case(faults)))
        metadata.write_text(text_of("aider-metadata", case(faults)))
        said = ok(consumers.python("aider", AIDER, tmp_path, *words, env=env))
        assert said == {"streaming": on, "system": on, "vision": on, "input": 28672}
    settings.write_text(settings.read_text().replace("streaming:", "streamin:"))
    refused = consumers.python("aider", AIDER, tmp_path, *words, env=env)
    assert refused.status != 0 and "streamin" in refused.err


# JavaScript -------------------------------------------------------------------------------------

CONTINUE = """
import { readFileSync } from "node:fs";
import { parseConfigYaml, validateConfigYaml } from "@continuedev/config-yaml";
const parsed = parseConfigYaml(readFileSync(process.argv[2], "utf8"));
const issues = validateConfigYaml(parsed);
console.log(JSON.stringify({ issues, model: parsed.models[0] }));
if (issues.some((issue) => issue.fatal)) process.exit(3);
"""


def test_continue_reads_it(part: Callable[[str], None], tmp_path: Path) -> None:
    part("continue")
    path = tmp_path / "config.yaml"
    path.write_text(text_of("continue", case()))
    said = ok(consumers.node("continue", CONTINUE, tmp_path, str(path)))
    assert said["issues"] == []
    model = said["model"]
    assert (model["provider"], model["apiBase"], model["model"]) == ("openai", BASE, MODEL)
    assert model["capabilities"] == ["tool_use", "image_input"]
    assert model["apiKey"] == "${{ secrets.LAB_API_KEY }}"
    assert model["defaultCompletionOptions"] == {"contextLength": 32768, "stream": True, "maxTokens": 4096}
    path.write_text(text_of("continue", case(POOR)))
    said = ok(consumers.node("continue", CONTINUE, tmp_path, str(path)))
    assert "capabilities" not in said["model"]
    assert said["model"]["defaultCompletionOptions"]["stream"] is False
    path.write_text(path.read_text().replace("    provider: openai\n", ""))
    assert consumers.node("continue", CONTINUE, tmp_path, str(path)).status != 0


LIBRECHAT = """
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
const { endpointSchema, configSchema } = createRequire(import.meta.url)("librechat-data-provider");
const whole = JSON.parse(readFileSync(process.argv[2], "utf8"));
const outer = configSchema.strict().safeParse(whole);
const read = endpointSchema.safeParse(whole.endpoints.custom[0]);
console.log(JSON.stringify({ ok: read.success && outer.success, data: read.data, error: read.error ?? outer.error }));
if (!read.success) process.exit(3);
"""


def test_librechat_reads_it(part: Callable[[str], None], tmp_path: Path) -> None:
    part("librechat")
    path = tmp_path / "librechat.json"  # YAML, as its own loader would hand it over
    made = case(
        POOR, facts={"rejected_params": ["seed", "parallel_tool_calls"], "reasoning_field": "reasoning_content"}
    )
    data = parsed("yaml", text_of("librechat", made))
    path.write_text(json.dumps(data))
    said = ok(consumers.node("librechat", LIBRECHAT, tmp_path, str(path)))
    assert said["ok"], said["error"]
    read = said["data"]
    assert read["baseURL"] == BASE and read["apiKey"] == "${LAB_API_KEY}"
    assert read["models"] == {"default": [MODEL], "fetch": False}
    assert read["dropParams"] == ["seed", "parallel_tool_calls"]
    assert read["titleMethod"] == "completion"
    assert read["customParams"]["reasoningKey"] == "reasoning_content"
    assert read["tokenConfig"][MODEL]["context"] == 32768
    del data["endpoints"]["custom"][0]["models"]
    path.write_text(json.dumps(data))
    assert consumers.node("librechat", LIBRECHAT, tmp_path, str(path)).status == 3


AI_SDK = """
import { model } from "./lab.mjs";
const prompt = [{ role: "user", content: [{ type: "text", text: "Hi" }] }];
const schema = { type: "object", properties: { a: { type: "string" } } };
const format = { type: "json", schema, name: "answer" };
const tool = { type: "function", name: "f", inputSchema: { type: "object", properties: {} } };
await model.doGenerate({ prompt, responseFormat: format, tools: [tool] });
const { stream } = await model.doStream({ prompt });
for await (const part of stream) { if (part.type === "error") throw part.error; }
console.log(JSON.stringify("done"));
"""


def test_ai_sdk_sends_what_the_snippet_says(part: Callable[[str], None], tmp_path: Path, recording: Recorder) -> None:
    part("ai-sdk")
    for faults in ({}, POOR):
        (tmp_path / "lab.mjs").write_text(text_of("ai-sdk", at(recording.base_url, faults)))
        assert ok(consumers.node("ai-sdk", AI_SDK, tmp_path, env={"LAB_API_KEY": KEY})) == "done"
    rich, rich_stream, poor, poor_stream = recording.bodies
    assert rich["response_format"]["type"] == "json_schema" and rich["tools"]
    assert rich_stream["stream_options"] == {"include_usage": True}
    assert poor["response_format"]["type"] == "json_object" and "tools" not in poor
    assert "stream_options" not in poor_stream
    assert recording.requests[0][1]["authorization"] == f"Bearer {KEY}"
    (tmp_path / "lab.mjs").write_text((tmp_path / "lab.mjs").read_text().replace("  baseURL: ", "  // "))
    assert consumers.node("ai-sdk", AI_SDK, tmp_path, env={"LAB_API_KEY": KEY}).status != 0


# opencode and Codex: large, run where they are installed ----------------------------------------

_QUIET = {"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1", "LAB_API_KEY": KEY}


def _opencode(folder: Path, **env: str) -> tuple[consumers.Ran, dict[str, Any]]:
    ran = consumers.start([program("opencode"), "models", "lab", "--verbose"], folder, {**_QUIET, **env})
    start = ran.out.find("{")
    return ran, json.loads(ran.out[start : ran.out.rfind("}") + 1]) if start >= 0 else {}


@pytest.mark.optin
def test_opencode_reads_it(part: Callable[[str], None], tmp_path: Path) -> None:
    part("opencode")
    for faults, on in (({}, True), (POOR, False)):
        (tmp_path / "opencode.json").write_text(text_of("opencode", case(faults)))
        ran, model = _opencode(tmp_path)
        assert ran.status == 0, ran.all
        assert model["capabilities"]["toolcall"] is on
        assert model["capabilities"]["input"]["image"] is on
        assert model["limit"] == {"context": 32768, "output": 4096}
        assert model["api"]["url"] == BASE or BASE in ran.out or "baseURL" not in ran.out
    wrong = json.loads((tmp_path / "opencode.json").read_text())
    del wrong["provider"]["lab"]["models"][MODEL]["limit"]["output"]
    (tmp_path / "opencode.json").write_text(json.dumps(wrong))
    ran, _ = _opencode(tmp_path)
    assert ran.status != 0 and "limit" in ran.all


@pytest.mark.optin
def test_models_dev_data_reach_opencode(part: Callable[[str], None], tmp_path: Path) -> None:
    part("opencode")
    for faults, on in (({}, True), (POOR, False)):
        model = parsed("toml", text_of("models.dev", case(faults)))
        provider = {"id": "lab", "name": "Lab", "npm": "@ai-sdk/openai-compatible", "api": BASE, "env": ["LAB_API_KEY"]}
        whole = {"lab": {**provider, "models": {MODEL: {"id": MODEL, **model}}}}
        (tmp_path / "api.json").write_text(json.dumps(whole))
        ran, read = _opencode(tmp_path, OPENCODE_MODELS_PATH=str(tmp_path / "api.json"))
        assert ran.status == 0, ran.all
        assert read["capabilities"]["toolcall"] is on
        assert read["capabilities"]["input"]["image"] is on
        assert read["limit"]["context"] == 32768


@pytest.mark.optin
def test_codex_reads_it(part: Callable[[str], None], tmp_path: Path) -> None:
    part("codex")
    home = tmp_path / "codex"
    home.mkdir()
    env = {"CODEX_HOME": str(home), "LAB_API_KEY": KEY}
    (home / "config.toml").write_text(text_of("codex", case()))
    status, details = _codex(tmp_path, env)
    assert status == "ok"
    assert (details["model provider"], details["model"]) == ("lab", MODEL)
    (home / "config.toml").write_text(text_of("codex", case()).replace('wire_api = "responses"', 'wire_api = "chat"'))
    assert _codex(tmp_path, env)[0] != "ok"


def _codex(folder: Path, env: dict[str, str]) -> tuple[str, dict[str, Any]]:
    said = json.loads(consumers.start([program("codex"), "doctor", "--json"], folder, env).out)
    load = said["checks"]["config.load"]
    return load["status"], load["details"]

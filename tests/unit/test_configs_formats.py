"""Each exporter's file: shape, authentication, sizes, special cases, merging into real-looking files."""

from __future__ import annotations

import copy
import shlex
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from probe.model import CAPABILITIES, Report, State, Verdict
from reports.clients.client import export
from reports.clients.compatibility import Answer, works_with
from reports.clients.documents import BadFile, parsed
from reports.clients.registry import CLIENTS, UnknownClient, client, clients
from reports.clients.settings import CannotExport, Key, id_for, settings_of, variable_for
from tests.unit import configs_cases
from tests.unit.client_schemas import SCHEMAS
from tests.unit.configs_cases import BASE, EXTRAS, MODEL, case, data_of, settings_for, text_of

DOCUMENTS = [name for name in CLIENTS if client(name).form in configs_cases.DOCUMENTS]
CODE = [name for name in CLIENTS if name not in DOCUMENTS]


def _problems(name: str, data: Any) -> list[str]:
    return [f"{list(item.path)}: {item.message}" for item in Draft202012Validator(SCHEMAS[name]).iter_errors(data)]


@st.composite
def any_report(draw: st.DrawFn) -> Report:
    """Any verdicts, any way to send the key, sizes known or not."""
    made = case(
        scheme=draw(st.sampled_from(["bearer", "api-key-header", "none"])),
        header=draw(st.sampled_from(["Authorization", "X-API-Key"])),
        facts={
            "context_length": draw(st.sampled_from([None, 2048, 131072, -1, "many", True])),
            "rejected_params": draw(st.sampled_from([None, [], ["seed", "parallel_tool_calls"], "seed", [3]])),
            "reasoning_field": draw(st.sampled_from([None, "reasoning_content", "reasoning", "think_tags", 7])),
            "max_tokens_param": draw(st.sampled_from([None, "max_tokens", ["max_completion_tokens"]])),
        },
    )
    verdicts = {name: Verdict(draw(st.sampled_from(list(State)))) for name in CAPABILITIES}
    verdicts["chat"] = Verdict(State.WORKS)  # without it nothing is exported
    return Report(**{**{name: getattr(made, name) for name in made.__dataclass_fields__}, "capabilities": verdicts})


@settings(max_examples=60, deadline=None)
@given(made=any_report())
def test_every_file_can_be_read_and_fits_its_schema(made: Report) -> None:
    extras = {name: EXTRAS[name] for name in ("release_date", "open_weights")}
    for name in CLIENTS:
        data = data_of(name, made, extras=extras)
        assert data
        if name in SCHEMAS:
            assert _problems(name, data) == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_refuse_a_wrong_file(name: str) -> None:
    data = data_of(name, case())
    wrong = copy.deepcopy(data)
    _named(wrong)["no_such_field"] = 1
    assert _problems(name, wrong)
    missing = copy.deepcopy(data)
    holder = _named(missing)
    del holder["base_url" if "base_url" in holder else "name"]
    assert _problems(name, missing)


def _named(data: Any) -> dict[str, Any]:
    """The first object that has a name."""
    if isinstance(data, dict) and "name" in data:
        return data
    inner = data.values() if isinstance(data, dict) else data
    return next(_named(item) for item in inner if isinstance(item, dict | list))


def test_there_is_no_exporter_of_another_name() -> None:
    with pytest.raises(UnknownClient, match="did you mean 'opencode'"):
        client("opencod")
    assert {item.name for item in clients()} == set(CLIENTS)
    assert all(item.source and item.file and item.title for item in clients())


@pytest.mark.parametrize("parts", [{"base_url": None}, {"model": None}, {"model": " "}, {"model": "a\nb"}])
def test_without_chat_or_model_there_is_nothing_to_export(parts: dict[str, Any]) -> None:
    with pytest.raises(CannotExport) as raised:
        settings_of(case(codes=("url.no-chat",), **parts))
    assert "\n" not in str(raised.value)
    if "base_url" in parts:
        assert "url.no-chat" in str(raised.value)


@pytest.mark.parametrize("name", ["", "UPPER", "a b", "../x", "a" * 65, "-x", "é"])
def test_a_name_that_clients_cannot_take_is_refused(name: str) -> None:
    with pytest.raises(CannotExport, match="is not usable"):
        settings_of(case(), id=name)


def test_names_are_made_from_the_host() -> None:
    assert id_for("https://api.example.com/v1") == "example-com"
    assert id_for("http://localhost:8000/v1") == "local-8000"
    assert id_for("http://[::1]/v1") == "local"
    assert id_for("http://192.168.1.9:8000/v1") == "192-168-1-9"
    assert variable_for("corp-vllm") == "CORP_VLLM_API_KEY"
    assert variable_for("192-168-1-9") == "ENDPOINT_192_168_1_9_API_KEY"


@pytest.mark.parametrize("name", CLIENTS)
def test_the_key_is_named_and_not_needed_where_none_is_asked(name: str) -> None:
    keyed = text_of(name, case())
    named_elsewhere = (
        *("llm", "zed", "vscode", "aider", "aider-metadata", "open-webui", "models.dev"),
        *("dotenv", "anythingllm", "lobechat"),
    )
    assert ("LAB_API_KEY" in keyed) == (name not in named_elsewhere)
    keyless = text_of(name, case(scheme="none", header=None, source="none"))
    if name != "kenaz":  # which wants a reference whatever the scheme is
        assert "LAB_API_KEY" not in keyless


WITH_ROWS = [name for name in CLIENTS if client(name).needs]


@pytest.mark.parametrize("name", WITH_ROWS)
def test_what_every_request_needs_is_written_or_the_row_says_no(name: str) -> None:
    """The key's header, further headers and a query: written as references, filled in by hand, or not possible."""
    needs, secret = client(name).needs, "s3cret-value-of-the-header"
    assert needs is not None
    for field, text, made in (
        (needs.key_header, "X-Lab-Key", case(scheme="api-key-header", header="X-Lab-Key")),
        (needs.headers, "X-Team", case(headers={"X-Team": secret})),
        (needs.headers, "TEAM_VARIABLE", case(headers={"X-Team": "${TEAM_VARIABLE}"})),
    ):
        (fit,) = works_with(made, [client(name)])
        exported = export(client(name), settings_for(made))
        assert secret not in exported.text + "".join(exported.notes) + fit.sentence
        assert (text in exported.text) == (field == "")
        assert (fit.answer is Answer.NO) == (field is None)
        if field:
            assert any(field in setting for setting in fit.settings)
    for query, expressed in (("api-version=1", needs.query != ""), ("tenant=7", needs.query in ("any", "literal"))):
        made = case(chat_url=f"{BASE}/chat/completions?{query}")
        (fit,) = works_with(made, [client(name)])
        assert (fit.answer is Answer.NO) == (not expressed)
        assert (query.partition("=")[0] in export(client(name), settings_for(made)).text) == expressed
    hidden = case(chat_url=f"{BASE}/chat/completions?tenant=%24%7BURL_SECRET%7D")
    exported = export(client(name), settings_for(hidden))
    assert "URL_SECRET" not in exported.text
    assert ("LAB_TENANT" in exported.text) == (needs.query == "any")
    assert (works_with(hidden, [client(name)])[0].answer is Answer.NO) == (needs.query != "any")


def test_only_a_stream_that_cannot_be_used_switches_streaming_off() -> None:
    """An idle timer, late bursts and missing counts leave it on; the report's verdict is the measure."""
    codes = ("idle.l7-timeout", "stream.coalesced", "stream.size-buffered", "stream.compressed", "stream.no-done")
    made = case({"long_silence": (State.BROKEN, "idle.l7-timeout")}, codes=codes)
    assert data_of("llm", made)[0]["can_stream"] is True
    assert data_of("kenaz", made)["providers"][0]["capability_hints"]["streaming"] is True
    assert data_of("vscode", made)[0]["models"][0]["streaming"] is True


def test_tools_that_work_only_whole() -> None:
    made = case({"streaming_tools": (State.BROKEN, "tools.stream-leak")})
    assert data_of("langchain", made)["disable_streaming"] == "tool_calling"
    assert data_of("langchain", made)["profile"]["tool_calling"] is True
    assert data_of("llm", made)[0]["supports_tools"] is False
    notes = export(client("vscode"), settings_for(made)).notes
    assert any("tools.stream-leak" in note and "switch streaming off" in note for note in notes)
    off = case({"streaming_tools": (State.BROKEN, "x.y"), "streaming": (State.IGNORED, "stream.held")})
    assert data_of("llm", off)[0] == {**data_of("llm", off)[0], "supports_tools": True, "can_stream": False}


def test_refused_parameters_are_dropped_where_that_can_be_said() -> None:
    made = case(
        {"stream_usage": (State.REJECTED, "stream.no-usage"), "stop": (State.IGNORED, "params.stop-ignored")},
        facts={"rejected_params": ["parallel_tool_calls", "seed"]},
    )
    drop = data_of("litellm", made)["model_list"][0]["litellm_params"]["additional_drop_params"]
    assert drop == ["parallel_tool_calls", "seed", "stream_options", "stop"]
    assert data_of("librechat", made)["endpoints"]["custom"][0]["dropParams"] == drop
    assert data_of("llm", made)[0]["can_stream"] is False
    assert data_of("opencode", made)["provider"]["lab"]["options"]["includeUsage"] is False
    assert data_of("langchain", made)["disabled_params"] == {"parallel_tool_calls": None, "seed": None}
    assert "parallel_tool_calls: _parallel_tool_calls" in text_of("ai-sdk", made)


def test_parallel_calls_that_fail_are_asked_not_to_come() -> None:
    made = case({"parallel_tools": (State.BROKEN, "tools.id-duplicate")})
    assert data_of("opencode", made)["provider"]["lab"]["models"][MODEL]["options"] == {"parallel_tool_calls": False}
    assert data_of("goose", made)["models"][0]["request_params"] == {"parallel_tool_calls": False}
    assert data_of("open-webui", made)[0]["params"]["custom_params"] == {"parallel_tool_calls": False}
    zed = data_of("zed", made)["language_models"]["openai_compatible"]["lab"]["available_models"][0]
    assert zed["capabilities"]["parallel_tool_calls"] is False


def test_thinking_and_the_limit_parameter() -> None:
    made = case(
        facts={"reasoning_field": "reasoning_content"},
        codes=("params.max-completion-tokens-rejected",),
        unknown=frozenset(),
    )
    model = data_of("opencode", made)["provider"]["lab"]["models"][MODEL]
    assert model["reasoning"] is True and model["interleaved"] == {"field": "reasoning_content"}
    zed = data_of("zed", made)["language_models"]["openai_compatible"]["lab"]["available_models"][0]["capabilities"]
    assert zed["interleaved_reasoning"] is True and zed["max_tokens_parameter"] is True
    assert data_of("pydantic-ai", made)["openai_chat_supports_max_completion_tokens"] is False
    assert data_of("pydantic-ai", made)["openai_chat_thinking_field"] == "reasoning_content"


def test_codex_speaks_to_the_endpoint_or_to_a_bridge() -> None:
    direct = data_of("codex", case())
    assert direct["model_providers"]["lab"]["base_url"] == BASE
    assert direct["model"] == MODEL
    made = case({"responses_api": (State.REJECTED, "")})
    bridged = data_of("codex", made)
    assert bridged["model_providers"]["lab"]["base_url"] == "http://127.0.0.1:4000/v1"
    deployment = data_of("litellm", made)["model_list"][0]
    assert bridged["model"] == deployment["model_name"]
    assert deployment["litellm_params"]["use_chat_completions_api"] is True
    assert "use_chat_completions_api" not in text_of("litellm", case())


def test_claude_code_speaks_to_the_endpoint_or_to_a_bridge() -> None:
    access = {"url": "http://h:1/anthropic/v1/messages", "base_url": "http://h:1/anthropic", "auth": ["x-api-key"]}
    direct = data_of("claude-code", case(facts={"messages_access": access}))
    assert direct["env"]["ANTHROPIC_BASE_URL"] == "http://h:1/anthropic"
    assert direct["env"]["ANTHROPIC_MODEL"] == direct["env"]["ANTHROPIC_DEFAULT_HAIKU_MODEL"] == MODEL
    assert direct["apiKeyHelper"] == "printenv LAB_API_KEY"
    made = case({"messages_api": (State.REJECTED, "")})
    bridged = data_of("claude-code", made)
    assert bridged["env"]["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:4000"
    assert bridged["env"]["ANTHROPIC_MODEL"] == data_of("litellm", made)["model_list"][0]["model_name"]


def test_hand_set_toggles_stand_before_the_verdicts() -> None:
    made = case({"vision": (State.WORKS, ""), "tools": (State.BROKEN, "tools.parser-missing")})
    hints = data_of("kenaz", made, hand={"vision": False, "tools": True})["providers"][0]["capability_hints"]
    assert hints["vision"] is False and hints["tool_calling"] is True


def test_models_dev_asks_for_what_no_probe_knows() -> None:
    with pytest.raises(CannotExport, match="--set release_date"):
        text_of("models.dev", case(), extras={})
    with pytest.raises(CannotExport, match="date"):
        text_of("models.dev", case(), extras={**EXTRAS, "release_date": "soon"})
    with pytest.raises(CannotExport, match="open_weights"):
        text_of("models.dev", case(), extras={**EXTRAS, "open_weights": "maybe"})


@pytest.mark.parametrize("name", CODE)
def test_code_cannot_be_merged(name: str) -> None:
    with pytest.raises(CannotExport, match="cannot be merged"):
        export(client(name), settings_for(case()), "x = 1\n")


@pytest.mark.parametrize("name", ["pydantic-ai", "langchain"])
@pytest.mark.parametrize("model", ["it's", 'a"b', "a\\b", "{x}", "$HOME", "ünï"])
def test_snippets_quote_what_the_endpoint_says(name: str, model: str) -> None:
    compile(text_of(name, case(model=model)), "snippet", "exec")


EXISTING = {
    "kenaz": '{"version": 1, "providers": []}',
    "litellm": "# mine\nmodel_list:\n  - model_name: old # keep\n    litellm_params: {model: openai/x}\n\n"
    "# the rest\ngeneral_settings:\n  master_key: os.environ/M\n",
    "opencode": '{\n  // my theme\n  "theme": "x",\n  "provider": {\n    "old": {}, // keep\n  },\n}\n',
    "kilo-code": '{"provider": {"old": {}}, "permission": "ask"}',
    "llm": "- model_id: old\n  model_name: old\n# end\n",
    "zed": '// Zed settings\n{\n  "theme": "One Dark",\n  "language_models": {\n    "ollama": {} /* local */\n  }\n}\n',
    "vscode": '[\n\t{ "name": "Old", "vendor": "ollama" } // keep\n]\n',
    "librechat": "version: 1.2.0\ncache: true # keep\nendpoints:\n  custom:\n  - name: Old\n    baseURL: http://x\n",
    "continue": "name: Mine\nversion: 0.0.1\nschema: v1\nmodels: []  # none yet\nrules:\n  - Be nice\n",
    "aider": "- name: old\n  streaming: true\n",
    "aider-metadata": '{"old": {"mode": "chat"}}\n',
    "codex": '# codex\nmodel = "gpt"\n\n[profiles.x]\nmodel = "y" # keep\n',
    "claude-code": '{\n  "permissions": {"allow": ["Read"]} // keep\n}\n',
    "crush": '{\n  "options": {"debug": true}\n}\n',
    "goose": '{\n  "name": "lab",\n  "mine": 1\n}\n',
    "open-webui": "[]\n",
    "qwen-code": '{\n  // mine\n  "ui": {"theme": "x"},\n  "modelProviders": {"gemini": []}\n}\n',
    "models.dev": "family = 'old' # keep\n",
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_merging_keeps_all_else_and_its_comments(name: str) -> None:
    before = EXISTING[name]
    made = export(client(name), settings_for(case()), before).text
    fresh = parsed(client(name).form, text_of(name, case()))
    assert _holds(parsed(client(name).form, made), _without_heads(name, fresh))
    for comment in (
        "# mine",
        "# keep",
        "# the rest",
        "// my theme",
        "// keep",
        "// Zed",
        "/* local */",
        "# end",
        "none yet",
    ):
        assert (comment in made) == (comment in before)
    old = parsed(client(name).form, before)
    assert _holds(parsed(client(name).form, made), old)
    assert export(client(name), settings_for(case()), made).text == made


def _without_heads(name: str, fresh: Any) -> Any:
    """What an export adds to a file that has its own heads (version, default model …)."""
    heads = {
        "librechat": ("version",),
        "continue": ("name", "version"),
        "codex": ("model", "model_provider"),
        "opencode": ("$schema", "model"),
        "kilo-code": ("$schema", "model"),
        "crush": ("$schema",),
        "qwen-code": ("model", "security"),
        "claude-code": ("$schema",),
    }
    gone = {"codex": ("model_context_window",)}
    if isinstance(fresh, dict):
        return {key: value for key, value in fresh.items() if key not in (*heads.get(name, ()), *gone.get(name, ()))}
    return fresh


def _holds(whole: Any, part: Any) -> bool:
    """Whether everything of a part is in the whole, in lists in their order."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and _holds(whole[key], part[key]) for key in part)
    if isinstance(part, list):
        rest = iter(whole if isinstance(whole, list) else [])
        return all(any(_holds(item, wanted) for item in rest) for wanted in part)
    return bool(whole == part)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_broken_file_is_refused_in_one_line(name: str) -> None:
    for text in ("{", "[1, 2", "\x00", "a: [", "= 3"):
        try:
            made = export(client(name), settings_for(case()), text)
        except BadFile as error:
            assert "\n" not in str(error)
        else:
            assert parsed(client(name).form, made.text)


def test_keys_of_a_saved_provider_are_named_as_clients_read_them() -> None:
    text = text_of("litellm", case(source="file"), key=Key("LAB_API_KEY", "file", "/run/lab"))
    assert "os.environ/LAB_API_KEY" in text


@pytest.mark.parametrize("word", ["{file:~/.ssh/id_rsa}", "{env:HOME}", "${HOME}", "${{ secrets.X }}", "$(id)", "`id`"])
def test_names_that_clients_would_replace_by_something_secret_are_not_written(word: str) -> None:
    with pytest.raises(CannotExport, match="replace"):
        settings_of(case(model=f"m {word}"))
    made = case(facts={"models": [MODEL, word, "good"], "rejected_params": [word, "seed", "a b"]})
    assert settings_of(made).models == (MODEL, "good")
    assert settings_of(made).rejected == ("seed",)


def test_what_is_to_be_typed_into_a_shell_is_quoted() -> None:
    made = case(model="m'; touch /tmp/x; '")
    for name in ("aider", "codex", "open-webui"):
        for note in export(client(name), settings_for(made)).notes:
            words = shlex.split(note.partition(": ")[2] or note)
            assert "touch" not in words, note


@pytest.mark.parametrize(
    "query",
    ["x=%7Benv:HOME%7D", "x=%7Bfile:~/.ssh/id_rsa%7D", "%60id%60=1", "x=%24%7BHOME%7D%24(id)", "x=os.environ/HOME"],
)
def test_a_query_that_a_client_would_replace_is_not_written(query: str) -> None:
    with pytest.raises(CannotExport, match="replace by a variable"):
        settings_for(case(chat_url=f"{BASE}/chat/completions?{query}"))

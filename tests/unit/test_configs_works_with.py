"""Will it work with X: answers that follow from the verdicts and from what was recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from checks.limits import AGENTS_SEND
from probe.model import Exchange, Report, Request, Response, State, Timeline
from reports.clients.compatibility import Answer, Fit, works_with
from reports.clients.kenaz import LONGEST_LINE, read
from reports.clients.registry import client, clients
from tests.unit.configs_cases import BASE, case, text_of

ALWAYS_STREAM = ("kenaz", "opencode", "zed", "librechat", "crush")
AGENTS = ("opencode", "crush")


def fits(made: Report) -> dict[str, Fit]:
    return {fit.client: fit for fit in works_with(made)}


def streamed(content: bytes, *, status: int = 200, headers_s: float = 0.1, **body: Any) -> Report:
    """A healthy report in which this stream was recorded."""
    exchange = Exchange(
        "x001",
        "stream.shape",
        Request("POST", f"{BASE}/chat/completions", {}, {"stream": True, "messages": [], **body}),
        Response(status, "", "HTTP/1.1", (("content-type", "text/event-stream"),), content),
        Timeline(headers_s=headers_s),
    )
    made = case()
    return Report(**{**{name: getattr(made, name) for name in made.__dataclass_fields__}, "exchanges": (exchange,)})


def frames(*deltas: dict[str, Any], done: bool = True) -> bytes:
    text = "".join(f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta}]})}\n\n" for delta in deltas)
    return (text + ("data: [DONE]\n\n" if done else "")).encode()


def call(**fields: Any) -> dict[str, Any]:
    return {"tool_calls": [fields]}


def test_every_client_that_sends_requests_has_a_row() -> None:
    rows = {fit.client for fit in works_with(case())}
    assert rows == {item.name for item in clients()} - {"aider-metadata", "models.dev"}


def test_a_healthy_endpoint_works_with_all() -> None:
    found = fits(case())
    # Cursor's servers send its requests, and the address is one of this machine.
    assert found.pop("cursor").codes == ("target.base_url",)
    assert {fit.answer for fit in found.values()} == {Answer.YES}
    public = case(base_url="https://llm.example.com/v1", chat_url="https://llm.example.com/v1/chat/completions")
    assert fits(public)["cursor"].answer is Answer.WITH_SETTINGS  # the base URL is another than the typed one


@pytest.mark.parametrize("code", ["stream.not-sse", "stream.framing", "stream.truncated", "stream.rejected"])
def test_no_stream_stops_those_that_always_stream(code: str) -> None:
    found = fits(case({"streaming": (State.BROKEN, code)}))
    for name in ALWAYS_STREAM:
        assert found[name].answer is Answer.NO
        assert found[name].codes[0] == code
    assert found["llm"].settings == ("can_stream: false",)
    assert found["vscode"].answer is Answer.WITH_SETTINGS
    assert found["aider"].settings == ("streaming: false",)


def test_a_held_stream_costs_time_and_stops_nobody() -> None:
    found = fits(case({"streaming": (State.IGNORED, "stream.held")}))
    assert found["kenaz"].answer is Answer.YES
    assert "stream.held" in found["kenaz"].reasons[0]
    assert found["llm"].answer is Answer.WITH_SETTINGS


def test_refused_stream_options() -> None:
    found = fits(case({"stream_usage": (State.REJECTED, "stream.no-usage")}))
    assert found["kenaz"].answer is Answer.NO and found["kenaz"].codes == ("stream.no-usage",)
    assert found["opencode"].settings == ("options.includeUsage: false",)
    assert found["llm"].settings == ("can_stream: false",)
    ignored = fits(case({"stream_usage": (State.IGNORED, "stream.no-usage")}))
    assert ignored["kenaz"].answer is Answer.YES and "token counts" in ignored["kenaz"].reasons[0]


@pytest.mark.parametrize(
    ("state", "code"), [(State.REJECTED, "tools.rejected"), (State.BROKEN, "tools.parser-missing")]
)
def test_agents_need_tools_and_chats_do_not(state: State, code: str) -> None:
    found = fits(case({"tools": (state, code)}))
    for name in AGENTS:
        assert found[name].answer is Answer.NO and found[name].codes == (code,)
    assert found["kenaz"].settings == ("Tool Use off",)
    assert found["zed"].settings == ("tools: false",)
    assert found["aider"].answer is Answer.YES


def test_calls_that_leak_only_in_streams() -> None:
    found = fits(case({"streaming_tools": (State.BROKEN, "tools.stream-leak")}))
    assert found["kenaz"].settings == ("Tool Use off",)
    assert found["opencode"].codes == ("tools.stream-leak",)
    assert found["vscode"].settings == ("with tools: streaming: false",)


def test_pictures_and_blocks() -> None:
    found = fits(case({"vision": (State.IGNORED, "vision.ignored")}))
    assert found["kenaz"].settings == ("Vision off",)
    assert found["opencode"].settings == ('modalities.input: ["text"]',)
    blocks = case({"block_content": (State.REJECTED, "content.blocks-rejected")}, unknown=frozenset({"vision"}))
    assert fits(blocks)["zed"].settings == ("images: false",)
    partly = case(
        {"block_content": (State.REJECTED, "content.blocks-rejected")}, facts={"block_content_roles": ["user"]}
    )
    assert fits(partly)["zed"].answer is Answer.YES


def test_parameters_and_roles() -> None:
    found = fits(case({"system_role": (State.REJECTED, "roles.system-rejected")}))
    assert found["kenaz"].codes == ("roles.system-rejected",)
    assert found["aider"].settings == ("use_system_prompt: false",)
    limits = fits(case(codes=("params.max-tokens-rejected",)))
    assert limits["opencode"].codes == ("params.max-tokens-rejected",)
    forced = fits(case({"tool_choice_required": (State.IGNORED, "tools.choice-ignored")}))
    assert forced["pydantic-ai"].settings == ("supports_forced_tool_choice=False",)


def test_codex_needs_the_responses_api() -> None:
    assert fits(case())["codex"].answer is Answer.YES
    refused = fits(case({"responses_api": (State.REJECTED, "")}))["codex"]
    assert refused.answer is Answer.NO and refused.codes == ("responses_api rejected",)
    assert "LiteLLM" in refused.sentence
    assert fits(case(unknown=frozenset({"responses_api"})))["codex"].answer is Answer.UNKNOWN


DIALECTS = [("codex", "Codex CLI", "responses"), ("claude-code", "Claude Code", "messages")]


@pytest.mark.parametrize(("name", "title", "api"), DIALECTS)
def test_clients_of_other_apis_in_each_situation(name: str, title: str, api: str) -> None:
    """Healthy, no API, no tools anywhere, tools wrong here alone, held, too small, silence, not judged."""

    def fit(made: Report) -> Fit:
        return fits(made)[name]

    assert fit(case()).answer is Answer.YES
    assert fit(case({f"{api}_api": (State.REJECTED, "")})).codes == (f"{api}_api rejected",)
    same = fit(case({f"{api}_tools": (State.BROKEN, "tools.parser-missing")}))
    assert same.answer is Answer.NO and same.codes == ("tools.parser-missing",)
    failing = {title: [f"{api}.tools", "the call is left in the text of the streamed answer"]}
    leak = fit(case({f"{api}_tools": (State.BROKEN, f"{api}.tools")}, facts={"failing_dialect_clients": failing}))
    assert leak.answer is Answer.NO and leak.codes == (f"{api}.tools",) and "left in the text" in leak.sentence
    # Only whole answers are wrong, and this client streams.
    others = {"openai-python": [f"{api}.tools", "`arguments` is an object"]}
    whole = case({f"{api}_tools": (State.BROKEN, f"{api}.tools")}, facts={"failing_dialect_clients": others})
    assert fit(whole).answer is Answer.YES
    held = fit(case({"streaming": (State.IGNORED, "stream.held")}))
    assert held.answer is Answer.YES and "stream.held" in held.reasons[0]
    small = fit(case(facts={"context_length": 2048}))
    assert small.answer is Answer.NO and "2,048" in small.sentence
    silent = fit(case(codes=(f"{api}.silence",)))
    assert silent.answer is Answer.YES and f"{api}.silence" in silent.reasons[0]
    assert fit(case(unknown=frozenset({f"{api}_tools"}))).answer is Answer.UNKNOWN
    assert fit(case(unknown=frozenset({f"{api}_api"}))).answer is Answer.UNKNOWN


def test_a_stream_that_claude_code_asks_for_twice_is_a_cost() -> None:
    failing = {"Claude Code's streaming": ["messages.stream", "events have no `event:` line"]}
    fit = fits(case(facts={"failing_dialect_clients": failing}))["claude-code"]
    assert fit.answer is Answer.YES and "twice" in fit.reasons[0]


def test_without_a_chat_nothing_works_and_the_code_says_why() -> None:
    made = case({"chat": (State.REJECTED, "auth.rejected")}, base_url=None, codes=("auth.rejected",))
    for fit in works_with(made):
        assert fit.answer is Answer.NO and fit.codes == ("auth.rejected",)
    unknown = case(unknown=frozenset({"chat"}), base_url=None)
    assert {fit.answer for fit in works_with(unknown)} == {Answer.UNKNOWN}


def test_another_base_url_is_a_setting() -> None:
    made = case(base_url="http://127.0.0.1:9999/other/v1")
    assert fits(made)["zed"].settings == ("base URL http://127.0.0.1:9999/other/v1",)


def test_undetermined_streaming_is_no_yes_for_who_always_streams() -> None:
    found = fits(case(unknown=frozenset({"streaming", "tools"})))
    assert found["kenaz"].answer is Answer.UNKNOWN
    assert found["opencode"].answer is Answer.UNKNOWN
    assert found["llm"].answer is Answer.YES


# Kenaz's reading of what was recorded ------------------------------------------------------------


def kenaz(made: Report) -> Fit:
    return works_with(made, [client("kenaz")])[0]


def test_a_good_stream_is_read_whole() -> None:
    reading = read(b": note\n\n" + frames({"content": "a"}, {"content": None}, {"content": "b"}, done=False))
    assert (reading.text, reading.malformed, reading.frames) == ("ab", None, 3)
    assert read(b'data:{"choices":[{"delta":{"content":"x"}}]}\r\n\r\ndata:[DONE]\r\n').text == "x"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (frames({"content": [{"type": "text", "text": "a"}]}), "stream.framing"),
        (b"data: {broken\n\n", "stream.framing"),
        (b'data: "text"\n\n', "stream.framing"),
        (b'data: {"pad": "' + b"x" * LONGEST_LINE + b'"}\n\n', "stream.framing"),
        (frames({"content": "a"}).replace(b"\n", b"\r"), "stream.framing"),
        (b'{"choices": [{"delta": {"content": "a"}}]}\n', "stream.framing"),
    ],
    ids=["content-array", "no-json", "no-object", "long-line", "cr-only", "bare-lines"],
)
def test_streams_that_the_adapter_cannot_read(content: bytes, code: str) -> None:
    fit = kenaz(streamed(content))
    assert fit.answer is Answer.NO and fit.codes == (code,)
    # A client that reads by the standard is not affected.
    assert works_with(streamed(content), [client("zed")])[0].answer is Answer.YES


def test_only_status_200_is_success() -> None:
    assert kenaz(streamed(frames({"content": "a"}), status=201)).codes == ("errors.success-status",)
    assert kenaz(streamed(b'{"error": {}}', status=400)).answer is Answer.YES


def test_headers_must_come_within_a_minute() -> None:
    assert kenaz(streamed(frames({"content": "a"}), headers_s=61.0)).codes == ("stream.held",)


def test_an_error_frame_is_silent() -> None:
    content = frames({"content": "a"}, done=False) + b'data: {"error": {"message": "gone"}}\n\n'
    fit = kenaz(streamed(content))
    assert fit.answer is Answer.YES and any("silent" in reason for reason in fit.reasons)


def test_calls_without_an_index_run_together() -> None:
    content = frames(
        call(id="a", function={"name": "f", "arguments": "{}"}), call(id="b", function={"name": "g", "arguments": "{}"})
    )
    reading = read(content)
    assert reading.merged_calls and reading.calls[0]["arguments"] == "{}{}"
    assert any("merged" in reason for reason in kenaz(streamed(content, tools=[{}])).reasons)
    apart = frames(call(index=0, id="a", function={}), call(index=1, id="b", function={}))
    assert not read(apart).merged_calls


def test_arguments_must_be_text() -> None:
    content = frames(call(index=0, id="a", function={"name": "f", "arguments": {"x": 1}}))
    fit = kenaz(streamed(content, tools=[{}]))
    assert fit.answer is Answer.YES and any("arguments is an object" in reason for reason in fit.reasons)


@pytest.mark.parametrize(
    "content", [b"", b"data:\n\n", b"data: null\n\n", b"data: [1]\n\n", b"\xff\xfe", frames({"tool_calls": 3})]
)
def test_strange_bodies_never_raise(content: bytes) -> None:
    assert kenaz(streamed(content)).client == "kenaz"


def test_the_sentence_says_all() -> None:
    assert fits(case())["kenaz"].sentence == "Kenaz: yes"
    found = fits(case({"tools": (State.REJECTED, "tools.rejected"), "vision": (State.REJECTED, "vision.rejected")}))
    assert found["kenaz"].sentence == "Kenaz: yes, with these settings: Tool Use off; Vision off"
    assert found["opencode"].sentence == "opencode: no, because tools.rejected: every request has tools"


# Fields that have to come back, and answers that a library cannot read ---------------------------


@pytest.mark.parametrize(
    ("field", "no", "fine", "unsure"),
    [
        ("reasoning_content", (), ("opencode", "ai-sdk", "pydantic-ai"), ("zed",)),
        ("reasoning_details", ("opencode",), (), ("crush",)),
        ("extra_content", (), ("opencode", "ai-sdk"), ("goose",)),
    ],
)
def test_a_field_that_has_to_come_back(
    field: str, no: tuple[str, ...], fine: tuple[str, ...], unsure: tuple[str, ...]
) -> None:
    found = fits(case(codes=("tools.echo-required",), facts={"echo_fields": [field]}))
    for name in no:
        assert found[name].answer is Answer.NO
        assert found[name].codes == ("tools.echo-required",)
    for name in fine:
        assert found[name].answer is Answer.YES, name
    for name in unsure:
        assert field in found[name].reasons[0]
    assert found["langchain"].answer is Answer.WITH_SETTINGS
    assert found["kenaz"].settings == ("Tool Use off",)
    assert found["aider"].reasons == ()


def test_headers_of_an_sdk_that_are_refused_break_the_clients_that_use_it() -> None:
    agent = fits(case(codes=("auth.denied",), facts={"refused_client_headers": ["User-Agent: OpenAI/Python 1"]}))
    both = fits(case(codes=("auth.denied",), facts={"refused_client_headers": ["X-Stainless-*"]}))
    assert agent["langchain"].codes == both["langchain"].codes == ("auth.denied",)
    assert both["continue"].answer is Answer.NO
    assert both["ai-sdk"].answer is both["zed"].answer is Answer.YES
    # The User-Agents of other clients are not tried.
    for name in ("continue", "ai-sdk", "zed", "codex", "claude-code", "kenaz"):
        assert agent[name].answer is Answer.UNKNOWN and "not tried" in agent[name].reasons[0], name


def test_a_rule_on_programs_leaves_untried_clients_open() -> None:
    sdk = fits(case(codes=("auth.denied",), facts={"passing_user_agent": "OpenAI/Python 3.57.0"}))
    browser = fits(case(codes=("auth.denied",), facts={"passing_user_agent": "Mozilla/5.0"}))
    assert sdk["langchain"].answer is Answer.YES and browser["langchain"].codes == ("auth.denied",)
    assert sdk["zed"].answer is browser["zed"].answer is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("column", "no", "yes"),
    [
        ("AI SDK generateText", ("ai-sdk",), ("opencode", "langchain", "zed")),
        ("AI SDK streamText with tools", ("ai-sdk", "opencode"), ("langchain",)),
        ("openai-python create", ("langchain", "llm", "aider"), ("ai-sdk",)),
        ("openai-python stream()", (), ("langchain", "llm")),
        ("rust async-openai", (), ("ai-sdk", "zed")),
    ],
)
def test_an_answer_that_a_library_cannot_read(column: str, no: tuple[str, ...], yes: tuple[str, ...]) -> None:
    found = fits(case(codes=("shape.answer",), facts={"failing_clients": {column: "created: a string"}}))
    for name in no:
        assert found[name].answer is Answer.NO
        assert "created" in found[name].reasons[0]
    for name in yes:
        assert found[name].answer is Answer.YES, name


def test_a_context_that_an_agent_does_not_fit_into() -> None:
    small = fits(case(facts={"context_length": 2048}, software="llamacpp"))
    assert small["opencode"].codes == ("context_length",)
    assert "7,700 tokens" in small["opencode"].reasons[0] and "`-c`" in small["opencode"].reasons[0]
    assert small["llm"].answer is Answer.YES
    assert "(" not in fits(case(facts={"context_length": 2048}, software="openrouter"))["opencode"].reasons[0]
    for length in (12_000, None, "many"):
        scarce = fits(case(facts={"context_length": length}))["opencode"]
        assert scarce.answer is Answer.WITH_SETTINGS
        assert scarce.settings == ("a context of at least 12,288",)
    assert fits(case(facts={"context_length": 12_288}))["opencode"].answer is Answer.YES


def test_the_way_to_the_endpoint() -> None:
    proxied = fits(case(proxy="http://proxy.example:3128"))
    assert proxied["continue"].settings == ("the proxy http://proxy.example:3128 (requestOptions.proxy)",)
    assert "not known" in proxied["kenaz"].reasons[0]
    for made in (case(verification="ca-bundle"), case(codes=("tls.untrusted",))):
        assert fits(made)["ai-sdk"].settings == ("NODE_EXTRA_CA_CERTS=FILE with the certificate's authority",)
    presented = fits(case(client_certificate=True))
    assert presented["kenaz"].codes == ("target.client_certificate",)
    assert "http_client" in presented["langchain"].settings[0]


def test_parameters_that_a_client_always_sends() -> None:
    refused = fits(case(facts={"rejected_params": ["temperature"]}, codes=("params.sampling-rejected",)))
    assert refused["copilot-cli"].codes == ("params.sampling-rejected",)
    assert refused["aider"].settings == ("use_temperature: false",)
    assert refused["opencode"].settings == ("temperature: false",)
    assert refused["vscode"].settings == ("thinking: true",)
    assert refused["zed"].codes == ("params.sampling-rejected",)
    assert refused["kenaz"].answer is Answer.YES
    options = fits(case({"stream_usage": (State.REJECTED, "stream.no-usage")}))
    assert options["continue"].settings[0].startswith("defaultCompletionOptions.stream: false")
    assert options["vscode"].settings == ("streaming: false",)
    assert options["goose"].settings == ("supports_streaming: false",)
    assert options["zed"].codes == ("stream.no-usage",)
    assert options["crush"].codes == ("stream.no-usage",)
    blocks = fits(case({"block_content": (State.REJECTED, "content.blocks-rejected")}))
    assert blocks["qwen-code"].codes == ("content.blocks-rejected",)


# What a client sends before the first word -------------------------------------------------------

AGENTS_FIRST = {
    item.name: item.needs.prompt_tokens for item in clients() if item.needs and item.needs.agent
}  # fmt: skip


def test_every_agent_says_what_it_sends_first_and_the_finding_knows_the_least() -> None:
    assert all(AGENTS_FIRST.values()), AGENTS_FIRST
    assert min(AGENTS_FIRST.values()) == AGENTS_SEND


@pytest.mark.parametrize("length", [4096, 8192, 16_384, 65_536])
def test_an_agent_needs_room_for_its_first_request(length: int) -> None:
    public = "https://llm.example.com/v1"
    made = case(facts={"context_length": length}, base_url=public, chat_url=f"{public}/chat/completions")
    found = fits(made)
    for name, sent in AGENTS_FIRST.items():
        fails = sent > length - 2_000
        assert (found[name].codes == ("context_length",)) is fails, name
        assert not fails or f"at least {-(-3 * sent // 8192) * 4096:,}" in found[name].sentence


def test_tools_are_off_where_they_do_not_fit_and_the_client_can_do_without() -> None:
    small, large = case(facts={"context_length": 4096}), case(facts={"context_length": 65_536})
    assert fits(small)["zed"].settings == ("tools: false",) and "6,000" in fits(small)["zed"].reasons[0]
    assert fits(large)["zed"].answer is Answer.YES
    for name, on in (("zed", "tools"), ("vscode", "toolCalling")):
        key = '"' + on + '": '
        assert f"{key}false" in text_of(name, small, extras={}) and f"{key}true" in text_of(name, large, extras={})
    # A person who sets the switch is not overruled, and the tools that are refused anyway take no room.
    assert '"tools": true' in text_of("zed", small, extras={}, hand={"tools": True})
    refused = case({"tools": (State.REJECTED, "tools.rejected")}, facts={"context_length": 4096})
    assert fits(refused)["zed"].reasons == ()


def test_a_length_that_is_not_known_is_a_condition() -> None:
    found = fits(case(facts={"context_length": None}))
    assert found["crush"].settings == ("a context of at least 20,480",)
    assert found["zed"].settings == ("with tools: a context of at least 12,288",)
    assert found["aider"].answer is Answer.YES


def test_the_finding_is_the_code_of_the_row() -> None:
    made = case(facts={"context_length": 2048}, codes=("limits.context-small",))
    assert fits(made)["crush"].codes == ("limits.context-small",)

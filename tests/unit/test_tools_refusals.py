"""What refusals of tools requests mean, by the texts of many servers."""

from __future__ import annotations

import pytest

from checks.tools.call import diagnose_silence
from checks.tools.catalogue import NOT_CALLED
from checks.tools.prompt_growth import Signs
from checks.tools.reading import Kind, read
from checks.tools.refusal import Refusal, blames_model, diagnose_refusal, meaning, meaning_of
from probe.api import Inconclusive, Owner, Severity, State
from tests.unit import tool_answers as made
from tests.unit.answers import exchange

SWITCHED_OFF = (
    '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
    'tool_choice="required" requires --tool-call-parser to be set',
    'tool_choice=function "get_weather" requires --tool-call-parser to be set',
    "tools param requires --jinja flag",
    "tool_choice param requires --jinja flag",
    "Please launch the api_server with --tool-call-parser if you want to use tools.",
    "Tool calling is not enabled on this server.",
    "Tool use has been disabled by the administrator",
    "Function calling must be enabled in the deployment settings",
    "This server was started without tool support.",
    "No tool call parser is configured for this model",
    "litellm.BadRequestError: OpenAIException - tools param requires --jinja flag",
)
NO_TOOLS = (
    "registry.ollama.ai/library/gemma:2b does not support tools",
    "`tool calling` is not supported with this model",
    "No endpoints found that support tool use. To learn more about provider routing, visit: https://openrouter.ai",
    "This model does not support function calling",
    "Unsupported parameter: 'tools' is not supported with this model.",
    "litellm.UnsupportedParamsError: cohere does not support parameters: ['tools'], for model=x. To drop these, "
    "set `litellm.drop_params=True` or for proxy: `litellm_settings: drop_params: true`",
    "functions is not supported.",
)
TOOLS_LOST = (
    "When using `tool_choice`, `tools` must be set.",
    "'tool_choice' is only allowed when 'tools' are specified.",
    "A tool_choice was set on the request but no tools were specified.",
    "Tools cannot be empty if tool choice is set to required.",
    "tool_choice: cannot be used without tools",
)
CHOICE = (
    "Invalid tool_choice type: 'object'. Supported string values: none, auto, required",
    "Invalid tool_choice: foo",
    "Thinking mode does not support this tool_choice",
    "No endpoints found that support the provided 'tool_choice' value.",
)
MODEL_FAILED = (
    "Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details.",
    "Tool choice is required, but model did not call a tool",
    "The model produced output that does not match the expected peg-native format",
    "got exception: Unexpected empty grammar stack after accepting piece: >>> (36991)",
    "Failed to parse input at pos 16: <tool_call>",
    "litellm.InternalServerError: Hosted_vllmException - got exception: Unexpected empty grammar stack after "
    "accepting piece: >>> (36991)",
)
UNCLEAR = (
    "Internal Server Error",
    "Something went wrong",
    "",
    "max_tokens is too large",
    "messages[0].content: required",
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, Refusal.SWITCHED_OFF) for text in SWITCHED_OFF),
        *((text, Refusal.NO_TOOLS) for text in NO_TOOLS),
        *((text, Refusal.TOOLS_LOST) for text in TOOLS_LOST),
        *((text, Refusal.CHOICE) for text in CHOICE),
        *((text, Refusal.MODEL_FAILED) for text in MODEL_FAILED),
        *((text, Refusal.UNCLEAR) for text in UNCLEAR),
        ("Extra inputs are not permitted: parallel_tool_calls", Refusal.PARALLEL),
    ],
)
def test_texts_are_understood_by_their_meaning(text: str, expected: Refusal) -> None:
    assert meaning_of(text) is expected


def test_error_codes_are_read_with_the_text() -> None:
    exchange = made.refused("See the attached generation.")
    assert meaning(exchange) is Refusal.UNCLEAR
    import json
    from dataclasses import replace

    body = json.dumps({"error": {"message": "It failed.", "code": "tool_use_failed"}}).encode()
    assert exchange.response is not None
    assert meaning(replace(exchange, response=replace(exchange.response, content=body))) is Refusal.MODEL_FAILED


@pytest.mark.parametrize(("text", "status"), [(SWITCHED_OFF[0], 400), (SWITCHED_OFF[3], 500)])
def test_a_server_that_was_not_started_for_tools(text: str, status: int) -> None:
    result = diagnose_refusal([read(made.refused(text, status))], None, None)
    (finding,) = result.findings
    assert finding.code == "tools.not-enabled"
    assert finding.severity is Severity.WARNING
    assert text in finding.detail
    assert result.verdicts["tools"].verdict is State.REJECTED


def test_an_honest_refusal_is_information() -> None:
    result = diagnose_refusal([read(made.refused(NO_TOOLS[0]))], None, None)
    (finding,) = result.findings
    assert (finding.code, finding.severity, finding.owner) == ("tools.rejected", Severity.INFO, Owner.MODEL)


def test_a_refusal_without_a_reason_weighs_more_and_needs_a_control() -> None:
    again = [read(made.refused("Internal Server Error", 500)), read(made.refused("Internal Server Error", 500))]
    assert all(reading.kind is Kind.FAILED for reading in again)
    result = diagnose_refusal(again, read(made.said("It is sunny.", tools=[])), read(made.refused("Error", 500)))
    (finding,) = result.findings
    assert (finding.code, finding.severity) == ("tools.rejected", Severity.WARNING)
    with pytest.raises(Inconclusive, match="without tools as well"):
        diagnose_refusal(again, read(made.refused("no fixture", 404, tools=[])), None)


def test_an_accepted_plain_tool_is_not_a_rejection() -> None:
    first = [read(made.refused("schema keyword enum is not allowed", 422))]
    plain = read(made.said("Sunny.", tools=[]))
    result = diagnose_refusal(first, plain, read(made.called()))
    assert not result.findings
    assert result.verdicts["tools"].verdict is State.WORKS
    assert "enum" in result.verdicts["tools"].note


@pytest.mark.parametrize("text", MODEL_FAILED)
def test_output_that_the_server_cannot_read_is_the_models(text: str) -> None:
    result = diagnose_refusal([read(made.refused(text, 500)), read(made.refused(text, 500))], None, None)
    (finding,) = result.findings
    assert (finding.code, finding.owner, finding.severity) == ("tools.not-called", Owner.MODEL, Severity.INFO)
    assert result.verdicts["tools"].verdict is State.UNKNOWN


def test_blame_goes_to_the_model_only_where_the_text_says_so() -> None:
    assert blames_model(made.refused("This model does not support function calling"))
    assert not blames_model(made.refused("tools are not supported"))


def test_silence_without_evidence_has_no_finding() -> None:
    quiet = read(made.said("It is nice in Paris.", prompt=None))
    result = diagnose_silence([quiet], Signs())
    assert not result.findings
    assert result.verdicts["tools"].verdict is State.UNKNOWN
    assert NOT_CALLED.severity is Severity.INFO


@pytest.mark.parametrize("status", [200, 204])
def test_an_empty_answer_to_every_request_with_tools_breaks_them(status: int) -> None:
    empty = read(exchange(status, b""))
    assert empty.kind is Kind.FAILED
    result = diagnose_refusal([empty, empty], read(made.said("It is sunny.", tools=[])), empty)
    (finding,) = result.findings
    assert (finding.code, finding.severity) == ("tools.rejected", Severity.ERROR)
    assert "empty answer" in finding.detail
    assert result.verdicts["tools"].verdict is State.BROKEN

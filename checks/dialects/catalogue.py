"""The diagnoses of the Responses and Messages APIs: the same faults of two dialects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from probe.api import Diagnosis, Owner, Severity


@dataclass(frozen=True)
class _Names:
    """What the texts of one dialect name."""

    family: str
    path: str
    api: str
    agent: str
    end: str
    call: str
    result: str
    sources: tuple[str, ...]


_RESPONSES = _Names(
    "responses",
    "/responses",
    "Responses API",
    "Codex CLI",
    "response.completed",
    "function_call",
    "function_call_output",
    (
        "openai/openai-openapi: CreateResponse, Response, ResponseStreamEvent",
        "openai-python 3.57, openai-node 7, AI SDK and Codex CLI 0.169, run against each deviation",
    ),
)
_MESSAGES = _Names(
    "messages",
    "/messages",
    "Messages API",
    "Claude Code",
    "message_stop",
    "tool_use",
    "tool_result",
    (
        "anthropic-sdk-python: MessageCreateParams, Message, RawMessageStreamEvent",
        "anthropic-python 2.14, anthropic-typescript, AI SDK and Claude Code 2.1, run against each deviation",
    ),
)
_UPDATE = "Update the server or gateway"
_CHAT = "or let its clients use chat completions through a gateway that translates, such as LiteLLM"


def _made(names: _Names) -> Mapping[str, Diagnosis]:
    """The diagnoses of a dialect, by the second part of their code."""
    path, api, agent = names.path, names.api, names.agent

    def one(name: str, title: str, what: str, why: str, remedy: str, severity: Severity = Severity.ERROR) -> Diagnosis:
        code = f"{names.family}.{name}"
        verify = f"Run endpoint-probe again with --apis {names.family}: the finding is gone."
        return Diagnosis(code, severity, Owner.SERVER, title, what, why, remedy, verify, sources=names.sources)

    made = (
        one(
            "shape",
            f"{api}: answer has unreadable fields",
            f"An answer of POST {path}, or the object in its stream, has a field that is missing or of another type "
            "than the API describes. The detail names the field and the clients that fail.",
            "Clients fail where they read the field, or refuse the whole answer.",
            f"{_UPDATE}, {_CHAT}.",
        ),
        one(
            "stream",
            f"{api}: events violate the stream's order",
            f"Events of a stream of POST {path} are missing, out of order or do not belong together: ids, indexes, "
            f"the text of deltas, the end with `{names.end}`.",
            f"Clients build the answer from events. {agent} always streams; it reports a broken stream, shows "
            "nothing, or sends every request twice.",
            f"{_UPDATE}, {_CHAT}.",
        ),
        one(
            "tools",
            f"{api}: tool calls cannot be used",
            f"Tools work on chat completions, and not on POST {path}: they are refused, do not reach the model, or "
            f"the call is not a sound `{names.call}`.",
            f"{agent} and other agents cannot do their work here, although the same tools work on chat completions.",
            f"{_UPDATE}: on many servers the tool parser serves chat completions first, and {path} in later versions "
            f"only; {_CHAT}.",
        ),
        one(
            "history",
            f"{api}: conversation is refused or forgotten",
            f"A part of the conversation is refused by POST {path} or has no effect: the result of a tool "
            f"(`{names.result}`), the turn as it was received, the instructions, or the response that is continued.",
            "Agents send the whole conversation with every request. Without the result of a tool they call it again "
            "and again.",
            f"{_UPDATE}, {_CHAT}.",
        ),
        one(
            "fields-rejected",
            f"{api}: fields of its agent are refused",
            f"POST {path} refuses a field that {agent} sends with every request, and answers without it.",
            f"Every request of {agent} is refused.",
            f"{_UPDATE}, so that it ignores fields that it does not know. In LiteLLM name the "
            "field under `additional_drop_params` in the model's `litellm_params`; `drop_params: true` drops only what "
            "LiteLLM knows the provider to refuse.",
        ),
        one(
            "server-error",
            f"{api}: requests fail with a server error",
            f"POST {path} was answered with a 5xx status, twice, to a short question that chat completions answer; a "
            "path that does not exist is answered otherwise.",
            f"{agent} and the official libraries get no answer, and repeat each request without success.",
            f"Read the server's log for the cause. {_UPDATE}, {_CHAT}.",
        ),
        one(
            "schema",
            f"{api}: JSON schema refused or without effect",
            f"A JSON schema, to which chat completions constrain the answer, was refused by POST {path} (information) "
            "or accepted without effect (warning).",
            "Clients that rely on structured output get text or objects that they cannot use.",
            f"Ask for structured output by chat completions. {_UPDATE} for this API.",
            Severity.WARNING,
        ),
        one(
            "picture",
            f"{api}: pictures refused or not shown",
            f"A picture, which the model sees on chat completions, was refused by POST {path} (information), or the "
            "model could not name its colours, twice (warning).",
            f"{agent} shows screenshots and attached files to the model as pictures.",
            f"{_UPDATE}, or let clients send pictures by chat completions.",
            Severity.WARNING,
        ),
        one(
            "silence",
            f"{api}: silence ends connections or lacks heartbeats",
            f"A silence that a chat completion survived ended the connection of POST {path}; or its streams are silent "
            "where chat completions send heartbeats (warning).",
            "Long answers and long prompts fail, after the same time, on this path alone.",
            f"Set the read timeout of the hop in front for the path {path} as for /chat/completions (nginx: "
            "`proxy_read_timeout` in its `location`), and let the server send heartbeats.",
        ),
    )
    return {item.code.partition(".")[2]: item for item in made}


RESPONSES = _made(_RESPONSES)
MESSAGES = {
    **_made(_MESSAGES),
    "count-differs": Diagnosis(
        "messages.count-differs",
        Severity.WARNING,
        Owner.SERVER,
        "Messages API: count_tokens miscounts",
        "POST /messages/count_tokens gives less than half or more than twice the tokens that the same request uses.",
        "Clients that fill the context by this count send prompts that do not fit, or cut conversations too early.",
        f"{_UPDATE}. In a gateway use the server's own tokenizer.",
        "Run endpoint-probe again with --apis messages: the finding is gone.",
        sources=_MESSAGES.sources,
    ),
}

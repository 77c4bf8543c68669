"""Faults of what is sent back and forth: fields that must be returned, refused histories, calls that are changed."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from probe.simulator.call import JSON, Call, Chunk, Reply, ToolCall
from probe.simulator.fault import (
    Fault,
    choices,
    deltas,
    drop_fields,
    each_call,
    each_part,
    each_whole_call,
    on_chat,
    on_chunks,
    on_json,
    on_prompt,
    on_reply,
)
from probe.simulator.response import Response

SIGNATURE = "CsYBAXLI2nwF0Qk5m8s="


def _calling_turns(call: Call) -> list[JSON]:
    """The assistant turns of the history with tool calls."""
    return [turn for turn in call.messages if turn.get("role") == "assistant" and turn.get("tool_calls")]


# Fields that must be returned --------------------------------------------------------------------------


class EchoSignature(Fault):
    """Gemini's compatible API: the signature of each call must come back (langchain issue 37347)."""

    name = "echo-signature"
    summary = "calls have extra_content.google.thought_signature; a history without it is refused"
    yields = ("tools.echo-required",)
    message = (
        "Function call is missing a thought_signature in functionCall parts. This is required for tools to work "
        "correctly."
    )

    def signed(self, made: JSON) -> JSON:
        """The tool call with its signature."""
        return {**made, "extra_content": {"google": {"thought_signature": SIGNATURE}}}

    def on_chat(self, call: Call) -> Response | None:
        made = [made for turn in _calling_turns(call) for made in turn["tool_calls"]]
        return None if all(one == self.signed(one) for one in made) else self.error(400, self.message, param="messages")

    def on_json(self, call: Call, payload: Any) -> Any:
        return each_whole_call(payload, self.signed)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        return each_part(chunks, lambda part: self.signed(part) if part.get("id") else part)


class EchoInFunction(EchoSignature):
    """The signature is inside the function, and the refusal does not name it."""

    name = "echo-in-function"
    summary = "calls have function.thought_signature; a history without it is refused with a vague 400"
    message = "Request contains an invalid argument."

    def signed(self, made: JSON) -> JSON:
        return {**made, "function": {**made.get("function", {}), "thought_signature": SIGNATURE}}


class EchoReasoning(Fault):
    """The API of a reasoning model that requires its reasoning back (anomalyco/opencode issue 24497)."""

    name = "echo-reasoning"
    summary = "an assistant turn with calls and without its reasoning_content is refused"
    yields = ("tools.echo-required",)
    field = "reasoning_content"
    text = "The user asks; I answer."

    def on_chat(self, call: Call) -> Response | None:
        if all(turn.get(self.field) for turn in _calling_turns(call)):
            return None
        message = f"The `{self.field}` in the thinking mode must be passed back to the API."
        return self.error(400, message, param="messages")

    def on_json(self, call: Call, payload: Any) -> Any:
        for choice in choices(payload):
            choice["message"][self.field] = self.text
        return payload

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        first = next((deltas(chunk.data)[0] for chunk in chunks if deltas(chunk.data)), None)
        if first is not None:
            first[self.field] = self.text
        return chunks


# The same with the gateway's own field (OpenRouter's documentation, preserving reasoning blocks).
EchoDetails = EchoReasoning.variant(
    "echo-reasoning-details",
    "an assistant turn with calls and without its reasoning_details is refused",
    field="reasoning_details",
)


@on_chat("a tool's result without `name` is refused", "tools.echo-required")
def results_need_name(fault: Fault, call: Call) -> Response | None:
    """Gemini's API has to be given the name of the function with its response (openfang issue 136)."""
    if all(turn.get("name") for turn in call.messages if turn.get("role") == "tool"):
        return None
    message = "* GenerateContentRequest.contents[2].parts[0].function_response.name: Name cannot be empty."
    return fault.error(400, message)


# Histories that are refused ----------------------------------------------------------------------------


class IdsOfNine(Fault):
    """Mistral's chat template checks the ids, and the server makes others (vllm-project/vllm issue 9019)."""

    name = "tool-ids-of-nine"
    summary = "calls get ids of 24 characters, and ids that are not nine of a-z, A-Z, 0-9 are refused"
    yields = ("tools.result-rejected",)

    def on_chat(self, call: Call) -> Response | None:
        for turn in _calling_turns(call):
            for made in turn["tool_calls"]:
                if not re.fullmatch(r"[a-zA-Z0-9]{9}", str(made.get("id"))):
                    message = f"Tool call id was {made.get('id')} but must be a-z, A-Z, 0-9, with a length of 9."
                    return self.error(400, message, param="messages")
        return None

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        kept = tuple(replace(made, id=f"{number:024x}") for number, made in enumerate(reply.tool_calls, 0xA1B2C3))
        return replace(reply, tool_calls=kept[:1])


class EmptyCallsRefused(Fault):
    """The server refuses the empty list of calls that it writes itself (lmstudio-bug-tracker issue 1318)."""

    name = "empty-calls-refused"
    summary = "plain answers have `tool_calls: []`, and a history with it is refused"
    yields = ("tools.history-rejected",)

    def on_chat(self, call: Call) -> Response | None:
        if all(turn.get("tool_calls") != [] for turn in call.messages):
            return None
        message = "Invalid 'messages': 'tool_calls' must contain at least 1 element"
        return self.error(400, message, param="messages")

    def on_json(self, call: Call, payload: Any) -> Any:
        for choice in choices(payload):
            choice["message"].setdefault("tool_calls", [])
        return payload


@on_json('after a tool result the answer is 200 with finish_reason "error" and no content', "tools.result-rejected")
def tool_result_finish_error(fault: Fault, call: Call, payload: Any) -> Any:
    """The provider behind the gateway fails once there is a result (openrouter-examples issue 67)."""
    if any(turn.get("role") == "tool" for turn in call.messages):
        for choice in choices(payload):
            choice["finish_reason"] = "error"
            choice["native_finish_reason"] = "MALFORMED_FUNCTION_CALL"
            choice["message"] = {"role": "assistant", "content": None}
    return payload


# Calls that are changed --------------------------------------------------------------------------------


@on_reply("of two calls in one answer only the first is streamed", "tools.stream-fragments", stream=True)
def tool_stream_second_lost(fault: Fault, call: Call, reply: Reply) -> Reply:
    """A streaming parser keeps one call (sgl-project/sglang issue 35564)."""
    return replace(reply, tool_calls=reply.tool_calls[:1])


@on_reply(
    "streamed calls come structured, and again as text in tool_call tags; whole answers are well formed",
    "tools.stream-leak",
    stream=True,
)
def tool_stream_call_and_text(fault: Fault, call: Call, reply: Reply) -> Reply:
    """The streamed call is structured, and in the text as well (oobabooga/textgen issue 7427)."""
    written = "".join(
        f'<tool_call>\n{{"name": "{made.name}", "arguments": {made.arguments}}}\n</tool_call>'
        for made in reply.tool_calls
    )
    return replace(reply, text=reply.text + written)


@on_reply("the name of a call is followed by special tokens", "tools.name-altered")
def tool_name_with_tokens(fault: Fault, call: Call, reply: Reply) -> Reply:
    """A parser leaves the format's special tokens in the name (vllm-project/vllm issue 32587)."""
    return each_call(reply, lambda made: replace(made, name=f"{made.name}<|channel|>commentary"))


@on_reply("the arguments are a JSON string that contains JSON", "tools.values-altered")
def tool_arguments_encoded_twice(fault: Fault, call: Call, reply: Reply) -> Reply:
    """Arguments are serialised by the parser and again by the API (vllm-project/vllm pull request 54964)."""
    return each_call(reply, lambda made: replace(made, arguments=json.dumps(made.arguments)))


@on_chunks("streamed calls have the indexes 1, 2 …", "tools.stream-index")
def tool_stream_index_from_one(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """The indexes of streamed calls start at 1 (router-for-me/CLIProxyAPI issue 5229)."""
    return each_part(chunks, lambda part: {**part, "index": part["index"] + 1})


@on_prompt('tools reach the model only if the request contains `tool_choice`, even `"auto"`', "tools.ignored")
def tool_auto_not_default(fault: Fault, call: Call) -> None:
    """The server shows the model the tools only if the request contains a choice (llama-cpp-python)."""
    if call.tools and "tool_choice" not in call.body:
        drop_fields(call, "tools")


@on_prompt("a streaming request with tools is answered by one JSON object", "stream.not-sse")
def tool_stream_not_sse(fault: Fault, call: Call) -> None:
    """A gateway does not stream when tools are offered."""
    if call.tools:
        call.body = {**call.body, "stream": False}


@on_reply("calls contain invented values (harmless: it may be the model)")
def tool_arguments_invented(fault: Fault, call: Call, reply: Reply) -> Reply:
    """A mock server fills the schema with invented values (harmless, and indistinguishable from a weak model)."""
    return each_call(reply, lambda made: replace(made, arguments='{"city": "test_city"}'))


@on_reply("the calls of every answer have the ids call_0, call_1 …", "tools.id-duplicate")
def tool_ids_reused(fault: Fault, call: Call, reply: Reply) -> Reply:
    """The ids count from zero in every answer (NVIDIA-NeMo/Switchyard issue 502)."""
    return replace(
        reply, tool_calls=tuple(replace(made, id=f"call_{place}") for place, made in enumerate(reply.tool_calls))
    )


@on_reply("a streamed call comes twice, with two indexes and ids", "tools.stream-fragments", stream=True)
def tool_stream_call_twice(fault: Fault, call: Call, reply: Reply) -> Reply:
    """A translating gateway sends every streamed call with two indexes."""
    twice = [(made, replace(made, id=f"{made.id}b" if made.id else None)) for made in reply.tool_calls]
    return replace(reply, tool_calls=tuple(one for pair in twice for one in pair))


@on_reply("the arguments of streamed calls are {}", "tools.arguments-off-schema", stream=True)
def tool_stream_arguments_lost(fault: Fault, call: Call, reply: Reply) -> Reply:
    """A streaming parser loses what came before it looked (vllm-project/vllm issue 31501)."""
    return each_call(reply, lambda made: replace(made, arguments="{}"))


@on_reply("the last letter of the city is lost when a call is streamed", "tools.values-altered", stream=True)
def tool_stream_value_cut(fault: Fault, call: Call, reply: Reply) -> Reply:
    """A streaming parser loses the end of a string argument."""

    def cut(made: ToolCall) -> ToolCall:
        return replace(made, arguments=str(made.arguments).replace("Paris", "Pari").replace("Rome", "Rom"))

    return each_call(reply, cut)


class EmptyContentRefused(Fault):
    """The server writes an empty string next to calls, and its history check requires null."""

    name = "empty-content-refused"
    summary = 'calls come with content "", and a history with it is refused'
    yields = ("tools.history-rejected",)

    def on_chat(self, call: Call) -> Response | None:
        if all(turn.get("content") != "" for turn in _calling_turns(call)):
            return None
        return self.error(400, "content of an assistant message with tool calls must be null", param="messages")

    def on_json(self, call: Call, payload: Any) -> Any:
        for choice in choices(payload):
            if choice["message"].get("tool_calls"):
                choice["message"]["content"] = ""
        return payload


class ArgumentsElsewhere(Fault):
    """A gateway translates calls of another API and keeps its member."""

    name = "tool-arguments-elsewhere"
    summary = "the arguments of calls are in another member of `function` (=parameters, input or args)"
    yields = ("tools.arguments-not-string",)
    value = "parameters"
    choices = ("parameters", "input", "args")

    def moved(self, made: JSON) -> JSON:
        """One call, or a piece of it, with the member renamed."""
        names = {"arguments": self.given}
        function = {names.get(name, name): value for name, value in (made.get("function") or {}).items()}
        return {**made, "function": function}

    def on_json(self, call: Call, payload: Any) -> Any:
        return each_whole_call(payload, self.moved)

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
        return each_part(chunks, self.moved)


@on_reply("complete streamed calls end with finish_reason length", "tools.finish-reason", stream=True)
def tool_stream_finish_length(fault: Fault, call: Call, reply: Reply) -> Reply:
    """Every streamed call ends as if the token limit had cut it off."""
    return replace(reply, finish_reason="length") if reply.tool_calls else reply

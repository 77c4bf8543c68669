"""What answers hold: spaces, counts, ids, limits, log probabilities, stop words, and the place of the text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from probe.simulator.call import Call, Chunk, Reply
from probe.simulator.fault import (
    Fault,
    choices,
    deltas,
    drop_fields,
    each_object,
    format_type,
    on_chat,
    on_chunks,
    on_prompt,
    on_reply,
)
from probe.simulator.response import Response, send_empty

# Text --------------------------------------------------------------------------------------------------


@on_reply(
    "the spaces of answers are lost or doubled (=lost or doubled)", "output.spaces-altered", choices=("lost", "doubled")
)
def spaces_altered(fault: Fault, call: Call, reply: Reply) -> Reply:
    """Words are joined by the rules of another tokenizer (OpenNMT/Tokenizer pull request 144)."""
    kept = reply.tool_calls or format_type(call) or call.operation != "chat"
    return reply if kept else replace(reply, text=reply.text.replace(" ", "" if fault.given == "lost" else "  "))


@on_chunks("streamed text has its line feeds, and no spaces", "stream.text-differs")
def stream_spaces_lost(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """Tokens are decoded one by one, without the spaces between them (npuichigo/openai_trtllm issue 37)."""

    def without(data: dict[str, Any]) -> dict[str, Any]:
        for delta in deltas(data):
            if delta.get("content"):
                delta["content"] = delta["content"].replace(" ", "")
        return data

    return each_object(chunks, without)


@on_reply("whole texts end with a token in capitals", "output.template-tokens")
def end_token_left(fault: Fault, call: Call, reply: Reply) -> Reply:
    """The end token of a template is not the one that the engine stops at (logancyang/obsidian-copilot issue 2284)."""
    return reply if call.stream or not reply.text else replace(reply, text=f"{reply.text}<|END_OF_TURN_TOKEN|>")


@on_reply("texts come in reasoning_content, and the content is null", "shape.answer")
def answer_in_reasoning(fault: Fault, call: Call, reply: Reply) -> Reply:
    """The parser takes an answer without an end of thinking for thinking (OpenBMB/MiniCPM-V issue 1016)."""
    return reply if reply.tool_calls else replace(reply, text="", reasoning=reply.text)


class AnswerTwice(Fault):
    """The gateway takes an answer without tags for thinking as well (mudler/LocalAI pull request 11791)."""

    name = "answer-in-reasoning-too"
    summary = "whole answers have the text as thinking as well"
    yields = ("shape.answer",)

    def on_json(self, call: Call, payload: Any) -> Any:
        for choice in choices(payload) if call.operation == "chat" else ():
            if (said := choice["message"]).get("content"):
                said["reasoning_content"] = said["content"]
        return payload


# Counts, ids, names ------------------------------------------------------------------------------------


class Uncounted(Fault):
    """A server counts only what it writes (tenstorrent/tt-inference-server pull request 2157), or not even that."""

    name = "usage-uncounted"
    summary = "whole answers count 0 tokens of the prompt or of the text (=prompt or text)"
    yields = ("shape.answer",)
    value = "prompt"
    choices = ("prompt", "text")

    def on_json(self, call: Call, payload: Any) -> Any:
        if call.operation == "chat" and isinstance(payload, dict) and "usage" in payload:
            payload["usage"]["prompt_tokens" if self.given == "prompt" else "completion_tokens"] = 0
        return payload


@on_chunks("the id of a stream's chunks counts on", "shape.chunk")
def stream_ids_changing(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """Every chunk has an id of its own (microsoft/foundry-local issue 144)."""
    return [
        chunk if isinstance(chunk.data, str) else replace(chunk, data={**chunk.data, "id": f"chat.id.{number}"})
        for number, chunk in enumerate(chunks)
    ]


@on_chunks("the chunk with the token counts follows [DONE]", "stream.no-usage")
def stream_after_done(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """The counts come where no client reads any more."""
    late = [chunk for chunk in chunks if not isinstance(chunk.data, str) and not chunk.data.get("choices")]
    return [*(chunk for chunk in chunks if chunk not in late), *late]


class CallsOdd(Fault):
    """Calls without a name (BerriAI/litellm issue 9127), or in place of the list of calls."""

    name = "call-nameless"
    summary = "the name of whole calls is null"
    yields = ("shape.answer", "tools.name-altered")

    def on_json(self, call: Call, payload: Any) -> Any:
        for choice in choices(payload) if call.operation == "chat" else ():
            for made in choice["message"].get("tool_calls") or ():
                made["function"]["name"] = None
        return payload


class CallsNoList(Fault):
    """One call in place of the list of calls."""

    name = "calls-no-list"
    summary = "calls are an object in place of a list"
    yields = ("shape.answer",)

    def on_json(self, call: Call, payload: Any) -> Any:
        for choice in choices(payload) if call.operation == "chat" else ():
            if made := choice["message"].get("tool_calls"):
                choice["message"]["tool_calls"] = made[0]
        return payload


@on_reply(
    "answers end with another word than stop (=eos_token, end_turn, end or STOP)",
    *("shape.answer", "shape.chunk"),
    choices=("eos_token", "end_turn", "end", "STOP"),
)
def finish_words(fault: Fault, call: Call, reply: Reply) -> Reply:
    """The engine's own words for the end of an answer (huggingface/text-generation-inference issue 2296)."""
    return replace(reply, finish_reason=fault.given) if reply.finish_reason == "stop" else reply


@on_chunks(
    "streams end after the first piece of a call's arguments, without a finish reason and [DONE]", "stream.truncated"
)
def tool_stream_breaks_off(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """The generation is lost within a call, and the response ends (NousResearch/hermes-agent pull request 42314)."""
    parts = [place for place, chunk in enumerate(chunks) if any(one.get("tool_calls") for one in deltas(chunk.data))]
    return chunks[: parts[1] + 1] if len(parts) > 1 else chunks


# What the request says ---------------------------------------------------------------------------------


@on_reply("answers that a stop sequence ends contain it", "params.stop-ignored")
def stop_kept(fault: Fault, call: Call, reply: Reply) -> Reply:
    """The server ends the answer behind the sequence."""
    stops: list[str] = list(call.body.get("stop") or [])
    ended = stops and reply.text and reply.finish_reason == "stop" and not reply.tool_calls
    return replace(reply, text=reply.text + stops[0]) if ended else reply


@on_prompt("max_completion_tokens has no effect, max_tokens has", "params.max-tokens-ignored")
def max_completion_tokens_ignored(fault: Fault, call: Call) -> None:
    """A server that is older than the parameter (abetlen/llama-cpp-python issue 1907)."""
    drop_fields(call, "max_completion_tokens")


@on_prompt("answers to requests without a limit end after N tokens (=N)", "params.default-limit", value="16")
def default_limit(fault: Fault, call: Call) -> None:
    """The server's default for requests without a limit (vllm-project/vllm-metal pull request 56)."""
    if call.body.get("max_tokens") is None and call.body.get("max_completion_tokens") is None:
        call.body = {**call.body, "max_tokens": int(fault.number)}


class LogprobsIgnored(Fault):
    """A gateway drops the request for them, or writes those of the completions API."""

    name = "logprobs-ignored"
    summary = "log probabilities do not come (=dropped), or in the form of the old API (=old)"
    yields = ("params.logprobs-ignored",)
    value = "dropped"
    choices = ("dropped", "old")

    def on_json(self, call: Call, payload: Any) -> Any:
        for choice in choices(payload) if call.operation == "chat" else ():
            given = choice.get("logprobs")
            old = {"tokens": [one["token"] for one in given["content"]], "token_logprobs": []} if given else None
            choice["logprobs"] = old if self.given == "old" else None
        return payload


@on_chat(
    "a parameter is refused (=store or reasoning_effort)",
    "params.unknown-rejected",
    choices=("store", "reasoning_effort"),
)
def parameter_refused(fault: Fault, call: Call) -> Response | None:
    """A strict server, or a model that does not think (umputun/tg-spam issue 304)."""
    if call.operation != "chat" or fault.given not in call.sent:
        return None
    return fault.error(400, f"Unrecognized request argument supplied: {fault.given}")


@on_chat("an assistant turn with calls and without `content` is refused; null is accepted", "content.null-rejected")
def content_required(fault: Fault, call: Call) -> Response | None:
    """Declared types in which `content` is no optional field (abetlen/llama-cpp-python issue 1805)."""
    for place, turn in enumerate(call.messages):
        if turn.get("role") == "assistant" and "content" not in turn:
            return fault.error(422, "Field required", param=f"messages.{place}.content")
    return None


@on_chat("a conversation that ends with a turn of the assistant is refused", "roles.order-rejected")
def order_assistant_last(fault: Fault, call: Call) -> Response | None:
    """A model that cannot continue an answer (ericc-ch/copilot-api pull request 261)."""
    if not call.messages or call.messages[-1].get("role") != "assistant":
        return None
    return fault.error(400, "The conversation must end with a user message.")


@on_chat("a chat request without `stream: true` is answered by an empty stream", "stream.required")
def stream_or_nothing(fault: Fault, call: Call) -> Response | None:
    """A server that only streams, whatever it is asked for (TabbyML/tabby issue 2807)."""
    whole = call.operation == "chat" and not call.stream
    return send_empty(200, [("Content-Type", "text/event-stream")]) if whole else None

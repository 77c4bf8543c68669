"""The catalogue entries of the content family."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

_REFERENCE = "OpenAI API reference, chat completions: messages[].content"

BLOCKS_REJECTED = Diagnosis(
    code="content.blocks-rejected",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Content given as blocks is refused",
    what='A message whose content is a list of `{"type": "text", "text": …}` blocks was refused, while the same '
    "text as a plain string was answered.",
    why="Clients that write content as blocks (many do as soon as a picture, a file or a cache mark is in the "
    "message, some always) get an error in place of an answer.",
    remedy="Switch block content (also called array content) off in the client, so that it sends plain strings; or "
    "update the server to a release that takes text blocks in every role.",
    verify="A user message with two text blocks is answered with status 200.",
    sources=(_REFERENCE, "crewAIInc/crewAI#5886 (Groq's schema)", "abetlen/llama-cpp-python llama_cpp/server/types.py"),
)
BLOCKS_IGNORED = Diagnosis(
    code="content.blocks-ignored",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Content given as blocks never reaches the model",
    what="Messages with content as text blocks were answered with success, but the model was not shown their text: "
    "the prompt has fewer tokens than with the same text as strings, or codes in them are unknown to the model.",
    why="The model answers something else, and nothing says that the message was lost.",
    remedy="Use a chat template that prints lists of text blocks, or let the server flatten them; until then switch "
    "block content off in the client.",
    verify="usage.prompt_tokens is the same for a string and for one text block with the same text.",
    sources=(_REFERENCE, "vllm-project/vllm --chat-template-content-format"),
)
BLOCKS_TRUNCATED = Diagnosis(
    code="content.blocks-truncated",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Only one of several content blocks is read",
    what="A user message with two text blocks was answered, but only one of them reached the model.",
    why="Clients put attachments, context and the question into blocks of their own: a part of the message is lost "
    "without an error.",
    remedy="Join all text blocks of a message in the server or gateway; until then switch block content off in the "
    "client, so that it sends one string.",
    verify="A user message with two text blocks has as many prompt tokens as the two texts in one string.",
    sources=(_REFERENCE,),
)
NULL_REJECTED = Diagnosis(
    code="content.null-rejected",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Null content beside tool calls is refused",
    what="A conversation in which the assistant's turn holds tool_calls and `content: null` was refused, and taken "
    'with `content: ""` in its place.',
    why="Null is what the API returns for a call, and clients send the message back as it came: the tool loop breaks "
    "after the first call.",
    remedy='Let the server take null content in assistant turns with tool_calls, or a gateway write "" in its place; '
    'or use a client that sends "".',
    verify="The conversation with `content: null` beside tool_calls is answered with status 200.",
    sources=(
        "OpenAI API reference, chat completions: assistant message, content is optional with tool_calls",
        "abetlen/llama-cpp-python llama_cpp/llama_types.py",
    ),
)

"""The findings of the content family."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

_REFERENCE = "OpenAI API reference, chat completions: messages[].content"

BLOCKS_REJECTED = Diagnosis(
    code="content.blocks-rejected",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Content blocks rejected",
    what='A message whose content is a list of `{"type": "text", "text": …}` blocks was rejected, while the same text '
    "as a plain string was answered.",
    why="Clients that send content as blocks (some always, many when a message has a picture, a file or a cache mark) "
    "get an error in place of an answer.",
    remedy="Turn block content (also called array content) off in the client, so that it sends plain strings; or "
    "update the server to a release that accepts text blocks in every role.",
    verify="A user message with two text blocks is answered with status 200.",
    sources=(_REFERENCE, "crewAIInc/crewAI#5886 (Groq's schema)", "abetlen/llama-cpp-python llama_cpp/server/types.py"),
)
BLOCKS_IGNORED = Diagnosis(
    code="content.blocks-ignored",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Content blocks never reach the model",
    what="Messages with text blocks were answered with success, but the model was not shown their text: the prompt has "
    "fewer tokens than with the same text as strings, or the model does not know codes in it.",
    why="The model answers without the message, and no error says that it was lost.",
    remedy="Use a chat template that renders lists of text blocks, or let the server flatten them. Until then turn "
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
    why="Clients put attachments, context and the question into separate blocks: a part of the message is lost without "
    "an error.",
    remedy="Join all text blocks of a message in the server or gateway. Until then turn block content off in the "
    "client, so that it sends one string.",
    verify="A user message with two text blocks has as many prompt tokens as the two texts in one string.",
    sources=(_REFERENCE,),
)

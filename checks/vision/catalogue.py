"""The findings of the vision family."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

_SOURCES = (
    "OpenAI API reference, chat completions: content parts of type image_url",
    "ggml-org/llama.cpp tools/server/README.md, --mmproj",
    "vllm-project/vllm, Multimodal Inputs",
    "huggingface/text-generation-inference router/src (image_url of a text model becomes Markdown)",
)
REJECTED = Diagnosis(
    code="vision.rejected",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Pictures rejected",
    what="A message with text and a small PNG (a data URI in an image_url block) was rejected; without the picture it "
    "is answered.",
    why="A client that attaches pictures gets this error. Text is not affected.",
    remedy="Turn vision off in the client. For pictures, serve a vision model, with the projector file or limit that "
    "the error text names.",
    verify="The capability vision becomes `works` after a vision model is served.",
    sources=_SOURCES,
)
IGNORED = Diagnosis(
    code="vision.ignored",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Pictures accepted but never shown to the model",
    what="A message with a picture was answered with success, but the model was not shown the picture: the prompt "
    "tokens do not account for it, and the answer does not describe it.",
    why="The user gets a confident answer about a picture that the model never saw.",
    remedy="Turn vision off in the client, or serve a vision model. Let a gateway in front of a vision model pass "
    "image_url blocks on unchanged.",
    verify="usage.prompt_tokens grows when a picture is added, and the capability vision is `works`.",
    sources=_SOURCES,
)
MISREAD = Diagnosis(
    code="vision.misread",
    severity=Severity.WARNING,
    owner=Owner.MODEL,
    title="Pictures reach the model but are misread",
    what="The prompt tokens show that the model was given the picture, and it named wrong colours for two pictures of "
    "different size.",
    why="Answers about pictures are unreliable.",
    remedy="Use a stronger vision model. Where this model is known to read pictures well, compare the projector or "
    "processor files with the model's release: a mismatch loads without an error and garbles pictures.",
    verify="The capability vision is `works`.",
    sources=_SOURCES,
)

"""The catalogue entries of the errors family."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

_REFERENCE = "OpenAI API reference, error object: error.message, error.type, error.param, error.code"

SHAPE = Diagnosis(
    code="errors.shape",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Errors are not of the OpenAI shape",
    what='An error came back with another body than `{"error": {"message": …}}`: another JSON shape, plain text, a web '
    "page, or nothing at all. Other JSON and text are noted only; a web page, an empty body or JSON without a text is "
    "a warning.",
    why="Clients show the body raw or only a status number, and cannot tell a wrong parameter from a prompt that is "
    "too long, so they neither mend the request nor say why it failed.",
    remedy="Let the server or the gateway in front of it put errors into the shape of the OpenAI API, and let no proxy "
    "replace error bodies by its own pages.",
    verify='A request with `messages` as a string is answered with status 400 and `{"error": {"message": …}}`.',
    sources=(_REFERENCE, "vllm-project/vllm#22099", "nginx documentation: proxy_intercept_errors"),
)
SUCCESS_STATUS = Diagnosis(
    code="errors.success-status",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Errors come with a success status",
    what="A request was answered with status 200 and an error object in place of a completion.",
    why="Clients look at the status first: they find no choices where some must be, and fail with a parse error, or "
    "show an empty answer.",
    remedy="Let the server or the gateway answer errors with a 4xx or 5xx status.",
    verify="The request in the evidence is answered with a 4xx status.",
    sources=(_REFERENCE, "RFC 9110 section 15.5", "OpenRouter documentation: errors"),
)
SERVER_ERROR = Diagnosis(
    code="errors.server-error",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="A mistake of the client is answered as one of the server",
    what="A request with a field of the wrong type was answered with a 5xx status, twice, in place of 400 or 422.",
    why="Clients and gateways repeat a 5xx, wait, switch to another deployment or count the server as down, for a "
    "request that can never succeed.",
    remedy="Let the server check requests and answer 400 or 422; update it where it cannot.",
    verify="A request with `messages` as a string is answered with status 400 or 422.",
    sources=("RFC 9110 sections 15.5.1 and 15.6.1", "abetlen/llama-cpp-python llama_cpp/server/errors.py"),
)

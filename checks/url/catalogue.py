"""The diagnoses of the url family."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

_LISTS_MODELS = "`curl BASE/models` with the key prints a model list."

MISSING_V1 = Diagnosis(
    code="url.missing-v1",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="Base URL incomplete",
    what="The typed URL does not lead to chat completions; another base path on the same host does (usually /v1, "
    "otherwise /openai/v1, /api/v1 and the like).",
    why="Clients append /chat/completions to the typed URL and get 404, a web page, or success without a completion.",
    remedy="Use the base URL that the finding names.",
    verify=_LISTS_MODELS,
    sources=("OpenAI API reference: https://api.openai.com/v1/chat/completions",),
)
TRAILING_SLASH = Diagnosis(
    code="url.trailing-slash",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="Base URL ends in a slash",
    what="Joined with /chat/completions the URL contains a double slash, which the server rejects; without the final "
    "slash it works.",
    why="Clients that join the parts unchanged get 404.",
    remedy="Remove the final slash of the base URL.",
    verify="The same client call succeeds with the URL without the slash.",
    sources=("RFC 3986 section 3.3: an empty path segment is a segment",),
)
OPERATION_PATH = Diagnosis(
    code="url.operation-path",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="URL of an operation, not a base URL",
    what="The typed URL ends in an operation such as /chat/completions or /models.",
    why="Clients append the operation themselves; the path then contains it twice and gives 404.",
    remedy="Remove the operation from the URL: a base URL usually ends in /v1.",
    verify=_LISTS_MODELS,
    sources=("OpenAI API reference, 'Create chat completion'",),
)
DUPLICATE_PATH = Diagnosis(
    code="url.duplicate-path",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="Path segment repeated (/v1/v1)",
    what="The path repeats a segment (/v1/v1, /openai/v1/openai/v1); without the repetition it works.",
    why="The server does not have this path and answers 404.",
    remedy="Remove the repeated segment.",
    verify=_LISTS_MODELS,
    sources=("groq-python _client.py: its base URL leaves out /openai/v1, other SDKs' do not",),
)
REDIRECTS = Diagnosis(
    code="url.redirects",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Chat URL redirects",
    what="A POST to the chat URL is answered with a redirect.",
    why="Many clients do not follow a redirect of a POST. After 301, 302 and 303 it becomes a GET without a body; to "
    "another origin the key is dropped or, worse, sent along.",
    remedy="Use the redirect's target as the base URL.",
    verify="`curl -i -X POST BASE/chat/completions` no longer answers with a 3xx status.",
    sources=("RFC 9110 section 15.4",),
)
NOT_AN_API = Diagnosis(
    code="url.not-an-api",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="Web site instead of the API",
    what="The answers are web pages, or success for any path, and never a chat completion.",
    why="Clients see status 200 and fail when they read the body, often without a clear error.",
    remedy="Use the host and port of the API, not of the web page; a proxy in front must route the API's paths to it.",
    verify="`curl BASE/models` prints JSON with a `data` list.",
    sources=("nginx try_files documentation", "one-api router/web.go"),
)
NO_CHAT = Diagnosis(
    code="url.no-chat",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="No chat completion under this URL",
    what="Neither the typed URL nor the usual base paths on this host returned a chat completion.",
    why="Clients cannot use the endpoint.",
    remedy="Look up the base URL in the provider's or the server's documentation (the part before /chat/completions). "
    "Check that the server is running and serves a chat model.",
    verify="`curl BASE/chat/completions` with a body, the key and a model is answered with status 200.",
    sources=("OpenAI API reference, 'Create chat completion'",),
)
CLEARTEXT = Diagnosis(
    code="url.cleartext",
    severity=Severity.WARNING,
    owner=Owner.CLIENT,
    title="API key sent in clear text",
    what="The endpoint is http:// on another machine, and a key is sent to it.",
    why="Everybody on the network path can read the key and the conversations.",
    remedy="Use https://, or put a TLS proxy in front of the server.",
    verify="The endpoint URL begins with https:// and the tls checks pass.",
    sources=("RFC 6750 section 5.3: bearer tokens need TLS",),
)

"""The diagnoses of the url family; the checks that make them stand in ``checks/url/checks.py``."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

MISSING_V1 = Diagnosis(
    code="url.missing-v1",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="The base URL is incomplete",
    what="The URL as typed does not lead to chat completions; another base path on the same host does "
    "(most often /v1, else /openai/v1, /api/v1 and the like).",
    why="Clients append /chat/completions to what was typed and get 404, a web page, or a success that is none.",
    remedy="Use the base URL that the finding names.",
    verify="`curl BASE/models` with the key prints a model list.",
    sources=("OpenAI API reference: https://api.openai.com/v1/chat/completions",),
)
TRAILING_SLASH = Diagnosis(
    code="url.trailing-slash",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="The base URL ends in a slash",
    what="Joined with /chat/completions the URL has a doubled slash, which the server does not take; without the "
    "slash at the end it works.",
    why="Clients that join the parts as they are get 404.",
    remedy="Remove the slash at the end of the base URL.",
    verify="The same client call succeeds with the URL without the slash.",
    sources=("RFC 3986 section 3.3: an empty path segment is a segment",),
)
OPERATION_PATH = Diagnosis(
    code="url.operation-path",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="The URL is an operation, not a base",
    what="The typed URL ends in an operation such as /chat/completions or /models.",
    why="Clients append the operation themselves, so it stands there twice and gives 404.",
    remedy="Cut the operation off: a base URL usually ends in /v1.",
    verify="`curl BASE/models` with the key prints a model list.",
    sources=("OpenAI API reference, 'Create chat completion'",),
)
DUPLICATE_PATH = Diagnosis(
    code="url.duplicate-path",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="A part of the path stands there twice",
    what="The path repeats a segment (/v1/v1, /openai/v1/openai/v1); taken once it works.",
    why="The server knows no such path and answers 404.",
    remedy="Write the repeated part once.",
    verify="`curl BASE/models` with the key prints a model list.",
    sources=("groq-python _client.py: its base URL leaves out /openai/v1, other SDKs' do not",),
)
REDIRECTS = Diagnosis(
    code="url.redirects",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="The chat URL redirects",
    what="A POST to the chat URL is answered with a redirect.",
    why="Many clients do not follow a redirect of a POST; after 301, 302 and 303 it becomes a GET without a body, "
    "and to another origin the key is dropped (or, worse, sent along).",
    remedy="Use the redirect's target as the base URL.",
    verify="`curl -i -X POST BASE/chat/completions` no longer answers with a 3xx status.",
    sources=("RFC 9110 section 15.4",),
)
NOT_AN_API = Diagnosis(
    code="url.not-an-api",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="This is a web site, not the API",
    what="The answers are web pages, or success whatever the path, and never a chat completion.",
    why="Clients see status 200 and fail while reading the body, often without a word.",
    remedy="Use the API's host and port instead of the web page's; a proxy in front must route the API's path to it.",
    verify="`curl BASE/models` prints JSON with a `data` list.",
    sources=("nginx try_files documentation", "one-api router/web.go"),
)
NO_CHAT = Diagnosis(
    code="url.no-chat",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="No chat completion was found under this URL",
    what="Neither the typed URL nor the usual base paths on this host gave a chat completion.",
    why="No client can use the endpoint.",
    remedy="Look up the base URL in the provider's or the server's documentation; it is the part before "
    "/chat/completions. Check that the server is up and serves a chat model.",
    verify="`curl BASE/chat/completions` with a body, the key and a model answers 200.",
    sources=("OpenAI API reference, 'Create chat completion'",),
)
CLEARTEXT = Diagnosis(
    code="url.cleartext",
    severity=Severity.WARNING,
    owner=Owner.CLIENT,
    title="The key travels in clear text",
    what="The endpoint is http:// on another machine, and a key is sent to it.",
    why="Everyone on the path can read the key and what is said.",
    remedy="Use https://, or put a TLS proxy in front of the server.",
    verify="The endpoint URL begins with https:// and the tls checks pass.",
    sources=("RFC 6750 section 5.3: bearer tokens need TLS",),
)

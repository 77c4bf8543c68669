"""The diagnoses of the errors family."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

_REFERENCE = "OpenAI API reference, error object: error.message, error.type, error.param, error.code"

SHAPE = Diagnosis(
    code="errors.shape",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Errors without the OpenAI shape",
    what='An error had a body other than `{"error": {"message": …}}`: another JSON shape, plain text, a web page, or '
    "nothing. A web page, an empty body or JSON without a message is a warning; the rest is information.",
    why="Clients show the raw body or only a status, and cannot tell an invalid parameter from a prompt that is too "
    "long; they neither correct the request nor explain the failure.",
    remedy="Let the server or the gateway return errors in the shape of the OpenAI API, and configure proxies not to "
    "replace error bodies with their own pages.",
    verify='A request with `messages` as a string is answered with status 400 and `{"error": {"message": …}}`.',
    sources=(_REFERENCE, "vllm-project/vllm#22099", "nginx documentation: proxy_intercept_errors"),
)
SUCCESS_STATUS = Diagnosis(
    code="errors.success-status",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Errors answered with status 200",
    what="A request was answered with status 200 and an error object or a web page in place of a completion.",
    why="Clients check the status first, expect choices, and then fail with a parse error or show an empty answer.",
    remedy="Configure the server or the gateway to answer errors with a 4xx or 5xx status.",
    verify="The request in the evidence is answered with a 4xx status.",
    sources=(_REFERENCE, "RFC 9110 section 15.5", "OpenRouter documentation: errors"),
)
SERVER_ERROR = Diagnosis(
    code="errors.server-error",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Invalid requests answered with 5xx",
    what="A request with a field of the wrong type was answered with a 5xx status, twice, in place of 400 or 422.",
    why="Clients and gateways retry a 5xx, switch to another deployment or mark the server as down, for a request that "
    "can never succeed.",
    remedy="Let the server validate requests and answer 400 or 422; update it if it cannot.",
    verify="A request with `messages` as a string is answered with status 400 or 422.",
    sources=("RFC 9110 sections 15.5.1 and 15.6.1", "abetlen/llama-cpp-python llama_cpp/server/errors.py"),
)
UPSTREAM = Diagnosis(
    code="errors.upstream",
    severity=Severity.ERROR,
    owner=Owner.GATEWAY,
    title="Gateway cannot reach its backend",
    what="A gateway or proxy answers, and the server behind it does not: the error speaks of a connection that failed.",
    why="No request is answered. Neither the key nor the URL is the cause, so changing them in the client is useless.",
    remedy="Check that the server behind the gateway is running, and correct the address, port and timeouts with which "
    "the gateway is configured.",
    verify="The chat request is answered with status 200, and the gateway's log names no failed connection.",
    sources=("RFC 9110 sections 15.6.3 to 15.6.5", "BerriAI/litellm litellm/exceptions.py: APIConnectionError"),
)
CACHED = Diagnosis(
    code="errors.cached",
    severity=Severity.ERROR,
    owner=Owner.GATEWAY,
    title="Different questions get the same answer",
    what="Two requests with different messages were answered with the same completion (the same id and text).",
    why="Every client gets the answer to somebody else's question, and sees the conversations of others.",
    remedy="Switch off caching of POST requests for the API at the gateway, or make the body and the key part of the "
    "cache key. A server that always gives one fixed answer is a placeholder and not a model.",
    verify="Two requests with different messages get completions with different ids.",
    sources=("RFC 9110 section 9.3.3", "nginx documentation: proxy_cache_methods, proxy_cache_key"),
)
UNSTEADY = Diagnosis(
    code="errors.unsteady",
    severity=Severity.ERROR,
    owner=Owner.GATEWAY,
    title="Same request succeeds and fails by turns",
    what="One and the same request was answered once and failed at another time: behind the gateway is a pool in which "
    "one member is down or is configured differently.",
    why="Clients fail at random, and a feature that worked in a test fails in use.",
    remedy="Find the member of the pool that fails, and repair it or take it out. Let the gateway check the health of "
    "its members and repeat failed requests on another one.",
    verify="The request in the evidence, sent ten times, gets ten answers.",
    sources=("nginx documentation: proxy_next_upstream, max_fails", "HAProxy documentation: option httpchk"),
)
CORS = Diagnosis(
    code="errors.cors",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Web pages of other origins are refused",
    what="The request by which a browser asks whether a page of another origin may call the API (a preflight: OPTIONS "
    "without the key) was refused, or its answer does not allow the origin or a header.",
    why="A client that runs in a browser gets a network error and no answer. Other clients are not affected.",
    remedy="If web pages are to use the API: let the server or the gateway answer OPTIONS without a key with "
    "Access-Control-Allow-Origin and Access-Control-Allow-Headers: Authorization, Content-Type.",
    verify="`curl -i -X OPTIONS BASE/chat/completions -H 'Origin: https://app.example' -H "
    "'Access-Control-Request-Method: POST' -H 'Access-Control-Request-Headers: authorization,content-type'` has both.",
    sources=("WHATWG Fetch, section 4.8: CORS-preflight fetch",),
)

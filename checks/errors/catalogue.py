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
    remedies={
        "nginx": "Take `proxy_intercept_errors on` and `error_page` for 4xx out of the API's location.",
        "haproxy": "Take `http-errors`, `errorfile` and `http-response return` for 4xx out of the API's backend.",
        "traefik": "Take the `errors` middleware off the API's router.",
        "cloudflare": "Switch custom error pages off for the API's host name.",
        "vllm": "Update to 0.10.1 or later: older releases have a flat error object.",
        "sglang": "SGLang's error object is flat; put a gateway such as LiteLLM in front if a client cannot read it.",
        "textgen-webui": "Validation errors are FastAPI's `detail`; put a gateway in front if a client cannot read it.",
        "tabbyapi": "Validation errors are FastAPI's `detail`; put a gateway in front if a client cannot read it.",
        "tgi": "Put a gateway such as LiteLLM in front if a client cannot read TGI's error strings.",
        "mistral": "The API has error shapes of its own; use a client that knows Mistral, or a gateway.",
    },
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
    remedies={
        "lmstudio": "LM Studio answers unknown paths so: the base URL must end in `/v1`. Otherwise update LM Studio.",
        "openrouter": "Once generation has begun the status stays 200: let the client look for `error` in the body.",
        "xai": "Use a client that looks for `error` in the body of a success as well.",
    },
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
    remedies={
        "llama-cpp-python": "Its validation errors are always 500; llama.cpp's own `llama-server` answers 400.",
        "llamacpp": "Update `llama-server`: current builds answer 400 to a body they cannot parse.",
        "litellm": "Update LiteLLM, and see in its log which call fails before the request is checked.",
        "koboldcpp": "Bad bodies are always 500 here; let clients not repeat them.",
        "portkey": "Update the gateway.",
    },
    verify="A request with `messages` as a string is answered with status 400 or 422.",
    sources=("RFC 9110 sections 15.5.1 and 15.6.1", "abetlen/llama-cpp-python llama_cpp/server/errors.py"),
)

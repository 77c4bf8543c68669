"""The catalogue entries of the limits family."""

from __future__ import annotations

from probe.api import Diagnosis, Owner, Severity

RATE_LIMITED = Diagnosis(
    code="limits.rate-limited",
    severity=Severity.INFO,
    owner=Owner.KEY,
    title="Requests are turned away for a while",
    what="Some requests were answered with 429 (or, without end, with 503). They were waited out and sent again; what "
    "never came through in time is a warning, since nothing could be told of it.",
    why="A client that sends several requests at once, as agents do, meets the same limit and has to wait as well.",
    remedy="Raise the limit of this key or deployment, or let the client send fewer requests at once and honour "
    "Retry-After; run endpoint-probe with --concurrency 1 for the rest.",
    remedies={
        "openai": "See the limits of the project's tier under Settings, Limits; a higher tier has more.",
        "groq": "See console.groq.com/settings/limits for requests and tokens a minute of the model.",
        "azure": "Raise the deployment's tokens-per-minute rate limit.",
        "litellm": "Raise rpm and tpm of the key or the model; after errors of the backend look at `allowed_fails` and "
        "`cooldown_time` in `router_settings`, which turn requests away as well.",
        "nginx": "Raise rate and burst of `limit_req` for the API's location.",
        "haproxy": "Raise the threshold of the stick-table rule that denies with 429.",
        "cloudflare": "Take the API's path out of the rate limiting rule, or raise it.",
        "vllm": "vLLM itself has no rate limit: look at the gateway in front of it.",
        "tgi": "Raise `--max-concurrent-requests`.",
        "llamacpp": "503 `Loading model` ends when the model is loaded; more slots (`-np`) run more requests at once.",
    },
    verify="A run ends without a 429.",
    sources=("RFC 6585 section 4", "RFC 9110 section 10.2.3", "BerriAI/litellm docs: cooldowns"),
)
QUOTA = Diagnosis(
    code="limits.quota",
    severity=Severity.ERROR,
    owner=Owner.KEY,
    title="The account's quota or credit is used up",
    what="Requests were refused because the account has no credit or quota left.",
    why="No request will be answered until the account is topped up; waiting does not help.",
    remedy="Top the account up, raise its budget, or use the key of another one.",
    remedies={
        "openai": "Add credit or raise the monthly budget under Settings, Billing; another key of the project does not "
        "help.",
        "openrouter": "Add credits, or choose a model whose id ends in `:free`.",
        "deepseek": "Top up the balance on the platform's billing page.",
        "litellm": "Raise `max_budget` of the key, its user or its team.",
        "azure": "See the quota page of the subscription and region.",
    },
    verify="A chat request is answered with status 200.",
    sources=("OpenAI API error codes: insufficient_quota", "RFC 9110 section 15.5.3", "BerriAI/litellm docs: budgets"),
)
CONTEXT_SILENT = Diagnosis(
    code="limits.context-silent",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="A prompt that is too long is cut without a word",
    what="A long prompt was answered with success, and its token count is much lower than its length: a part of it was "
    "thrown away before the model saw it.",
    why="Long conversations lose their beginning (often the instructions or the file in question), and the model "
    "answers as if they had never been there. A client cannot notice, so it never shortens the conversation itself.",
    remedy="Raise the server's context length, or let it refuse prompts that do not fit; set the context length in the "
    "client to what the server really takes.",
    remedies={
        "ollama": "Set `OLLAMA_CONTEXT_LENGTH=32768` for the server, or `PARAMETER num_ctx 32768` in the Modelfile; "
        "the /v1 API cannot ask for it.",
        "lmstudio": "Load the model with a larger context length; let its context overflow policy stop at the limit.",
        "textgen-webui": "Raise `--ctx-size` (or `max_seq_len`) and the truncation length.",
        "koboldcpp": "Start with a larger `--contextsize`.",
        "sglang": "Take `--allow-auto-truncate` away, and raise `--context-length`.",
        "llamacpp": "Start with a larger `-c` (it is shared by the `-np` slots) and without `--context-shift`.",
        "openrouter": "Send `transforms: []` (or `plugins` without context compression), so that prompts are not cut.",
        "vllm": "Raise `--max-model-len`; do not send `truncate_prompt_tokens`.",
    },
    verify="The prompt in the evidence is answered with all its tokens counted, or refused with status 400.",
    sources=("ollama/ollama docs: context length", "ollama/ollama#2722", "sgl-project/sglang --allow-auto-truncate"),
)

"""Claude Code: its settings.json, with an endpoint that serves Anthropic's Messages API.

Claude Code uses only the Messages API, adds ``/v1/messages`` to its base URL, and always sends tools.  Where the
endpoint has no Messages API, the file names a LiteLLM proxy on this machine, which translates to chat completions.
The key is read by a command (``apiKeyHelper``), whose output is sent as Bearer and as X-Api-Key.
"""

from __future__ import annotations

from reports.clients.client import PROXY, Client, Made, Needs, through_proxy
from reports.clients.documents import Put
from reports.clients.settings import Settings

_MODELS = ("ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_OPUS_MODEL", "ANTHROPIC_DEFAULT_SONNET_MODEL")
_SMALL = "ANTHROPIC_DEFAULT_HAIKU_MODEL"


def make(settings: Settings) -> Made:
    """The base URL, the model for every role, and the command that prints the key."""
    direct = settings.speaks("messages", "Claude Code")
    access = settings.report.facts.get("messages_access")
    found = access.get("base_url") if direct and isinstance(access, dict) else None
    base = found if isinstance(found, str) else settings.base_url.removesuffix("/v1")
    model = settings.model if direct else f"{settings.id}/{settings.model}"
    variable = settings.key.variable if direct else "LITELLM_MASTER_KEY"
    env = {"ANTHROPIC_BASE_URL": base if direct else PROXY, **dict.fromkeys((*_MODELS, _SMALL), model)}
    if settings.context:
        env["CLAUDE_CODE_AUTO_COMPACT_WINDOW"] = str(settings.context)
    puts = [Put(("env", name), value) for name, value in env.items()]
    notes: list[str] = []
    if settings.key.needed or not direct:
        puts.append(Put(("apiKeyHelper",), f"printenv {variable}"))
        notes.append(f"export {variable} with the key; unset ANTHROPIC_API_KEY and ANTHROPIC_AUTH_TOKEN")
    else:
        puts.append(Put(("apiKeyHelper",), "echo none"))
        notes.append("the endpoint needs no key; Claude Code wants one all the same, and sends `none`")
    if not direct:
        notes.insert(0, through_proxy(settings, "Messages", "Claude Code", PROXY))
    return Made(puts, {"$schema": "https://json.schemastore.org/claude-code-settings.json"}, notes)


CLIENT = Client(
    "claude-code",
    "Claude Code",
    "~/.claude/settings.json",
    "json",
    make,
    "code.claude.com/docs: settings, model-config, llm-gateway; Claude Code 2.1.332 run with it",
    Needs(always_streams=True, tools="always", agent=True, dialect="messages", prompt_tokens=21_000),
    proof="the program itself",
)

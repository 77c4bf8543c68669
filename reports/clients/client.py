"""What a client is (its needs, its configuration file), and one export from settings to checked text."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from probe.model import Report
from probe.redaction.key_patterns import looks_like_key
from reports.clients.documents import BadFile, Put, fresh, merged, parsed
from reports.clients.settings import CannotExport, Settings


@dataclass(frozen=True)
class Needs:
    """What a client sends whatever its settings, the setting that avoids it, and what it can be given.

    Attributes:
        always_streams: every request is streamed.
        streams_first: answers come whole only where its streams are switched off.
        sends: the optional parameters of its requests, each with the setting that leaves it out; empty where
            nothing does.  ``stream_options`` is sent with streams only.
        tools: whether requests hold tools: always, switch or never.
        agent: it is of no use without tools.
        forced_choice_setting: what to set where ``tool_choice: required`` fails; empty where it is not sent.
        dialect: the API that it uses in place of chat completions: responses or messages.
        blocks: the user's text is sent as a list of content blocks.
        prompt_tokens: tokens of instructions and tools before the user's first word; docs/clients.md has their sources.
        stream_setting, tools_setting, vision_setting, system_setting: what to set where the feature does not work;
            None where there is no such setting, empty where none is necessary.
        echo_setting: what to do so that every field of an answer is sent back in the history.
        headers, key_header: the field of the file for the values of further headers, and for the key in a header of
            its own; empty where the file names a variable in their place, None where there is no such field.
        query: the query that can be given: ``any``, ``literal`` for one without secrets, a parameter's name, or empty
            for none.
        proxy, certificate, client_certificate: how it is given a proxy, a certificate's authority and a certificate
            of its own; the last empty where it cannot be, the proxy None where that is not known.
        remote: who sends its requests where that is not the user's machine, which an address of that machine or
            network cannot serve.
        library: the client library that reads the answers, as checks/shape/clients.toml names it.
        tolerates: beginnings of what ``library`` fails on and the client reads all the same.
        returns: the fields of an answer beyond the API's own that it sends back in the history; None if unknown.
        reads: what its own reader makes of the recorded streams: (finding code, sentence, whether
            the client cannot be used).
    """

    always_streams: bool = False
    streams_first: bool = False
    sends: Mapping[str, str] = field(default_factory=dict)
    tools: str = "switch"
    agent: bool = False
    forced_choice_setting: str = ""
    dialect: str = ""
    blocks: bool = False
    prompt_tokens: int = 0
    stream_setting: str | None = None
    tools_setting: str | None = None
    vision_setting: str | None = None
    system_setting: str | None = None
    echo_setting: str = ""
    headers: str | None = None
    key_header: str | None = None
    query: str = ""
    proxy: str | None = "HTTPS_PROXY"
    certificate: str = "trust the certificate's authority on the client's machine"
    client_certificate: str = ""
    remote: str = ""
    library: str = ""
    tolerates: tuple[str, ...] = ()
    returns: frozenset[str] | None = None
    reads: Callable[[Report], Iterable[tuple[str, str, bool]]] | None = None


@dataclass(frozen=True)
class Made:
    """A client's configuration.

    Attributes:
        puts: values and their places in the file.
        skeleton: the rest of a new file, as plain data.
        notes: lines for the person: what cannot be expressed, and what is left to do.
        text: the whole text, for clients that are configured in code; then there are no puts.
    """

    puts: Sequence[Put] = ()
    skeleton: Any = field(default_factory=dict)
    notes: Sequence[str] = ()
    text: str | None = None


@dataclass(frozen=True)
class Client:
    """A program that can be given an endpoint.

    Attributes:
        name: the argument of ``--to``.
        file: where its configuration belongs.
        form: json, yaml, toml or code; env or sheet for lines and fields.
        make: turns settings into the configuration; may raise ``CannotExport``.
        source: where the format is documented.
        needs: what decides whether it works with an endpoint; None where it sends no requests.
        mode: permissions of a new file, or None for the usual ones.
        extras: values that no probe can find out and the person may give, with their meaning.
        rules: the problems for which the client would refuse the finished data.
        expands: a pattern of what the client replaces in every text of the file, in addition to what any client does.
        proof: how the file was proven.
    """

    name: str
    title: str
    file: str
    form: str
    make: Callable[[Settings], Made]
    source: str
    needs: Needs | None = None
    mode: int | None = None
    extras: Mapping[str, str] = field(default_factory=dict)
    rules: Callable[[Any], list[str]] | None = None
    expands: str = ""
    proof: str = "its documentation"


@dataclass(frozen=True)
class Exported:
    """The text of the configuration and the notes that go with it."""

    text: str
    notes: tuple[str, ...]


def export(client: Client, settings: Settings, existing: str | None = None) -> Exported:
    """The client's configuration, new or merged into an existing file.

    Args:
        existing: the text of the file that the provider is put into; None for a new one.

    Raises:
        CannotExport: there is nothing to write for this client, or the result would hold a key.
        BadFile: the existing file cannot be used; nothing is changed.
    """
    _check_expanded(client, settings)
    settings = _with_useful_tools(client, settings)
    made = client.make(settings)
    if made.text is not None:
        if existing is not None:
            raise CannotExport(f"the configuration of {client.title} cannot be merged; write it with --output FILE")
        text = made.text
    elif existing is None:
        text = fresh(client.form, made.skeleton, made.puts)
    else:
        text = merged(client.form, existing, made.puts, made.skeleton)
    problems = client.rules(parsed(client.form, text)) if client.rules else []
    if problems:
        error = CannotExport if existing is None else BadFile
        raise error(f"{client.title} would refuse the file: {problems[0]}")
    _check_no_key(settings, made, text if existing is None else repr(made.puts))
    return Exported(text, (*made.notes, *settings.variable_notes(client.needs)))


def crowded(needs: Needs, length: int | None) -> bool:
    """Whether so many tokens cannot hold what the client sends first and an answer, or an agent's work."""
    return bool(needs.prompt_tokens and length and length < needs.prompt_tokens + (2_000 if needs.agent else 1_000))


def does_without_tools(needs: Needs) -> bool:
    """Whether tools can be switched off, so that the client sends none and still is of use."""
    return needs.tools == "switch" and not needs.agent and needs.tools_setting is not None


def _with_useful_tools(client: Client, settings: Settings) -> Settings:
    """Tools off where the context cannot hold them, or where fields of a call's answer have to come back and do not."""
    needs, wanted = client.needs, set(settings.listed("echo_fields"))
    if needs is None or "tools" in settings.hand:
        return settings
    lost = needs.returns is not None and not needs.echo_setting and not wanted <= needs.returns
    if not lost and not (does_without_tools(needs) and crowded(needs, settings.context)):
        return settings
    return replace(settings, hand={**settings.hand, "tools": False})


def _check_expanded(client: Client, settings: Settings) -> None:
    """An endpoint's text must not be read as the name of a variable of the client's machine."""
    named = (settings.key_header or "", *settings.header_variables)
    query = (text for pair in settings.literal_query.items() for text in pair)
    texts = (settings.model, settings.base_url, *query, *named, *settings.models)
    if client.expands and any(re.search(client.expands, text) for text in texts):
        raise CannotExport(f"the model's name or the URL holds what {client.title} replaces by a variable")


def _check_no_key(settings: Settings, made: Made, added: str) -> None:
    """The last check: the added text must not hold the present value of the key's variable."""
    value = os.environ.get(settings.key.variable, "")
    if (len(value) >= 8 and value in added) or any(looks_like_key(text) for text in (added, *made.notes)):
        raise CannotExport("the result would hold what looks like a key; it is not written")


# Agents of one API -------------------------------------------------------------------------------

#: The default address of LiteLLM's proxy, which translates to chat completions.
PROXY = "http://127.0.0.1:4000"


def through_proxy(settings: Settings, api: str, agent: str, address: str) -> str:
    """The note for an agent that uses one API alone, which the endpoint does not serve: its file names the proxy."""
    known = settings.on(f"{api.lower()}_api") is not None
    state = f"is {settings.why(f'{api.lower()}_api')}" if known else "was not tried"
    return (
        f"the {api} API {state} here, and {agent} uses nothing else: the file names LiteLLM at {address}; "
        "write its configuration with --to litellm and start it with LITELLM_MASTER_KEY set"
    )


# Generated code ------------------------------------------------------------------------------------


def module(settings: Settings, comment: str, lines: Iterable[str], notes: Sequence[str]) -> Made:
    """A module of source code under a comment, which repeats no text of the endpoint."""
    day = settings.report.run.started_at[:10]
    when = f" of {day}" if day.replace("-", "").isdigit() else ""
    top = f"{comment} Written by endpoint-probe from the report{when}. What was not determined is left out."
    return Made(text="\n".join([top, "", *lines]) + "\n", notes=notes)


#: What openai-python and the libraries on it can be given.
PYTHON: dict[str, Any] = {
    "headers": "",
    "key_header": "",
    "query": "any",
    "certificate": "SSL_CERT_FILE=FILE with the certificate's authority",
    "client_certificate": "an http_client with the certificate and its key",
}


def client_options(settings: Settings) -> dict[str, str]:
    """The arguments for headers and a query that openai-python and the libraries on it take, as source text."""

    def reference(variable: str) -> str:
        return f'os.environ["{variable}"]'

    given = {"default_headers": settings.headers_as(reference), "default_query": settings.query_as(reference, repr)}
    return {
        name: "{" + ", ".join(f"{key!r}: {value}" for key, value in values.items()) + "}"
        for name, values in given.items()
        if values
    }


def call(callee: str, words: Iterable[str] = (), **named: str) -> list[str]:
    """The lines of a Python call, one argument per line; the values are source text."""
    arguments = [*words, *(f"{name}={value}" for name, value in named.items())]
    return [f"{callee}(", *(f"    {argument}," for argument in arguments), ")"]

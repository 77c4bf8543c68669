"""Every sentence of reports/clients: a report that makes it appear, and one that does not.

The sentences are read from the sources: the constant parts of notes, reasons, settings and problems.  A pool of
reports, each with one thing that is wrong or needed, is put through every client; a sentence that never appears, or
that appears for every report, fails.
"""

from __future__ import annotations

import ast
import os
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from probe.model import CAPABILITIES, Exchange, Report, Request, Response, State, Timeline
from reports.clients.client import Client, export
from reports.clients.compatibility import rows
from reports.clients.documents import BadFile
from reports.clients.registry import _PLACES, CLIENTS, client, clients
from reports.clients.settings import CannotExport, Key, settings_of
from tests.unit.configs_cases import BASE, EXTRAS, NOT_SEEN, case

FOLDER = Path(__file__).parents[2] / "reports" / "clients"
#: Constants that are no sentences to a person: where a client is documented, where its file belongs.
_NO_SENTENCE = ("compile", "getattr", "import_module", "startswith", "split")
#: The rules of Kenaz' file, each tested in test_configs_kenaz.py.
_KENAZ_RULES = ("violations", "_provider", "_cred", "_endpoint", "_defaults")
#: A sentence that no report makes appear, and the test in which an exporter is broken for it.
_ELSEWHERE = {"internal error of endpoint-probe": "test_an_exporter_that_breaks_costs_one_configuration"}


def words_in(node: ast.AST) -> Iterator[str]:
    """The constant texts of an expression that are sentences or parts of one."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            text = part.value.strip(" :;,.()`'")
            if text.count(" ") >= 2 and not text.startswith(("from ", "import ", "export const", "#")):
                yield text


def _sentences_of(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            skipped.update(ast.walk(node.body[0]))
        skipped.update(part for item in _no_sentences(node) for part in ast.walk(item))
    for node in ast.walk(tree):
        if node not in skipped and isinstance(node, ast.Constant):
            yield from words_in(node)


def _no_sentences(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a node that hold no sentences to a person."""
    match node:
        case ast.Call(func=ast.Name("Client"), args=args, keywords=keywords):
            yield from (item for item in args if not (isinstance(item, ast.Call) and ast.unparse(item.func) == "Needs"))
            yield from (item for item in keywords if item.arg != "needs")
        case ast.Call(func=ast.Name(name) | ast.Attribute(attr=name)) if name in _NO_SENTENCE:
            yield node
        case ast.Assign(targets=[ast.Name("_SOURCE")]) | ast.keyword(arg="tolerates"):
            yield node
        case ast.FunctionDef(name=name) if name in _KENAZ_RULES:
            yield node


def _data_sentences(path: Path) -> Iterator[str]:
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    for note in (*data.get("note", ()), *data.get("refuse", ())):
        yield from (part.strip(" :;,.") for part in note.get("text", "").replace("}}", "{{").split("{{")[::2])
    needs = {**data.get("needs", {}), **data.get("needs", {}).get("sends", {})}
    yield from (text for name, text in needs.items() if isinstance(text, str) and name != "library")


def sentences() -> list[str]:
    """All sentences, with the file they are in; of a client's needs also those of one word, with the client."""
    found = []
    for path in sorted(FOLDER.glob("*.py")):
        if path.name not in ("__init__.py", "data_client.py", "registry.py"):
            found += [f"{path.name}: {text}" for text in dict.fromkeys(_sentences_of(path))]
    for path in sorted((FOLDER / "data").glob("*.toml")):
        found += [f"{path.name}: {text}" for text in _data_sentences(path) if text.count(" ") >= 2]
    for item in clients():
        needs = asdict(item.needs) if item.needs else {}
        # What is set on the client's machine is of no use where other machines send the requests.
        names = [name for name in _NEEDS if not (needs.get("remote") and name in ("proxy", "certificate"))]
        texts = [needs.get(name) for name in names] + list(needs.get("sends", {}).values())
        found += [f"{item.name}: {text}" for text in dict.fromkeys(filter(None, texts))]
    return list(dict.fromkeys(found))


#: The needs that are shown as settings or reasons.
_NEEDS = (
    *("stream_setting", "tools_setting", "vision_setting", "system_setting", "forced_choice_setting", "echo_setting"),
    *("headers", "key_header", "proxy", "certificate", "client_certificate", "remote"),
)


def speakers(file: str) -> set[str]:
    """The clients that can say what is in a file: its own, or all where it is shared."""
    stem = file.removesuffix(".py").removesuffix(".toml")
    modules = {name: _PLACES.get(name, (name.replace("-", "_"),))[0] for name in CLIENTS}
    return {name for name, module in modules.items() if stem in (module, name)} or set(CLIENTS)


def _streamed(line: bytes, **more: Any) -> Report:
    values = {"status": 200, "headers_s": 0.1, "body": {}, **more}
    exchange = Exchange(
        "x001",
        "stream.shape",
        Request("POST", f"{BASE}/chat/completions", {}, {"stream": True, "messages": [], **values["body"]}),
        Response(values["status"], "", "HTTP/1.1", (("content-type", "text/event-stream"),), line),
        Timeline(headers_s=values["headers_s"]),
    )
    return replace(case(), exchanges=(exchange,))


def _delta(text: str) -> bytes:
    return b'data: {"choices": [{"delta": ' + text.encode() + b"}]}\n\n"


@cache
def pool() -> tuple[Report, ...]:
    """Reports with one thing each."""
    made = [case()]
    for name in CAPABILITIES:
        states = (State.REJECTED, State.BROKEN, State.IGNORED)
        made += [case({name: (state, f"{name.replace('_', '-')}.made")}) for state in states]
        made.append(case(unknown=frozenset({name}) | NOT_SEEN))
    refused = ("temperature", "top_p", "max_tokens", "tool_choice", "frequency_penalty", "presence_penalty")
    made += [case(facts={"rejected_params": [name]}) for name in (*refused, "parallel_tool_calls")]
    made += [case(facts={"context_length": size}) for size in (None, 2048, 12_200, 20_000)]
    made += [case(facts={"context_length": 2048}, software=name) for name in ("llamacpp", "vllm", "openrouter")]
    made += [case(facts={"echo_fields": [name]}, codes=("tools.echo-required",)) for name in ("reasoning_content", "x")]
    for call in ("openai-python create", "openai-node loop", "AI SDK streamText", "AI SDK generateText"):
        made.append(case(facts={"failing_clients": {call: "created: a string"}}))
    made += [
        case(facts={"failing_dialect_clients": {"Claude Code's streaming": ["messages.stream", "no event names"]}}),
        case(facts={"messages_access": {"url": f"{BASE}/messages", "base_url": BASE, "auth": ["x-lab"]}}),
        case({"streaming": (State.IGNORED, "stream.held")}),
        case({"vision": (State.REJECTED, "v.x"), "block_content": (State.REJECTED, "b.x")}),
        case({"chat": (State.REJECTED, "auth.rejected")}, codes=("auth.rejected",)),
        case({"chat": (State.UNKNOWN, "")}),
        case({"tools": (State.WORKS, ""), "streaming_tools": (State.BROKEN, "tools.stream-leak")}),
        case(codes=("params.max-tokens-rejected",)),
        case(codes=("params.max-completion-tokens-rejected",)),
        case(scheme="api-key-header", header="X-Lab"),
        case(scheme="none", header=None, source="none"),
        case(headers={"X-Team": "blue"}),
        case(chat_url=f"{BASE}/chat/completions?api-version=1"),
        case(chat_url=f"{BASE}/chat/completions?code=%24%7BURL_SECRET%7D"),
        case(base_url="http://127.0.0.1/${URL_SECRET}/v1"),
        *(case(facts={"refused_client_headers": [name]}) for name in ("User-Agent", "X-Stainless-Lang")),
        *(case(facts={"passing_user_agent": name}) for name in ("OpenAI/Python 3.57.0", "Mozilla/5.0")),
        case(proxy="http://proxy.example:3128"),
        case(verification="ca-bundle"),
        case(client_certificate=True),
        case(codes=("tls.untrusted",)),
        case(base_url="https://llm.example.com/v1"),
        case(base_url="https://llm.example.com/v1", verification="ca-bundle"),
        case(base_url="https://llm.example.com/v1", proxy="http://proxy.example:3128"),
        case(base_url="http://127.0.0.1/$HOME/v1"),
        case(base_url="http://me:pw@127.0.0.1/v1"),
        case(base_url="http://127.0.0.1/sk-abcdefghijklmnopqrstuvwx/v1"),
        case(base_url=None, codes=("url.no-chat",)),
        *(case(model=name) for name in ("a,b", "it's", "a\nb", "${HOME}", "$HOME", "sk-abcdefghijklmnopqrstuvwx")),
        _streamed(b"no line of it\n"),
        _streamed(b"data: {\n"),
        _streamed(b"data: 7\n"),
        _streamed(b"data: {}\n", status=202),
        _streamed(b"data: {}\n", headers_s=61.0),
        _streamed(b"data: " + b"x" * (1024 * 1024 + 1)),
        _streamed(b'data: {"error": {"message": "x"}}\n'),
        *(_streamed(_delta(f'{{"content": {text}}}')) for text in ("[]", "{}", "7", "true")),
        _streamed(_delta('{"tool_calls": [{"function": {"arguments": {}}}]}'), body={"tools": [{}]}),
        _streamed(_delta('{"tool_calls": [{"id": "a"}, {"id": "b"}]}')),
    ]
    return tuple(made)


@cache
def said(number: int) -> dict[str, str]:
    """Everything that is said of the report of this number, for every client."""
    made = pool()[number]
    texts: dict[str, list[str]] = {name: [] for name in CLIENTS}
    for row in rows(made):
        texts[row.fit.client] += [row.fit.sentence, row.problem, row.text or "", *row.notes]
    for item in clients():
        if item.needs is None:
            texts[item.name] += _exported(item, made, VARIANTS[0])
        if number == 0:
            texts[item.name] += [text for given in VARIANTS for text in _exported(item, made, given)]
            texts[item.name] += _exported(item, made, {}, "x = 1")
    if number == 0:
        texts["kenaz"] += _exported(client("kenaz"), made, {}, '{"version": 7, "providers": []}')
        with mock.patch.dict(os.environ, {"LAB_API_KEY": BASE}):
            texts["kenaz"] += _exported(client("kenaz"), made, {})
    return {name: "\n".join(found) for name, found in texts.items()}


def _exported(item: Client, made: Report, given: dict[str, Any], existing: str | None = None) -> list[str]:
    try:
        found = export(item, settings_of(made, **given), existing)
    except (CannotExport, BadFile) as problem:
        return [str(problem)]
    return [found.text, *found.notes]


#: What a person gives with the export.
VARIANTS: tuple[dict[str, Any], ...] = (
    {"extras": {name: EXTRAS[name] for name in ("release_date", "open_weights")}},
    {},
    {"key": Key("K", "none")},
    {"id": "A b"},
    {"variable": "a b"},
    {"hand": {"streaming_tools": False}},
    {"extras": {**EXTRAS, "release_date": "soon"}},
    {"extras": {**EXTRAS, "open_weights": "maybe"}},
)


@pytest.mark.parametrize("sentence", sentences())
def test_a_sentence_appears_for_one_report_and_not_for_another(sentence: str) -> None:
    file, _, text = sentence.partition(": ")
    if text in _ELSEWHERE:
        assert f"def {_ELSEWHERE[text]}(" in (Path(__file__).parent / "test_reports_clients.py").read_text()
        return
    names = speakers(file)
    seen = [number for number in range(len(pool())) if any(text in said(number)[name] for name in names)]
    assert seen, "no report makes it appear"
    assert len(seen) < len(pool()), "it appears for every report"

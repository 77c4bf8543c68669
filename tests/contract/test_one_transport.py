"""Nothing of the product opens a connection but the one transport, and nothing there cuts a text before redaction."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.structure import modules

#: Libraries and modules that open connections.
CLIENTS = frozenset(
    "aiohttp curl_cffi ftplib http.client http2 httpcore httpx httpx2 imaplib poplib pycurl requests smtplib socket "
    "socketserver telnetlib urllib.request urllib3 websocket websockets xmlrpc.client".split()
)
#: Functions that open one, by their last name.
OPENING = frozenset(
    "connect_tcp connect_unix create_connection open_connection urlopen urlretrieve getaddrinfo".split()
)
#: Where that is done: the transport, the endpoint that the program serves itself, and between its own processes.
ALLOWED = {
    "probe.wire": CLIENTS | OPENING,
    "probe.simulator": {"socket"},
    "probe.fleet.timing_workers": {"connect_tcp"},
}
#: What the transport may use of other libraries.
OF_THE_WIRE = {"httpx", "socket", "urllib.request", "connect_tcp", "getaddrinfo"}
#: SDKs that send requests themselves, unless they are given a client.
SDKS = frozenset("OpenAI AsyncOpenAI AzureOpenAI AsyncAzureOpenAI Anthropic AsyncAnthropic".split())


def uses(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every use of something that opens a connection, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names = [alias.name for alias in node.names]
            found = [base, *(f"{base}.{name}" for name in names), *(OPENING.intersection(names))]
        elif isinstance(node, ast.Attribute):
            found = [node.attr] if node.attr in OPENING else []
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            given = {item.arg for item in node.keywords}
            found = [name] if name in SDKS and "http_client" not in given else []
            if name in ("import_module", "__import__") and node.args and isinstance(node.args[0], ast.Constant):
                found = [str(node.args[0].value)]
        else:
            continue
        for name in found:
            if name in CLIENTS | OPENING | SDKS or name.partition(".")[0] in CLIENTS:
                yield node.lineno, name if name in CLIENTS | OPENING | SDKS else name.partition(".")[0]


def misuses(name: str, source: str) -> list[str]:
    """The uses in a module that may not have them."""
    allowed = next((known for room, known in ALLOWED.items() if name == room or name.startswith(room + ".")), set())
    found = []
    for line, used in uses(ast.parse(source)):
        if used not in allowed:
            found.append(f"{name}:{line}: {used}")
    return found


def test_no_other_client_is_used_anywhere() -> None:
    known = modules()
    assert len(known) > 200
    assert [line for name, path in known.items() for line in misuses(name, path.read_text(encoding="utf-8"))] == []


def test_the_transport_itself_uses_one_library() -> None:
    used = {
        what
        for name, path in modules().items()
        if name.startswith("probe.wire")
        for _, what in uses(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert used <= OF_THE_WIRE


@pytest.mark.parametrize(
    "source",
    [
        "import httpx\n",
        "def late():\n    from httpx import post\n",
        "import urllib.request\n",
        "from urllib import request\n",
        "from urllib.request import urlopen\n",
        "import requests as r\n",
        "import socket\n",
        "import http.client\n",
        "from http import client\n",
        "import anyio\nanyio.connect_tcp('h', 1)\n",
        "import asyncio\nasyncio.open_connection('h', 1)\n",
        "from importlib import import_module\nimport_module('aiohttp')\n",
        "import openai\nopenai.OpenAI(api_key='k')\n",
        "import httpx2\n",
    ],
)
def test_another_client_is_found(source: str) -> None:
    assert misuses("checks.some", source)
    assert misuses("probe.cli.some", source)


# Cuts ----------------------------------------------------------------------------------------------------

#: The modules that see what an endpoint sends before it is redacted; all others read exchanges.
BEFORE = ("probe.wire", "probe.provider.verify", "probe.cli.webhook")
#: Slices there that cut no text of an endpoint: lists, bytes that are redacted later, and what is redacted already.
NO_TEXT = {
    "self._times[:100000]",
    "self._lags[:100000]",
    "self._lags[bisect_left",
    "worse[:_SHOWN]",
    "content[done:start]",
    "content[start:end]",
    "content[:_MOST_BYTES]",
    "container[key][:first]",
    "chunk[:max(0, len(chunk) - over)]",
}
CUTTING = {"cut", "shorten", "quote", "shown"}


def cuts(source: str) -> list[str]:
    """Where a text is cut by a slice or a helper of ``probe.wording``, and not by the redactor."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and node.slice.upper is not None:
            text = ast.unparse(node)
            if not any(known in text for known in NO_TEXT):
                found.append(f"{node.lineno}: {text}")
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in CUTTING or (name.split(".")[-1] in CUTTING and name.startswith("wording.")):
                found.append(f"{node.lineno}: {ast.unparse(node)}")
    return found


def test_no_text_is_cut_before_it_is_redacted() -> None:
    places = {
        name: cuts(path.read_text(encoding="utf-8"))
        for name, path in modules().items()
        if name.startswith(BEFORE) and name not in ("probe.wire.tcp", "probe.wire.looks")
    }
    # The SDK reads answers that were redacted when they were recorded, so that its errors may be cut.
    places.pop("probe.provider.verify")
    assert {name: found for name, found in places.items() if found} == {}


@pytest.mark.parametrize(
    "source", ["message[:300]", "x = str(error)[:160]", "text[5:limit]", "cut(text, 160)", "wording.quote(t, 9)"]
)
def test_a_cut_is_found(source: str) -> None:
    assert cuts(source)

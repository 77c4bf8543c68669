"""A shell command that sends a recorded request again.

It is meant to be pasted, so every part is quoted; it may hold a model name or an error text of the
endpoint.  Only the variables in which this program keeps secrets are left for the shell to expand,
and never in the body.
"""

from __future__ import annotations

import json
import re
import shlex

from probe.report import ExchangeDocument

#: A longer body is read from a file.
BODY_LIMIT = 1500
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_URL_VARIABLE = re.compile(r"\$\{((?:API_KEY|URL_SECRET)\w*)\}")


def quoted(text: str, variables: re.Pattern[str] | None = None) -> str:
    """The text as one shell word; what ``variables`` matches is left for the shell to expand."""
    if not text.isprintable():
        return "$'" + "".join(_ansi_c(character) for character in text) + "'"
    if variables is None or not variables.search(text):
        return shlex.quote(text)
    parts = []
    position = 0
    for match in variables.finditer(text):
        parts.append(_in_double_quotes(text[position : match.start()]) + match[0])
        position = match.end()
    return '"' + "".join(parts) + _in_double_quotes(text[position:]) + '"'


def _in_double_quotes(text: str) -> str:
    return re.sub(r'([\\"$`!])', r"\\\1", text)


def _ansi_c(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if character.isprintable() and character.isascii():
        return character
    # As UTF-8 bytes: the meaning of \\u depends on the locale of the shell.
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "replace"))


def command(exchange: ExchangeDocument) -> str:
    """The curl command, on several lines."""
    request = exchange.request
    words = ["curl -sS -i -N"]
    if exchange.response and exchange.response.http_version == "HTTP/2":
        words[0] += " --http2"
    if request.method != "GET":
        words[0] += f" -X {quoted(request.method)}"
    words[0] += f" {quoted(request.url, _URL_VARIABLE)}"
    for name, value in request.headers.items():
        if name.lower() == "accept-encoding":
            if value not in ("", "identity"):
                words.append("--compressed")
            continue
        words.append(f"-H {quoted(f'{name}: {value}', _VARIABLE)}")
    if request.body is not None:
        text = request.body if isinstance(request.body, str) else json.dumps(request.body)
        body = quoted(text) if len(text) <= BODY_LIMIT else "@body.json"
        words.append(f"--data-raw {body}" if body != "@body.json" else "--data-binary @body.json")
    return " \\\n  ".join(words)

"""A shell line that sends a recorded request again.

The line is made to be pasted, so every part is quoted; a model name or an error text of
the endpoint may be in it.  Only the names under which this program keeps secrets are left
for the shell to fill in, and never inside the body.
"""

from __future__ import annotations

import json
import re
import shlex

from probe.report import ExchangeDocument

#: A longer body is better saved to a file than pasted.
BODY_LIMIT = 1500
_PLACE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_URL_PLACE = re.compile(r"\$\{((?:API_KEY|URL_SECRET)\w*)\}")


def quoted(text: str, places: re.Pattern[str] | None = None) -> str:
    """The text as one shell word; ``${NAME}`` stays for the shell where ``places`` fits."""
    if not text.isprintable():
        return "$'" + "".join(_ansi_c(character) for character in text) + "'"
    if places is None or not places.search(text):
        return shlex.quote(text)
    parts = []
    position = 0
    for match in places.finditer(text):
        parts.append(_inside(text[position : match.start()]) + match[0])
        position = match.end()
    return '"' + "".join(parts) + _inside(text[position:]) + '"'


def _inside(text: str) -> str:
    return re.sub(r'([\\"$`!])', r"\\\1", text)


def _ansi_c(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if character.isprintable() and character.isascii():
        return character
    # As UTF-8 bytes: what \\u means to a shell depends on its locale.
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "replace"))


def line(exchange: ExchangeDocument) -> str:
    """The curl command, over several lines."""
    request = exchange.request
    words = ["curl -sS -i -N"]
    if exchange.response and exchange.response.http_version == "HTTP/2":
        words[0] += " --http2"
    if request.method != "GET":
        words[0] += f" -X {quoted(request.method)}"
    words[0] += f" {quoted(request.url, _URL_PLACE)}"
    for name, value in request.headers.items():
        if name.lower() == "accept-encoding":
            if value not in ("", "identity"):
                words.append("--compressed")
            continue
        words.append(f"-H {quoted(f'{name}: {value}', _PLACE)}")
    if request.body is not None:
        text = request.body if isinstance(request.body, str) else json.dumps(request.body)
        body = quoted(text) if len(text) <= BODY_LIMIT else "@body.json"
        words.append(f"--data-raw {body}" if body != "@body.json" else "--data-binary @body.json")
    return " \\\n  ".join(words)

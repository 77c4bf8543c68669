"""The alarm: one POST with the capabilities that regressed, signed where a secret is given.

Body (JSON): ``schema_version``, ``event`` ("regression"), ``text`` (one paragraph, which
chat systems show), ``fleet``, ``audit``, ``started_at``, and the lists ``regressions``,
``flapping`` and ``unmet``.  With a secret, ``X-Endpoint-Probe-Signature`` is
``sha256=`` and the HMAC-SHA256 of the body in hex (RFC 2104).
"""

from __future__ import annotations

import hashlib
import hmac
import html
import json
import os
import re
import time
from dataclasses import fields

from probe.cli.options import Unusable
from probe.parsing.urls import BadEndpoint, parse
from probe.run.typed_options import expand_variables
from reports.matrix.table import ChangeLine, Matrix, headline
from reports.text import printable

SIGNATURE = "X-Endpoint-Probe-Signature"
_TRIES = 3
_TIMEOUT_S = 10.0
_SHOWN = 20
_LOGIN = re.compile(r"^(https?://)[^/@]*@", re.IGNORECASE)
#: What chat systems read as a call to everyone, in addition to what is between < and >.
_CALL = re.compile(r"@(?=(?:all|channel|everyone|here)\b)")


def resolve(url: str | None, secret_env: str | None) -> tuple[str, bytes | None] | None:
    """The URL with its variables replaced and the secret, or None without a URL.

    Raises:
        Unusable: a variable is not set, or this is not a URL.
    """
    if url is None:
        if secret_env is not None:
            raise Unusable("--webhook-secret-env signs what --webhook sends; give --webhook too")
        return None
    found, used = expand_variables(url, "--webhook")
    for name, value in used.items():
        if not value.isprintable() or " " in value:
            raise Unusable(
                f"the environment variable {name} of --webhook holds a line break or a space; export it again"
            )
    try:
        usable = parse(_LOGIN.sub(r"\1", found)).scheme_given
    except BadEndpoint:
        usable = False
    if not usable:
        raise Unusable("--webhook is not a URL; write it like https://hooks.example/${HOOK_TOKEN}")
    if secret_env is None:
        return found, None
    secret = os.environ.get(secret_env)
    if not secret:
        raise Unusable(f"the environment variable {secret_env} of --webhook-secret-env is not set; export it")
    return found, secret.encode()


def body(matrix: Matrix) -> bytes | None:
    """The body of the request, or None where nothing regressed."""
    worse = matrix.changed("regression")
    if not worse:
        return None
    lines = [f"{_plain(item.name)}: {item.capability} {item.before} -> {item.after}" for item in worse[:_SHOWN]]
    more = f"; and {len(worse) - _SHOWN} more" if len(worse) > _SHOWN else ""
    unmet = [
        {
            "target": row.target,
            "model": row.model,
            "vantage": row.vantage,
            "capability": name,
            "expected": list(row.marks[name].expected),
            "state": row.marks[name].state,
        }
        for row in matrix.rows
        for name in row.unmet
    ]
    text = f"endpoint-probe: {_plain(matrix.fleet)}: {headline(matrix)}. {'; '.join(lines)}{more}"
    shown = {
        "schema_version": matrix.schema_version,
        "event": "regression",
        "text": printable(text),
        "fleet": matrix.fleet,
        "audit": matrix.audit,
        "started_at": matrix.started_at,
        "regressions": [_line(item) for item in worse],
        "flapping": [_line(item) for item in matrix.changed("flapping")],
        "unmet": unmet,
    }
    return json.dumps(shown, ensure_ascii=False).encode("utf-8", "replace")


def _plain(name: str) -> str:
    """A name in which no chat system finds a mention or a link (as Slack's formatting has it: &, < and >)."""
    return html.escape(_CALL.sub("(at)", name), quote=False)


def _line(item: ChangeLine) -> dict[str, object]:
    return {name.name: getattr(item, name.name) for name in fields(item) if name.name not in ("kind", "since")}


def send(url: str, secret: bytes | None, content: bytes) -> str | None:
    """Deliver the alarm; returns why it could not be delivered, or None when it was.

    A failure of the network or of the server is retried; a refusal is not.
    """
    from probe.redaction.redactor import Redactor
    from probe.wire import blocking
    from probe.wire.transport import Transport

    headers = {"Content-Type": "application/json"}
    if secret is not None:
        headers[SIGNATURE] = "sha256=" + hmac.new(secret, content, hashlib.sha256).hexdigest()
    problem = ""
    for number in range(_TRIES):
        if number:
            time.sleep(2.0 ** (number - 1))
        sent = blocking.send(
            Transport(), Redactor(), method="POST", url=url, headers=headers, content=content, timeout_s=_TIMEOUT_S
        )
        if sent.status is None:  # an answer that never ends was an answer
            problem = sent.error.kind if sent.error else "no answer"
            continue
        if sent.status < 300:
            return None
        problem = f"it answered {sent.status}"
        if sent.status < 500 and sent.status != 429:
            break
    return problem

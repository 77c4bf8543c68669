"""The documentation page of a system: client settings, expected findings, remedies, and how it is recognised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from checks.fingerprint.systems import Signature
from probe.model import Diagnosis

NOTE = (
    "<!-- Written by `python -m probe.catalogue.docs` from the data files in checks/fingerprint/systems; edit those "
    "and run it again. -->\n\n"
)
_KINDS = {
    "server": "a server that runs models",
    "gateway": "a gateway in front of servers or providers",
    "provider": "a hosted provider",
    "hop": "a proxy or network service in between",
}
#: The place of a signal in words.
_PLACES = {
    "header": "Response header",
    "host": "Host name",
    "id": "Completion id",
    "call-id": "Tool call id",
    "fingerprint": "`system_fingerprint`",
    "completion": "Member of a completion",
    "chunk": "Member of a stream's chunk",
    "list": "Member of the model list",
    "card": "Entry of the model list",
    "same": "Two equal members",
    "echo": "Completion id in a header",
    "error": "Error body",
    "comment": "Comment in a stream",
    "page": "Page",
}
Escape = Callable[[str], str]


def _code(text: str) -> str:
    """Text as inline code, with any backticks in it (CommonMark, section 6.1)."""
    fence = "`"
    while fence in text:
        fence += "`"
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _link(code: str) -> str:
    return f"[`{code}`](../checks/{code.partition('.')[0]}.md)"


def system_page(
    system: Signature, catalogue: Mapping[str, Diagnosis], simulated: Sequence[str] | None, escape: Escape
) -> str:
    """The page as Markdown.

    Args:
        system: its data file.
        catalogue: every diagnosis with all remedies, by code.
        simulated: codes that a healthy simulated one gives; None if none is simulated.
        escape: escapes prose that has code in backticks.
    """
    lines = [f"# {escape(system.title)}", "", f"{escape(system.about)} It is {_KINDS[system.kind]}."]
    lines += ["", f"Id in reports and for `explain --server`: `{system.id}`.", ""]
    lines += _pointing(system, escape)
    lines += _finding(system, simulated, escape)
    lines += _changing(system, catalogue, escape)
    lines += _showing(system, escape)
    lines += ["## Sources", "", *(f"- {escape(source)}" for source in system.sources)]
    return "\n".join(lines) + "\n"


def _pointing(system: Signature, escape: Escape) -> list[str]:
    lines = ["## How to point a client at it", ""]
    if system.client is None:
        lines += [
            "It is in front of a server: give clients its address, with the path that the server behind it needs."
        ]
    else:
        client = system.client
        lines += [f"- {escape(text)}" for text in (client.base_url, client.key, client.model, *client.notes)]
    return [*lines, ""]


def _finding(system: Signature, simulated: Sequence[str] | None, escape: Escape) -> list[str]:
    lines = ["## What the tool will find", ""]
    for quirk in system.quirks:
        codes = ", ".join(_link(code) for code in quirk.codes)
        lines.append(f"- {escape(quirk.what)}{f' Shows as {codes}.' if codes else ''} ({escape(quirk.source)})")
    if simulated is not None:
        shown = ", ".join(_link(code) for code in simulated)
        healthy = f"has {shown}" if shown else "has no findings"
        lines += ["", f"A healthy one, simulated with `endpoint-probe simulate --style {system.id}`, {healthy}."]
    return [*lines, ""]


def _changing(system: Signature, catalogue: Mapping[str, Diagnosis], escape: Escape) -> list[str]:
    lines = ["## What to change", ""]
    if system.like:
        lines += [f"In addition to these, the remedies for [{system.like}]({system.like}.md) apply.", ""]
    by_text: dict[tuple[str, str], list[str]] = {}
    for code, diagnosis in catalogue.items():
        if system.id not in diagnosis.remedies:
            continue
        advice = system.advice.get(code)
        kept = advice is not None and diagnosis.remedies[system.id] == advice.text()
        do = advice.do if advice is not None and kept else diagnosis.remedies[system.id]
        check = (advice.check if advice is not None and kept else "") or diagnosis.verify
        by_text.setdefault((do, check), []).append(code)
    for (do, check), codes in by_text.items():
        lines += [
            f"- {', '.join(_link(code) for code in codes)}",
            f"  - {escape(do)}",
            f"  - To check: {escape(check)}",
        ]
    return [*lines, ""]


def _showing(system: Signature, escape: Escape) -> list[str]:
    lines = ["## How it is recognised", "", "Each signal with how sure it makes the name by itself.", ""]
    for signal in sorted(system.signals, key=lambda item: -item.weight):
        place = _PLACES[signal.sees]
        where = " ".join(_code(text) for text in (signal.name, signal.path, signal.at, signal.other) if text)
        match = f" matching {_code(signal.match)}" if signal.match else ""
        status = f", status {', '.join(map(str, signal.status))}" if signal.status else ""
        keys = f" with exactly the members {', '.join(map(_code, signal.keys))}" if signal.keys else ""
        lacks = f" without {', '.join(map(_code, signal.lacks))}" if signal.lacks else ""
        where = f" {where}" if where else ""
        text = f"- {signal.weight:.0%}: {place}{where}{keys}{lacks}{match}{status}. Source: {escape(signal.source)}"
        lines.append(text)
    return [*lines, ""]


def index_page(systems: Sequence[Signature], escape: Escape) -> str:
    """The list of all pages as Markdown."""
    lines = [
        "# Systems",
        "",
        "What is known about each system that can be recognised: one page each, and one data file in",
    ]
    lines += ["`checks/fingerprint/systems`. `endpoint-probe explain CODE --server ID` prints one remedy.", ""]
    for kind, title in (("server", "Servers"), ("gateway", "Gateways"), ("provider", "Providers"), ("hop", "Hops")):
        lines += [f"## {title}", "", "| System | Id | What it is |", "| --- | --- | --- |"]
        lines += [
            f"| [{escape(item.title)}]({item.id}.md) | `{item.id}` | {escape(item.about)} |"
            for item in systems
            if item.kind == kind
        ]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"

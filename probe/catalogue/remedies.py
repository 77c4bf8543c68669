"""The remedies that a finding shows first: those of the software that was recognised.

The catalogue has remedies by software, and a run knows the software it examined; they are joined
once, at the end of a run.  No check and no system is known here by name.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from probe.model import Finding, Owner, ServerInfo

#: Families whose faults are usually caused by a proxy or gateway in front of the server.
FRONT_FAMILIES = frozenset({"connect", "tls", "url", "auth", "models", "stream", "idle", "limits", "errors"})
#: A finding names the remedies of at most so many programs.
MOST = 2


@dataclass(frozen=True)
class Advice:
    """What to change in one software, and how to check that it worked."""

    do: str
    check: str = ""

    def text(self) -> str:
        """Both in one paragraph."""
        return f"{self.do} To check: {self.check}" if self.check else self.do


@dataclass(frozen=True)
class Guide:
    """One system's remedies by finding code.

    ``software`` is the id in ``ServerInfo`` and ``Diagnosis.remedies``, ``title`` the name for readers.
    ``like`` names a software whose remedies apply here too.
    """

    software: str
    title: str
    advice: Mapping[str, Advice] = field(default_factory=dict)
    like: str | None = None


def candidates(finding: Finding, server: ServerInfo) -> list[str]:
    """The recognised programs, the one most likely at fault first."""
    hops = [hop.software for hop in server.hops]
    behind = [server.software] if server.software != "unknown" else []
    front = finding.code.partition(".")[0] in FRONT_FAMILIES
    return list(dict.fromkeys(hops + behind if front else behind + hops))


def advised(
    findings: Sequence[Finding],
    server: ServerInfo,
    *,
    general: Callable[[str], str],
    lookup: Callable[[str, str], Advice | None],
    title: Callable[[str], str],
    host: str,
    base: str | None = None,
) -> tuple[Finding, ...]:
    """The findings, each with the remedy of the recognised software before the general one.

    Args:
        general: gives the remedy of a code for any software.
        lookup: gives the advice of a code for a software, or None.
        title: gives the name of a software for readers.
        host: of the endpoint.  A base URL at another host is none for this endpoint: what was recognised is behind it.
        base: the base URL, for the commands that check a remedy (``BASE`` in them); None where it is not known.

    A remedy that a check wrote for this one finding (a URL, a value) stays in front, and one that
    names the software already stays alone.
    """

    def advise(finding: Finding) -> Finding:
        own = finding.remedy != general(finding.code)
        if own and finding.owner is Owner.CLIENT:
            # "Use http://HOST/v1" is complete; the public host of the recognised provider would mislead.
            return finding
        texts = []
        for software in candidates(finding, server):
            advice = lookup(finding.code, software)
            if (
                advice is None
                or _leads_elsewhere(finding, advice, host)
                or (own and _names(finding.remedy, software, title(software), advice))
            ):
                continue
            text = advice.text()
            texts.append(f"{title(software)}: {text.replace('BASE/', f'{shlex.quote(base)}/') if base else text}")
        if not texts:
            return finding
        shown = texts[:MOST]
        return replace(
            finding, remedy=" ".join([finding.remedy, *shown] if own else [*shown, f"In general: {finding.remedy}"])
        )

    return tuple(advise(finding) for finding in findings)


#: A host in full, as that of a provider; capitals mark what differs from user to user.
_HOST = re.compile(r"https://([a-z0-9.-]+\.[a-z]+)(?![\w-])")


def _leads_elsewhere(finding: Finding, advice: Advice, host: str) -> bool:
    hosts = _HOST.findall(advice.do) if finding.code.startswith("url.") else []
    return bool(hosts) and host not in hosts


def _names(remedy: str, software: str, title: str, advice: Advice) -> bool:
    low = remedy.lower()
    return advice.do in remedy or title.lower() in low or software in low

"""Whose remedy a finding shows first: that of the software that was recognised.

The catalogue knows remedies by software; a run knows what it talked to.  Here the two
meet, once, at the end of a run.  Nothing in here knows a check or a system by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from probe.model import Finding, Owner, ServerInfo

#: Families whose faults are usually made by what stands in front of the server.
FRONT_FAMILIES = frozenset({"connect", "tls", "url", "auth", "models", "stream", "idle", "limits", "errors"})
#: A finding names the cures of at most this many programs.
MOST = 2


@dataclass(frozen=True)
class Advice:
    """What to change in one software, and how to see that it worked."""

    do: str
    check: str = ""

    def text(self) -> str:
        """Both in one paragraph."""
        return f"{self.do} To check: {self.check}" if self.check else self.do


@dataclass(frozen=True)
class Guide:
    """One system's remedies by finding code.

    ``software`` is the id that ``ServerInfo`` and ``Diagnosis.remedies`` use, ``title`` the
    name for readers.  ``like`` names the software whose remedies hold here too.
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
) -> tuple[Finding, ...]:
    """The findings, each with the cure of the recognised software in front of the general one.

    Args:
        findings: as the checks made them.
        server: what was recognised; nothing changes where that is nothing.
        general: a code to the remedy that holds for any software.
        lookup: ``(code, software)`` to that software's advice, or None.
        title: the name of a software for readers.

    A remedy that the check wrote for this one finding (a URL, a value) stays in front, and
    one that already speaks of the software stays alone: the check knew more.
    """

    def advise(finding: Finding) -> Finding:
        own = finding.remedy != general(finding.code)
        if own and finding.owner is Owner.CLIENT:
            # "Use http://HOST/v1" is complete; what the recognised provider's public host is called would mislead.
            return finding
        texts = []
        for software in candidates(finding, server):
            advice = lookup(finding.code, software)
            if advice is None or (own and _speaks_of(finding.remedy, software, title(software), advice)):
                continue
            texts.append(f"{title(software)}: {advice.text()}")
        if not texts:
            return finding
        shown = texts[:MOST]
        return replace(
            finding, remedy=" ".join([finding.remedy, *shown] if own else [*shown, f"In general: {finding.remedy}"])
        )

    return tuple(advise(finding) for finding in findings)


def _speaks_of(remedy: str, software: str, title: str, advice: Advice) -> bool:
    low = remedy.lower()
    return advice.do in remedy or title.lower() in low or software in low

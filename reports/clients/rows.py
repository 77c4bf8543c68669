"""Per client: will it work with this endpoint, and the configuration to give it.

What a reader of the report does next; the page and the Markdown show the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from probe.model import Report
from reports.clients import judgement, registry
from reports.clients.documents import BadFile
from reports.clients.export import export
from reports.clients.exporter import CannotExport
from reports.clients.settings import Settings, settings_of


@dataclass(frozen=True)
class ClientRow:
    """One client.

    ``file`` is where the configuration belongs, ``text`` the configuration, None where
    there is none to give; then ``problem`` says why.
    """

    fit: judgement.Fit
    file: str = ""
    text: str | None = None
    notes: tuple[str, ...] = ()
    problem: str = ""


def rows(report: Report) -> list[ClientRow]:
    """Every client that can be judged, those that work first, in the order in which they are listed.

    Empty where no chat completion was asked for or had: then nothing is to be said of clients.
    """
    if not report.target.base_url:
        return []
    try:
        settings: Settings | None = settings_of(report)
        problem = ""
    except CannotExport as error:
        settings, problem = None, str(error)
    order = list(judgement.Answer)
    fits = sorted(judgement.works_with(report), key=lambda fit: order.index(fit.answer))
    return [_row(fit, settings, problem) for fit in fits]


def _row(fit: judgement.Fit, settings: Settings | None, problem: str) -> ClientRow:
    client = registry.client(fit.client)
    if fit.answer is judgement.Answer.NO:
        return ClientRow(fit, client.file, problem="none is given for a client that does not work")
    if settings is None:
        return ClientRow(fit, client.file, problem=problem)
    try:
        made = export(client, settings)
    except (CannotExport, BadFile) as error:
        return ClientRow(fit, client.file, problem=str(error))
    except Exception as error:  # one exporter's own fault must not cost the whole report
        return ClientRow(fit, client.file, problem=f"it could not be made ({type(error).__name__})")
    return ClientRow(fit, client.file, made.text, made.notes)


def why(fit: judgement.Fit) -> str:
    """What stands in the way, what to set and what it costs, in one text."""
    parts = []
    if fit.settings:
        parts.append(f"Set: {'; '.join(fit.settings)}.")
    if fit.reasons:
        parts.append(f"{'; '.join(fit.reasons)}.")
    return " ".join(part[0].upper() + part[1:] for part in parts)

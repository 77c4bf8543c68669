"""The ways in which a check ends without a verdict.  None of them accuses the endpoint."""

from __future__ import annotations


class Inconclusive(Exception):
    """It could not be told; the text says why."""


class Skip(Exception):
    """The check does not apply here; the text says why."""


class Throttled(Inconclusive):
    """The endpoint kept saying "not now" for as long as this run could wait."""


class KeyWithheld(Inconclusive):
    """The request would have carried the key to another origin, or in clear text."""


class BudgetExceeded(Exception):
    """A request would go over the budget; the text names which and how far."""

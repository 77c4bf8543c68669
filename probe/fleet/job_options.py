"""From a target of the fleet file to the options of a run: where references become keys.

This happens in the process that sends the requests, be it here or on a worker elsewhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from probe.cli.options import Given, Unusable
from probe.cli.settings import Known, options_for
from probe.fleet.job import Target
from probe.run.options import Options

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
#: What the command line would give where the file says nothing.
_USUAL: Mapping[str, Any] = {
    "auth": "bearer",
    "depth": "standard",
    "keepalive": 30,
    "timeout": 60.0,
    "concurrency": 4,
    "out": ".",
    "fail_on": "never",
    "api_key_stdin": False,
    "insecure": False,
    "as_json": False,
    "dry_run": False,
    "quiet": True,
    "verbose": False,
}
_MANY = ("header", "only", "skip", "formats")


class BadTarget(ValueError):
    """A target's references or options cannot be used here; the message is one line and holds no secret."""


def filled(text: str, what: str) -> tuple[str, dict[str, str]]:
    """The text with ``${VAR}`` filled in from the environment, and the variables used.

    Raises:
        BadTarget: a variable is not set.
    """
    used: dict[str, str] = {}
    for name in _VARIABLE.findall(text):
        value = os.environ.get(name)
        if not value:
            raise BadTarget(f"{what} needs the environment variable {name}, which is not set; export it")
        used[name] = value
    return _VARIABLE.sub(lambda match: used[match[1]], text), used


def given_for(target: Target, model: str | None) -> Given:
    """The target's options as the command line would have them."""
    values: dict[str, Any] = {item.name: None for item in fields(Given)} | dict(_USUAL)
    values |= dict.fromkeys(_MANY, ()) | dict(target.options)
    values["model"] = model
    values["header"] = tuple(f"{name}: {value}" for name, value in target.headers.items())
    if target.key is not None and values["auth"] != "none":
        values[f"api_key_{target.key[0]}"] = target.key[1]
    return Given(**values)


def options_of(target: Target, model: str | None) -> Options:
    """The options of a run against this target and model.

    Raises:
        BadTarget: a variable is missing, a key file cannot be read, or an option is unusable.
    """
    endpoint, used = filled(target.endpoint, "the endpoint")
    try:
        options = options_for(endpoint, given_for(target, model), Known())
    except Unusable as error:
        raise BadTarget(error.format_message()) from None
    return replace(options, secrets={**options.secrets, **used})

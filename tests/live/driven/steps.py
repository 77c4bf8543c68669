"""What every driver in Python does: the jobs, the steps of each, and how they are reported.

A job is one exported configuration.  A step ends with `ok`, or with the first line of what went wrong.  The script runs
in the environment of a client, so it imports nothing of this project.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

WORD = "ZEBRA-48213"
REPEAT = f"Repeat exactly: {WORD}"
WEATHER = "What is the weather in Paris? Use the tool."
DEGREES = "17.5"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "Weather", "parameters": SCHEMA}}


def weather(city: str) -> str:
    """The weather in a city."""
    return json.dumps({"city": city, "degrees": DEGREES})


def system(job: dict[str, Any]) -> list[str]:
    """The instructions, unless the client's row says to send none."""
    return ["Be brief."] if job["system"] else []


def held(text: Any, word: str = WORD) -> None:
    """Raise unless it is text with the word in it."""
    if not isinstance(text, str) or word not in text:
        raise AssertionError(f"{word} is not in {str(text)[:80]!r}")


def main(steps: Callable[[dict[str, Any]], dict[str, Callable[[], None]]]) -> None:
    """Run the steps of every job of the file that is named on the command line."""
    jobs = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    results: dict[str, dict[str, str]] = {}
    for job in jobs:
        os.environ.update(job["env"])
        said = results[job["name"]] = {}
        try:
            wanted = steps(job)
        except Exception as error:
            said["start"] = _line(error)
            continue
        for name, step in wanted.items():
            try:
                step()
                said[name] = "ok"
            except Exception as error:
                said[name] = _line(error)
    print(json.dumps(results))


def _line(error: Exception) -> str:
    text = str(error).strip().split("\n")[0][:160]
    return f"{type(error).__name__}: {text}"

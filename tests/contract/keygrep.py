"""Look for the tests' keys in everything that a test session left behind: ``python -m tests.contract.keygrep FOLDER``.

FOLDER is what ``pytest --basetemp FOLDER`` was given.  The keys are the literals of the
tests' own sources, and any more that are given with ``--key``.  Tests write keys too, to
hand them to the program: those files are named in ``OWN``, and everything else is the
program's.  The exit status is 1 when a key is found and 2 when there was nothing to look at.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from tests.hostile.keys import forms_of

TESTS = Path(__file__).resolve().parent.parent
PREFIXES = ("sk-", "gsk_", "hf_")
#: Shorter literals are placeholders and prefixes of keys.
SHORTEST = 14
#: What tests write themselves: key files, code that is run, configurations that hold a key on purpose.
OWN = ("key", "key*", "*.key", "secret", "*.py", "*.pem", ".env*", "litellm.yaml", "jobs.json")
LARGEST = 64 * 1024 * 1024


def keys_in_tests(folder: Path = TESTS) -> dict[str, str]:
    """Literals that look like keys, and the first source that has each."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, str) and _is_key(value):
                found.setdefault(value, str(path.relative_to(folder)))
    return found


def _is_key(text: str) -> bool:
    return (
        text.startswith(PREFIXES)
        and SHORTEST <= len(text) <= 200
        and text.isascii()
        and text.isprintable()
        and " " not in text
        and "{" not in text
    )


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and not any(fnmatch(path.name, own) for own in OWN):
            yield path


def search(folder: Path, keys: dict[str, str]) -> tuple[int, list[str]]:
    """How many files were looked at, and a line for each key in one of them."""
    forms = {form: (key, name) for key in keys for name, form in forms_of(key).items()}
    count = 0
    found: list[str] = []
    for path in _files(folder):
        if path.stat().st_size > LARGEST:
            continue
        count += 1
        content = path.read_bytes()
        for form, (key, name) in forms.items():
            if form in content:
                found.append(f"{path.relative_to(folder)}: the key of {keys[key]} ({name}), {key[:8]}…")
                break
    return count, found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.contract.keygrep", description=__doc__)
    parser.add_argument("folder", type=Path, help="what pytest --basetemp was given")
    parser.add_argument("--key", action="append", default=[], help="one more key to look for; repeatable")
    given = parser.parse_args(arguments)
    keys = keys_in_tests() | dict.fromkeys(given.key, "the command line")
    count, found = search(given.folder, keys)
    print("\n".join([*found, f"{count} files, {len(keys)} keys in every form, {len(found)} found"]))
    if not count:
        return 2
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""The generated files: docs/checks/, docs/systems/ and the JSON Schema of report.json.

`python -m probe.catalogue.docs` writes those of a checkout, `--check` only names the ones that are
out of date.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from probe.catalogue import registry
from probe.catalogue.system_pages import NOTE as SYSTEM_NOTE
from probe.catalogue.system_pages import index_page, system_page
from probe.model import Check, Diagnosis
from probe.wording import amount, seconds

ROOT = Path(__file__).parent.parent.parent
_NOTE = "<!-- Written by `python -m probe.catalogue.docs` from the checks; edit those and run it again. -->"


def schema_text() -> str:
    """The JSON Schema of report.json, as in the file."""
    from probe.report import json_schema

    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def families() -> dict[str, tuple[list[Check], list[Diagnosis]]]:
    """The checks and the codes of each family, both in order; a code is in the family it is named for."""
    found: dict[str, tuple[list[Check], list[Diagnosis]]] = {}
    for check in registry.checks():
        found.setdefault(check.family, ([], []))[0].append(check)
    for code, diagnosis in registry.catalogue().items():
        found.setdefault(code.partition(".")[0], ([], []))[1].append(diagnosis)
    return dict(sorted(found.items()))


def _escaped(text: str) -> str:
    """The text as Markdown prose: text between backticks is code, nothing else is markup."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        pieces[-2:] = ["\\`".join(pieces[-2:])]
    for number in range(0, len(pieces), 2):
        for character in "*_<[|":
            pieces[number] = pieces[number].replace(character, "\\" + character)
    return "`".join(pieces)


def _spending(check: Check) -> str:
    parts = [f"at most {amount(check.max_requests, 'request')}"]
    if check.max_tokens:
        parts.append(f"at most {amount(check.max_tokens, 'token')}")
    if check.max_seconds:
        parts.append(f"up to {seconds(check.max_seconds)} of waiting")
    parts.append("runs in every depth" if check.depth == "quick" else f"runs from depth {check.depth} on")
    if check.exclusive:
        parts.append("runs alone, because it measures time")
    return "; ".join(parts)


def _check_text(check: Check) -> str:
    lines = [
        f"### `{check.id}`",
        "",
        f"{_escaped(check.title)}. {_escaped(check.proves)}",
        "",
        f"- Spends {_spending(check)}.",
    ]
    if check.requires:
        lines.append(f"- Needs {', '.join(f'`{name}`' for name in sorted(check.requires))}.")
    if check.provides:
        lines.append(f"- Judges or provides {', '.join(f'`{name}`' for name in sorted(check.provides))}.")
    if check.emits:
        lines.append(f"- Can find {', '.join(f'`{item.code}`' for item in check.emits)}.")
    return "\n".join(lines)


def _code_text(diagnosis: Diagnosis, found_by: Sequence[str], faults: Sequence[str]) -> str:
    lines = [
        f"### `{diagnosis.code}`",
        "",
        f"**{_escaped(diagnosis.title)}** (severity {diagnosis.severity}; can be fixed by: {diagnosis.owner})",
        "",
        _escaped(diagnosis.what),
        "",
        f"**Why it matters.** {_escaped(diagnosis.why)}",
        "",
        f"**How to fix it.** {_escaped(diagnosis.remedy)}",
    ]
    if diagnosis.remedies:
        lines.append("")
        lines += [f"- {name}: {_escaped(text)}" for name, text in sorted(diagnosis.remedies.items())]
    lines += ["", f"**How to see that it is fixed.** {_escaped(diagnosis.verify)}", ""]
    lines.append(f"Found by {', '.join(f'`{name}`' for name in found_by)}.")
    if faults:
        lines.append(f"Try it: `endpoint-probe demo --fault {faults[0]}`.")
    if diagnosis.sources:
        lines += ["", "Sources:", "", *(f"- {_escaped(source)}" for source in diagnosis.sources)]
    return "\n".join(lines)


def _faults_by_code() -> dict[str, list[str]]:
    from probe.simulator import all_faults

    found: dict[str, list[str]] = {}
    for fault in sorted(all_faults(), key=lambda item: (len(item.yields), item.name)):
        for code in fault.yields:
            found.setdefault(code, []).append(fault.name)
    return found


def _family_text(
    name: str, checks: Sequence[Check], codes: Sequence[Diagnosis], faults: Mapping[str, list[str]]
) -> str:
    parts = [_NOTE, f"# {name}"]
    parts.append("## Checks" if checks else "## Checks\n\nThe codes below are found by checks of other families.")
    parts += [_check_text(check) for check in checks]
    if codes:
        parts.append("## Finding codes")
    for diagnosis in codes:
        found_by = [check.id for check in registry.checks() if diagnosis in check.emits]
        parts.append(_code_text(diagnosis, found_by, faults.get(diagnosis.code, [])))
    return "\n\n".join(parts) + "\n"


def _index_text(found: Mapping[str, tuple[list[Check], list[Diagnosis]]]) -> str:
    lines = [
        _NOTE,
        "",
        "# Checks and finding codes",
        "",
        "One page for each family. `endpoint-probe explain CODE` prints the same in a terminal.",
        "",
        "| Family | Checks | Finding codes |",
        "| --- | --- | --- |",
    ]
    for name, (checks, codes) in found.items():
        ids = ", ".join(f"`{check.id}`" for check in checks)
        lines.append(f"| [{name}]({name}.md) | {ids} | {', '.join(f'`{item.code}`' for item in codes)} |")
    return "\n".join(lines) + "\n"


def systems() -> dict[str, str]:
    """The pages of docs/systems/ by file name: one for each system that can be recognised, and their list."""
    from checks.fingerprint.systems import signatures
    from probe.simulator import all_styles

    catalogue = registry.catalogue()
    simulated = {style.name: style.yields for style in all_styles()}
    pages = {
        f"{name}.md": SYSTEM_NOTE + system_page(item, catalogue, simulated.get(name), _escaped)
        for name, item in signatures().items()
    }
    pages["README.md"] = SYSTEM_NOTE + index_page(list(signatures().values()), _escaped)
    return pages


def generated() -> dict[Path, str]:
    """Every generated file of the checkout, by path, and its text."""
    found = families()
    faults = _faults_by_code()
    pages = {f"{name}.md": _family_text(name, checks, codes, faults) for name, (checks, codes) in found.items()}
    pages["README.md"] = _index_text(found)
    files = {ROOT / "docs" / "checks" / name: text for name, text in pages.items()}
    files |= {ROOT / "docs" / "systems" / name: text for name, text in systems().items()}
    files[ROOT / "reports" / "schema" / "report.schema.json"] = schema_text()
    return files


def outdated() -> list[Path]:
    """The generated files that are missing, stale, or of a family that was removed."""
    files = generated()
    stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    folders = [ROOT / "docs" / "checks", ROOT / "docs" / "systems"]
    return stale + [path for folder in folders for path in sorted(folder.glob("*.md")) if path not in files]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files; with ``--check`` only name those that are out of date (status 1)."""
    parser = argparse.ArgumentParser(prog="python -m probe.catalogue.docs", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, only say what is out of date")
    options = parser.parse_args(arguments)
    stale = outdated()
    files = generated()
    for path in stale:
        print(path.relative_to(ROOT), "is out of date" if options.check else "written")
        if options.check:
            continue
        if path in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
        else:
            path.unlink()
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())

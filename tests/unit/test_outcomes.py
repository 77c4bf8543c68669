"""Where an exception of this program came from."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from probe.parsing import strict_json
from probe.run.outcomes import failed_at


def _raised(call: Any, *arguments: Any) -> BaseException:
    try:
        call(*arguments)
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def _module(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = folder / f"{name.rpartition('.')[2]}.py"
    path.write_text(text)
    module = ModuleType(name)
    module.__file__ = str(path)
    exec(compile(text, str(path), "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, name, module)
    return module


def test_the_innermost_file_of_ours_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_json, "_DECODER", None)
    error = _raised(strict_json.parse, b"{}")
    assert failed_at(error).startswith("AttributeError at probe/parsing/strict_json.py:")


def test_a_file_two_folders_down_and_a_package_are_named_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = _module(tmp_path, "checks.tools.markup.odd", "def run():\n    return {}['x']\n", monkeypatch)
    assert failed_at(_raised(deep.run)) == "KeyError at checks/tools/markup/odd.py:2"
    package = _module(tmp_path, "reports.html", "def render():\n    return 1 / 0\n", monkeypatch)
    monkeypatch.setattr(package.render, "__code__", package.render.__code__.replace(co_filename="/x/__init__.py"))
    assert failed_at(_raised(package.render)) == "ZeroDivisionError at reports/html/__init__.py:2"


def test_what_a_library_raises_is_the_fault_of_its_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = _module(
        tmp_path, "checks.shared.odd", "import json\n\ndef run():\n    return json.loads('{')\n", monkeypatch
    )
    assert failed_at(_raised(caller.run)) == "JSONDecodeError at checks/shared/odd.py:4"


def test_a_plugin_is_named_where_it_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = _module(tmp_path, "strange", "def run():\n    return [][1]\n", monkeypatch)
    error = _raised(plugin.run)
    assert failed_at(error, "strange") == "IndexError at strange.py:2"
    assert failed_at(error) == "IndexError"


def test_of_a_group_the_first_exception_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = _module(tmp_path, "checks.idle.odd", "def run():\n    raise ValueError('secret')\n", monkeypatch)
    group = BaseExceptionGroup("many", [BaseExceptionGroup("more", [_raised(deep.run)]), KeyError("other")])
    assert failed_at(group) == "ValueError at checks/idle/odd.py:2"


def test_without_a_frame_of_ours_only_the_type_is_named() -> None:
    assert failed_at(_raised(json.loads, "{")) == "JSONDecodeError"
    assert failed_at(KeyError("secret")) == "KeyError"

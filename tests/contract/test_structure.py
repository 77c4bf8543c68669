"""The rooms of the product: no circle of imports, and none that goes up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.structure import PACKAGES, ROOT, Structure, circles, figures, sizes


@pytest.fixture(scope="module")
def structure() -> Structure:
    return Structure()


def test_every_module_has_its_room(structure: Structure) -> None:
    assert len(structure.modules) > 200
    assert all(structure.room(name) for name in structure.modules)


def test_no_circle_between_modules_or_rooms(structure: Structure) -> None:
    assert structure.circles() == []


def test_no_import_goes_to_a_higher_floor(structure: Structure) -> None:
    assert structure.arrows_up() == []


def test_few_files_lie_at_the_top(structure: Structure) -> None:
    assert len(list((ROOT / "probe").glob("*.py"))) <= 12
    assert len(list((ROOT / "checks").glob("*.py"))) <= 14
    assert all(sizes(structure, package) for package in PACKAGES)


def _tree(root: Path, files: dict[str, str]) -> Structure:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        for folder in path.relative_to(root).parents:
            if folder.name:
                (root / folder / "__init__.py").touch()
    return Structure(root)


@pytest.mark.parametrize(
    "source",
    [
        "from probe.run import scheduler\n",
        "import probe.run.scheduler\n",
        "from ..run.scheduler import thing\n",
        "def late():\n    from probe.run.scheduler import thing\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from probe.run.scheduler import thing\n",
    ],
)
def test_an_import_that_goes_up_is_found_wherever_it_is(source: str, tmp_path: Path) -> None:
    made = _tree(tmp_path, {"probe/wire/client.py": source, "probe/run/scheduler.py": "thing = 1\n"})
    assert made.arrows_up() == ["probe.wire.client -> probe.run.scheduler"]
    assert made.circles() == []


def test_circles_of_modules_and_of_rooms_are_found(tmp_path: Path) -> None:
    made = _tree(
        tmp_path,
        {
            "probe/run/a.py": "from probe.run import b\n",
            "probe/run/b.py": "def late():\n    import probe.run.a\n",
            "checks/models/one.py": "import checks.idle.two\n",
            "checks/idle/three.py": "import checks.models.four\n",
            "checks/idle/two.py": "",
            "checks/models/four.py": "",
        },
    )
    assert made.circles() == [["probe.run.a", "probe.run.b"], ["checks.idle", "checks.models"]]
    assert len(made.arrows_up()) == 2


def test_nested_circles_are_one_part() -> None:
    assert circles({"a": {"b"}, "b": {"c", "a"}, "c": {"a"}, "d": {"a"}, "e": set()}) == [["a", "b", "c"]]


def test_the_figures_are_printed(structure: Structure) -> None:
    lines = figures(structure, way=False)
    assert any(line.startswith("longest file: ") for line in lines)
    assert "circles: 0" in lines
    assert "arrows back up: 0" in lines

"""The structure of the product: which room may import which, and figures about its size.

`python -m tests.structure` prints the figures.  The rooms and their floors are data here, and
tests/contract/test_structure.py holds the code to them.
"""

from __future__ import annotations

import argparse
import ast
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("probe", "checks", "reports")
#: Single modules of the product, next to the packages.
SINGLE = ("endpoint_probe_pytest",)

#: The rooms, a floor a line, the lowest first.  A room is a name and the modules that belong to it; a name that ends
#: in ``.*`` stands for each module or package below it, each a room of its own.  A module belongs to the room with
#: the longest name that fits.  A room may import itself and the rooms of lower floors, and no other.  What is found
#: by name at run time (checks and plugins by the registry, commands, reporters) is not an import.
FLOORS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("probe.version",), ("probe.wording",), ("probe.files",), ("probe.redaction",)),
    # The recorded exchange and what reads it.
    (("probe.exchange", "probe.parsing"),),
    (("probe.model",),),
    (("probe.gate",),),
    (("probe.report",),),
    (("probe.wire",), ("probe.catalogue",)),
    (("probe.run",),),
    (("probe.api",),),
    (("checks.shared",), ("checks.fingerprint",)),
    (("checks.errors.catalogue",),),
    (
        ("checks.auth",),
        ("checks.connect",),
        ("checks.idle",),
        ("checks.models",),
        ("checks.shape",),
        ("checks.vision",),
    ),
    (("checks.stream",),),
    (("checks.tools",),),
    (("checks",), ("checks.*",)),
    (("probe.simulator",),),
    (("reports.text",), ("reports",)),
    (("reports.summary",), ("reports.curl",)),
    (("reports.clients",),),
    (("reports.markdown",),),
    (("reports.*",),),
    (("reports.html",),),
    (("reports.matrix",), ("reports.diff",)),
    (("probe.provider",), ("probe.fleet",)),
    # A script of the checkout: it writes the pages of the catalogue from the checks and the simulator.
    (("probe.catalogue.docs", "probe.catalogue.system_pages"),),
    (("probe.cli",),),
    (("probe",), ("probe.*",), SINGLE),
)
_PATTERNS = {f"{package}.*" for package in PACKAGES}


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Every module of the product by its full name."""
    found = {name: root / f"{name}.py" for name in SINGLE if (root / f"{name}.py").exists()}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """The modules of the product that a module imports: at its top, inside functions and for types alike."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: -node.level + 1 or None] if node.level else []
            base = ".".join([*above, *(node.module or "").split(".")]).strip(".")
            for alias in node.names:
                full = f"{base}.{alias.name}"
                if full in known or base in known:
                    yield full if full in known else base


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """The strongly connected parts of a graph that have more than one member (Tarjan, SIAM J. Comput. 1, 1972)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(edges.get(node, ())):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            part = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(part) > 1:
                found.append(sorted(part))

    for node in sorted(edges):
        if node not in order:
            visit(node)
    return found


@dataclass(frozen=True)
class Structure:
    """The modules of a checkout and their imports."""

    root: Path = ROOT

    @cached_property
    def modules(self) -> dict[str, Path]:
        return modules(self.root)

    @cached_property
    def edges(self) -> dict[str, set[str]]:
        """What each module imports, itself left out."""
        return {name: set(imports(name, path, self.modules)) - {name} for name, path in self.modules.items()}

    @cached_property
    def _places(self) -> dict[str, tuple[int, str]]:
        """The floor and the room of each module."""
        return {name: self._place(name) for name in self.modules}

    def _place(self, name: str) -> tuple[int, str]:
        fitting = [
            (len(prefix), number, room[0])
            for number, floor in enumerate(FLOORS)
            for room in floor
            for prefix in room
            if name == prefix
            or (prefix not in PACKAGES and name.startswith(f"{prefix.removesuffix('*')}".rstrip(".") + "."))
        ]
        if not fitting:
            raise LookupError(f"{name} belongs to no room")
        _, number, room = max(fitting)
        # Below a pattern each module or package is a room of its own.
        return number, ".".join(name.split(".")[:2]) if room in _PATTERNS else room

    def floor(self, name: str) -> int:
        return self._places[name][0]

    def room(self, name: str) -> str:
        return self._places[name][1]

    def room_edges(self) -> dict[str, set[str]]:
        """What each room imports, itself left out."""
        found: dict[str, set[str]] = {}
        for name, others in self.edges.items():
            found.setdefault(self.room(name), set()).update(self.room(other) for other in others)
        return {room: others - {room} for room, others in found.items()}

    def circles(self) -> list[list[str]]:
        """The circles between modules, and those between rooms."""
        return circles(self.edges) + circles(self.room_edges())

    def arrows_up(self) -> list[str]:
        """The imports that go to another room of the same floor or of a higher one."""
        return [
            f"{name} -> {other}"
            for name, others in self.edges.items()
            for other in sorted(others)
            if self.room(name) != self.room(other) and self.floor(other) >= self.floor(name)
        ]


# Figures --------------------------------------------------------------------------------------------


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def sizes(structure: Structure, package: str) -> list[int]:
    """The lengths of a package's modules, in lines; empty files are none."""
    paths = (path for name, path in structure.modules.items() if name.partition(".")[0] == package)
    return sorted(count for path in paths if (count := lines_of(path)))


def percentile(values: list[int], share: float) -> int:
    return values[min(len(values) - 1, int(len(values) * share))]


#: The program that watches the way from the socket to the page.  It runs in a process of its own.
_WATCHER = """
import dataclasses, json, os, socket, sys
root, out = sys.argv[1], sys.argv[2]
sys.path.insert(0, root)
from probe.cli import main
places = tuple(os.path.join(root, name) + os.sep for name in ("probe", "checks", "reports"))
simulated = os.path.join(root, "probe", "simulator") + os.sep
marks = ("<tool_call>", "tools.parser-missing")
runs, carries, state = set(), set(), {"begun": False, "ended": False}

def marked(value, depth=2):
    if isinstance(value, str):
        return any(mark in value for mark in marks)
    if isinstance(value, (bytes, bytearray)):
        return any(mark.encode() in value for mark in marks)
    if not depth:
        return False
    if isinstance(value, dict):
        inside = [*list(value)[:50], *list(value.values())[:50]]
    elif isinstance(value, (list, tuple, set, frozenset)):
        inside = list(value)[:50]
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        inside = [getattr(value, item.name, None) for item in dataclasses.fields(value)]
    else:
        return False
    return any(marked(item, depth - 1) for item in inside)

def profile(frame, event, argument):
    if event == "c_return":
        if argument.__name__ in ("recv", "recv_into"):
            owner = getattr(argument, "__self__", None)
            if isinstance(owner, socket.socket) and owner.family in (socket.AF_INET, socket.AF_INET6):
                state["begun"] = True
        return
    code = frame.f_code
    if event not in ("call", "return") or not state["begun"] or state["ended"]:
        return
    # CO_OPTIMIZED: a function, and not the body of a module or a class.
    if not code.co_flags & 1 or not code.co_filename.startswith(places) or code.co_filename.startswith(simulated):
        return
    name = os.path.relpath(code.co_filename, root)
    if event == "call":
        runs.add(name)
    elif name not in carries and (marked(argument) or any(marked(value) for value in list(frame.f_locals.values()))):
        carries.add(name)

def audit(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith("report.html"):
        state["ended"] = True

sys.addaudithook(audit)
sys.setprofile(profile)
main(["demo", "--fault", "tools-as-hermes", "--only", "tools.call", "--format", "html", "--quiet", "--out", out])
sys.setprofile(None)
page = open(os.path.join(out, "report.html"), encoding="utf-8").read()
print(json.dumps({**state, "found": marks[1] in page, "runs": sorted(runs), "carries": sorted(carries)}))
"""


@dataclass(frozen=True)
class Way:
    """The files of one ``tools.parser-missing`` on its way from the socket to the page.

    A demo with the fault ``tools-as-hermes`` runs with ``--only tools.call --format html``; watched is
    the main thread from the first byte that the endpoint sends until the page has its name on the
    disk.  The simulator is the other end of the socket and does not count.

    Attributes:
        runs: the files of the product of which a function is entered meanwhile, for whatever purpose.
        carries: those of them of which a function returns with the markup of the call or the code of
            the finding in a local variable or its result, or at most two containers below it.
    """

    runs: tuple[str, ...]
    carries: tuple[str, ...]


def way_of_a_finding(root: Path = ROOT) -> Way:
    """Watch the demo in a process of its own.

    Raises:
        RuntimeError: the run gave no page with the finding.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", _WATCHER, str(root), folder],
            check=False,
            capture_output=True,
            text=True,
            cwd=folder,
            timeout=300,
        )
        last = (done.stdout.strip().splitlines() or [""])[-1]
        said = json.loads(last) if last.startswith("{") else {}
    if not (said.get("begun") and said.get("ended") and said.get("found")):
        raise RuntimeError(f"the demo gave no page with the finding: {done.stderr.strip()[-500:]}")
    return Way(tuple(said["runs"]), tuple(said["carries"]))


def way_lines(way: Way) -> list[str]:
    return [
        f"files that run between the socket and the page of one tools.parser-missing: {len(way.runs)}",
        f"files that carry its markup or its finding: {len(way.carries)}",
    ]


def figures(structure: Structure, *, way: bool = True) -> list[str]:
    """The figures as lines of text."""
    lines = [f"{'package':10} modules  median  90 %"]
    for package in PACKAGES:
        counts = sizes(structure, package)
        lines.append(f"{package:10} {len(counts):7}  {statistics.median(counts):6.0f}  {percentile(counts, 0.9):4}")
    for package in ("probe", "checks"):
        top = [path for path in (structure.root / package).glob("*.py") if path.name != "__init__.py"]
        lines.append(f"files at the top of {package}/: {len(top)}")
    lengths = {path: lines_of(path) for path in structure.modules.values()}
    longest = max(lengths, key=lambda path: lengths[path])
    lines += [
        f"circles: {len(structure.circles())}",
        f"arrows back up: {len(structure.arrows_up())}",
        f"longest file: {longest.relative_to(structure.root)}, {lengths[longest]} lines",
        f"lines of Python in the product: {sum(lengths.values())}",
    ]
    return lines + (way_lines(way_of_a_finding(structure.root)) if way else [])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.structure", description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=ROOT, help="another checkout")
    parser.add_argument("--files", action="store_true", help="name the files from socket to page")
    parser.add_argument(
        "--way-only", action="store_true", help="only the files from socket to page, for a checkout with other rooms"
    )
    options = parser.parse_args()
    root = options.root.resolve()
    structure = Structure(root)
    if options.files or options.way_only:
        way = way_of_a_finding(root)
        if options.files:
            print(*(f"{'carries' if name in way.carries else 'runs':8} {name}" for name in way.runs), sep="\n")
        print(*way_lines(way), sep="\n")
        return 0
    print(*figures(structure), sep="\n")
    for line in (*map(" - ".join, structure.circles()), *structure.arrows_up()):
        print(" ", line)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Every regular expression of the program, and texts made to keep each of them busy.

The patterns are found by walking the modules (compiled ones, in whatever they are kept) and their sources (literals
given to a function of ``re``).  The texts are made from the pattern's own parse: what it repeats, its beginnings, its
near-misses, each repeated, with an end that does not fit.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from re import _parser as parser  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any

ROOTS = ("probe", "checks", "reports", "endpoint_probe_pytest")
#: Modules that are scripts of another program and cannot be imported by themselves.
_SCRIPTS = ("probe.fleet.migrations.env", "probe.__main__")
_METHODS = ("search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer")
#: Characters that belong to many sets.
_USUAL = (" ", "\n", "a", "0", "-", "_", ".", ",", '"', "\\", "`", "=", "<", "\x9d", "\u2028")
_ENDS = ("\x00", "a")


@dataclass(frozen=True)
class Found:
    """A pattern: where it is, and the methods by which it is used (``search`` where that is not known)."""

    where: str
    pattern: re.Pattern[Any]
    methods: frozenset[str]


def modules() -> list[ModuleType]:
    """Every module of the program, imported."""
    found = []
    for root in ROOTS:
        package = importlib.import_module(root)
        found.append(package)
        for item in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{root}."):
            if item.name not in _SCRIPTS:
                found.append(importlib.import_module(item.name))
    return found


def _kept(name: str, value: Any, depth: int, seen: set[int]) -> Iterator[tuple[str, re.Pattern[Any]]]:
    """The patterns that a value keeps, in containers, attributes and closures, with the name they are used by."""
    if isinstance(value, re.Pattern):
        yield name, value
        return
    if depth > 7 or id(value) in seen or isinstance(value, ModuleType | str | bytes | int | float):
        return
    seen.add(id(value))
    inner: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        inner = [("", item) for item in (*value.keys(), *value.values())]
    elif isinstance(value, list | tuple | set | frozenset):
        inner = [("", item) for item in value]
    elif inspect.isfunction(value):
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=False)
        inner = [(name, cell.cell_contents) for name, cell in cells if _filled(cell)]
        inner += [("", item) for item in (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values())]
    elif type(value).__module__.partition(".")[0] in ROOTS or inspect.isclass(value):
        if inspect.isclass(value) and value.__module__.partition(".")[0] not in ROOTS:
            return
        inner = [*getattr(value, "__dict__", {}).items()]
        inner += [(slot, getattr(value, slot, None)) for slot in getattr(type(value), "__slots__", ())]
    elif isinstance(value, partial):
        inner = [("", item) for item in (value.func, *value.args)] + [*value.keywords.items()]
    for name, item in inner:
        yield from _kept(name, item, depth + 1, seen)


def _filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


class _Calls(ast.NodeVisitor):
    """The uses of patterns in one source: methods by name, and what is given to ``re`` itself."""

    def __init__(self, scope: dict[str, Any]) -> None:
        self.scope = scope
        self.methods: dict[str, set[str]] = {}
        self.literals: list[tuple[int, str, Any, int]] = []

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        of = node.func
        if not isinstance(of, ast.Attribute):
            return
        if isinstance(of.value, ast.Name) and of.value.id == "re" and of.attr in (*_METHODS, "compile") and node.args:
            text = _text(node.args[0], self.scope)
            flags = [word.value for word in node.keywords if word.arg == "flags"]
            place = {"sub": 4, "subn": 4, "compile": 1}.get(of.attr, 2)
            flags += node.args[place : place + 1]
            number = eval(compile(ast.Expression(flags[0]), "flags", "eval"), {"re": re}) if flags else 0
            if text is not None:
                self.literals.append((node.lineno, of.attr, text, int(number)))
        elif of.attr in _METHODS and isinstance(of.value, ast.Name | ast.Attribute):
            name = of.value.id if isinstance(of.value, ast.Name) else of.value.attr
            self.methods.setdefault(name, set()).add(of.attr)


def _text(node: ast.expr, scope: dict[str, Any]) -> Any:
    """A literal, or an f-string in which a name stands for what the module calls so, or for a word."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left, scope), _text(node.right, scope)
        return None if left is None and right is None else (left or "word") + (right or "word")
    if isinstance(node, ast.JoinedStr):
        parts = []
        for part in node.values:
            if isinstance(part, ast.Constant):
                parts.append(str(part.value))
            else:
                inside = part.value if isinstance(part, ast.FormattedValue) else part
                known = scope.get(inside.id) if isinstance(inside, ast.Name) else None
                parts.append(known if isinstance(known, str) else "word")
        return "".join(parts)
    return None


def every_pattern() -> list[Found]:
    """Every pattern of the program, each once."""
    from checks.fingerprint.systems import signatures

    all_modules = modules()
    calls: list[tuple[ModuleType, _Calls]] = []
    by_attribute: dict[str, set[str]] = {}
    for module in all_modules:
        visitor = _Calls(vars(module))
        visitor.visit(ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8")))
        calls.append((module, visitor))
        for name, used in visitor.methods.items():
            by_attribute.setdefault(name, set()).update(used)
    found: dict[tuple[Any, int], Found] = {}

    def note(where: str, pattern: re.Pattern[Any], used: set[str]) -> None:
        key = (pattern.pattern, pattern.flags)
        before = found.get(key)
        both = frozenset(used) | (before.methods if before else frozenset())
        found[key] = Found(before.where if before else where, pattern, both)

    for module, visitor in calls:
        for name, value in vars(module).items():
            made_here = not (inspect.isfunction(value) or inspect.isclass(value)) or value.__module__ == module.__name__
            if name.startswith("__") or not made_here:
                continue
            for used_as, pattern in _kept(name, value, 0, set()):
                known = visitor.methods.get(used_as) or by_attribute.get(used_as)
                note(f"{module.__name__}.{name}", pattern, known or {"search"})
    for system in signatures().values():
        for signal in system.signals:
            note(f"{system.id}.toml", signal.pattern, {"search"})
            note(f"{system.id}.toml", signal.name_pattern, {"fullmatch"})
    for module, visitor in calls:
        for line, method, text, flags in visitor.literals:
            if method != "compile":
                note(f"{module.__name__}:{line}", re.compile(text, flags), {method})
            elif (re.compile(text, flags).pattern, re.compile(text, flags).flags) not in found:
                note(f"{module.__name__}:{line}", re.compile(text, flags), {"search"})
    return list(found.values())


# Texts ---------------------------------------------------------------------------------------------------


def _literals(tree: Any) -> Iterator[str]:
    for op, argument in tree:
        if op in (parser.LITERAL, parser.NOT_LITERAL):
            yield chr(argument)
        elif op is parser.IN:
            for kind, value in argument:
                if kind is parser.LITERAL:
                    yield chr(value)
                elif kind is parser.RANGE:
                    yield chr(value[0])
        else:
            for part in _parts(op, argument):
                yield from _literals(part)


def _parts(op: Any, argument: Any) -> list[Any]:
    """The parses inside one node."""
    if op in (parser.MAX_REPEAT, parser.MIN_REPEAT, parser.POSSESSIVE_REPEAT):
        return [argument[2]]
    if op is parser.SUBPATTERN:
        return [argument[3]]
    if op is parser.BRANCH:
        return list(argument[1])
    if op in (parser.ASSERT, parser.ASSERT_NOT):
        return [argument[1]]
    if op is parser.ATOMIC_GROUP:
        return [argument]
    if op is parser.GROUPREF_EXISTS:
        return [part for part in argument[1:] if part is not None]
    return []


class _Maker:
    """Samples of what a parse matches."""

    def __init__(self, pattern: re.Pattern[Any]) -> None:
        text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
        self.tree = parser.parse(text, pattern.flags & ~re.DEBUG)
        self.pool = tuple(dict.fromkeys((*_literals(self.tree), *_USUAL)))
        self.groups: dict[int, str] = {}
        #: Beginning, what may be repeated after it, for everything that may be repeated often.
        self.pumps: list[tuple[str, str]] = []
        self.beginnings: list[str] = []

    def fitting(self, tree: Any, most: int = 5) -> list[str]:
        """Single characters of the pool that a one-character node matches."""
        found = [char for char in self.pool if all(self._fits(op, argument, char) for op, argument in tree)]
        return found[:most]

    @staticmethod
    def _fits(op: Any, argument: Any, char: str) -> bool:
        if op is parser.ANY:
            return True
        if op is parser.LITERAL:
            return chr(argument) == char
        if op is parser.NOT_LITERAL:
            return chr(argument) != char
        if op is not parser.IN:
            return False
        negated, inside = False, False
        for kind, value in argument:
            if kind is parser.NEGATE:
                negated = True
            elif kind is parser.LITERAL:
                inside |= chr(value) == char
            elif kind is parser.RANGE:
                inside |= value[0] <= ord(char) <= value[1]
            else:
                word = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}[
                    str(value).removeprefix("CATEGORY_").split("_")[-1]
                ]
                belongs = re.match(word, char) is not None
                inside |= belongs != ("NOT" in str(value))
        return inside != negated

    def walk(self, tree: Any, before: str, *, note: bool = True) -> str:
        """A text that this parse matches; what is repeated in it, and how it begins, is noted."""
        made = ""
        for op, argument in tree:
            if op in (parser.LITERAL, parser.NOT_LITERAL, parser.IN, parser.ANY):
                made += next(iter(self.fitting([(op, argument)])), "a")
            elif op in (parser.MAX_REPEAT, parser.MIN_REPEAT, parser.POSSESSIVE_REPEAT):
                least, most, inner = argument
                if note and most > 60:
                    single = len(inner) == 1 and inner[0][0] in (
                        parser.LITERAL,
                        parser.NOT_LITERAL,
                        parser.IN,
                        parser.ANY,
                    )
                    bodies = self.fitting(inner) if single else [self.walk(inner, before + made)]
                    self.pumps += [(before + made, body) for body in bodies if body]
                once = self.walk(inner, before + made, note=note and most <= 60)
                made += once * min(max(least, 0), 40)
            elif op is parser.SUBPATTERN:
                part = self.walk(argument[3], before + made, note=note)
                self.groups[argument[0] or 0] = part
                made += part
            elif op is parser.BRANCH:
                parts = [self.walk(part, before + made, note=note) for part in argument[1]]
                made += parts[0]
            elif op is parser.ATOMIC_GROUP:
                made += self.walk(argument, before + made, note=note)
            elif op is parser.ASSERT and argument[0] > 0:
                self.walk(argument[1], before + made, note=note)
            elif op is parser.GROUPREF:
                made += self.groups.get(argument, "")
            if note and made and len(self.beginnings) < 24:
                self.beginnings.append(before + made)
        return made


def attacks(pattern: re.Pattern[Any]) -> list[tuple[str, str, str]]:
    """Texts as (beginning, what is repeated, end), each once."""
    maker = _Maker(pattern)
    whole = maker.walk(maker.tree, "")
    found: list[tuple[str, str, str]] = []
    for before, body in maker.pumps:
        found += [(before, body, end) for end in _ENDS]
        found.append(("", before + body, "\x00"))
        found.append((before + body, before, "\x00"))
        found.append((before, body + " ", "\x00"))
    repeated = [whole, whole[:-1], *maker.beginnings[:: max(1, len(maker.beginnings) // 8)]]
    found += [("", text, end) for text in repeated if text for end in ("", "\x00")]
    found += [("", char, "\x00") for char in maker.pool[:16]]
    return [attack for attack in dict.fromkeys(found) if attack[1]]


def made(attack: tuple[str, str, str], size: int) -> str:
    """The text of an attack with about so many characters."""
    before, body, end = attack
    return before + body * max(1, (size - len(before) - len(end)) // len(body)) + end


# Time ----------------------------------------------------------------------------------------------------


def uses(found: Found) -> list[Callable[[Any], Any]]:
    """What the program does with a pattern, as functions of a text."""
    pattern = found.pattern
    calls: list[Callable[[Any], Any]] = []
    if found.methods - {"match", "fullmatch"}:
        calls.append(lambda text: sum(1 for _ in pattern.finditer(text)))
    if "match" in found.methods:
        calls.append(pattern.match)
    if "fullmatch" in found.methods:
        calls.append(pattern.fullmatch)
    return calls


def seconds(call: Callable[[Any], Any], text: Any, tries: int = 1) -> float:
    """Processor seconds of one call: the best of so many."""
    best = float("inf")
    for _ in range(tries):
        begin = time.thread_time()
        call(text)
        best = min(best, time.thread_time() - begin)
    return best


#: The first sizes, and seconds that a text of so many characters may take: exponential time shows in the first two.
_LADDER = {16: 0.004, 22: 0.006, 64: 0.01, 512: 0.02, 4_096: 0.06}
SIZE = 4_096
FULL = 65_536
#: From one size to one 4 times as large the time may grow so much: 4 is linear, 16 quadratic.
_GROWTH = 8.0
#: Below this the time for ``SIZE`` characters grows no further than the ladder allows.
_QUICK_S = 0.0002
_FOLLOWED = 3


def first_steps(call: Callable[[Any], Any], text_of: Callable[[int], Any]) -> tuple[float, str | None]:
    """Seconds for a text of ``SIZE`` characters; and what took too long on the way there, or None."""
    took = 0.0
    for size, limit in _LADDER.items():
        text = text_of(size)
        took = seconds(call, text)
        if took > limit and (took := seconds(call, text, 3)) > limit:
            return took, f"{took:.3f} s for {size} characters"
    return took, None


def growth(call: Callable[[Any], Any], text_of: Callable[[int], Any], full: int = FULL) -> str | None:
    """How the time of a call grows with the text, if faster than the text; None if it is close to linear."""
    size, took = SIZE, seconds(call, text_of(SIZE), 3)
    while size < full:
        size *= 4
        grown = seconds(call, text_of(size))
        if grown > max(took, _QUICK_S) * _GROWTH:
            took, grown = seconds(call, text_of(size // 4), 3), seconds(call, text_of(size), 3)
            if grown > max(took, _QUICK_S) * _GROWTH:
                return f"{took:.4f} s for {size // 4} characters, {grown:.3f} s for {size}"
        took = grown
    return None


def flaw(found: Found) -> str | None:
    """An attack to which a pattern yields, in words, or None."""
    encodes = isinstance(found.pattern.pattern, bytes)

    def text_of(attack: tuple[str, str, str]) -> Callable[[int], Any]:
        return lambda size: made(attack, size).encode("utf-8", "replace") if encodes else made(attack, size)

    for call in uses(found):
        times: list[tuple[float, tuple[str, str, str]]] = []
        for attack in attacks(found.pattern):
            took, slow = first_steps(call, text_of(attack))
            if slow:
                return f"{attack}: {slow}"
            times.append((took, attack))
        for _, attack in sorted(times, reverse=True)[:_FOLLOWED]:
            if slow := growth(call, text_of(attack)):
                return f"{attack}: {slow}"
    return None

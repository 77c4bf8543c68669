"""Drawing SVG that is safe in a page: elements, never strings of markup."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from probe.wording import seconds
from reports.text import visible

Element = ElementTree.Element


@dataclass(frozen=True)
class Axis:
    """Time from left to right: 0 s at ``left``, ``longest_s`` at ``right``."""

    left: float
    right: float
    longest_s: float

    def at(self, time_s: float) -> float:
        """The position of a time."""
        return self.left + min(max(time_s, 0.0), self.longest_s) * (self.right - self.left) / self.longest_s

    def span(self, start_s: float, length_s: float, least: float = 2.0) -> tuple[float, float]:
        """Position and width of a bar, which is at least so wide."""
        x = self.at(start_s)
        return x, max(least, self.at(start_s + length_s) - x)


def drawing(width: float, height: float, title: str, description: str) -> Element:
    """An SVG element with an accessible name and description."""
    root = ElementTree.Element(
        "svg",
        {"viewBox": f"0 0 {width:g} {height:g}", "role": "img", "class": "chart", "preserveAspectRatio": "xMinYMin"},
    )
    ElementTree.SubElement(root, "title").text = visible(title)
    ElementTree.SubElement(root, "desc").text = visible(description)
    return root


def add(parent: Element, tag: str, kind: str, **numbers: float) -> Element:
    """Add an element of a CSS class with numeric attributes."""
    attributes = {name: f"{value:.2f}".rstrip("0").rstrip(".") for name, value in numbers.items()}
    return ElementTree.SubElement(parent, tag, {"class": kind, **attributes})


def label(parent: Element, x: float, y: float, text: str, kind: str = "label", anchor: str = "start") -> None:
    """Add text."""
    made = add(parent, "text", kind, x=x, y=y)
    made.set("text-anchor", anchor)
    made.text = visible(text)


def tooltip(element: Element, text: str) -> None:
    """Add a text that is shown when the pointer is over the element."""
    ElementTree.SubElement(element, "title").text = visible(text)


def path(parent: Element, kind: str, steps: str) -> Element:
    """Add a path."""
    return ElementTree.SubElement(parent, "path", {"class": kind, "d": steps})


def grid(root: Element, axis: Axis, top: float, bottom: float) -> None:
    """Add vertical lines at round times, and their labels below."""
    for tick in ticks(axis.longest_s, most=8 if axis.right > 400 else 4):
        add(root, "line", "grid", x1=axis.at(tick), x2=axis.at(tick), y1=top, y2=bottom)
        label(root, axis.at(tick), bottom + 16, seconds(tick), anchor="middle")


def ticks(longest_s: float, most: int = 8) -> list[float]:
    """Round times from 0 to the longest, at most so many."""
    if longest_s <= 0:
        return [0.0]
    for power in range(-4, 7):
        for step in (1, 2, 5):
            width = step * 10.0**power
            if longest_s / width <= most:
                return [round(number * width, 6) for number in range(int(longest_s / width) + 1)]
    return [0.0]


def markup(root: Element) -> str:
    """The drawing as markup."""
    return ElementTree.tostring(root, encoding="unicode")

"""The page's figures as standalone SVG files, with a title, the names of the lines, and the page's colors."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from thinnet.report import charts, svg
from thinnet.report.groups import Group
from thinnet.report.page import Details, asset
from thinnet.report.svg import LINE, MOST_CLASSES, WIDTH, element

# In pixels: around a picture, and from the top of a title to its picture.
MARGIN, BELOW = 14, 26
MOST_LETTERS = 40  # characters of a label in a figure
LONGEST_NAME = 60  # characters of a label used in a file name
Keys = Sequence[tuple[str, int]]  # labels and their group numbers


def figures_of(groups: Sequence[Group], details: Sequence[Details]) -> dict[str, str]:
    """Every figure of the page as the text of an SVG file, by the file's name."""
    return {f"{name}.svg": figure for name, figure in _figures(groups, details)}


def line_figure(panels: Sequence[charts.Chart], title: str = "") -> str:
    """Charts with the same lines side by side, as the text of an SVG file."""
    keys = [(line.label, line.group) for line in panels[0].series]
    named = [(f"{one.title}{', logarithmic' if one.logarithmic else ''}", svg.line_chart(one)) for one in panels]
    return _file(named, keys if len(keys) > 1 else (), title)


def _figures(groups: Sequence[Group], details: Sequence[Details]) -> Iterator[tuple[str, str]]:
    diagnosed = [(detail.group, detail.diagnostics) for detail in details if detail.diagnostics]
    calibration = [charts.calibration(diagnosed)] if diagnosed else []
    for chart in (*charts.curves(groups), *charts.against(groups), *calibration):
        yield chart.name, line_figure([chart])
    filled = [(group, diagnostics) for group, diagnostics in diagnosed if diagnostics.layers]
    if filled:
        keys = [(group.label, group.number) for group, _ in filled]
        yield "units", _file([("Units above zero", svg.layer_bars(filled))], keys)
    taken: set[str] = set()
    for detail in details:
        name = re.sub(r"[^\w.]+", "-", detail.group.label).strip("-")[:LONGEST_NAME]
        name = f"{name}-{detail.group.number}" if name in taken else name
        taken.add(name)
        for kind, title, picture in _of_one(detail):
            yield f"{kind}-{name}", _file([(f"{title}, {_short(detail.group.label)}", picture)])


def _of_one(detail: Details) -> Iterator[tuple[str, str, str]]:
    found, names = detail.diagnostics, detail.names
    if found and len(names) <= MOST_CLASSES:
        yield "confusion", "Confusions", svg.confusion(found.confusion, names)
    if detail.weights:
        yield "weights", "First-layer weights", svg.pictures(detail.weights, 6)
    if found and detail.mistakes:
        titles = [[f"{names[m.answer]} {m.confidence:.0%}", f"is {names[m.label]}"] for m in found.mistakes]
        yield "mistakes", "Most confident mistakes", svg.pictures(detail.mistakes, 4, titles)


def _file(panels: Sequence[tuple[str, str]], keys: Keys = (), title: str = "") -> str:
    """Drawings side by side with their titles, an overall title above, and a line of text below for each key."""
    parts = [element("rect", width="100%", height="100%", fill="white")]
    top = MARGIN
    if title:
        top += LINE
        parts.append(element("text", text=title, class_="name", x=MARGIN, y=top - 6))
    height = 0.0
    for k, (name, drawing) in enumerate(panels):
        x = MARGIN + k * (WIDTH + MARGIN)
        parts.append(element("text", text=name, class_="name", x=x, y=top + 12))
        parts.append(element("g", drawing, transform=f"translate({x} {top + BELOW})"))
        height = max(height, *map(float, re.findall(r'^<svg [^>]*?\bheight="([\d.]+)"', drawing)))
    bottom = top + BELOW + height
    for k, (label, number) in enumerate(keys):
        y = bottom + LINE * (k + 1)
        dashes = svg.dashes(number)
        line = element("line", class_="line", x1=MARGIN, x2=MARGIN + 18, y1=y - 4, y2=y - 4, stroke_dasharray=dashes)
        parts.append(
            element("g", line, element("text", text=_short(label), x=MARGIN + 26, y=y), style=svg.color(number))
        )
    size: dict[str, Any] = {
        "width": MARGIN + len(panels) * (WIDTH + MARGIN),
        "height": round(bottom + LINE * len(keys) + MARGIN, 1),
    }
    namespace = "http://www.w3.org/2000/svg"
    mark = element("metadata", name_="generator", content="thinnet report")
    text = element("svg", mark, element("style", text=asset("figures.css")), *parts, xmlns=namespace, **size)
    return _plain(text) + "\n"


def _plain(text: str) -> str:
    """A drawing without the page's script attributes and CSS variables, in the page's light colors."""
    text = re.sub(r' (?:data-chart|tabindex)="[^"]*"', "", text)
    values = dict(re.findall(r"(--\w+): (#\w+);", asset("page.css").partition("@media")[0]))
    for number in range(charts.NUM_COLORS):
        text = text.replace(svg.color(number), f"color:{values[f'--g{number}']}")
    text = text.replace("var(--c)", "currentColor")
    return re.sub(r"var\((--\w+)\)", lambda found: values[found[1]], text)


def _short(label: str) -> str:
    """A label, shortened in the middle if it is long."""
    return label if len(label) <= MOST_LETTERS else f"{label[: MOST_LETTERS // 2]}…{label[-MOST_LETTERS // 2 :]}"

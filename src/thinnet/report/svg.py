"""Charts as inline SVG; the page's CSS colors them and its script makes them interactive."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from thinnet.report.charts import NUM_COLORS, Chart, Series, powers, ticks
from thinnet.report.diagnostics import Diagnostics, Layer
from thinnet.report.groups import Group
from thinnet.report.png import data_uri
from thinnet.statistics import rounded
from thinnet.typing import AnyArray, IntArray

WIDTH, HEIGHT = 400, 260
LINE = 20  # pixels between lines of text
LEFT, RIGHT, TOP, BOTTOM = 46, 388, 10, 220
MOST_CLASSES = 100  # a confusion matrix of more classes is unreadable
MOST_COUNTED = 14  # up to this many classes, each cell of the confusion matrix shows its count
TURNED_FROM = 40  # pixels; longer class names are rotated below the columns


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic map from an interval of values to an interval of pixels."""

    low: float
    high: float
    start: float  # the position of `low`
    end: float
    logarithmic: bool = False
    whole: bool = False  # whether only whole numbers make sense

    def position(self, value: float) -> float:
        """The position of a value, clipped to the axis."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log10(low), math.log10(high), math.log10(max(value, low))
        share = (value - low) / (high - low) if high > low else 0.5
        return round(self.start + min(1.0, max(0.0, share)) * (self.end - self.start), 2)

    @property
    def ticks(self) -> list[float]:
        """Round values for the labels."""
        if self.logarithmic:
            return powers(self.low, self.high)
        found = ticks(self.low, self.high)
        return [value for value in found if value.is_integer()] if self.whole else found


def axes(chart: Chart, left: float, right: float, top: float, bottom: float) -> tuple[Axis, Axis]:
    """The two axes of a chart, in pixels, with y growing downward."""
    xs = [x for line in chart.series for x in line.x] or [0.0, 1.0]
    ys = [y for line in chart.series for y in (*line.y, *line.low, *line.high) if math.isfinite(y)] or [0.0, 1.0]
    if chart.diagonal:
        return Axis(0, 1, left, right), Axis(0, 1, bottom, top)
    x = Axis(min(xs), max(xs), left, right, whole=all(value.is_integer() for value in xs))
    if chart.logarithmic:
        positive = [y for line in chart.series for y in line.y if y > 0]
        return x, Axis(min(positive) / 1.3, max(positive) * 1.3, bottom, top, logarithmic=True)
    pad = 0.06 * (max(ys) - min(ys)) or 0.05
    low, high = min(ys) - pad, max(ys) + pad
    if chart.fraction:
        low, high = max(low, 0.0) if low > -1 else low, min(high, 1.0)  # R² may be far below zero
    else:
        low = max(low, 0.0)
    return x, Axis(low, high, bottom, top)


def written(value: float) -> str:
    """The label of a tick."""
    if value and (abs(value) < 1e-3 or abs(value) >= 1e5):
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value:,.10g}"


def element(name: str, *children: str, text: str = "", **attributes: Any) -> str:
    """An element with everything escaped; ``_`` in a name becomes ``-``, and a trailing ``_`` is dropped.

    >>> element("text", text="a < b", class_="axis", x=1)
    '<text class="axis" x="1">a &lt; b</text>'
    """
    given = [(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not None]
    head = name + "".join(f' {key}="{escape(str(value))}"' for key, value in given)
    inside = "".join(children) + escape(text)
    return f"<{head}>{inside}</{name}>" if inside else f"<{head}/>"


def line_chart(chart: Chart) -> str:
    """A chart with axes, bands and lines; the data shown on hover are in the attribute ``data-chart``."""
    x, y = axes(chart, LEFT, RIGHT, TOP, BOTTOM)
    parts = [_grid(chart, x, y)]
    if chart.diagonal:
        parts.append(element("line", class_="diagonal", x1=LEFT, y1=BOTTOM, x2=RIGHT, y2=TOP))
    parts += [_band(chart, line, x, y) for line in chart.series if line.low]
    parts += [_line(chart, line, x, y) for line in chart.series]
    parts.append(element("g", class_="cursor"))
    hover = json.dumps(_hover(chart, x, y), separators=(",", ":"))
    return picture(chart.alt, *parts, height=HEIGHT, tabindex=0, class_="chart", data_chart=hover)


def picture(alt: str, *parts: str, height: float, **attributes: Any) -> str:
    """A drawing of this height and the common width; `alt` describes it."""
    box = f"0 0 {WIDTH} {height}"
    return element("svg", *parts, viewBox=box, width=WIDTH, height=height, role="img", aria_label=alt, **attributes)


def pictures(given: Sequence[AnyArray], columns: int, titles: Sequence[Sequence[str]] = (), alt: str = "") -> str:
    """Pictures in a grid, each with its lines of text below."""
    side = WIDTH / columns
    row = side + (2 * LINE if titles else 0)
    parts = []
    for k, one in enumerate(given):
        x, y = round(k % columns * side, 1), round(k // columns * row, 1)
        size: dict[str, Any] = {"width": round(side - 6, 1), "height": round(side - 6, 1)}
        parts.append(element("image", href=data_uri(one), x=x, y=y, **size))
        lines = enumerate(titles[k] if titles else ())
        parts += [element("text", text=text, x=x, y=round(y + side + 8 + 15 * n, 1)) for n, text in lines]
    return picture(alt, *parts, height=round(-(-len(given) // columns) * row, 1))


def _grid(chart: Chart, x: Axis, y: Axis) -> str:
    parts = []
    for value in y.ticks:
        position = y.position(value)
        parts.append(element("line", class_="grid", x1=LEFT, x2=RIGHT, y1=position, y2=position))
        parts.append(element("text", text=written(value), x=LEFT - 6, y=position + 4, text_anchor="end"))
    for value in x.ticks:
        parts.append(element("text", text=written(value), x=x.position(value), y=BOTTOM + 17, text_anchor="middle"))
    parts.append(element("line", class_="axis", x1=LEFT, x2=RIGHT, y1=BOTTOM, y2=BOTTOM))
    middle = (LEFT + RIGHT) / 2
    parts.append(element("text", text=chart.x_label, class_="name", x=middle, y=HEIGHT - 5, text_anchor="middle"))
    return element("g", *parts, aria_hidden="true")


def _band(chart: Chart, line: Series, x: Axis, y: Axis) -> str:
    forth = [f"{x.position(a)},{y.position(b)}" for a, b in zip(line.x, line.high, strict=True)]
    back = [f"{x.position(a)},{y.position(b)}" for a, b in zip(line.x, chart.low(line), strict=True)]
    return element("polygon", class_="band", **_owned(chart, line), points=" ".join(forth + back[::-1]))


def _line(chart: Chart, line: Series, x: Axis, y: Axis) -> str:
    pixels = [(x.position(a), y.position(b)) for a, b in zip(line.x, line.y, strict=True)]
    points = " ".join(f"{a},{b}" for a, b in pixels)
    parts = [element("polyline", class_="line", stroke_dasharray=dashes(line.group), points=points)]
    if line.dots or len(pixels) == 1:
        parts += [element("circle", cx=a, cy=b, r=3) for a, b in pixels]
    return element("g", *parts, class_="series", **_owned(chart, line))


def _owned(chart: Chart, line: Series) -> dict[str, Any]:
    """The color of a line, and the group whose switch shows or hides it."""
    return {"style": color(line.group), "data_group": None if chart.own_legend else line.group}


def color(number: int) -> str:
    """The style for the color of a group; the style sheet defines it for light and dark mode."""
    return f"--c:var(--g{number % NUM_COLORS})"


def dashes(number: int) -> str | None:
    """How the line of a group is dashed if its color has been used before."""
    return "6 4" if number >= NUM_COLORS else None


def _hover(chart: Chart, x: Axis, y: Axis) -> dict[str, Any]:
    lines = []
    for line in chart.series:
        read = [f"{v:.4g}" if chart.diagonal else written(v) for v in line.x]
        pixels = {"px": [x.position(v) for v in line.x], "py": [y.position(v) for v in line.y]}
        named = {"group": line.group, "label": line.label, "color": line.group % NUM_COLORS}
        lines.append({**named, **pixels, "x": read, "y": _readings(line)})
    return {"x": chart.x_label, "top": TOP, "bottom": BOTTOM, "series": lines}


def _readings(line: Series) -> list[str]:
    if not line.low:
        return [f"{v:.3g}" if abs(v) < 0.001 else rounded(v) for v in line.y]
    return [f"{rounded(v)} ± {rounded(high - v)}" for v, high in zip(line.y, line.high, strict=True)]


def layer_bars(diagnosed: Sequence[tuple[Group, Diagnostics]]) -> str:
    """For each hidden layer and group, the number of units above zero: in test mode, and with dropout."""
    rows, sentences, top = [], ["Units above zero in each hidden layer, averaged over rows."], 0.0
    widest = max(layer.width for _, diagnostics in diagnosed for layer in diagnostics.layers)
    for number in range(max(len(diagnostics.layers) for _, diagnostics in diagnosed)):
        rows.append(element("text", text=f"Layer {number + 1}", class_="name", x=0, y=top + 12))
        top += 18
        for group, diagnostics in diagnosed:
            for layer in diagnostics.layers[number : number + 1]:
                modes = f"{layer.active:.0f} of {layer.width} units in test mode, {layer.thinned:.0f} in training mode"
                sentences.append(f"{group.label}, layer {number + 1}: {modes}.")
                rows.append(_bars(group, layer, sentences[-1], 225 / widest, top))
                top += 36
        top += 6
    return picture(" ".join(sentences), *rows, height=top, class_="bars")


def _bars(group: Group, layer: Layer, label: str, span: float, top: float) -> str:
    parts = [element("title", text=label)]
    whole = round(layer.width * span, 1)
    for y, value, name, kind in (
        (top, layer.active, "test", "active"),
        (top + 16, layer.thinned, "training", "thinned"),
    ):
        parts.append(element("rect", class_="track", x=0, y=y, width=whole, height=13, rx=2))
        parts.append(element("rect", class_=kind, x=0, y=y, width=round(value * span, 1), height=13, rx=2))
        parts.append(element("text", text=f"{value:.0f} of {layer.width} in {name}", x=whole + 8, y=y + 11))
    return element("g", *parts, data_group=group.number, style=color(group.number))


def confusion(counts: IntArray, names: Sequence[str]) -> str:
    """The confusion matrix: true classes in rows, answers in columns; blue if they agree, orange if not."""
    size = len(counts)
    left, top = 12 + 6.6 * min(12, max(map(len, names))), 8.0
    cell = (WIDTH - left - 4) / size
    parts = list(_class_names(names, left, top, cell)) if size <= 2 * MOST_COUNTED else []
    if size > MOST_COUNTED:  # one background for all cells: with many classes, most cells are empty
        parts.append(_square("empty", round(left, 1), top, size * cell))
    for i, j in np.ndindex(size, size):
        if size <= MOST_COUNTED or counts[i, j]:
            parts.append(_cell(counts, names, (i, j), (left + j * cell, top + i * cell), cell - 1.5))
    height = top + size * cell + (left if left > TURNED_FROM else 24) - 4
    return picture(confusion_text(counts, names), *parts, height=round(height, 1), class_="confusion")


def _class_names(names: Sequence[str], left: float, top: float, cell: float) -> Iterator[str]:
    """The class names beside the rows and below the columns, rotated if they are long."""
    foot = top + len(names) * cell + 14
    for k, name in enumerate(names):
        yield element("text", text=name[:12], x=left - 7, y=top + (k + 0.5) * cell + 4, text_anchor="end")
        x = left + (k + 0.5) * cell
        turned = {"text_anchor": "end", "transform": f"rotate(-45 {x:.1f} {foot:.1f})"}
        placed = turned if left > TURNED_FROM else {"text_anchor": "middle"}
        yield element("text", text=name[:12], x=round(x, 1), y=foot, **placed)


def _cell(counts: IntArray, names: Sequence[str], at: tuple[int, int], xy: tuple[float, float], side: float) -> str:
    count, (i, j), (x, y) = int(counts[at]), at, xy
    corner = round(x, 1), round(y, 1)
    label = f"true {names[i]}, answered {names[j]}: {count}"
    parts = [element("title", text=label), _square("empty", *corner, side)]
    if count:
        share = count / float(counts[i].sum())
        strength = round(min(1.0, 0.12 + (0.88 * share if i == j else 2.5 * share)), 3)
        parts.append(_square("right" if i == j else "wrong", *corner, side, fill_opacity=strength))
        if len(counts) <= MOST_COUNTED:
            middle = {"x": round(x + side / 2, 1), "y": round(y + side / 2 + 4, 1), "text_anchor": "middle"}
            parts.append(element("text", text=str(count), class_="count on" if strength > 0.7 else "count", **middle))
    return element("g", *parts)


def _square(kind: str, x: float, y: float, side: float, **attributes: Any) -> str:
    return element("rect", class_=kind, x=x, y=y, width=round(side, 1), height=round(side, 1), rx=2, **attributes)


def confusion_text(counts: IntArray, names: Sequence[str]) -> str:
    """A description of the confusion matrix in a sentence or two."""
    wrong = counts - np.diag(np.diag(counts))
    text = f"Confusions: {np.trace(counts)} of {counts.sum()} answers are right."
    i, j = divmod(int(wrong.argmax()), len(counts))
    if wrong[i, j]:
        text += f" The most common mistake is {names[i]} taken for {names[j]}, {wrong[i, j]} times."
    return text

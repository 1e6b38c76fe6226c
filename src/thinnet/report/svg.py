"""Charts as inline SVG, which a page's style colors and its script brings to life."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

from thinnet.report.charts import COLORS, Chart, Series
from thinnet.report.groups import Group
from thinnet.report.judge import Judgment, Layer
from thinnet.report.scale import Axis, axes, written
from thinnet.typing import IntArray

WIDTH, HEIGHT = 400, 260
LEFT, RIGHT, TOP, BOTTOM = 46, 388, 10, 220
MOST_CLASSES = 100  # confusions of more are no picture any longer
MOST_COUNTED = 14  # classes up to which each cell of the confusions has its number


def element(name: str, *children: str, text: str | None = None, **attributes: Any) -> str:
    """An element with everything escaped; ``_`` in a name becomes ``-``, a last ``_`` nothing.

    >>> element("text", text="a < b", class_="axis", x=1)
    '<text class="axis" x="1">a &lt; b</text>'
    """
    written_out = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(children) + (escape(text) if text is not None else "")
    return f"<{name}{written_out}>{inside}</{name}>" if inside else f"<{name}{written_out}/>"


def line_chart(chart: Chart) -> str:
    """A chart with axes, bands and lines; what hovering shows is in its attribute ``data-chart``."""
    x, y = axes(chart, LEFT, RIGHT, TOP, BOTTOM)
    parts = [_grid(chart, x, y)]
    if chart.diagonal:
        parts.append(element("line", class_="diagonal", x1=LEFT, y1=BOTTOM, x2=RIGHT, y2=TOP))
    parts += [_band(chart, one, x, y) for one in chart.series if one.low]
    parts += [_line(chart, one, x, y) for one in chart.series]
    parts.append(element("g", class_="cursor"))
    hover = json.dumps(_hover(chart, x, y), separators=(",", ":"))
    return _picture(chart.alt, *parts, height=HEIGHT, tabindex=0, class_="chart", data_chart=hover)


def _picture(alt: str, *parts: str, height: float, **attributes: Any) -> str:
    box = f"0 0 {WIDTH} {height}"
    return element("svg", *parts, viewBox=box, role="img", aria_label=alt, **attributes)


def _grid(chart: Chart, x: Axis, y: Axis) -> str:
    parts = []
    for value in y.ticks:
        place = y.place(value)
        parts.append(element("line", class_="grid", x1=LEFT, x2=RIGHT, y1=place, y2=place))
        parts.append(element("text", text=written(value), x=LEFT - 6, y=place + 4, text_anchor="end"))
    for value in x.ticks:
        parts.append(element("text", text=written(value), x=x.place(value), y=BOTTOM + 17, text_anchor="middle"))
    parts.append(element("line", class_="axis", x1=LEFT, x2=RIGHT, y1=BOTTOM, y2=BOTTOM))
    middle = (LEFT + RIGHT) / 2
    parts.append(element("text", text=chart.x_label, class_="name", x=middle, y=HEIGHT - 5, text_anchor="middle"))
    return element("g", *parts, aria_hidden="true")


def _band(chart: Chart, one: Series, x: Axis, y: Axis) -> str:
    forth = [f"{x.place(a)},{y.place(b)}" for a, b in zip(one.x, one.high, strict=True)]
    back = [f"{x.place(a)},{y.place(b)}" for a, b in zip(one.x, chart.low(one), strict=True)]
    return element("polygon", class_="band", **_owned(chart, one), points=" ".join(forth + back[::-1]))


def _line(chart: Chart, one: Series, x: Axis, y: Axis) -> str:
    places = [(x.place(a), y.place(b)) for a, b in zip(one.x, one.y, strict=True)]
    parts = [
        element(
            "polyline",
            class_="line",
            stroke_dasharray="6 4" if one.dashed else None,
            points=" ".join(f"{a},{b}" for a, b in places),
        )
    ]
    if one.dots or len(places) == 1:
        parts += [element("circle", cx=a, cy=b, r=3) for a, b in places]
    return element("g", *parts, class_="series", **_owned(chart, one))


def _owned(chart: Chart, one: Series) -> dict[str, Any]:
    """The color of a line, and the group whose switch shows and hides it."""
    return {"style": color(one.group), "data_group": None if chart.own_legend else one.group}


def color(number: int) -> str:
    """The style that gives something the color of a group, which the page's style knows for light and dark."""
    return f"--c:var(--g{number % len(COLORS)})"


def _hover(chart: Chart, x: Axis, y: Axis) -> dict[str, Any]:
    return {
        "x": chart.x_label,
        "top": TOP,
        "bottom": BOTTOM,
        "series": [
            {
                "group": one.group,
                "label": one.label,
                "color": one.group % len(COLORS),
                "px": [x.place(v) for v in one.x],
                "py": [y.place(v) for v in one.y],
                "x": [f"{v:.4g}" if chart.diagonal else written(v) for v in one.x],
                "y": _readings(one),
            }
            for one in chart.series
        ],
    }


def _readings(one: Series) -> list[str]:
    if not one.low:
        return [f"{v:.3g}" if abs(v) < 0.001 else f"{v:.3f}" for v in one.y]
    return [f"{v:.3f} ± {(high - v):.3f}" for v, high in zip(one.y, one.high, strict=True)]


def layer_bars(judged: Sequence[tuple[Group, Judgment]]) -> str:
    """For each hidden layer and group, the units that are above zero: in test mode, and with dropout's masks."""
    rows, place, told = [], 0.0, []
    widest = max(layer.width for _, judgment in judged for layer in judgment.layers)
    for number in range(max(len(judgment.layers) for _, judgment in judged)):
        rows.append(element("text", text=f"Layer {number + 1}", class_="name", x=0, y=place + 12))
        place += 18
        for group, judgment in judged:
            if number < len(judgment.layers):
                rows.append(_bars(group, judgment.layers[number], widest, place))
                told.append(_told(group, number, judgment.layers[number]))
                place += 36
        place += 6
    alt = "Units above zero in each hidden layer, on the average over rows. " + " ".join(told)
    return _picture(alt, *rows, height=place, class_="bars")


def _bars(group: Group, layer: Layer, widest: int, top: float) -> str:
    span = 225 / widest
    parts = [
        element(
            "title",
            text=f"{group.label}: {layer.active:.1f} of {layer.width} in test mode, {layer.thinned:.1f} in training",
        )
    ]
    for k, (value, name) in enumerate(((layer.active, "test"), (layer.thinned, "training"))):
        y = top + 16 * k
        parts.append(element("rect", class_="track", x=0, y=y, width=round(layer.width * span, 1), height=13, rx=2))
        width = round(value * span, 1)
        parts.append(element("rect", class_="thinned" if k else "active", x=0, y=y, width=width, height=13, rx=2))
        label = f"{value:.0f} of {layer.width} in {name}"
        parts.append(element("text", text=label, x=round(layer.width * span, 1) + 8, y=y + 11))
    return element("g", *parts, data_group=group.number, style=color(group.number))


def _told(group: Group, number: int, layer: Layer) -> str:
    return (
        f"{group.label}, layer {number + 1}: {layer.active:.0f} of {layer.width} units in test mode, "
        f"{layer.thinned:.0f} in training mode."
    )


def confusion(counts: IntArray, names: Sequence[str]) -> str:
    """True classes downward, answers rightward; blue where they agree, orange where they do not."""
    size = len(counts)
    left, top = 12 + 6.6 * min(12, max(map(len, names))), 8.0
    cell = (WIDTH - left - 4) / size
    totals = counts.sum(axis=1, keepdims=True).clip(min=1)
    parts = []
    if size > MOST_COUNTED:  # one ground for all cells: of many classes, most cells are empty
        side = round(size * cell, 1)
        parts.append(element("rect", class_="empty", x=round(left, 1), y=top, width=side, height=side, rx=2))
    for i in range(size):
        middle = top + (i + 0.5) * cell
        if size <= 2 * MOST_COUNTED:
            parts.append(element("text", text=names[i][:12], x=left - 7, y=middle + 4, text_anchor="end"))
            column, foot = left + (i + 0.5) * cell, top + size * cell + 14
            turned = f"rotate(-45 {column:.1f} {foot:.1f})" if left > 40 else None
            anchor = "end" if turned else "middle"
            parts.append(
                element("text", text=names[i][:12], x=round(column, 1), y=foot, text_anchor=anchor, transform=turned)
            )
        for j in range(size):
            if size > MOST_COUNTED and not counts[i, j]:
                continue
            parts.append(_cell(counts, totals, names, i, j, (left + j * cell, top + i * cell), cell))
    height = top + size * cell + (left if left > 40 else 24) - 4
    return _picture(confusion_told(counts, names), *parts, height=round(height, 1), class_="confusion")


def _cell(
    counts: IntArray, totals: IntArray, names: Sequence[str], i: int, j: int, at: tuple[float, float], size: float
) -> str:
    count = int(counts[i, j])
    share = count / float(totals[i, 0])
    x, y = (round(v, 1) for v in at)
    told = f"true {names[i]}, answered {names[j]}: {count}"
    strength = 0.0 if not count else round(min(1.0, 0.12 + (0.88 * share if i == j else 2.5 * share)), 3)
    parts = [element("title", text=told)]
    side = round(size - 1.5, 1)
    parts.append(element("rect", class_="empty", x=x, y=y, width=side, height=side, rx=2))
    if count:
        kind = "right" if i == j else "wrong"
        parts.append(element("rect", class_=kind, x=x, y=y, width=side, height=side, rx=2, fill_opacity=strength))
        if len(counts) <= MOST_COUNTED:
            bright = "count on" if strength > 0.7 else "count"
            place = {"x": round(at[0] + side / 2, 1), "y": round(at[1] + side / 2 + 4, 1)}
            parts.append(element("text", text=str(count), class_=bright, text_anchor="middle", **place))
    return element("g", *parts)


def confusion_told(counts: IntArray, names: Sequence[str]) -> str:
    """The confusions in a sentence or two."""
    wrong = counts.copy()
    for k in range(len(wrong)):
        wrong[k, k] = 0
    right = int(counts.sum() - wrong.sum())
    text = f"Confusions: {right} of {int(counts.sum())} answers are right."
    i, j = divmod(int(wrong.argmax()), len(counts))
    if wrong[i, j]:
        text += f" The commonest mistake is {names[i]} taken for {names[j]}, {int(wrong[i, j])} times."
    return text

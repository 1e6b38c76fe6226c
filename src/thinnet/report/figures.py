"""The page's figures as SVG and PNG files, drawn with Matplotlib."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thinnet.errors import require
from thinnet.report import charts
from thinnet.report.groups import Group
from thinnet.report.page import Details
from thinnet.report.svg import MOST_CLASSES
from thinnet.storage.files import write_atomically
from thinnet.typing import AnyArray, IntArray

MOST_LETTERS = 40  # of a label in a figure
LONGEST_NAME = 60  # letters of a label that go into a file's name


def save_figures(folder: Path, groups: Sequence[Group], details: Sequence[Details]) -> None:
    """Write every figure of the page into a folder, as SVG and as PNG.

    Raises:
        MissingExtraError: if Matplotlib is not installed.
        OSError: if a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in _figures(groups, details):
        for kind in ("svg", "png"):
            write_atomically(folder / f"{name}.{kind}", rendered(figure, kind))


def rendered(figure: Any, kind: str) -> bytes:
    """A figure as the bytes of a file, reproducibly."""
    buffer = io.BytesIO()
    matplotlib = require("matplotlib", extra="plot", purpose="drawing a figure")
    with matplotlib.rc_context({"svg.hashsalt": "thinnet", "svg.fonttype": "none"}):
        figure.savefig(buffer, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else {})
    return buffer.getvalue()


def _figures(groups: Sequence[Group], details: Sequence[Details]) -> Iterator[tuple[str, Any]]:
    """The name of each file, and its figure."""
    diagnosed = [(detail.group, detail.diagnostics) for detail in details if detail.diagnostics]
    calibration = [charts.calibration(diagnosed)] if diagnosed else []
    for chart in (*charts.curves(groups), *charts.against(groups), *calibration):
        yield chart.name, line_figure([chart])
    if any(diagnostics.layers for _, diagnostics in diagnosed):
        yield "units", _units(diagnosed)
    taken: set[str] = set()
    for detail in details:
        found = detail.diagnostics
        name = re.sub(r"[^\w.]+", "-", detail.group.label).strip("-")[:LONGEST_NAME]
        name = f"{name}-{detail.group.number}" if name in taken else name
        taken.add(name)
        if found and len(detail.names) <= MOST_CLASSES:
            yield f"confusion-{name}", _confusion(found.confusion, detail.names, detail.group.label)
        if detail.weights:
            yield f"weights-{name}", _pictures(detail.weights, 6, [""] * len(detail.weights))
        if found and detail.mistakes:
            kinds = detail.names
            titles = [f"{kinds[m.answer]} {m.confidence:.0%}\nis {kinds[m.label]}" for m in found.mistakes]
            yield f"mistakes-{name}", _pictures(detail.mistakes, 4, titles)


def _new(width: float, height: float) -> Any:
    module = require("matplotlib.figure", extra="plot", purpose="drawing a figure")
    return module.Figure(figsize=(width, height), layout="constrained")


def line_figure(panels: Sequence[charts.Chart], title: str = "") -> Any:
    """Charts side by side on one y axis, with one legend."""
    figure = _new(5.4 * len(panels), 4)
    for axes, chart in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _lines(axes, chart)
    figure.axes[0].legend()
    if title:
        figure.suptitle(title)
    return figure


def _lines(axes: Any, chart: charts.Chart) -> None:
    for line in chart.series:
        style = {"marker": "o" if line.dots else "", "markersize": 4, "linestyle": "--" if line.dashed else "-"}
        axes.plot(line.x, line.y, color=line.color, label=_short(line.label), **style)
        if line.low:
            axes.fill_between(line.x, chart.low(line), line.high, color=line.color, alpha=0.2, linewidth=0)
    if chart.diagonal:
        axes.plot([0, 1], [0, 1], color="gray", linestyle=":", linewidth=1)
    axes.set(title=chart.title, xlabel=chart.x_label, ylabel=chart.y_label)
    if chart.fraction:
        axes.set_ylim(top=1.02)
    if chart.logarithmic:
        axes.set_yscale("log")
    axes.grid(alpha=0.3)


def _units(diagnosed: Sequence[tuple[Group, Any]]) -> Any:
    names: list[str] = []
    figure = _new(7, 1.2 + 0.5 * sum(len(diagnostics.layers) for _, diagnostics in diagnosed))
    axes = figure.subplots()
    for group, diagnostics in diagnosed:
        color = charts.COLORS[group.number % len(charts.COLORS)]
        for number, layer in enumerate(diagnostics.layers, start=1):
            k = len(names)
            axes.barh(k, layer.width, height=0.8, color="#e8e8e8")
            axes.barh(k - 0.2, layer.active, height=0.4, color=color)
            axes.barh(k + 0.2, layer.thinned, height=0.4, color=color, alpha=0.55)
            names.append(f"layer {number}, {_short(group.label)}")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(title="Units above zero: in test mode, and with dropout's masks below", xlabel="Units")
    return figure


def _short(label: str) -> str:
    """A label, shortened in the middle where it is long."""
    return label if len(label) <= MOST_LETTERS else f"{label[: MOST_LETTERS // 2]}…{label[-MOST_LETTERS // 2 :]}"


def _confusion(counts: IntArray, names: Sequence[str], label: str) -> Any:
    figure = _new(6, 5.4)
    axes = figure.subplots()
    axes.imshow(counts, cmap="Blues")
    ticks = range(len(counts))
    axes.set_xticks(ticks, names, rotation=45, ha="right")
    axes.set_yticks(ticks, names)
    axes.set(title=f"Confusions, {_short(label)}", xlabel="Answer", ylabel="True class")
    for i, j in np.argwhere(counts):
        color = "white" if counts[i, j] > counts.max() / 2 else "black"
        axes.text(j, i, str(counts[i, j]), ha="center", va="center", fontsize=8, color=color)
    return figure


def _pictures(pictures: Sequence[AnyArray], columns: int, titles: Sequence[str]) -> Any:
    rows = -(-len(pictures) // columns)
    figure = _new(1.1 * columns, (1.1 + 0.35 * any(titles)) * rows)
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.axis("off")
    for axes, picture, title in zip(figure.axes, pictures, titles, strict=False):
        axes.imshow(picture, interpolation="nearest")
        axes.set_title(title, fontsize=8)
    return figure

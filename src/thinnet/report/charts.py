"""Charts as data: lines and axes, independent of how they are drawn."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from thinnet.history import History
from thinnet.report.diagnostics import Diagnostics
from thinnet.report.groups import Group, differing, measured, shown, spoken
from thinnet.statistics import spread

FEWEST_IN_BIN = 5  # answers; a fraction of fewer is not meaningful
MOST_POINTS = 80  # a line is no wider than a few hundred pixels
LOGARITHMIC_FROM = 30  # the ratio of the largest to the smallest value
Points = tuple[Sequence[float], Sequence[Sequence[float]]]  # x, and the values at each x

NUM_COLORS = 7  # in the page's style sheet; further lines reuse them, dashed


@dataclass(frozen=True)
class Series:
    """One line: its points, and a band if it averages several runs.  `group` numbers the switch that hides it."""

    label: str
    group: int
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    dots: bool = False


@dataclass(frozen=True)
class Chart:
    """Lines on a common axis."""

    name: str  # file name without its extension
    title: str
    x_label: str
    series: tuple[Series, ...]
    fraction: bool = False  # whether y is between 0 and 1
    diagonal: bool = False  # whether to draw y = x, for comparison
    own_legend: bool = False  # whether its lines are not those of the groups

    @property
    def logarithmic(self) -> bool:
        """Whether the y axis is logarithmic."""
        values = [v for line in self.series for v in line.y if v > 0]
        return not self.fraction and bool(values) and max(values) > LOGARITHMIC_FROM * min(values)

    def low(self, line: Series) -> tuple[float, ...]:
        """The lower edge of a line's band; on a logarithmic axis, by the same factor as the upper edge."""
        if not self.logarithmic:
            return line.low
        return tuple(y * y / high if high > 0 else y for y, high in zip(line.y, line.high, strict=True))

    @property
    def alt(self) -> str:
        """A description of the chart, one sentence per line."""
        lines = [f"{self.title}, by {self.x_label.lower()}."]
        for line in self.series:
            if line.y:
                ends = " to ".join(f"{line.y[k]:.3g} at {line.x[k]:g}" for k in (0, -1))
                lines.append(f"{line.label}: from {ends}.")
        return " ".join(lines)


def curves(groups: Sequence[Group]) -> list[Chart]:
    """Accuracy and validation loss by epoch, and training loss by step, for all groups that have them."""
    measure = measured(groups)
    charts = []
    for name, title in (("val", "Validation"), ("train", "Training")):
        lines = _lines(groups, f"{name}_accuracy")
        charts.append(Chart(f"{name}-accuracy", f"{title} {measure}", "Epoch", lines, fraction=True))
    charts.append(Chart("val-loss", "Validation loss", "Epoch", _lines(groups, "val_loss")))
    charts.append(Chart("loss", "Training loss", "Step", _lines(groups, "loss")))
    return [chart for chart in charts if any(len(line.x) > 1 for line in chart.series)]  # single points show nothing


def _lines(groups: Sequence[Group], name: str) -> tuple[Series, ...]:
    """A line for each group with records: the mean over its runs, up to where the shortest one ends."""
    lines = []
    for group in groups:
        runs = [run for run in group.runs if run.finished] or group.runs  # unfinished runs do not cut others short
        histories = [run.history for run in runs if getattr(run.history, name)]
        if histories:
            x, values = _stretches(histories) if name == "loss" else _epochs(histories, name)
            lines.append(_banded(group.label, group.number, x, values))
    return tuple(lines)


def _epochs(histories: Sequence[History], name: str) -> Points:
    """The values at each epoch, or at evenly spaced epochs that include the last."""
    lists = [getattr(history, name) for history in histories]
    length = min(map(len, lists))
    points = sorted({round(k) for k in np.linspace(0, length - 1, min(length, MOST_POINTS))})
    return [histories[0].epoch[k] for k in points], [[values[k] for values in lists] for k in points]


def _stretches(histories: Sequence[History]) -> Points:
    """Means over intervals of equally many steps, since the loss of single minibatches is noisy."""
    length = min(len(history.loss) for history in histories)
    ends = [round(k) for k in np.linspace(0, length, min(length, MOST_POINTS) + 1)]
    return ends[1:], [[float(np.mean(history.loss[a:b])) for history in histories] for a, b in pairwise(ends)]


def _banded(
    label: str, number: int, x: Sequence[float], values: Sequence[Sequence[float]], dots: bool = False
) -> Series:
    """The mean at each x, with a band of one standard deviation if there are several values."""
    spreads = [spread(each) for each in values]
    xs, means = tuple(map(float, x)), tuple(each.mean for each in spreads)
    if all(each.deviation is None for each in spreads):
        return Series(label, number, xs, means, dots=dots)
    low, high = (tuple(each.mean + sign * (each.deviation or 0) for each in spreads) for sign in (-1, 1))
    return Series(label, number, xs, means, low, high, dots)


def calibration(diagnosed: Sequence[tuple[Group, Diagnostics]]) -> Chart:
    """Accuracy against confidence, for the bins with enough answers."""
    series = []
    for group, diagnostics in diagnosed:
        bins = diagnostics.calibration
        x, y = (tuple(map(float, of[bins.count >= FEWEST_IN_BIN])) for of in (bins.confidence, bins.accuracy))
        series.append(Series(group.label, group.number, x, y, dots=True))
    return Chart("calibration", "Calibration", "Confidence", tuple(series), fraction=True, diagonal=True)


def against(groups: Sequence[Group]) -> list[Chart]:
    """Accuracy against each numeric field with at least three values, with a line per setting of the other fields."""
    different = differing([group.config for group in groups])
    charts = []
    for name in different:
        values = {getattr(group.config, name) for group in groups}
        if len(values) >= 3 and all(isinstance(value, (int, float)) for value in values):
            charts.append(_against(groups, name, [other for other in different if other != name]))
    return [chart for chart in charts if any(len(line.x) > 1 for line in chart.series)]  # single points show nothing


def _against(groups: Sequence[Group], name: str, others: Sequence[str]) -> Chart:
    lines: dict[str, list[Group]] = {}
    for group in sorted(groups, key=lambda group: getattr(group.config, name)):
        rest = ", ".join(f"{spoken(other)} {shown(getattr(group.config, other))}" for other in others) or "all runs"
        if group.values("val_accuracy"):
            lines.setdefault(rest, []).append(group)
    series = []
    for number, (rest, members) in enumerate(sorted(lines.items(), key=lambda line: line[1][0].number)):
        x = [getattr(group.config, name) for group in members]
        series.append(_banded(rest, number, x, [group.values("val_accuracy") for group in members], dots=True))
    title, axis = f"Validation {measured(groups)} against {spoken(name)}", spoken(name).capitalize()
    return Chart(f"against-{name}", title, axis, tuple(series), fraction=True, own_legend=True)


def ticks(low: float, high: float) -> list[float]:
    """About five round numbers within [low, high].

    >>> ticks(0, 100)
    [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    """
    if not high > low:
        return [low]
    raw = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def powers(low: float, high: float) -> list[float]:
    """The powers of ten within [low, high]; only some of them if there are many."""
    exponents = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    return [10.0**k for k in exponents[:: max(1, len(exponents) // 5)]]

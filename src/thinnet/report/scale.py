"""The axes of a chart: from values to pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

from thinnet.report.charts import Chart, powers, ticks


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic map from an interval of values to an interval of pixels."""

    low: float
    high: float
    start: float  # where `low` lies
    end: float
    logarithmic: bool = False
    whole: bool = False  # whether only whole numbers mean something

    def position(self, value: float) -> float:
        """The position of a value, clipped to the axis."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log10(low), math.log10(high), math.log10(max(value, low))
        share = (value - low) / (high - low) if high > low else 0.5
        return round(self.start + min(1.0, max(0.0, share)) * (self.end - self.start), 2)

    @property
    def ticks(self) -> list[float]:
        """Round values for its labels."""
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
        low, high = max(low, 0.0) if low > -1 else low, min(high, 1.0)  # R² may lie far below zero
    else:
        low = max(low, 0.0)
    return x, Axis(low, high, bottom, top)


def written(value: float) -> str:
    """The label of a tick."""
    if value and (abs(value) < 1e-3 or abs(value) >= 1e5):
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value:,.10g}"

"""Shared drawing code for these pages' figures: SVG with colors for the reader's light or dark mode."""

from __future__ import annotations

import argparse
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

HERE = Path(__file__).parent

# Okabe and Ito's colors, which color-blind readers can tell apart: on light and on dark backgrounds.
COLORS = {
    "ink": ("#16202b", "#e8edf2"),
    "soft": ("#5b6875", "#9fadba"),
    "rule": ("#dfe4ea", "#2d3843"),
    "paper": ("#ffffff", "#131416"),
    "blue": ("#0072b2", "#3d9fe0"),
    "orange": ("#d55e00", "#f07f33"),
    "green": ("#009e73", "#1fbf91"),
    "pink": ("#b0568c", "#e095c1"),
}
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif'
INK, SOFT, RULE, PAPER, BLUE, ORANGE, GREEN, PINK = (light for light, _ in COLORS.values())

STYLE = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "thinnet",  # makes files reproducible
    "font.size": 11,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 11.5,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": RULE,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "lines.markersize": 5,
}


def panels(count: int, titles: Sequence[str]) -> tuple[Any, list[Any]]:
    """A figure with `count` axes side by side, each with its title."""
    matplotlib.rcParams.update(STYLE)
    figure, axes = pyplot.subplots(1, count, figsize=(4.1 * count, 3.4), layout="constrained", squeeze=False)
    for one, title in zip(axes[0], titles, strict=True):
        one.set_title(title)
    return figure, list(axes[0])


def save(figure: Any, path: Path) -> None:
    """Write the figure as SVG that switches its colors with the reader's light or dark mode."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
    path.write_text(switching(file.getvalue()), encoding="utf-8")


def switching(svg: str) -> str:
    """Replace the SVG's colors with CSS variables, with one set for light and one for dark mode."""
    for name, (light, _) in COLORS.items():
        svg = re.sub(rf"(fill|stroke): {light}", rf"\1: var(--{name})", svg)
    svg = re.sub(r"(font(?:-family)?: [^;\"]*?)'DejaVu Sans'[^;\"]*", rf"\1{FONT.replace(chr(34), chr(39))}", svg)
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    return re.sub(r"(<svg[^>]*>)", lambda found: f"{found[1]}\n{palette()}", svg, count=1)


def palette() -> str:
    """A style element with the two sets of colors."""
    light, dark = ("; ".join(f"--{name}: {pair[number]}" for name, pair in COLORS.items()) for number in (0, 1))
    return f"<style>:root {{ {light} }} @media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}</style>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def spread(values: Any, sign: str = "") -> str:
    """Mean and standard deviation."""
    return f"{values.mean():{sign}.3f} ± {values.std():.3f}".replace("-", "−")


def arguments() -> argparse.Namespace:
    """The command line: where to write, and whether to do only a short run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, default=HERE, help="the folder (default: this one)")
    parser.add_argument("--quick", action="store_true", help="few seeds and epochs, to see that it works")
    return parser.parse_args()

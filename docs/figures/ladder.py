"""The ladder on CIFAR-10: validation accuracy against training time, for runs of several lengths.

``python docs/figures/ladder.py --runs runs/cifar10-ladder/*`` draws the runs in these folders, and saves their numbers
to ladder.json; without ``--runs`` it draws the saved numbers again. The folders after ``--slowed`` have runs that
shared the machine with other work: only their accuracies count.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import drawing
from thinnet import runs
from thinnet.config import Config
from thinnet.experiments.cifar10_ladder import CLIMB, RECIPES, RUNGS

DATA = "ladder.json"
COLORS = (drawing.BLUE, drawing.ORANGE, drawing.GREEN)


def read(folder: Path, timed: bool = True) -> dict[str, Any]:
    """The numbers of a finished run; those that depend on time only if it was `timed`."""
    climb, result = (json.loads((folder / name).read_bytes()) for name in (CLIMB, runs.RESULT))
    config = Config.from_toml(folder / runs.CONFIG)
    minutes = next(minutes for minutes, recipe in RECIPES.items() if recipe.hidden_dims == config.hidden_dims)
    curve = {name: result["history"][name] if timed else [] for name in ("seconds", "val_accuracy")}
    return {"minutes": minutes, "test_accuracy": climb["test_accuracy"], **curve}


def draw(done: list[dict[str, Any]], path: Path) -> None:
    """Draw a curve for each run, and a horizontal line for each rung."""
    figure, (axis,) = drawing.panels(1, ["A fully connected net on CIFAR-10, from pixels"])
    figure.set_size_inches(6.4, 3.8)
    lengths = sorted({run["minutes"] for run in done})
    for run in filter(_is_timed, done):
        color = COLORS[lengths.index(run["minutes"]) % len(COLORS)]
        axis.plot(run["seconds"][1:], run["val_accuracy"][1:], color=color, linewidth=1.5)
    for number, minutes in enumerate(lengths):
        unit = "minute" if minutes == 1 else "minutes"
        axis.plot([], [], color=COLORS[number % len(COLORS)], label=f"{minutes:g} {unit} of training")
    axis.grid(False)
    for rung in RUNGS:
        axis.axhline(rung, color=drawing.RULE, linewidth=1, zorder=0)
    axis.set_xscale("log")
    ticks = {2: "2 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h"}
    last = max(run["seconds"][-1] for run in filter(_is_timed, done))
    shown = {seconds: text for seconds, text in ticks.items() if seconds <= 2 * last}
    axis.set_xticks(list(shown), list(shown.values()))
    axis.minorticks_off()
    axis.set_yticks(RUNGS, [f"{rung:.0%}" for rung in RUNGS])
    axis.set_ylim(0.4, RUNGS[-1] + 0.03)
    axis.set_xlabel("time of training")
    axis.set_ylabel("validation images right")
    axis.legend(loc="lower right")
    drawing.save(figure, path)


def table(done: list[dict[str, Any]]) -> str:
    """A table with one row per training length: mean test accuracy and median times to each rung."""
    rows = []
    for minutes in sorted({run["minutes"] for run in done}):
        same = [run for run in done if run["minutes"] == minutes]
        tests = [run["test_accuracy"] for run in same]
        seconds = [_seconds_to(rung, [*filter(_is_timed, same)]) for rung in RUNGS]
        rows.append([f"{minutes:g} min", str(len(same)), f"{statistics.mean(tests):.3f}", *seconds])
    return drawing.table(["training", "runs", "test images", *(f"{rung:.0%} after" for rung in RUNGS)], rows)


def _is_timed(run: dict[str, Any]) -> bool:
    return bool(run["seconds"])


def _seconds_to(rung: float, same: list[dict[str, Any]]) -> str:
    """The median time to a rung of validation accuracy; a dash unless every run reached it."""
    points = [zip(run["seconds"], run["val_accuracy"], strict=True) for run in same]
    firsts = [next((seconds for seconds, accuracy in run if accuracy >= rung), None) for run in points]
    found = [first for first in firsts if first is not None]
    return f"{statistics.median(found):.0f} s" if len(found) == len(same) else "–"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, default=drawing.HERE, help="the folder (default: this one)")
    parser.add_argument("--quick", action="store_true", help="changes nothing: the numbers are there already")
    parser.add_argument("--runs", type=Path, nargs="+", default=(), help="the folders of runs")
    parser.add_argument("--slowed", type=Path, nargs="+", default=(), help="of runs that shared the machine")
    options = parser.parse_args()
    done = [*map(read, options.runs), *(read(folder, timed=False) for folder in options.slowed)]
    done = done or json.loads((drawing.HERE / DATA).read_text())
    draw(done, options.output / "ladder.svg")
    (options.output / "ladder.md").write_text(table(done), encoding="utf-8")
    (options.output / DATA).write_text(json.dumps(done), encoding="utf-8")


if __name__ == "__main__":
    main()

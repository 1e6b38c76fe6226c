"""The page: what was collected, laid out by a template in which everything is escaped."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from importlib import resources
from typing import Any

from thinnet.config import Config
from thinnet.errors import require
from thinnet.report import charts, png, svg
from thinnet.report.groups import ACCURACY, Group, compare, differing, measured, shown, without_seeds
from thinnet.report.judge import Judgment
from thinnet.statistics import Difference
from thinnet.typing import AnyArray

SPLITS = {
    "test_accuracy": "test",
    "val_accuracy": "validation",
    "last_val_accuracy": "validation",
    "last_train_accuracy": "training",
}
MOST_TILES, FEWER_TILES = 6, 4
SIGNIFICANT = 0.05
LONG_NAME = 6  # letters; longer ones need more room below a picture
ABSENT = "\N{EN DASH}"


@dataclass(frozen=True)
class Closeup:
    """What is shown of one group's first run beside its curves; `reason` where there is no judgment."""

    group: Group
    judgment: Judgment | None = None
    names: tuple[str, ...] = ()  # of the classes
    weights: tuple[AnyArray, ...] = ()  # pictures of the first layer's strongest units
    mistakes: tuple[AnyArray, ...] = ()  # pictures of what was got wrong
    reason: str = ""

    @property
    def weight_sheet(self) -> bytes:
        """All pictures of weights as one PNG file."""
        return png.png(png.sheet(list(self.weights), columns=6))


def page(groups: Sequence[Group], closeups: Sequence[Closeup], title: str, live: bool = False) -> str:
    """The whole page as HTML.

    Args:
        groups: all runs.
        closeups: of the groups that are looked at closely.
        title: of the page.
        live: whether the page asks its server for what is new.

    Raises:
        MissingExtraError: if Jinja is not installed.
    """
    jinja2 = require("jinja2", extra="report", purpose="writing a report")
    markup = require("markupsafe", extra="report", purpose="writing a report").Markup
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    judged = [(one.group, one.judgment) for one in closeups if one.judgment]
    filled = [(group, judgment) for group, judgment in judged if judgment.layers]
    template = environment.from_string(_asset("page.html.jinja"))
    text: str = template.render(
        title=title,
        live=live,
        style=markup(_asset("page.css")),
        script=markup(_asset("page.js")),
        groups=groups,
        tiles=_tiles(groups),
        verdict=_verdict(groups),
        curves=[_figure(chart, markup) for chart in charts.curves(groups)],
        sweeps=[_figure(chart, markup) for chart in charts.against(groups)],
        rows=[_row(group) for group in groups],
        closeups=[_closeup(one, markup) for one in closeups],
        bars=markup(svg.layer_bars(filled)) if filled else "",
        never=[(group, judgment.layers) for group, judgment in filled],
        calibration=_figure(charts.calibration(judged), markup) if judged else None,
        settings=_settings(groups),
        commands=[(group, _command(group)) for group in groups],
        surroundings=_surroundings(groups),
        color=svg.color,
        num_colors=len(charts.COLORS),
        measure=measured(groups),
        split={"val": "validation"}.get(judged[0][1].split, judged[0][1].split) if judged else "",
    )
    return text


def _asset(name: str) -> str:
    return resources.files("thinnet.report").joinpath("assets", name).read_text(encoding="utf-8")


def _figure(chart: charts.Chart, markup: Any) -> dict[str, Any]:
    return {"chart": chart, "svg": markup(svg.line_chart(chart))}


def _tiles(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """The best figures first seen: each group's, or where there are too many those of the best."""
    chosen = groups if len(groups) <= MOST_TILES else best(groups, FEWER_TILES)
    return [_tile(group) for group in chosen if group.values(group.judged)]


def best(groups: Sequence[Group], count: int) -> list[Group]:
    """The groups with the highest accuracy, the highest first."""
    return sorted(groups, key=lambda one: -_level(one))[:count]


def _level(group: Group) -> float:
    found = group.spread(group.judged)
    return found.mean if found else -1.0


def _tile(group: Group) -> dict[str, Any]:
    found = group.spread(group.judged)
    assert found is not None
    return {
        "group": group,
        "value": _amount(group, found.mean).rstrip("%"),
        "spread": _amount(group, found.deviation).rstrip("%") if found.deviation is not None else "",
        "unit": " %" if group.measure == ACCURACY else "",
        "of": f"{SPLITS[group.judged]} {group.measure}",
        "seeds": f"{found.count} {group.repetitions}" if found.count > 1 else "",
        "unfinished": sum(not run.finished for run in group.runs),
    }


def _amount(group: Group, value: float) -> str:
    """An accuracy in percent, an R² as it is."""
    return f"{100 * value:.1f}%" if group.measure == ACCURACY else f"{value:.3f}"


def _verdict(groups: Sequence[Group]) -> str:
    """The result in a sentence: who is best, and by how much over whom it should be compared with."""
    known = [group for group in groups if group.values(group.judged)]
    if not known:
        return "No epoch is finished yet."
    first = max(known, key=_level)
    what = f"{_amount(first, _level(first))} {SPLITS[first.judged]} {first.measure}"
    if len(known) == 1:
        count = len(first.values(first.judged))
        return f"{what}, the mean of {count} {first.repetitions}." if count > 1 else f"{what}."
    other = _rival(first, [group for group in known if group is not first])
    difference = compare(first, other, first.judged)
    if difference is None:
        return f"Highest: {first.label}, with {what}."
    return f"Highest: {first.label}, with {what}, {_above(first, difference)} {other.label}{_doubt(difference)}."


def _rival(first: Group, others: Sequence[Group]) -> Group:
    """The group that differs from the best one in its dropout alone, and has least; else the second best one."""
    same = [one for one in others if differing([one.config, first.config]) == ["dropout"]]
    if same:
        return min(same, key=lambda one: one.config.dropout)
    return max(others, key=_level)


def _above(group: Group, difference: Difference) -> str:
    amount = _amount(group, difference.mean)
    return f"{amount.replace('%', ' points')} above"


def _doubt(difference: Difference) -> str:
    """What a test over the seeds says of a difference, in brackets."""
    if difference.count < 2:
        return " (one seed each: no test)"
    if math.isnan(difference.p):
        return f" ({difference.verdict})"
    chance = "" if difference.p < SIGNIFICANT else ", so it may be chance"
    return f" ({difference.verdict} in a paired t-test over {difference.count} seeds{chance})"


def _row(group: Group) -> dict[str, Any]:
    names = ("test_accuracy", "val_accuracy", "last_val_accuracy", "last_train_accuracy", "last_seconds")
    found = {name: group.spread(name) for name in names}
    return {
        "group": group,
        "finished": sum(run.finished for run in group.runs),
        "cells": [_accuracy(found[name]) for name in names[:4]],
        "seconds": f"{found['last_seconds'].mean:.1f} s" if found["last_seconds"] else ABSENT,
    }


def _accuracy(found: Any) -> str:
    return f"{found:.3f}" if found else ABSENT


def _closeup(one: Closeup, markup: Any) -> dict[str, Any]:
    if one.judgment is None:
        return {"group": one.group, "reason": one.reason}
    judgment = one.judgment
    pictures = [png.data_uri(png.png(picture)) for picture in one.mistakes] or [""] * len(judgment.mistakes)
    return {
        "group": one.group,
        "reason": "",
        "confusion": markup(_confusion(judgment, one.names)),
        "confusion_told": svg.confusion_told(judgment.confusion, one.names),
        "weights": png.data_uri(one.weight_sheet) if one.weights else "",
        "num_weights": len(one.weights),
        "mistakes": [
            {
                "label": one.names[mistake.label],
                "answer": one.names[mistake.answer],
                "row": mistake.row,
                "confidence": f"{mistake.confidence:.0%}",
                "picture": picture,
            }
            for mistake, picture in zip(judgment.mistakes, pictures, strict=True)
        ],
        "wordy": max(map(len, one.names)) > LONG_NAME,
        "error": f"{judgment.calibration.error:.3f}",
        "answers": int(judgment.confusion.sum()),
    }


def _confusion(judgment: Judgment, names: Sequence[str]) -> str:
    return svg.confusion(judgment.confusion, names) if len(names) <= svg.MOST_CLASSES else ""


def _settings(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Each field of the configs: its value, or its values where they differ."""
    configs = [without_seeds(group.config) for group in groups]
    different = differing(configs)
    rows = []
    for one in fields(Config):
        runs = [run for group in groups for run in group.runs]
        values = list(dict.fromkeys(shown(getattr(run.config, one.name)) for run in runs))
        text = ", ".join(value or "(found)" for value in values)
        rows.append({"name": one.name, "value": text, "different": one.name in different, "help": one.metadata["help"]})
    return rows


def _command(group: Group) -> str:
    """What trains a group's first run again, whatever became of its folder."""
    defaults = asdict(Config())
    words = ["thinnet", "train"]
    for name, value in asdict(group.config).items():
        if value != defaults[name] or name == "seed":
            values = [str(one) for one in value] if isinstance(value, tuple) else [str(value)]
            words += [f"--{name.replace('_', '-')}", *values]
    return shlex.join(words)


def _surroundings(groups: Sequence[Group]) -> list[tuple[str, str]]:
    """Versions, machine and data, as one run wrote them down."""
    run = groups[0].runs[0] if groups else None
    environment = run.environment if run else {}
    versions, machine = environment.get("versions", {}), environment.get("machine", {})
    data = environment.get("data", {})
    lines = [
        ("written by", run.folder.resolve().name if run and environment else ""),
        ("versions", ", ".join(f"{name} {value}" for name, value in versions.items())),
        ("machine", ", ".join(f"{name} {value}" for name, value in machine.items())),
        ("training data, SHA-256", str(data.get("X_train", ""))),
    ]
    return [(name, text) for name, text in lines if text]

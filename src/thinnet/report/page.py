"""The page: rendered by a Jinja template with autoescaping."""

import functools
import math
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from importlib import resources
from types import ModuleType
from typing import Any

from thinnet.config import USES, Config
from thinnet.errors import require
from thinnet.report import charts, png, svg
from thinnet.report.diagnostics import Diagnostics
from thinnet.report.groups import ACCURACY, Group, compare, differing, measured, shown
from thinnet.statistics import Difference, Spread, rounded
from thinnet.typing import AnyArray

COLUMNS = {
    "test_accuracy": "Test",
    "val_accuracy": "Validation, best",
    "last_val_accuracy": "Validation, last",
    "last_train_accuracy": "Training, last",
}
SPLITS = {name: title.partition(",")[0].lower() for name, title in COLUMNS.items()}
MOST_TILES, FEWER_TILES = 6, 4
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Details:
    """The details of one group's first run; `reason` says why there are no diagnostics."""

    group: Group
    diagnostics: Diagnostics | None = None
    names: tuple[str, ...] = ()  # class names
    weights: tuple[AnyArray, ...] = ()  # pictures of the first layer's strongest units
    mistakes: tuple[AnyArray, ...] = ()  # pictures of misclassified rows
    reason: str = ""


def page(groups: Sequence[Group], details: Sequence[Details], title: str, live: bool = False) -> str:
    """The whole page as HTML, with details of some groups; a `live` page polls its server for updates."""
    template = _template(require("jinja2", extra="report", purpose="writing a report"))
    diagnosed = [(detail.group, detail.diagnostics) for detail in details if detail.diagnostics]
    tiles = groups if len(groups) <= MOST_TILES else best(groups, FEWER_TILES)
    text: str = template.render(
        title=title,
        live=live,
        style=asset("page.css") + asset("figures.css"),
        script=asset("page.js"),
        groups=groups,
        tiles=[group for group in tiles if group.values(group.main_metric)],
        verdict=_verdict(groups),
        details=details,
        diagnosed=diagnosed,
        filled=[(group, diagnostics) for group, diagnostics in diagnosed if diagnostics.layers],
        settings=_settings(groups),
        surroundings=_surroundings(groups),
        measure=measured(groups),
    )
    return text


@functools.cache  # compiling takes longer than rendering most pages
def _template(jinja2: ModuleType) -> Any:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters |= {"accuracy": _accuracy, "uri": png.data_uri, "command": _command}
    environment.globals |= {"amount": _amount, "charts": charts, "columns": COLUMNS, "splits": SPLITS, "svg": svg}
    return environment.from_string(asset("page.html.jinja"))


def asset(name: str) -> str:
    """The text of one of the page's asset files."""
    return resources.files("thinnet.report").joinpath("assets", name).read_text(encoding="utf-8")


def _accuracy(found: Spread | float | None) -> str:
    if found is None:
        return "\N{EN DASH}"
    return f"{found}" if isinstance(found, Spread) else rounded(found)


def _amount(group: Group, value: float, unit: str = "%") -> str:
    """An accuracy in percent, or an R² as a number."""
    return rounded(100 * value, ".1f") + unit if group.measure == ACCURACY else rounded(value)


def best(groups: Sequence[Group], count: int) -> list[Group]:
    """The groups with the highest accuracy, best first."""
    return sorted(groups, key=lambda group: -_level(group))[:count]


def _level(group: Group) -> float:
    found = group.spread(group.main_metric)
    return found.mean if found else -1.0


def _verdict(groups: Sequence[Group]) -> str:
    """The result in a sentence: the best group, and its lead over the group to compare with."""
    known = [group for group in groups if group.values(group.main_metric)]
    if not known:
        going = not groups or any(not run.stop_reason for group in groups for run in group.runs)
        return "No epoch is finished yet." if going else "No epoch was finished."
    ended = [group for group in known if any(run.finished for run in group.runs)] or known
    if len({group.measure for group in known}) > 1 or len({SPLITS[group.main_metric] for group in ended}) > 1:
        return "These runs were not measured alike, so none is called the best."
    first = max(ended, key=_level)
    what = f"{_amount(first, _level(first))} {SPLITS[first.main_metric]} {first.measure}"
    if len(known) == 1:
        count = len(first.values(first.main_metric))
        return f"{what}, the mean of {count} {first.repetitions}." if count > 1 else f"{what}."
    other = _rival(first, [group for group in known if group is not first])
    difference = compare(first, other, first.main_metric)
    if difference is None:
        return f"Best: {first.label}, with {what}."
    above = _amount(first, difference.mean, " points")
    return f"Best: {first.label}, with {what}, {above} above {other.label}{_doubt(difference, first, other)}."


def _rival(first: Group, others: Sequence[Group]) -> Group:
    """Of the groups that differ from the best one only in dropout, the one with the least; else the second best."""
    same = [group for group in others if differing([group.config, first.config]) == ["dropout"]]
    if same:
        return min(same, key=lambda group: group.config.dropout)
    return max(others, key=_level)


def _doubt(difference: Difference, first: Group, other: Group) -> str:
    """The outcome of the t-test over the seeds that two groups share, in parentheses."""
    if difference.count < 2:
        shared = "each" if len(first.runs) == len(other.runs) == 1 else "in common"
        return f" (one seed {shared}: no test)"
    if math.isnan(difference.p):
        return f" ({difference.verdict})"
    chance = "" if difference.p < SIGNIFICANT else ", so it may be chance"
    return f" ({difference.verdict} in a paired t-test over {difference.count} seeds{chance})"


def _settings(groups: Sequence[Group]) -> list[tuple[str, str, str, bool]]:
    """Each field of the configs: name, description, value or values, and whether groups differ in it."""
    configs = [run.config for group in groups for run in group.runs]
    different = differing(configs)
    rows = []
    for field in fields(Config):
        told = ((shown(getattr(config, field.name)) or "(found)", config.special(field.name)) for config in configs)
        values = dict.fromkeys(f"{value} ({special})" if special else value for value, special in told)
        rows.append((field.name, field.metadata["help"], ", ".join(values), field.name in different))
    return rows


def _command(group: Group) -> str:
    """The command line that repeats a group's first run."""
    defaults = asdict(Config())
    words = ["thinnet", "train"]
    for name, value in asdict(group.config).items():
        ignored = name in USES and not USES[name].used(group.config)  # and would be refused
        if name == "seed" or (value != defaults[name] and not ignored):
            values = [str(item) for item in value] if isinstance(value, tuple) else [str(value)]
            words += [f"--{name.replace('_', '-')}", *values]
    return shlex.join(words)


def _surroundings(groups: Sequence[Group]) -> list[tuple[str, str]]:
    """Versions, machine and data, as the first run recorded them."""
    if not groups or not groups[0].runs[0].environment:
        return []
    run = groups[0].runs[0]
    parts = [(name, run.environment.get(name, {})) for name in ("versions", "machine")]
    rows = [(name, ", ".join(f"{key} {value}" for key, value in part.items())) for name, part in parts]
    data = ("training data, SHA-256", run.environment.get("data", {}).get("X_train", ""))
    return [("written by", run.name), *rows, data]

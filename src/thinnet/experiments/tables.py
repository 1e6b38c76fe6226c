"""Tables of what sweeps came to, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thinnet.report.groups import Group, compare, shown
from thinnet.statistics import rounded

FIGURES = (
    ("last_train_accuracy", "train accuracy"),
    ("last_val_accuracy", "validation accuracy"),
    ("test_accuracy", "test accuracy"),
)

COMPARED = (FIGURES[1], FIGURES[2], FIGURES[0])  # whichever there is first: data may lack validation rows


def by_group(groups: Sequence[Group], field: str) -> str:
    """A line for each group: mean ± standard deviation; then each against the first, pair by pair of seeds."""
    rows = [[field.replace("_", " "), *(name for _, name in FIGURES)]]
    for group in groups:
        found = [group.spread(what) for what, _ in FIGURES]
        rows.append([shown(getattr(group.config, field)), *(f"{one}" if one else "-" for one in found)])
    widths = [max(len(row[0]) for row in rows) + 3, *(len(name) + 4 for _, name in FIGURES)]
    lines = ["".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines += [_against(group, groups[0], field) for group in groups[1:]]
    return "\n".join(line.rstrip() for line in lines)


def _against(group: Group, first: Group, field: str) -> str:
    ours, theirs = (shown(getattr(one.config, field)) for one in (group, first))
    head = f"{field.replace('_', ' ').capitalize()} {ours} against {theirs}:"
    for what, name in COMPARED:
        difference = compare(group, first, what)
        if difference is not None:
            return f"{head} {name} {difference}"
    return f"{head} nothing to compare yet"


def grid(groups: Sequence[Group], down: str, across: str, what: str = "last_val_accuracy") -> str:
    """Means over seeds, one field downward and one across; the best of each line has a star."""
    rows, columns = ([*dict.fromkeys(getattr(g.config, name) for g in groups)] for name in (down, across))
    cells: dict[tuple[Any, Any], float] = {}
    for group in groups:
        found = group.spread(what)
        if found:
            cells[getattr(group.config, down), getattr(group.config, across)] = found.mean
    head = f"{down.replace('_', ' ')} \\ {across.replace('_', ' ')}"
    lines = [head + "".join(f"{shown(column):>8} " for column in columns)]
    for row in rows:
        best = max((cells[row, column] for column in columns if (row, column) in cells), default=None)
        line = f"{shown(row):<{len(head)}}"
        for column in columns:
            value = cells.get((row, column))
            line += "       - " if value is None else f"{rounded(value):>8}{'*' if value == best else ' '}"
        lines.append(line)
    return "\n".join(line.rstrip() for line in lines)

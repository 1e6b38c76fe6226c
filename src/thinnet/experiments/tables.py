"""Tables of the results of sweeps, as text."""

from collections.abc import Sequence

from thinnet.report.groups import Group, compare, shown
from thinnet.statistics import rounded

METRICS = {  # as columns and in sentences; a page of runs has the same columns
    "last_train_accuracy": ("training, last", "training accuracy after the last epoch"),
    "last_val_accuracy": ("validation, last", "validation accuracy after the last epoch"),
    "test_accuracy": ("test", "test accuracy"),
}
LEGEND = "Last: after the last epoch. Test: of the weights that did best on the validation rows."
COMPARED = ("last_val_accuracy", "test_accuracy", "last_train_accuracy")  # the first there is: data may lack rows


def by_group(groups: Sequence[Group], field: str) -> str:
    """A line for each group: mean ± standard deviation; then each against the first, paired by seed."""
    rows = [[field.replace("_", " "), *(column for column, _ in METRICS.values())]]
    for group in groups:
        found = [group.spread(metric) for metric in METRICS]
        rows.append([shown(getattr(group.config, field)), *(f"{cell}" if cell else "-" for cell in found)])
    widths = [max(map(len, column)) + 3 for column in zip(*rows, strict=True)]
    lines = ["".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines += [LEGEND, *(_against(group, groups[0], field) for group in groups[1:])]
    return "\n".join(line.rstrip() for line in lines)


def _against(group: Group, first: Group, field: str) -> str:
    ours, theirs = (shown(getattr(side.config, field)) for side in (group, first))
    head = f"{field.replace('_', ' ').capitalize()} {ours} against {theirs}:"
    for metric in COMPARED:
        difference = compare(group, first, metric)
        if difference is not None:
            return f"{head} {METRICS[metric][1]} {difference}"
    return f"{head} nothing to compare yet"


def grid(groups: Sequence[Group], down: str, across: str) -> str:
    """Means over seeds, one field down and one across; a star marks the best of each line."""
    metric = next((name for name in COMPARED if any(group.values(name) for group in groups)), COMPARED[0])
    means = {(getattr(group.config, down), getattr(group.config, across)): group.spread(metric) for group in groups}
    rows, columns = (list(dict.fromkeys(pair[k] for pair in means)) for k in (0, 1))
    head = f"{down.replace('_', ' ')} \\ {across.replace('_', ' ')}"
    lines = [head + "".join(f"{shown(column):>8} " for column in columns)]
    for row in rows:
        found = [means.get((row, column)) for column in columns]
        best = max((cell.mean for cell in found if cell), default=None)
        cells = [f"{rounded(c.mean):>8}{'*' if c.mean == best else ' '}" if c else "       - " for c in found]
        lines.append(f"{shown(row):<{len(head)}}" + "".join(cells))
    lines.append(f"{METRICS[metric][1].capitalize()}; * marks the best of each line.")
    return "\n".join(line.rstrip() for line in lines)

"""Groups: runs that differ only in their seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from thinnet.config import Config
from thinnet.report.folder import Run
from thinnet.statistics import Difference, Spread, paired_difference, spread

ACCURACY = "accuracy"
ASIDE: dict[str, Any] = {"seed": -1, "data_seed": -1, "root": ""}  # the location of the data does not affect a run


@dataclass(frozen=True)
class Group:
    """Runs of one config with different seeds; `number` counts a report's groups from 0 and determines their colors.

    `notes` has a sentence about each run that failed, or has the same config and seed as another one.
    """

    number: int
    label: str
    runs: tuple[Run, ...]
    notes: tuple[str, ...] = ()

    @property
    def config(self) -> Config:
        """The config of the first run; the others differ only in their seeds."""
        return self.runs[0].config

    def values(self, name: str) -> list[float]:
        """One number from each run that has it: val_accuracy, test_accuracy, or the last of a list in its history."""
        return [value for value in (metric(run, name) for run in self.runs) if value is not None]

    def spread(self, name: str) -> Spread | None:
        """Mean and standard deviation of such a number over the runs, or None if no run has it."""
        values = self.values(name)
        return spread(values) if values else None

    @property
    def main_metric(self) -> str:
        """The accuracy that ranks groups: on the test rows if possible, else on the validation or training rows."""
        names = ("test_accuracy", "val_accuracy", "last_val_accuracy")
        return next((name for name in names if self.values(name)), "last_train_accuracy")

    @property
    def measure(self) -> str:
        """The name of the metric: accuracy, or R² for regression."""
        return str(self.runs[0].environment.get("measure", ACCURACY))

    @property
    def repetitions(self) -> str:
        """What to call its runs: seeds, unless some share a seed."""
        return "seeds" if len(set(map(_seeds, self.runs))) == len(self.runs) else "runs"


def measured(groups: Sequence[Group]) -> str:
    """The names of the metrics of all groups."""
    return " or ".join(sorted({group.measure for group in groups}, reverse=True))


def metric(run: Run, name: str) -> float | None:
    """One number of a run; the name of a list in the history means its last value."""
    if name == "duration":  # in seconds, from the first evaluation on, since the first step may include compilation
        return run.history.seconds[-1] - run.history.seconds[0] if run.history.seconds else None
    if name in ("val_accuracy", "test_accuracy"):
        value: float | None = getattr(run, name)
        return value
    values = getattr(run.history, name.removeprefix("last_"))
    return float(values[-1]) if values else None


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """The groups, sorted by the values in which they differ; copies of the same run count once."""
    together: dict[Config, list[Run]] = {}
    for run in runs:
        together.setdefault(replace(run.config, **ASIDE), []).append(run)
    names = differing(list(together))

    def rank(config: Config) -> list[tuple[str, Any]]:  # numbers before strings before tuples
        values = [getattr(config, name) for name in names]
        return [("" if isinstance(value, (int, float)) else type(value).__name__, value) for value in values]

    groups = []
    for number, config in enumerate(sorted(together, key=rank)):
        members, notes = _once(together[config])
        label = ", ".join(f"{spoken(name)} {shown(getattr(config, name))}" for name in names)
        group = Group(number, label, tuple(members), tuple(notes))
        alone = members[0].name if len(members) == 1 else f"{len(members)} {group.repetitions}"
        groups.append(group if label else replace(group, label=alone))
    return groups


def _once(members: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """Runs sorted by seed, without duplicates, and notes on those that failed or share a seed."""
    kept: list[Run] = []
    failed = [run for run in members if run.stop_reason and not run.finished]
    notes = [f"The run '{run.name}' stopped {run.stop_reason}." for run in failed]
    for run in sorted(members, key=lambda run: (_seeds(run), not run.finished, -len(run.history.loss))):
        same_seeds = [other for other in kept if _seeds(other) == _seeds(run)]
        same = next((other for other in same_seeds if _agree(other, run)), None)
        if same:
            equal = f"config, seed and results are equal{'' if run.finished else ' so far'}"
            notes.append(f"The run '{run.name}' is the same as '{same.name}' ({equal}), so it counts once.")
            continue
        kept.append(run)
        if same_seeds:
            notes.append(
                f"The run '{run.name}' has the config and the seed of '{same_seeds[0].name}', but different results"
                f"{_reason(run, same_seeds[0])}; the two count as runs, not as seeds."
            )
    return kept, notes


def _seeds(run: Run) -> tuple[int, int]:
    return run.config.seed, run.config.data_seed if run.config.num_train else -1  # otherwise data_seed is not used


def _agree(run: Run, other: Run) -> bool:
    """Whether two runs agree in everything but time, up to where the shorter one ends."""
    for name in ("loss", "train_accuracy", "val_accuracy"):
        if any(a != b for a, b in zip(getattr(run.history, name), getattr(other.history, name), strict=False)):
            return False
    results = {(each.val_accuracy, each.test_accuracy, each.stop_reason) for each in (run, other) if each.finished}
    return len(results) < 2


def _reason(run: Run, other: Run) -> str:
    """Why two runs that should be equal differ."""
    names = ("data", "versions", "machine")
    found = [name for name in names if run.environment.get(name) != other.environment.get(name)]
    if found:
        return f" (they differ in {' and '.join(found)})"
    return ", although data, versions and machine are equal (a different number of threads can change the last bits)"


def differing(configs: Sequence[Config]) -> list[str]:
    """The names of the fields in which configs differ, except seeds and the location of the data."""
    names = [field.name for field in fields(Config) if len({getattr(config, field.name) for config in configs}) > 1]
    return [name for name in names if name not in ASIDE]


def spoken(name: str) -> str:
    """A field's name as people write it."""
    return {"num_train": "training rows", "hidden_dims": "hidden layers"}.get(name, name.replace("_", " "))


def shown(value: Any) -> str:
    """A field's value as people write it."""
    if isinstance(value, tuple):
        return "-".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def compare(first: Group, other: Group, name: str) -> Difference | None:
    """How much higher `first` is than `other`, over the seeds that both have; None if there are none."""
    values = [{_seeds(run): metric(run, name) for run in chosen.runs} for chosen in (first, other)]
    seeds = [seed for seed in values[0] if values[0][seed] is not None and values[1].get(seed) is not None]
    if not seeds or first is other:
        return None
    return paired_difference(*([side[seed] for seed in seeds] for side in values))  # type: ignore[arg-type]

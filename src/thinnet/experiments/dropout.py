"""With few training examples, dropout raises the accuracy on examples that were not in the training set."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from thinnet.config import Config
from thinnet.experiments.tables import by_group
from thinnet.report.groups import Group
from thinnet.storage.files import write_atomically

# A few rows, centered but not scaled, as the courses treat their images; enough epochs to fit them all.
FEW_DIGITS = Config(num_train=100, standardization="mean", hidden_dims=(500,), epochs=100, batch_size=50)
FEW_IMAGES = Config(
    data="cifar10", num_train=500, standardization="mean", hidden_dims=(500,), epochs=25, learning_rate=5e-4
)
PRESETS = {"digits": FEW_DIGITS, "cifar10": FEW_IMAGES}  # other data sets use the one for digits


def configs(base: Config, rates: Sequence[float], num_seeds: int) -> list[Config]:
    """One run for each rate and seed; runs with the same seed train on the same rows, drawn anew for each seed.

    >>> [(one.dropout, one.seed) for one in configs(FEW_DIGITS, (0.0, 0.5), num_seeds=2)]
    [(0.0, 0), (0.5, 0), (0.0, 1), (0.5, 1)]
    """
    first = max(0, base.seed)
    seeds = range(first, first + num_seeds)
    drawn = {seed: seed if base.num_train else base.data_seed for seed in seeds}
    return [replace(base, dropout=rate, seed=seed, data_seed=drawn[seed]) for seed in seeds for rate in rates]


def table(groups: Sequence[Group]) -> str:
    """Accuracies after the last epoch, and of the best weights on test rows; how each rate compares to the first."""
    return by_group(groups, "dropout")


def save_figure(groups: Sequence[Group], path: Path) -> None:
    """Plot train and validation accuracy over the epochs: means, with bands of one standard deviation over seeds."""
    from thinnet.report import charts
    from thinnet.report.figures import line_figure

    rows, seeds = groups[0].config.num_train or "All", len(groups[0].runs)
    title = f"{rows} training rows, mean ± standard deviation over {seeds} seeds"
    panels = sorted((chart for chart in charts.curves(groups) if chart.fraction), key=lambda chart: chart.name)
    write_atomically(path, line_figure(panels, title).encode(errors="replace"))

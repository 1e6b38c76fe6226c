"""Does dropout help more, and at higher rates, when there are fewer training examples?"""

from collections.abc import Sequence
from dataclasses import replace

from thinnet.config import Config
from thinnet.experiments.dropout import configs as at_all_rates
from thinnet.experiments.tables import grid
from thinnet.report.groups import Group

# How many training rows to try; other data sets use those for digits.
SIZES = {"digits": (50, 100, 200, 400, 800), "cifar10": (500, 2000, 8000)}


def configs(base: Config, rates: Sequence[float], sizes: Sequence[int], num_seeds: int) -> list[Config]:
    """One run for each size, rate and seed.

    >>> len(configs(Config(), (0.0, 0.25, 0.5, 0.75), (50, 100), num_seeds=2))
    16
    """
    return [config for size in sizes for config in at_all_rates(replace(base, num_train=size), rates, num_seeds)]


def table(groups: Sequence[Group]) -> str:
    """Accuracy after the last epoch, on validation rows if there are any: sizes down, rates across."""
    return grid(groups, "num_train", "dropout")

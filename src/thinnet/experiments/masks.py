"""A mask shared by all rows of a minibatch regularizes nearly as well as one mask per row, and takes less time."""

from collections.abc import Sequence
from dataclasses import replace

from thinnet.config import Config
from thinnet.experiments.dropout import configs as at_all_rates
from thinnet.experiments.tables import by_group
from thinnet.layers.dropout import MASK_KINDS
from thinnet.report.groups import Group

NET = Config(standardization="mean", dropout=0.5, normalization="batchnorm")
ALL_DIGITS = replace(NET, hidden_dims=(500, 500), epochs=20, batch_size=50)
ALL_IMAGES = replace(NET, data="cifar10", hidden_dims=(500, 500, 500), epochs=6, schedule="one_cycle")
PRESETS = {"digits": ALL_DIGITS, "cifar10": ALL_IMAGES}  # other data sets use the one for digits


def configs(base: Config, num_seeds: int) -> list[Config]:
    """One run for each kind of mask and seed.

    >>> [(one.dropout_mask, one.seed) for one in configs(ALL_DIGITS, num_seeds=1)]
    [('element', 0), ('batch', 0)]
    """
    seeds = at_all_rates(base, [base.dropout], num_seeds)
    return [replace(config, dropout_mask=kind) for config in seeds for kind in MASK_KINDS]


def table(groups: Sequence[Group]) -> str:
    """Accuracies, the difference, and the time each kind took; runs in parallel slow each other down."""
    lines = [by_group(groups, "dropout_mask")]
    for group in groups:
        seconds = group.spread("last_seconds")
        lines += [f"{group.config.dropout_mask:<10} {seconds:.1f} s a run"] if seconds else []
    return "\n".join(lines)

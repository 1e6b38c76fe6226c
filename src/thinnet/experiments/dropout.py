"""With few training examples, dropout raises the accuracy on examples that were not trained on."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thinnet.data import Dataset, load_digits
from thinnet.errors import require
from thinnet.files import write_atomically
from thinnet.history import History
from thinnet.layers.dropout import MaskKind
from thinnet.nets import FullyConnectedNet
from thinnet.solver import Solver

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")  # distinct to color-blind readers (Okabe and Ito)


@dataclass(frozen=True)
class Recipe:
    """What to train: one net for each rate and each seed, on a training set drawn anew for each seed."""

    rates: tuple[float, ...] = (0.0, 0.5)
    dropout_mask: MaskKind = "element"
    num_seeds: int = 5
    num_train: int = 100
    hidden_dims: tuple[int, ...] = (500,)
    num_epochs: int = 100
    batch_size: int = 50
    learning_rate: float = 1e-3


@dataclass(frozen=True)
class Comparison:
    """The histories of all nets: ``histories[rate][seed]``, and how to sum them up."""

    recipe: Recipe
    histories: dict[float, list[History]] = field(default_factory=dict)

    def final(self, rate: float, what: str) -> list[float]:
        """``what`` ("train_accuracy" or "val_accuracy") after the last epoch, one value a seed."""
        return [getattr(history, what)[-1] for history in self.histories[rate]]

    def gain(self, rate: float) -> tuple[float, float]:
        """The mean over seeds of what `rate` adds to the validation accuracy of the first rate, and its standard error.

        Both nets of a seed have the same data, so the differences are taken seed by seed.
        """
        pairs = zip(self.final(rate, "val_accuracy"), self.final(self.recipe.rates[0], "val_accuracy"), strict=True)
        differences = [one - other for one, other in pairs]
        error = statistics.stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else math.nan
        return statistics.mean(differences), error

    def table(self) -> str:
        """Mean ± standard deviation over the seeds, one line a rate."""
        lines = ["dropout   train accuracy    validation accuracy"]
        for rate in self.recipe.rates:
            train, val = (_spread(self.final(rate, what)) for what in ("train_accuracy", "val_accuracy"))
            lines.append(f"{rate:<9g} {train:<17} {val}")
        for rate in self.recipe.rates[1:]:
            mean, error = self.gain(rate)
            line = f"Dropout {rate:g} against {self.recipe.rates[0]:g}: validation accuracy {mean:+.3f}"
            several = f" ± {error:.3f} (standard error of {self.recipe.num_seeds} paired differences)"
            lines.append(line + (several if self.recipe.num_seeds > 1 else ""))
        return "\n".join(lines)


def run(
    recipe: Recipe = Recipe(),
    load: Callable[[Recipe, int], Dataset] | None = None,
    tell: Callable[[str], Any] = lambda text: None,
) -> Comparison:
    """Train every net of the recipe.

    Args:
        recipe: what to train.
        load: gives the data for (recipe, seed); scikit-learn's digits by default.
        tell: called with a line of text after each net.

    >>> tiny = Recipe(num_seeds=2, num_epochs=2, hidden_dims=(10,))
    >>> sorted(run(tiny).histories)
    [0.0, 0.5]
    """
    comparison = Comparison(recipe, {rate: [] for rate in recipe.rates})
    for seed in range(recipe.num_seeds):
        data = (load or digits)(recipe, seed)
        for rate in recipe.rates:
            history = _train(recipe, data, rate, seed)
            comparison.histories[rate].append(history)
            tell(
                f"seed {seed}, dropout {rate:g}: train {history.train_accuracy[-1]:.3f}, "
                f"validation {history.val_accuracy[-1]:.3f}"
            )
    return comparison


def digits(recipe: Recipe, seed: int) -> Dataset:
    """A few of the embedded handwritten digits, centered but not scaled, as the courses treat their images."""
    return load_digits(num_train=recipe.num_train, seed=seed).standardized("mean")


def _train(recipe: Recipe, data: Dataset, rate: float, seed: int) -> History:
    net = FullyConnectedNet(
        recipe.hidden_dims,
        input_dim=data.num_features,
        num_classes=data.num_classes,
        dropout=rate,
        dropout_mask=recipe.dropout_mask,
        weight_scale="he",
        seed=seed,
    )
    solver = Solver(
        net,
        data,
        update_rule="adam",
        optim_config={"learning_rate": recipe.learning_rate},
        batch_size=recipe.batch_size,
        num_epochs=recipe.num_epochs,
        verbose=False,
        progress=False,
    )
    return solver.train()


def save_figure(comparison: Comparison, path: Path) -> None:
    """Draw train and validation accuracy over the epochs: means, with bands of one standard deviation over seeds.

    Raises:
        MissingExtraError: if matplotlib is not installed.
    """
    figure_module = require("matplotlib.figure", extra="plot", purpose="drawing a figure")
    figure = figure_module.Figure(figsize=(10, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, what, title in zip(panels, ("train_accuracy", "val_accuracy"), ("Training", "Validation"), strict=True):
        for color, rate in zip(itertools.cycle(COLORS), comparison.recipe.rates, strict=False):
            histories = comparison.histories[rate]
            _band(axes, histories[0].epoch, [getattr(h, what) for h in histories], f"dropout {rate:g}", color)
        axes.set(title=f"{title} accuracy", xlabel="Epoch", ylim=(0, 1.02))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("Fraction classified rightly")
    panels[1].legend(loc="lower right")
    recipe = comparison.recipe
    figure.suptitle(f"{recipe.num_train} training images, mean ± standard deviation over {recipe.num_seeds} seeds")
    write_atomically(path, _png(figure))


def _band(axes: Any, epochs: Sequence[int], runs: Sequence[Sequence[float]], label: str, color: str) -> None:
    means = [statistics.mean(values) for values in zip(*runs, strict=True)]
    spreads = [statistics.stdev(values) if len(values) > 1 else 0.0 for values in zip(*runs, strict=True)]
    axes.plot(epochs, means, color=color, label=label)
    low, high = ([m + sign * s for m, s in zip(means, spreads, strict=True)] for sign in (-1, 1))
    axes.fill_between(epochs, low, high, color=color, alpha=0.2, linewidth=0)


def _png(figure: Any) -> bytes:
    import io

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def _spread(values: Sequence[float]) -> str:
    mean = f"{statistics.mean(values):.3f}"
    return f"{mean} ± {statistics.stdev(values):.3f}" if len(values) > 1 else mean

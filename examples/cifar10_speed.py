"""A fully connected net reaches 55% on CIFAR-10 in about a second of training on two cores.

python examples/cifar10_speed.py --seeds 10
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from oriented_gradients import with_oriented_gradients
from thinnet import Dataset, FullyConnectedNet, Solver, load_cifar10
from thinnet.layers.dropout import MASK_KINDS, MaskKind
from thinnet.schedules import OneCycle
from thinnet.statistics import rounded

GOAL = 0.55


@dataclass(frozen=True)
class Recipe:
    """A fixed transform of the images (oriented gradients), a small net, one epoch, one cycle of the learning rate."""

    hidden_dims: tuple[int, ...] = (256,)
    dropout: float = 0.0
    dropout_mask: MaskKind = "element"
    learning_rate: float = 4e-3
    weight_decay: float = 0.01
    epochs: int = 1
    batch_size: int = 250
    num_seeds: int = 10


@dataclass(frozen=True)
class Run:
    """One seed: wall-clock seconds, and the final accuracy."""

    transform_seconds: float
    train_seconds: float
    val_accuracy: float

    @property
    def seconds(self) -> float:
        """Seconds of the transform and training together, including evaluation."""
        return self.transform_seconds + self.train_seconds


@dataclass(frozen=True)
class Result:
    """All seeds, and the seconds of loading, which are not counted for any of them."""

    load_seconds: float
    runs: tuple[Run, ...]

    def table(self) -> str:
        """The medians, and how many seeds reached the goal."""
        accuracies = [run.val_accuracy for run in self.runs]
        reached = sum(accuracy >= GOAL for accuracy in accuracies)
        middle, least, most = (rounded(of(accuracies)) for of in (statistics.median, min, max))
        return (
            f"transform and training   {statistics.median(run.seconds for run in self.runs):.2f} s\n"
            f"  of which transform     {statistics.median(run.transform_seconds for run in self.runs):.2f} s\n"
            f"  of which training      {statistics.median(run.train_seconds for run in self.runs):.2f} s\n"
            f"loading, not counted     {self.load_seconds:.2f} s\n"
            f"validation accuracy      {middle} (from {least} to {most})\n"
            f"{reached} of {len(self.runs)} seeds reached {GOAL:.0%}; times are medians"
        )


def run(
    recipe: Recipe = Recipe(),
    root: str | None = None,
    log: Callable[[str], Any] = lambda text: None,
) -> Result:
    """Train one net per seed, each starting from the pixels; a first, uncounted run compiles or loads the kernels.

    Args:
        recipe: the net and its training.
        root: where CIFAR-10 is; found or downloaded as `thinnet.load_cifar10` does by default.
        log: called with a line of text after each seed.

    Raises:
        DataError: if the images cannot be found, downloaded or read.
    """
    started = time.perf_counter()
    data = load_cifar10(root, num_test=0)
    load_seconds = time.perf_counter() - started
    one_run(recipe, data.first(2 * recipe.batch_size), seed=0)
    runs = []
    for seed in range(recipe.num_seeds):
        runs.append(one_run(recipe, data, seed))
        log(f"seed {seed}: {rounded(runs[-1].val_accuracy)} in {runs[-1].seconds:.2f} s")
    return Result(load_seconds, tuple(runs))


def prepared(data: Dataset) -> Dataset:
    """The transform of the recipe: oriented gradients, each feature standardized."""
    return with_oriented_gradients(data).standardized("feature")


def one_run(recipe: Recipe, data: Dataset, seed: int) -> Run:
    """Transform the images and train one net on them."""
    started = time.perf_counter()
    features = prepared(data)
    transformed = time.perf_counter()
    net = FullyConnectedNet.for_data(
        features,
        recipe.hidden_dims,
        dropout=recipe.dropout,
        dropout_mask=recipe.dropout_mask,
        normalization="batchnorm",
        seed=seed,
    )
    solver = Solver(
        net,
        features,
        optimizer="adamw",
        learning_rate=recipe.learning_rate,
        optimizer_options={"weight_decay": recipe.weight_decay},
        schedule=OneCycle(),
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        eval_train_rows=100,
        verbose=False,
        progress=False,
    )
    history = solver.train()
    return Run(transformed - started, time.perf_counter() - transformed, history.val_accuracy[-1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Train as the command line says, and print the results."""
    parser = argparse.ArgumentParser(description="Train a small net on oriented gradients of CIFAR-10 for one epoch.")
    parser.add_argument("--root", help="the folder with the data; without one, they are looked for or downloaded")
    parser.add_argument("--dropout", type=float, default=0.0, help="the fraction of hidden units dropped (default: 0)")
    parser.add_argument("--dropout-mask", choices=MASK_KINDS, default="element", help="row by row, or alike in a batch")
    parser.add_argument("--seeds", type=int, default=10, help="how many seeds (default: 10)")
    options = parser.parse_args(arguments)
    recipe = Recipe(dropout=options.dropout, dropout_mask=options.dropout_mask, num_seeds=options.seeds)
    print(run(recipe, options.root, print).table())


if __name__ == "__main__":
    main()

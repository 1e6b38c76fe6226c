"""A fully connected net with batch normalization and dropout one half gets over 55% on CIFAR-10."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from thinnet.data import Dataset, load_cifar10
from thinnet.history import History
from thinnet.layers.dropout import MaskKind
from thinnet.nets import FullyConnectedNet
from thinnet.solver import Solver


@dataclass(frozen=True)
class Recipe:
    """The net and the training of the second course's notebook."""

    hidden_dims: tuple[int, ...] = (500, 500, 500)
    dropout: float = 0.5
    dropout_mask: MaskKind = "element"
    weight_scale: float = 1e-2
    learning_rate: float = 1e-3
    lr_decay: float = 0.9
    num_epochs: int = 20
    batch_size: int = 100
    seed: int = 0


@dataclass(frozen=True)
class Result:
    """Accuracies of the weights that did best on the validation images."""

    history: History
    val_accuracy: float
    test_accuracy: float
    num_test: int

    def table(self) -> str:
        """The two accuracies and the time."""
        return (
            f"validation accuracy {self.val_accuracy:.3f}\n"
            f"test accuracy       {self.test_accuracy:.3f} ({self.num_test} images)\n"
            f"training took       {self.history.seconds[-1]:.0f} s"
        )


def run(
    recipe: Recipe = Recipe(),
    root: str | os.PathLike[str] | None = None,
    verbose: bool = True,
    progress: bool | None = None,
) -> Result:
    """Train by the recipe on 49,000 images and judge on 1,000 validation images and all test images.

    Args:
        recipe: the net and its training.
        root: where CIFAR-10 is; found or downloaded as `thinnet.load_cifar10` does by default.
        verbose, progress: as for `thinnet.Solver`.

    Raises:
        DataError: if the images cannot be found, downloaded or read.
    """
    data = load_cifar10(root, num_test=None).standardized("mean")
    net = FullyConnectedNet(
        recipe.hidden_dims,
        dropout=recipe.dropout,
        dropout_mask=recipe.dropout_mask,
        normalization="batchnorm",
        weight_scale=recipe.weight_scale,
        seed=recipe.seed,
    )
    solver = Solver(
        net,
        data,
        update_rule="adam",
        optim_config={"learning_rate": recipe.learning_rate},
        lr_decay=recipe.lr_decay,
        batch_size=recipe.batch_size,
        num_epochs=recipe.num_epochs,
        print_every=100,
        verbose=verbose,
        progress=progress,
    )
    history = solver.train()
    return Result(history, _accuracy(net, data, "val"), _accuracy(net, data, "test"), data.num_rows("test"))


def _accuracy(net: FullyConnectedNet, data: Dataset, split: str) -> float:
    right = sum(int(np.sum(net.predict(X) == y)) for X, y in data.batches(split))
    return right / data.num_rows(split)

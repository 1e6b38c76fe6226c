"""A fully connected net with batch normalization and dropout one half gets over 55% on CIFAR-10."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thinnet import runs
from thinnet.config import Config
from thinnet.layers.dropout import MaskKind


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


def config(recipe: Recipe = Recipe(), root: str | os.PathLike[str] | None = None) -> Config:
    """The recipe as the config of a run: 49,000 images, 1,000 validation images, and all test images."""
    return Config(
        data="cifar10",
        root=os.fspath(root) if root else "",
        hidden_dims=recipe.hidden_dims,
        dropout=recipe.dropout,
        dropout_mask=recipe.dropout_mask,
        normalization="batchnorm",
        weight_scale=recipe.weight_scale,
        learning_rate=recipe.learning_rate,
        schedule="epoch_decay",
        decay=recipe.lr_decay,
        batch_size=recipe.batch_size,
        epochs=recipe.num_epochs,
        seed=recipe.seed,
    )


def run(
    recipe: Recipe = Recipe(),
    root: str | os.PathLike[str] | None = None,
    folder: Path | None = None,
    verbose: bool = True,
    progress: bool | None = None,
) -> runs.Result:
    """Train by the recipe, and judge the weights that did best on the validation images.

    Args:
        recipe: the net and its training.
        root: where CIFAR-10 is; found or downloaded as `thinnet.load_cifar10` does by default.
        folder: of the run; what it holds of the same run already is gone on with.  A passing one by default.
        verbose, progress: as for `thinnet.Solver`.

    Raises:
        DataError: if the images cannot be found, downloaded or read.
        CheckpointError: if the folder holds another run.
    """
    options: dict[str, Any] = {"verbose": verbose, "progress": progress, "print_every": 100}
    if folder is not None:
        return runs.start_or_resume(config(recipe, root), folder, lambda text: None, **options)
    with tempfile.TemporaryDirectory() as passing:
        return runs.start(config(recipe, root), Path(passing), lambda text: None, **options)


def table(result: runs.Result) -> str:
    """The two accuracies and the time."""
    return (
        f"validation accuracy {result.val_accuracy or 0:.3f}\n"
        f"test accuracy       {result.test_accuracy or 0:.3f}\n"
        f"training took       {result.history.seconds[-1]:.0f} s"
    )

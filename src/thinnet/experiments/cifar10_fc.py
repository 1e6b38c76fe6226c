"""A fully connected net with batch normalization and a dropout rate of 0.5 gets over 55% on CIFAR-10."""

from pathlib import Path
from typing import Any

from thinnet import runs
from thinnet.config import Config
from thinnet.statistics import rounded

# The net and the training of the second course's notebook, on 49,000 images; another 1,000 select the best weights.
RECIPE = Config(
    data="cifar10",
    standardization="mean",
    hidden_dims=(500, 500, 500),
    dropout=0.5,
    normalization="batchnorm",
    weight_scale=1e-2,
    learning_rate=1e-3,
    schedule="epoch_decay",
    decay=0.9,
    batch_size=100,
    epochs=20,
    seed=0,
)


def run(config: Config, folder: Path, **options: Any) -> runs.Result:
    """Train with the recipe, then evaluate the weights that were best on the validation images on all test images.

    Args:
        config: the net and its training; `root` says where CIFAR-10 is; by default it is found or downloaded.
        folder: of the run; an unfinished run in it is continued.
        options: verbose and progress, as for `thinnet.Solver`.

    Raises:
        DataError: if the images cannot be found, downloaded or read.
        CheckpointError: if the folder holds another run.
    """
    return runs.start_or_resume(config, folder, lambda text: None, **{"print_every": 100, **options})


def table(result: runs.Result) -> str:
    """The two accuracies and the time."""
    return (
        f"validation accuracy {rounded(result.val_accuracy or 0)}\n"
        f"test accuracy       {rounded(result.test_accuracy or 0)}\n"
        f"training took       {result.history.seconds[-1]:.0f} s"
    )

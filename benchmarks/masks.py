"""One run of a recipe with one kind of dropout mask: ``python masks.py RECIPE MASK SEED`` prints the accuracy."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from thinnet import load_cifar10
from thinnet.experiments import cifar10_fc, cifar10_speed

SPEED_RATE = 0.2  # the speed recipe itself drops nothing: one epoch is too short to profit from it


def cifar10_fc_accuracy(mask: Any, seed: int) -> float:
    """The second course's final net: accuracy on the test images."""
    config = replace(cifar10_fc.RECIPE, dropout_mask=mask, seed=seed)
    return cifar10_fc.run(config, verbose=False, progress=False).test_accuracy


def cifar10_speed_accuracy(mask: Any, seed: int) -> float:
    """The speed recipe with some dropout: accuracy on the validation images."""
    recipe = cifar10_speed.Recipe(dropout=SPEED_RATE, dropout_mask=mask)
    return cifar10_speed.one_run(recipe, load_cifar10(num_test=0), seed).val_accuracy


RECIPES: dict[str, Callable[[Any, int], float]] = {
    "cifar10-fc, rate 0.5, test images": cifar10_fc_accuracy,
    f"cifar10-speed, rate {SPEED_RATE}, validation images": cifar10_speed_accuracy,
}

if __name__ == "__main__":
    print(json.dumps(RECIPES[sys.argv[1]](sys.argv[2], int(sys.argv[3]))))

"""One run of a recipe with some settings changed: ``python accuracies.py RECIPE CHANGES SEED`` prints the accuracy."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

import cifar10_speed
from thinnet import load_cifar10
from thinnet.experiments import cifar10_fc

SPEED_RATE = 0.2  # the speed recipe itself has no dropout: one epoch is too short to benefit from it


def cifar10_fc_accuracy(changes: Mapping[str, Any], seed: int) -> float:
    """The second course's final net: accuracy on the test images."""
    config = replace(cifar10_fc.RECIPE, **changes, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        return cifar10_fc.run(config, Path(folder), verbose=False, progress=False).test_accuracy


def cifar10_speed_accuracy(changes: Mapping[str, Any], seed: int) -> float:
    """The speed recipe with some dropout: accuracy on the validation images."""
    recipe = cifar10_speed.Recipe(dropout=SPEED_RATE, **changes)
    return cifar10_speed.one_run(recipe, load_cifar10(num_test=0), seed).val_accuracy


RECIPES: dict[str, Callable[[Any, int], float]] = {
    "cifar10-fc, rate 0.5, test images": cifar10_fc_accuracy,
    f"cifar10-speed, rate {SPEED_RATE}, validation images": cifar10_speed_accuracy,
}


def over_seeds(recipe: str, changes: Mapping[str, Any], seeds: int = 5) -> list[float]:
    """The accuracies of this many runs, each in its own process."""
    command = [sys.executable, __file__, recipe, json.dumps(changes)]
    return [float(subprocess.check_output([*command, str(seed)], text=True)) for seed in range(seeds)]


def row(recipe: str, settings: tuple[Mapping[str, Any], Mapping[str, Any]]) -> str:
    """A table row: the recipe, its accuracies with each of the two settings, and the difference."""
    runs = [over_seeds(recipe, changes) for changes in settings]
    cells = [f"{statistics.mean(one):.4f} ± {statistics.stdev(one):.4f}" for one in runs]
    return f"| {recipe} | {cells[0]} | {cells[1]} | {statistics.mean(runs[1]) - statistics.mean(runs[0]):+.4f} |\n"


if __name__ == "__main__":
    print(json.dumps(RECIPES[sys.argv[1]](json.loads(sys.argv[2]), int(sys.argv[3]))))

"""How far a fully connected net gets on CIFAR-10 in a given time, from pixels alone."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from thinnet import runs
from thinnet.config import NONE, Config
from thinnet.nets import FullyConnectedNet
from thinnet.solver import Solver
from thinnet.statistics import rounded
from thinnet.steps.choose import fast_precision
from thinnet.storage.files import write_atomically

RUNGS = (0.55, 0.58, 0.60, 0.62, 0.65, 0.68, 0.70)  # of validation accuracy

# Chosen on validation images, except the last, which extends the one before it; each run takes as many epochs as the
# machine completes in the time.
_BASE = Config(
    data="cifar10",
    standardization="feature",
    normalization="batchnorm",
    weight_scale="he",
    optimizer="adamw",
    schedule="one_cycle",
    weight_decay=0.05,
    label_smoothing=0.1,
    flip="random",
    seed=0,
)
RECIPES = {
    1: replace(_BASE, hidden_dims=(1024, 512), batch_size=250, learning_rate=4e-3, dropout=0.1, flip="alternating"),
    10: replace(_BASE, hidden_dims=(2048, 1024, 512), batch_size=500, learning_rate=3e-3, dropout=0.2, translate=2),
    60: replace(
        _BASE, hidden_dims=(2048, 2048, 1024), batch_size=1000, learning_rate=3e-3, dropout=0.3, translate=3, mixup=0.2
    ),
}
CLIMB = "climb.json"  # in a run's folder: its results
PILOT_STEPS = 40  # to measure the speed of the machine


@dataclass(frozen=True)
class Climb:
    """The results of a run.

    Attributes:
        result: accuracies without averaging.
        flipped_accuracy: on the test images, with scores averaged with those of their mirror images.
    """

    result: runs.Result
    flipped_accuracy: float

    def rungs(self) -> dict[float, float]:
        """The seconds of training until validation accuracy first reached each rung; only for rungs it reached."""
        history = self.result.history
        points = list(zip(history.val_accuracy, history.seconds, strict=True))
        reached = {rung: [seconds for accuracy, seconds in points if accuracy >= rung] for rung in RUNGS}
        return {rung: seconds[0] for rung, seconds in reached.items() if seconds}

    def numbers(self) -> dict[str, Any]:
        """All results, in a form that JSON can hold."""
        result = self.result
        return {
            "seconds_to": {f"{rung:.2f}": seconds for rung, seconds in self.rungs().items()},
            "val_accuracy": result.val_accuracy,
            "test_accuracy": self.flipped_accuracy,
            "test_accuracy_without_flips": result.test_accuracy,
            "seconds": result.history.seconds[-1],
            "epochs": len(result.history.seconds) - 1,
        }

    def table(self) -> str:
        """One line for each rung, and the accuracies at the end."""
        lines = [f"{rung:.0%} of validation   after {seconds:.0f} s" for rung, seconds in self.rungs().items()]
        lines += [
            f"validation accuracy {rounded(self.result.val_accuracy or 0)}",
            f"test accuracy       {rounded(self.flipped_accuracy)}, scores averaged with those of mirror images",
            f"                    {rounded(self.result.test_accuracy or 0)} without",
            f"training took       {self.result.history.seconds[-1]:.0f} s",
        ]
        return "\n".join(lines)


def recipe_for(minutes: float, **changes: Any) -> Config:
    """The longest recipe that fits in the time, with as many epochs as the machine completes in it.

    Training, including evaluations, then takes about this time, or more on a machine that others use too.

    Args:
        minutes: of training, not counting compilation and loading.
        changes: to the recipe's settings.
    """
    known = max((each for each in RECIPES if each <= minutes), default=min(RECIPES))
    config = replace(RECIPES[known], **{"precision": fast_precision() or NONE, **changes})
    return config if "epochs" in changes else replace(config, epochs=max(1, int(60 * minutes / epoch_seconds(config))))


def epoch_seconds(config: Config) -> float:
    """How long an epoch takes here, measured on a few steps and one evaluation of a throwaway net."""
    data = runs.load(config)
    net = runs.net_of(config, data)
    solver = Solver(net, data, batch_size=config.batch_size, epochs=1, optimizer=config.optimizer, verbose=False)
    for _ in range(PILOT_STEPS // 4):  # warm-up: compiles the kernels, starts the threads
        solver.step()
    started = time.perf_counter()
    for _ in range(PILOT_STEPS):
        solver.step()
    stepped = time.perf_counter()
    solver.evaluate("val"), solver.evaluate("train")
    return (stepped - started) / PILOT_STEPS * solver.order.steps_per_epoch + time.perf_counter() - stepped


def run(config: Config, folder: Path, log: Callable[[str], Any] = lambda text: None, **options: Any) -> Climb:
    """Train with a config from `recipe_for`, and evaluate the best weights on the test images once, at the end.

    Args:
        config: the net and its training.
        folder: of the run; an unfinished run in it is continued. Gets climb.json besides a run's files.
        log: called with each line of output.
        options: verbose and progress, as for `thinnet.Solver`.

    Raises:
        DataError: if the images cannot be found, downloaded or read.
        CheckpointError: if the folder holds another run.
    """
    result = runs.start_or_resume(config, folder, log, **{"print_every": 100, **options})
    data = runs.load(config)
    net = FullyConnectedNet.load(folder / runs.NET)
    X, y = data.X_test, data.y_test
    assert X is not None
    climb = Climb(result, float((net.predict(X, flip=(3, 32, 32)) == y).mean()))
    write_atomically(folder / CLIMB, json.dumps(climb.numbers()).encode())
    return climb

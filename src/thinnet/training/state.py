"""TrainingState: how far a training has come, and what it has seen on the way."""

from dataclasses import dataclass, field
from typing import Any

from thinnet.history import History
from thinnet.training.averaging import WeightAverage
from thinnet.training.weights import KeptWeights


@dataclass
class TrainingState:
    """What the solver, callbacks and checkpoints share.

    Attributes:
        model: what is trained.
        steps_per_epoch: how many steps go through the data once.
        total_steps: how many steps the whole training has.
        iteration: how many steps were taken.
        history: losses and accuracies.
        weights: copies of the model's weights to go back to, the best ones among them.
        measure: what accuracies are: ``"accuracy"``, or ``"R²"`` where targets are values.
        average: the exponential average of the model's weights, or None.
        stop_reason: why training ends, or ended, before its last step; None where it does not.
    """

    model: Any
    steps_per_epoch: int
    total_steps: int
    weights: KeptWeights
    measure: str = "accuracy"
    iteration: int = 0
    history: History = field(default_factory=History)
    average: WeightAverage | None = None
    stop_reason: str | None = None

    @property
    def epoch(self) -> int:
        """How many epochs are finished."""
        return self.iteration // self.steps_per_epoch

    @property
    def epochs(self) -> int:
        """How many epochs the whole training has."""
        return self.total_steps // self.steps_per_epoch

    @property
    def at_epoch_end(self) -> bool:
        """Whether the last step ended an epoch, or the training."""
        return self.iteration == self.total_steps or self.iteration % self.steps_per_epoch == 0

    @property
    def finished(self) -> bool:
        """Whether no step is left, or something asked training to stop."""
        return self.iteration >= self.total_steps or self.stop_reason is not None

    def record(self, loss: float) -> None:
        """Count a step whose loss, before it, was this."""
        self.history.loss.append(loss)
        self.iteration += 1

    def stop(self, reason: str) -> None:
        """Make training end after the current step; `reason` is kept in `stop_reason`."""
        self.stop_reason = reason

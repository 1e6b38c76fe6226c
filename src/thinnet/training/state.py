"""TrainingState: the progress of training, and what it has recorded."""

from dataclasses import dataclass, field
from typing import Any

from thinnet.history import History
from thinnet.training.averaging import WeightAverage
from thinnet.training.weights import KeptWeights


@dataclass
class TrainingState:
    """The state that the solver, callbacks and checkpoints share.

    Attributes:
        model: the model being trained.
        steps_per_epoch: the number of steps in one pass over the data.
        total_steps: the total number of training steps.
        iteration: the number of steps taken.
        history: losses and accuracies.
        weights: saved copies of the model's weights, including the best ones.
        measure: what accuracies measure: ``"accuracy"``, or ``"R²"`` if the targets are values.
        average: the exponential moving average of the model's weights, or None.
        stop_reason: why training ends, or ended, before its last step; None if it does not.
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
        """The number of finished epochs."""
        return self.iteration // self.steps_per_epoch

    @property
    def epochs(self) -> int:
        """The total number of epochs."""
        return self.total_steps // self.steps_per_epoch

    @property
    def at_epoch_end(self) -> bool:
        """Whether the last step ended an epoch or training itself."""
        return self.iteration == self.total_steps or self.iteration % self.steps_per_epoch == 0

    @property
    def finished(self) -> bool:
        """Whether no steps are left, or there is a reason to stop."""
        return self.iteration >= self.total_steps or self.stop_reason is not None

    def record(self, loss: float) -> None:
        """Count a step, and record the loss before it."""
        self.history.loss.append(loss)
        self.iteration += 1

    def stop(self, reason: str) -> None:
        """Make training end after the current step; `reason` is stored in `stop_reason`."""
        self.stop_reason = reason

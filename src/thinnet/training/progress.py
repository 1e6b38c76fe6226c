"""How far a training has come, as whoever trains reads it."""

from typing import Any, ClassVar

from thinnet.arguments import Known
from thinnet.history import History
from thinnet.training.state import TrainingState


class Progress(Known):
    """What can be read of a training's state.

    Attributes:
        state: the state.
    """

    _instead: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("fit", "run"), "Write solver.train()."),
        **dict.fromkeys(("predict", "score"), "Write solver.model.predict(X), or solver.accuracy('val')."),
        **dict.fromkeys(("learning_rate", "lr"), "Write solver.optimizer.options['learning_rate']."),
        "epochs": "Write solver.state.epochs.",
        "batch_size": "Write solver.order.batch_size.",
    }
    state: TrainingState

    @property
    def history(self) -> History:
        """The losses and accuracies so far."""
        return self.state.history

    @property
    def iteration(self) -> int:
        """How many steps were taken."""
        return self.state.iteration

    @property
    def num_iterations(self) -> int:
        """How many steps the whole training takes."""
        return self.state.total_steps

    @property
    def epoch(self) -> int:
        """How many epochs are finished."""
        return self.state.epoch

    @property
    def best(self) -> Any:
        """A copy of the parameters and running statistics that did best on the validation rows, or None."""
        return self.state.weights.best

    @property
    def best_val_accuracy(self) -> float:
        """The best validation accuracy so far; 0 before there is one."""
        return max(self.history.val_accuracy, default=0.0)

    @property
    def stop_reason(self) -> str | None:
        """Why training ended before its last step, or None."""
        return self.state.stop_reason

    def __repr__(self) -> str:
        model = repr(self.state.model).splitlines()[0].partition(":")[0]
        return f"<{type(self).__name__} of {model}: step {self.iteration:,} of {self.num_iterations:,}>"

    def stop(self, reason: str) -> None:
        """Make `train` end after the current step; `reason` is kept in `stop_reason`."""
        self.state.stop(reason)

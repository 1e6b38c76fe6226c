"""The progress of training, as the user reads it."""

from typing import TYPE_CHECKING, Any, ClassVar

from thinnet.arguments import Known
from thinnet.checks import check_choice, check_number
from thinnet.errors import ArgumentError
from thinnet.history import History
from thinnet.training.state import TrainingState

ELSEWHERE = """
batch_size checkpoint_dir checkpoint_every communicator ema_decay eval_train_rows eval_val_rows optimizer
optimizer_options progress sampling schedule weight_decay_schedule
"""
GIVEN_ONCE = {
    **dict.fromkeys(ELSEWHERE.split(), "Make another solver of the same net."),
    **dict.fromkeys(("learning_rate", "lr"), "Write solver.optimizer.options['learning_rate'] = 0.01, for example."),
    "epochs": "Write solver.train(epochs=10) for ten more.",
}  # arguments that a solver does not keep under their own name
KEPT = "batch_statistics data mixup model order patience precision processes schedules seed state"


class Progress(Known):
    """The readable properties of a training state.

    Attributes:
        state: the training state.
    """

    _instead: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("fit", "run"), "Write solver.train()."),
        **dict.fromkeys(("predict", "score"), "Write solver.model.predict(X), or solver.accuracy('val')."),
        **dict.fromkeys(("learning_rate", "lr"), "Write solver.optimizer.options['learning_rate']."),
        "epochs": "Write solver.state.epochs.",
        "batch_size": "Write solver.order.batch_size.",
    }
    state: TrainingState

    if not TYPE_CHECKING:  # otherwise mypy would accept every attribute

        def __setattr__(self, name: str, value: Any) -> None:
            """Reject assignments that would have no effect on training: those to arguments used only once."""
            if name in GIVEN_ONCE or (name in KEPT.split() and name in vars(self)):
                fix = GIVEN_ONCE.get(name, "Make another solver of the same net.")
                raise ArgumentError(f"{name} must stay as the solver was given it, got an assignment. {fix}")
            if name == "verbose":
                check_choice(name, value, (True, False))
            super().__setattr__(name, check_number(name, value) if name == "print_every" else value)

    @property
    def history(self) -> History:
        """The losses and accuracies so far."""
        return self.state.history

    @property
    def iteration(self) -> int:
        """The number of steps taken."""
        return self.state.iteration

    @property
    def num_iterations(self) -> int:
        """The total number of training steps."""
        return self.state.total_steps

    @property
    def epoch(self) -> int:
        """The number of finished epochs."""
        return self.state.epoch

    @property
    def best(self) -> Any:
        """A copy of the parameters and running statistics that did best on the validation rows so far, or None."""
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
        """Make `train` end after the current step; `reason` is stored in `stop_reason`."""
        self.state.stop(reason)

"""Evaluating a model during training: on which rows, what is recorded, and what is said."""

from collections.abc import Callable

import numpy as np

from thinnet.checks import check_number
from thinnet.distributed.processes import ProcessGroup
from thinnet.errors import NumericalError, on_all_processes
from thinnet.training.evaluation import Evaluation
from thinnet.training.state import TrainingState
from thinnet.training.stopping import compared
from thinnet.training.weights import largest
from thinnet.typing import IntArray

EVALUATION_STREAM = 1  # keeps the rows sampled for evaluation apart from the order of the batches


def sampled_rows(num_rows: int, limit: int | None, seed: int, split: str) -> IntArray:
    """All rows of a split, or the same `limit` of them every time."""
    if limit is None or limit >= num_rows:
        return np.arange(num_rows)
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(EVALUATION_STREAM, len(split))))
    return generator.choice(num_rows, limit, replace=False)


def checked_limit(name: str, value: int | None) -> int | None:
    """A number of rows or epochs that may be left out."""
    return None if value is None else int(check_number(name, value))


class Evaluator:
    """Evaluates a model between epochs, and keeps what comes of it.

    Args:
        state: its history and kept weights are changed.
        evaluate: how well the model does on a split.
        validates: whether there are validation rows.
        processes: the processes that train together.
    """

    def __init__(
        self, state: TrainingState, evaluate: Callable[[str], Evaluation], validates: bool, processes: ProcessGroup
    ) -> None:
        self.state, self.evaluate, self.validates, self.processes = state, evaluate, validates, processes

    def record(self, seconds: Callable[[], float]) -> str:
        """Evaluate on training and validation rows, keep the weights if they are the best, and say how they do.

        `seconds` gives the time since training began.

        Raises:
            NumericalError: if weights or scores are not finite; the model then has the last good weights, if there are
                any.
        """
        state, history = self.state, self.state.history
        state.weights.check(state.iteration, history.loss[-1])
        if self.processes.size > 1:
            self.processes.check_equal(state.model.params.flat)
        history.epoch.append(state.epoch)
        history.train_accuracy.append(self._finite("train").accuracy)
        report = f"(Epoch {state.epoch} / {state.epochs}) train acc: {history.train_accuracy[-1]:f}"
        if self.validates:
            accuracy, loss = self._finite("val")
            history.val_accuracy.append(accuracy)
            report += f"; val_acc: {accuracy:f}"
            if loss is not None:
                history.val_loss.append(loss)
            state.weights.offer(compared(history, state.measure)[-1])
        state.weights.keep_finite()
        history.seconds.append(seconds())
        return report

    def _finite(self, split: str) -> Evaluation:
        """The evaluation; where no scores can be computed, the last good weights are put back."""
        try:
            return self.evaluate(split)
        except NumericalError as error:
            text = (
                f"After step {self.state.iteration}, scores became infinite or NaN; the largest weights are those of "
                f"{largest(self.state.model)}. Likely cause: a learning rate that is too large, or inputs that are not "
                f"standardized. The model was given the last good weights."
            )
            self.state.weights.restore_finite()
            raise on_all_processes(NumericalError(text)) from error

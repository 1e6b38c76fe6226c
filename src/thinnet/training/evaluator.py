"""Evaluation during training: which rows are used, what is recorded, and what is printed."""

import time
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

EVALUATION_STREAM = 1  # makes the sampled rows independent of the order of the batches


def sampled_rows(num_rows: int, limit: int | None, seed: int, split: str) -> IntArray:
    """All rows of a split, or the same `limit` of them every time."""
    if limit is None or limit >= num_rows:
        return np.arange(num_rows)
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(EVALUATION_STREAM, len(split))))
    return generator.choice(num_rows, limit, replace=False)


def checked_limit(name: str, value: int | None) -> int | None:
    """An optional number of rows or epochs, checked."""
    return None if value is None else int(check_number(name, value))


def record(
    state: TrainingState,
    evaluate: Callable[[str], Evaluation],
    started: float,
    processes: ProcessGroup,
    validates: bool,
) -> str:
    """Evaluate on training and validation rows, keep the weights if they are the best, and return a line of text.

    Args:
        state: its history and kept weights are updated.
        evaluate: evaluates the model on a split.
        started: when training began, by `time.perf_counter`.
        processes: the processes that train together.
        validates: whether there are validation rows.

    Raises:
        NumericalError: if weights or scores are not finite; the model then has the last good weights, if any.
    """
    history, what = state.history, state.measure
    names = ("train acc", "val_acc") if what == "accuracy" else (f"train {what}", f"val {what}")
    state.weights.check(state.iteration, history.loss[-1])
    if processes.size > 1:
        processes.check_equal(state.model.params.flat)
    history.epoch.append(state.epoch)
    try:
        history.train_accuracy.append(evaluate("train").accuracy)
        report = f"(Epoch {state.epoch} / {state.epochs}) {names[0]}: {history.train_accuracy[-1]:f}"
        if validates:
            accuracy, loss = evaluate("val")
            history.val_accuracy.append(accuracy)
            report += f"; {names[1]}: {accuracy:f}"
            if loss is not None:
                history.val_loss.append(loss)
            state.weights.offer(compared(history, state.measure)[-1])
    except NumericalError as error:
        text = (
            f"After step {state.iteration}, scores became infinite or NaN; the largest weights are those of "
            f"{largest(state.model)}. Likely cause: a learning rate that is too large, or inputs that are not "
            f"standardized. The model was given the last good weights."
        )
        state.weights.restore_finite()
        raise on_all_processes(NumericalError(text)) from error
    state.weights.keep_finite()
    history.seconds.append(time.perf_counter() - started)
    return report

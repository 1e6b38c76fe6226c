"""Evaluates a model on rows of a data set."""

from typing import Any, NamedTuple

import numpy as np

from thinnet.checks import check_takes, kind_of
from thinnet.data.dataset import ROWS_AT_ONCE, Dataset
from thinnet.distributed.processes import ProcessGroup
from thinnet.errors import ArgumentError, NumericalError
from thinnet.layers import LOSSES
from thinnet.nets import FullyConnectedNet
from thinnet.nets.predictions import VALUED, prediction
from thinnet.steps.batches import as_targets
from thinnet.training.model_batch import model_batch
from thinnet.typing import AnyArray, FloatArray, IntArray

DIGIT = 4 * np.finfo(np.float64).eps  # the relative rounding error of a mean
Scored = tuple[FloatArray, AnyArray]  # scores of rows, and their labels or targets


class Evaluation(NamedTuple):
    """The result of an evaluation.

    Attributes:
        accuracy: the fraction of rows predicted correctly, with all labels if a row has several; R² if the targets are
            values.
        loss: the mean loss without the L2 penalty, in test mode; None for a model that is not a `FullyConnectedNet`.
    """

    accuracy: float
    loss: float | None


def evaluate(model: Any, data: Dataset, split: str, rows: IntArray, processes: ProcessGroup) -> Evaluation:
    """Score rows of a split; row numbers count the rows of all processes.

    Raises:
        NumericalError: in all processes, if a score is NaN or infinite in any of them.
    """
    _, here = data.held(split, rows)
    error, scored, kind = None, [], _loss_name(model, data)
    try:
        for start in range(0, len(here), ROWS_AT_ONCE):
            X, y = model_batch(model, data, split, here[start : start + ROWS_AT_ONCE])
            scored.append((_scores(model, X, kind), y))
    except NumericalError as caught:
        error = caught
    processes.raise_first(error)
    loss = _loss(model, scored, len(rows), processes) if isinstance(model, FullyConnectedNet) else None
    if kind in VALUED:
        scored = [(prediction(kind, scores), y) for scores, y in scored]
        return Evaluation(_r_squared(scored, len(rows), processes), loss)
    right = sum(int(_is_right(prediction(kind, scores), y).sum()) for scores, y in scored)
    return Evaluation(processes.sum(right)[0] / len(rows), loss)


def _scores(model: Any, X: AnyArray, kind: str) -> Any:
    """The scores of rows; if the model is not ours, they are checked."""
    if isinstance(model, FullyConnectedNet):
        return model.loss(X)
    check_takes("the model's loss", model.loss, "loss(X), which gives scores", X)
    scores = model.loss(X)
    fits = isinstance(scores, np.ndarray) and scores.ndim in ((1, 2) if kind in VALUED else (2,))
    if fits and len(scores) == len(X):
        return scores
    came = f"an array of shape {scores.shape}" if isinstance(scores, np.ndarray) else kind_of(scores)
    raise ArgumentError(
        f"the model's loss(X) must return the scores of all rows, an array of shape ({len(X)}, C), got {came}. If y is "
        f"None, return only the scores."
    )


def measure_of(model: Any, data: Dataset) -> str:
    """The name of the measure: "accuracy", or "R²" for values."""
    return "R²" if _loss_name(model, data) in VALUED else "accuracy"


def _loss_name(model: Any, data: Dataset) -> str:
    """The loss of our own nets; for other models, the one that fits the targets."""
    if isinstance(model, FullyConnectedNet):
        name: str = model.loss_name
        return name
    return "mse" if data.y_train.dtype.kind == "f" else "softmax"


def _is_right(predicted: AnyArray, y: AnyArray) -> AnyArray:
    right: AnyArray = predicted == y if y.ndim == 1 else (predicted == (y > 0.5)).all(axis=1)
    return right


def _loss(net: FullyConnectedNet, scored: list[Scored], num_rows: int, processes: ProcessGroup) -> float:
    function = LOSSES[net.loss_name].function
    with np.errstate(all="ignore"):  # an infinite loss is recorded as is
        total = sum(function(scores, as_targets(net.spec, y))[0] * len(y) for scores, y in scored)
    return processes.sum(total)[0] / num_rows


def _r_squared(scored: list[Scored], num_rows: int, processes: ProcessGroup) -> float:
    """1 − Σ (y − prediction)² / Σ (y − mean of y)² over all rows and columns.

    If all targets are equal up to rounding, it is 1 if all predictions are exact, else 0.
    """
    scored = [(values, y.reshape(values.shape)) for values, y in scored]
    sums = processes.gather(sum((y.sum(axis=0, dtype=np.float64) for _, y in scored), start=np.zeros(())))
    mean = sum(sums[1:], start=sums[0]) / num_rows
    residual = sum(float(np.square(y - values).sum(dtype=np.float64)) for values, y in scored)
    total = sum(float(np.square(y - mean).sum()) for _, y in scored)
    residual, total = processes.sum(residual, total)
    if total <= num_rows * float(np.square(DIGIT * mean).sum()):
        return float(residual == 0)
    return 1 - residual / total

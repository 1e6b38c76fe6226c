"""Trials before training on all rows: they train on four fifths of the rows and are scored on the others.

They find how confident a classifier may be (its temperature) and, with ``tune=True``, which settings are best.
"""

import copy
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.base import is_regressor
from sklearn.exceptions import ConvergenceWarning

from thinnet.errors import ArgumentError, NumericalError
from thinnet.layers import LOSSES
from thinnet.sklearn import members
from thinnet.sklearn.parameters import is_auto
from thinnet.sklearn.sample import Sample
from thinnet.sklearn.settings import Settings

HELD_OUT = 0.2
PRIOR = 1.0  # rows; how many the preference for a temperature of 1 counts for, times its squared log2
LARGEST = 16.0  # temperature; the lowest is one over it
# What may be better than the rule: more decay, fewer columns, both, a larger net. Parameters the user set stay as set.
CANDIDATES: tuple[Callable[[Settings], dict[str, Any]], ...] = (
    lambda rule: {},
    lambda rule: {"alpha": 10 * rule.alpha},
    lambda rule: {"numeric_bins": None},
    lambda rule: {"alpha": 10 * rule.alpha, "numeric_bins": None},
    lambda rule: {"alpha": rule.alpha / 3, "hidden_layer_sizes": (256, 256), "dropout": 0.1},
)


class Trial(NamedTuple):
    """What a trial found on the rows held out."""

    params: dict[str, Any]
    temperature: float  # the best number to divide scores by
    loss: float  # at that temperature


def best(estimator: Any, sample: Sample, asked: str | None) -> Trial | None:
    """The trial with the lowest loss among the candidates, or the only one without ``tune``.

    `asked` is the parameter with which the user requests trials, or None if the rule does. If no rows can be held out,
    or the net cannot be trained on the rest, the result is None, or an error if the user requested trials.

    KeyboardInterrupt if the user interrupts a trial.
    """
    try:
        train, held = estimator._split(sample, HELD_OUT, fewest=2)
    except ArgumentError:
        if asked is None:
            return None
        raise ArgumentError(
            f"{asked} must be False if there are too few rows to hold a fifth out and leave one of each class to "
            f"train on, got {asked}=True and {sample.X.shape[0]} rows. Give more rows, or set {asked}=False."
        ) from None
    candidates = _candidates(estimator, *sample.X.shape) if estimator.tune else [{}]
    try:
        trials = [_trial(estimator, params, train, held) for params in candidates]
    except (ArgumentError, NumericalError):  # training on all rows raises it too, unless there were too few
        if asked is None:
            return None
        raise
    return min(trials, key=lambda trial: trial.loss)


def _candidates(estimator: Any, num_rows: int, num_columns: int) -> list[dict[str, Any]]:
    """The distinct candidates, without changes to what the user set."""
    different: list[dict[str, Any]] = []
    rule = estimator._settings_for(num_rows, num_columns)
    for candidate in CANDIDATES:
        params = {name: value for name, value in candidate(rule).items() if is_auto(getattr(estimator, name))}
        if estimator.solver == "lbfgs":
            params.pop("dropout", None)
        if params not in different:
            different.append(params)
    return different


def _trial(estimator: Any, params: dict[str, Any], train: Sample, held: Sample) -> Trial:
    model = copy.copy(estimator).set_params(**params, verbose=False)
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):  # training on all rows warns
        if model._train_on(train, fresh=True, incremental=False):
            raise KeyboardInterrupt  # nothing is trained on all rows yet
    scores = members.scores(model._nets, model._inputs, held.X, np.float64)
    targets = model._scaled(held.targets, held.weights, fresh=False)
    targets = targets if targets.dtype.kind in "iu" else targets.astype(np.float64)
    weights = held.weighing_one().weights

    def loss(temperature: float) -> float:
        return float(LOSSES[model._loss].function(scores / temperature, targets, weights)[0])

    temperature = 1.0 if is_regressor(estimator) else best_temperature(loss, len(held.targets))
    return Trial(params, temperature, loss(temperature))


def best_temperature(loss: Callable[[float], float], num_rows: int) -> float:
    """The temperature with the lowest loss; among those with about the same loss, the one nearest to 1.

    Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", arXiv 1706.04599 (2017).

    >>> round(best_temperature(lambda temperature: (temperature - 2.0) ** 2, 10_000), 1)
    2.0
    """

    def cost(exponent: float) -> float:
        return loss(2.0**exponent) + PRIOR / num_rows * exponent**2

    most = float(np.log2(LARGEST))
    return float(2.0 ** minimize_scalar(cost, bounds=(-most, most), method="bounded").x)

"""tune=True: a few settings compared on rows held out, before all rows are trained on by the best one."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.base import is_regressor

from thinnet.layers import LOSSES
from thinnet.sklearn import holding_out, members
from thinnet.sklearn.parameters import is_auto
from thinnet.sklearn.sample import Sample

HELD_OUT = 0.2
# Each takes the place of what the rule says; a parameter that was given stays as it was given.
CANDIDATES: tuple[dict[str, Any], ...] = (
    {},
    {"alpha": 10.0},
    {"dropout": 0.1},
    {"dropout": 0.5},
    {"label_smoothing": 0.1},
)


def best_params(estimator: Any, sample: Sample) -> dict[str, Any]:
    """The settings that do best on a fifth of the rows, after training on the others: those of the least loss.

    Args:
        estimator: whose parameters all candidates have in common; it knows the form of the targets.
        sample: the rows.
    """
    labels = None if is_regressor(estimator) else sample.targets
    train, held = holding_out.split(labels, sample.X.shape[0], HELD_OUT, seed=estimator._seed, fewest=2)
    candidates = _candidates(estimator)
    losses = [_loss(estimator, params, sample.take(train), sample.take(held)) for params in candidates]
    return candidates[int(np.argmin(losses))]


def _candidates(estimator: Any) -> list[dict[str, Any]]:
    """The different ones that leave what was given as it is."""
    different: list[dict[str, Any]] = []
    for candidate in CANDIDATES:
        params = {name: value for name, value in candidate.items() if is_auto(getattr(estimator, name))}
        if params not in different:
            different.append(params)
    return different


def _loss(estimator: Any, params: dict[str, Any], train: Sample, held: Sample) -> float:
    """The loss on the rows held out, after training by these parameters."""
    trial = copy.copy(estimator).set_params(**params, verbose=False)
    trial._train_on(train, fresh=True, incremental=False)
    scores = members.scores(trial._nets, trial._inputs, held.X, np.float64)
    targets = trial._scaled(held.targets, held.weights, fresh=False)
    targets = targets if targets.dtype.kind in "iu" else targets.astype(np.float64)
    return float(LOSSES[trial._loss].function(scores, targets, held.weights)[0])

"""A net with normalization: its effect, its parameters and gradients, its running statistics, and test mode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thinnet.check.compare import close
from thinnet.check.probes.net_calls import forwards, shared_param
from thinnet.check.probes.net_dropout import mode_at_test
from thinnet.check.probes.net_trial import Options, Trial, role
from thinnet.check.tap import Call
from thinnet.layers import softmax_loss
from thinnet.typing import FloatArray, IntArray

ROWS, UNITS = 40, (8, 8)  # of one size, so that layers that share their statistics do not stop
STEPS, MOST_STEPS = 25, 400  # a momentum of 0.9 has forgotten its start after 100 steps, one of 0.99 after 400
NEAR = 0.05  # of the loss: what the correction of the variance for its bias comes to is less


def check_normalization(trial: Trial, options: Options) -> bool:
    """The gradients, test mode and running statistics of a net with normalization; whether it has one that works."""
    net = trial.build(**options)
    X, y = trial.data()
    loss = trial.attempt(lambda: trial.loss(net, X, y)[0])
    without = softmax_loss(trial.plain_scores(net, X), y)[0] if trial.scores_right else np.nan
    if loss is not None and abs(loss - without) <= 1e-9 * abs(without):
        told = f"with {trial.setting}, the loss in training is {loss:.6g}, as without normalization"
        trial.unit.find("normalization-ignored", told)
        return False
    if loss is not None and not _parameters(trial, net):
        return False
    known = len(trial.unit.findings)
    trial.gradients(options)
    whole, one = trial.scores(net, X), trial.scores(net, X[:3])
    if whole[:3].shape != one.shape or not close(whole[:3], one):
        told = f"with {trial.setting}, the scores of an example change with the others in its test batch"
        trial.unit.find("batch-statistics-at-test", told + mode_at_test(trial.tap.calls, "batchnorm"))
    elif len(trial.unit.findings) == known and "layernorm" not in options.values():
        _running(trial, options)
    return len(trial.unit.findings) == known


def _parameters(trial: Trial, net: Any) -> bool:
    """Whether each hidden layer has a scale and a shift among the parameters, by whatever names."""
    others = [key for key in net.params if role(key)[0] not in ("W", "b")]
    missing = [f"{name}{i}" for name in ("gamma", "beta") for i in (1, 2) if trial.parameter(net, name, i) is None]
    if len(others) < 4 and missing:
        told = f"with {trial.setting}, params has no {', '.join(missing)}, and so they are never learned"
        trial.unit.find("gamma-and-beta-not-learned", told)
    return not missing or len(others) >= 4


def _running(trial: Trial, options: Options) -> None:
    """After many steps with one batch, its scores at test are those of training."""
    net = trial.build(UNITS, **options)
    X, y = trial.data(ROWS)
    trained, passes = 0.0, []
    for step in range(MOST_STEPS):
        trained, _ = trial.loss(net, X, y)
        if step < 2:
            passes.append(list(trial.tap.calls))
        if step % STEPS == STEPS - 1 and _near(trial, net, X, y, trained):
            return
    test = softmax_loss(np.asarray(trial.scores(net, X), dtype=float), y)[0]
    told = f"with {trial.setting}, after {MOST_STEPS} steps with one batch its loss is {trained:.4g} in training, "
    told += f"and {test:.4g} by the scores at test"
    shared, lost = shared_param(passes[0]), _lost(*passes)
    if shared:
        trial.unit.find(shared[0], f"{told}; {shared[1]}")
    if lost:
        trial.unit.find("running-statistics-reset", f"{told}; {lost}")
    if not shared and not lost:
        trial.unit.find("running-statistics-wrong", told)


def _near(trial: Trial, net: Any, X: FloatArray, y: IntArray, trained: float) -> bool:
    test = softmax_loss(np.asarray(trial.scores(net, X), dtype=float), y)[0]
    return abs(test - trained) <= NEAR * abs(trained)


def _lost(first: Sequence[Call], second: Sequence[Call]) -> str:
    """How the second pass began without what the first had put into bn_param, or ""."""
    before, now = forwards(first, "batchnorm"), forwards(second, "batchnorm")
    for i, (old, new) in enumerate(zip(before, now, strict=False), 1):
        begin = new.option.get("running_mean")
        if begin is None:
            return f"in the second step bn_param of layer {i} has no running_mean"
        ends = [one.after.get("running_mean") for one in (old, before[-1])]
        if not any(np.array_equal(begin, end) for end in ends if end is not None):
            return f"in the second step the running_mean of layer {i} does not begin with that of the first"
    return ""

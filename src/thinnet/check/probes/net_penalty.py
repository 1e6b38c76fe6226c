"""The L2 penalty of a net, as the difference between reg and none."""

from __future__ import annotations

from typing import Any

import numpy as np

from thinnet.check.compare import close
from thinnet.check.probes.net_trial import Options, Trial, role
from thinnet.typing import AnyArray, FloatArray

REG = 0.7
VERDICTS = {
    "regularisation-missing",
    "regularisation-scaled",
    "regularisation-of-biases",
    "regularisation-of-another-form",
}


def check_penalty(trial: Trial, options: Options) -> None:
    """What reg adds to the loss and to the gradients of a net with these options."""
    if "reg" not in trial.arguments and "reg" not in dir(trial.build()):
        return
    if any(trial.unit.reported(verdict) for verdict in VERDICTS):
        return  # told of the net with other options
    plain, net = trial.build(**options, reg=0.0), trial.build(**options, reg=REG)
    base, base_grads = _loss(trial, plain)
    loss, grads = _loss(trial, net)
    if options and (_loss(trial, plain)[0] != base or _loss(trial, net)[0] != loss):
        return  # its masks cannot be held
    params = {key: np.array(value, dtype=float) for key, value in net.params.items()}
    when = f"with {trial.setting}, " if options else ""
    counts = {key: _counted(trial, plain, net, key, loss - base) / _half(value) for key, value in params.items()}
    _of_loss(trial, when, loss - base, counts, params)
    added = {key: grads[key] - base_grads[key] for key in params if key in grads and key in base_grads}
    _of_gradients(trial, when, added, params)


def _loss(trial: Trial, net: Any) -> tuple[float, dict[Any, AnyArray]]:
    np.random.seed(5)
    return trial.loss(net, *trial.data())


def _half(value: FloatArray) -> float:
    """0.5 · reg · Σ value²."""
    return 0.5 * REG * float(np.sum(value**2))


def _counted(trial: Trial, plain: Any, net: Any, key: Any, penalty: float) -> float:
    """What one parameter adds to the loss, from the loss with it doubled: three times as much, if it is squared."""
    for one in (plain, net):
        one.params[key] = one.params[key] * 2
    more = _loss(trial, net)[0] - _loss(trial, plain)[0]
    for one in (plain, net):
        one.params[key] = one.params[key] / 2
    return (more - penalty) / 3


def _of_loss(trial: Trial, when: str, penalty: float, counts: dict[Any, float], params: dict[Any, FloatArray]) -> None:
    """`counts` has how often the right share of each parameter is in the penalty: 1 for weights, 0 for all others."""
    weights = {key: counts[key] for key in params if role(key)[0] == "W"}
    others = [str(key) for key in params if key not in weights and abs(counts[key]) > 1e-4]
    right = sum(_half(params[key]) for key in weights)
    told = f"{when}reg = {REG} adds {penalty:.6g} to the loss, expected {right:.6g}"
    if abs(penalty - sum(counts[key] * _half(value) for key, value in params.items())) > 1e-4 * right:
        trial.unit.find("regularisation-of-another-form", f"{told}; it does not grow with the squares of the weights")
        return
    if others:
        trial.unit.find("regularisation-of-biases", f"{told}; {', '.join(others)} take part in it")
    if all(abs(count - 1) <= 1e-4 for count in weights.values()):
        return
    missing = [str(key) for key, count in weights.items() if abs(count) <= 1e-4]
    listed = ", ".join(f"{key} {count:.4g} times" for key, count in weights.items())
    if missing:
        lacks = f"{told}: it lacks {', '.join(missing)}"
        more = "" if all(abs(count - 1) <= 1e-4 or str(key) in missing for key, count in weights.items()) else listed
        trial.unit.find("regularisation-missing", f"{lacks}; it has {more}" if more else lacks)
    elif np.ptp(list(weights.values())) <= 1e-4:
        trial.unit.find("regularisation-scaled", f"{told}: {next(iter(weights.values())):.4g} times as much")
    else:
        trial.unit.find("regularisation-scaled", f"{told}: it has {listed}")


def _of_gradients(trial: Trial, when: str, added: dict[Any, AnyArray], params: dict[Any, FloatArray]) -> None:
    for key, value in added.items():
        if value.size != params[key].size:
            continue
        value = value.reshape(params[key].shape)
        if role(key)[0] != "W":
            if np.abs(value).max() > 1e-6 * REG:
                told = f"{when}reg = {REG} adds to the gradient of {key}, expected nothing"
                trial.unit.find("regularisation-of-biases", told)
            continue
        right = REG * params[key]
        if close(value, right):
            continue
        factor = float(np.sum(value * right) / np.sum(right * right))
        told = f"{when}reg = {REG} adds {factor:.4g} * reg * {key} to the gradient of {key}, expected reg * {key}"
        if not close(value, factor * right):
            told = f"{when}what reg = {REG} adds to the gradient of {key} is no multiple of {key}, expected reg * {key}"
            trial.unit.find("regularisation-of-another-form", told)
        else:
            trial.unit.find("regularisation-missing" if abs(factor) < 1e-6 else "regularisation-scaled", told)

"""The optimizers ``(w, dw, config) -> (next_w, config)``, over three steps in a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from thinnet import optim
from thinnet.check.compare import close
from thinnet.check.unit import Unit
from thinnet.typing import FloatArray

STEPS = 3
Update = Callable[[FloatArray, FloatArray, dict[str, Any]], tuple[FloatArray, dict[str, Any]]]
Mistake = tuple[str, str, Update]  # the verdict, the words, and the rule that makes it
OPTIONS: dict[str, dict[str, Any]] = {
    "sgd": {"learning_rate": 0.1},
    "sgd_momentum": {"learning_rate": 0.1, "momentum": 0.7},
    "sgd_nesterov_momentum": {"learning_rate": 0.1, "momentum": 0.7},
    "rmsprop": {"learning_rate": 0.1, "decay_rate": 0.8, "epsilon": 1e-8},
    "adam": {"learning_rate": 0.1, "beta1": 0.6, "beta2": 0.8, "epsilon": 1e-8},
}
RULES: dict[str, Update] = {
    "sgd": optim.sgd,
    "sgd_momentum": optim.sgd_momentum,
    "sgd_nesterov_momentum": optim.nesterov,
    "rmsprop": optim.rmsprop,
    "adam": optim.adam,
}


def check(unit: Unit) -> None:
    """Three steps from the same start, beside the rule and beside its known mistakes."""
    name = unit.owns[0]
    w = unit.rng.normal(size=(3, 4))
    grads: list[FloatArray] = [
        unit.rng.normal(size=w.shape) + np.sign(unit.rng.normal(size=w.shape)) for _ in range(STEPS)
    ]
    got, right = _theirs(unit, name, w, grads), _path(name, RULES[name], w, grads)
    wrong = [step for step in range(STEPS) if not close(got[step], right[step])]
    if not wrong:
        return
    step = wrong[0]
    evidence = f"in step {step + 1}, w[0, 0] moves to {got[step][0, 0]:.6g}, expected {right[step][0, 0]:.6g}"
    for verdict, words, rule in (*_of_any(name), *MISTAKES.get(name, ())):
        if all(map(close, got, _path(name, rule, w, grads))):
            unit.find(verdict, f"{words}: {evidence}")
            return
    if np.all(np.isfinite(got)):
        unit.find("wrong-update", evidence)
    elif name == "adam":
        unit.find("step-not-counted", f"the first step divides by zero, since 1 - beta ** 0 is 0: {evidence}")
    else:
        unit.find("wrong-update", f"w is not finite: {evidence}")


def _theirs(unit: Unit, name: str, w: FloatArray, grads: list[FloatArray]) -> list[FloatArray]:
    config: Any = dict(OPTIONS[name])
    path, now = [], w
    for dw in grads:
        next_w, config = unit.pair(name, now, dw, config, may_change=(0,))
        now = unit.array(name, next_w, "next_w").astype(float)
        if now.shape != w.shape:
            raise unit.stop("shape-changed", f"next_w has shape {now.shape}, expected {w.shape}")
        if not isinstance(config, dict):
            raise unit.stop(
                "wrong-return", f"{name} must return next_w and the dict config, got a {type(config).__name__}"
            )
        path.append(now)
    return path


def _path(name: str, rule: Update, w: FloatArray, grads: list[FloatArray]) -> list[FloatArray]:
    config = dict(OPTIONS[name])
    path = []
    for dw in grads:
        w, config = rule(w, dw, config)
        path.append(w)
    return path


def _of_any(name: str) -> list[Mistake]:
    """The mistakes that can be made with every rule."""

    def uphill(w: FloatArray, dw: FloatArray, config: dict[str, Any]) -> tuple[FloatArray, dict[str, Any]]:
        return RULES[name](w, -dw, config)

    def forgetful(w: FloatArray, dw: FloatArray, config: dict[str, Any]) -> tuple[FloatArray, dict[str, Any]]:
        return RULES[name](w, dw, dict(OPTIONS[name]))[0], config

    return [
        ("update-uphill", "the step is added instead of subtracted", uphill),
        ("state-not-kept", "every step starts from a state of zeros", forgetful),
    ]


def _damped(w: FloatArray, dw: FloatArray, config: dict[str, Any]) -> tuple[FloatArray, dict[str, Any]]:
    return optim.sgd_momentum(w, (1 - config["momentum"]) * dw, config)


def _swapped(w: FloatArray, dw: FloatArray, config: dict[str, Any]) -> tuple[FloatArray, dict[str, Any]]:
    return optim.rmsprop(w, dw, {**config, "decay_rate": 1 - OPTIONS["rmsprop"]["decay_rate"]})


def _rootless(w: FloatArray, dw: FloatArray, config: dict[str, Any]) -> tuple[FloatArray, dict[str, Any]]:
    a = config["decay_rate"] * config.get("cache", 0) + (1 - config["decay_rate"]) * dw * dw
    return w - config["learning_rate"] * dw / (a + config["epsilon"]), {**config, "cache": a}


def _adam(t_of: Callable[[int], int] = int, first: bool = True, second: bool = True) -> Update:
    """Adam with another step count, or without one of the corrections."""

    def update(w: FloatArray, dw: FloatArray, config: dict[str, Any]) -> tuple[FloatArray, dict[str, Any]]:
        b1, b2, count = config["beta1"], config["beta2"], config.get("t", 0) + 1
        m = b1 * config.get("m", 0) + (1 - b1) * dw
        v = b2 * config.get("v", 0) + (1 - b2) * dw * dw
        t = t_of(count)
        m_hat = m / (1 - b1**t) if first else m
        v_hat = v / (1 - b2**t) if second else v
        step = config["learning_rate"] * m_hat / (np.sqrt(v_hat) + config["epsilon"])
        return w - step, {**config, "m": m, "v": v, "t": count}

    return update


MISTAKES: dict[str, list[Mistake]] = {
    "sgd_momentum": [
        ("wrong-update", "this is Nesterov's momentum", optim.nesterov),
        ("wrong-update", "the gradient is weighed by 1 - momentum too", _damped),
    ],
    "sgd_nesterov_momentum": [("wrong-update", "this is plain momentum", optim.sgd_momentum)],
    "rmsprop": [
        ("wrong-update", "the decay rate weighs the new square instead of the old", _swapped),
        ("wrong-update", "the root is missing", _rootless),
    ],
    "adam": [
        ("bias-correction-missing", "neither moment is corrected", _adam(first=False, second=False)),
        ("bias-correction-missing", "the first moment is not corrected", _adam(first=False)),
        ("bias-correction-missing", "the second moment is not corrected", _adam(second=False)),
        ("step-not-counted", "t stays at 1", _adam(lambda t: 1)),
        ("step-not-counted", "t is one too large", _adam(lambda t: t + 1)),
    ],
}

"""The optimizers ``(w, dw, config) -> (next_w, config)``, over three steps in a row."""

import copy
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from thinnet import optim
from thinnet.check.compare import close
from thinnet.check.subject import Subject
from thinnet.typing import FloatArray

STEPS = 3
GIVEN = 5  # Adam's t in the courses' notebooks
MOST_USED = 12  # of steps counted elsewhere than in config; far later ones hardly differ from each other
Update = Callable[[FloatArray, FloatArray, dict[str, Any]], tuple[FloatArray, dict[str, Any]]]
Correction = Callable[[float, int], float]  # what Adam divides a moment by, from its beta and the step
Mistake = tuple[str, str, Update]  # the verdict, the evidence, and the rule that makes it
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


def check(subject: Subject) -> None:
    """Three steps from the same start, beside the rule and beside its known mistakes."""
    name = subject.owns[0]
    w = subject.rng.normal(size=(3, 4))
    normal = functools.partial(subject.rng.normal, size=w.shape)
    grads: list[FloatArray] = [normal() + np.sign(normal()) for _ in range(STEPS)]
    got, configs = _theirs(subject, name, w, grads, dict(OPTIONS[name]))
    rule = RULES[name]
    if name == "adam":
        counted = _counting(subject, w, grads, configs[0])
        if any(found.severity == "fault" for found in subject.findings):
            return
        if counted and configs[0].get("t") == 2:  # some handouts start at 1, and count before use all the same
            rule = _adam(_at(lambda t: t + 1))
    right = _path(name, rule, w, grads)
    wrong = [step for step in range(STEPS) if not close(got[step], right[step])]
    if not wrong:
        return
    step = wrong[0]
    evidence = f"in step {step + 1}, w[0, 0] moves to {got[step][0, 0]:.6g}, expected {right[step][0, 0]:.6g}"
    for verdict, mistake, rule in (*_of_any(name), *MISTAKES.get(name, ())):
        if all(map(close, got, _path(name, rule, w, grads))):
            subject.report(verdict, f"{mistake}: {evidence}")
            return
    if np.all(np.isfinite(got)):
        subject.report("wrong-update", evidence)
    elif name == "adam" and _divides_by_zero(subject, w, grads[:1]):
        subject.report("step-not-counted", f"the first step divides by zero, since 1 - beta ** 0 is 0: {evidence}")
    else:
        subject.report("wrong-update", f"w is not finite: {evidence}")


def _theirs(
    subject: Subject, name: str, w: FloatArray, grads: list[FloatArray], config: Any
) -> tuple[list[FloatArray], list[dict[str, Any]]]:
    """The weights and the config after each step."""
    path, configs, now = [], [], w
    for dw in grads:
        next_w, config = subject.pair(name, now, dw, config, may_change=(0,))
        now = subject.array(name, next_w, "next_w").astype(float)
        if now.shape != w.shape:
            raise subject.stop("shape-changed", f"next_w has shape {now.shape}, expected {w.shape}")
        if not isinstance(config, dict):
            message = f"{name} must return next_w and the dict config, got a {type(config).__name__}"
            raise subject.stop("wrong-return", message)
        path.append(now)
        configs.append(copy.deepcopy(config))
    return path, configs


def _counting(subject: Subject, w: FloatArray, grads: list[FloatArray], config: dict[str, Any]) -> bool:
    """Whether Adam's t is used and counted as the courses' notebooks want, which give t = 5; reports it if not.

    The weights tell what t was used in two steps, and config what it is afterwards.  The moments are of a step before.
    """
    path, after = _theirs(subject, "adam", w, grads[1:], {**copy.deepcopy(config), "t": GIVEN})
    left = [config.get("t") for config in after]
    message = f"with t = {GIVEN} given, two steps leave t at {left[0]} and {left[1]}, and the bias correction uses"
    moments = optim.adam(w, grads[0], dict(OPTIONS["adam"]))[1]
    for verdict, use, rule in USES_OF_T:
        if not all(map(close, path, _path("adam", rule, w, grads[1:], {**moments, "t": GIVEN}))):
            continue
        if verdict == "power-forgotten" and left[0] not in (GIVEN, GIVEN + 1):
            verdict, use = "step-not-counted", f"t = {left[0]} each time: t is set in every call instead of counted"
        elif verdict == "step-counted-late" and left[0] != GIVEN + 1:
            verdict = "step-not-counted"
        if verdict:
            subject.report(verdict, f"{message} {use}")
        if verdict == "power-forgotten" and left[1] == GIVEN and "t" in config:
            subject.report("step-not-counted", message.partition(", and")[0])
        return not verdict
    for used in range(MOST_USED):
        if all(map(close, path, _path("adam", RULES["adam"], w, grads[1:], {**moments, "t": used}))):
            evidence = f"{used + 1} and {used + 2}, expected {GIVEN + 1} and {GIVEN + 2}"
            subject.report("step-kept-elsewhere", f"{message} {evidence}")
            break
    return False


def _divides_by_zero(subject: Subject, w: FloatArray, grads: list[FloatArray]) -> bool:
    """Whether Adam's first step does; a bias correction of another form can leave NaN in other ways."""
    seen: list[str] = []
    with np.errstate(divide="call", call=lambda kind, _: seen.append(kind)):
        _theirs(subject, "adam", w, grads, dict(OPTIONS["adam"]))
    return bool(seen)


def _path(
    name: str, rule: Update, w: FloatArray, grads: list[FloatArray], config: dict[str, Any] | None = None
) -> list[FloatArray]:
    config = config or dict(OPTIONS[name])
    path = []
    for dw in grads:
        w, config = rule(w, dw, config)
        path.append(w)
    return path


def _of_any(name: str) -> list[Mistake]:
    """The mistakes that can be made with every rule."""
    rule, start = RULES[name], OPTIONS[name]
    return [
        ("update-uphill", "the step is added instead of subtracted", lambda w, dw, config: rule(w, -dw, config)),
        (
            "state-not-kept",
            "every step starts from a state of zeros",
            lambda w, dw, config: (rule(w, dw, dict(start))[0], config),
        ),
    ]


def _rootless(w: FloatArray, dw: FloatArray, config: dict[str, Any]) -> tuple[FloatArray, dict[str, Any]]:
    a = config["decay_rate"] * config.get("cache", 0) + (1 - config["decay_rate"]) * dw * dw
    return w - config["learning_rate"] * dw / (a + config["epsilon"]), {**config, "cache": a}


def _at(t_of: Callable[[int], float]) -> Correction:
    return lambda beta, t: 1 - beta ** t_of(t)


_right, _forgotten, _none = _at(lambda t: t), _at(lambda t: 1), _at(lambda t: math.inf)


def _adam(first: Correction = _right, second: Correction | None = None) -> Update:
    """Adam with other divisors of its moments, both by one rule where only one is given."""
    second = second or first

    def update(w: FloatArray, dw: FloatArray, config: dict[str, Any]) -> tuple[FloatArray, dict[str, Any]]:
        b1, b2, t = config["beta1"], config["beta2"], config.get("t", 0) + 1
        m = b1 * config.get("m", 0) + (1 - b1) * dw
        v = b2 * config.get("v", 0) + (1 - b2) * dw * dw
        step = config["learning_rate"] * (m / first(b1, t)) / (np.sqrt(v / second(b2, t)) + config["epsilon"])
        return w - step, {**config, "m": m, "v": v, "t": t}

    return update


MISTAKES: dict[str, list[Mistake]] = {
    "sgd_momentum": [
        ("wrong-update", "this is Nesterov's momentum", optim.nesterov),
        (
            "wrong-update",
            "the gradient is weighed by 1 - momentum too",
            lambda w, dw, config: optim.sgd_momentum(w, (1 - config["momentum"]) * dw, config),
        ),
    ],
    "sgd_nesterov_momentum": [("wrong-update", "this is plain momentum", optim.sgd_momentum)],
    "rmsprop": [
        (
            "wrong-update",
            "the decay rate weighs the new square instead of the old",
            lambda w, dw, config: optim.rmsprop(w, dw, {**config, "decay_rate": 1 - OPTIONS["rmsprop"]["decay_rate"]}),
        ),
        ("wrong-update", "the root is missing", _rootless),
    ],
    "adam": [
        ("bias-correction-missing", "neither moment is corrected", _adam(_none)),
        ("bias-correction-missing", "the first moment is not corrected", _adam(_none, _right)),
        ("bias-correction-missing", "the second moment is not corrected", _adam(_right, _none)),
        ("step-not-counted", "t stays at 1", _adam(_forgotten)),
        ("step-counted-twice", "t is one too large", _adam(_at(lambda t: t + 1))),
    ],
}
# The verdict on Adam's use of t, "" for right, its evidence, and the rule that uses t so.
FORGOTTEN = "1 - beta in both, expected 1 - beta ** 6 and 1 - beta ** 7"
USES_OF_T: list[Mistake] = [
    ("", "", _adam()),
    ("step-counted-late", "5 and 6, expected 6 and 7", _adam(_at(lambda t: t - 1))),
    ("step-not-counted", "5 in both, expected 6 and 7", _adam(_at(lambda t: GIVEN))),
    ("step-not-counted", "6 in both, expected 6 and 7", _adam(_at(lambda t: GIVEN + 1))),
    ("step-counted-twice", "7 and 8, expected 6 and 7", _adam(_at(lambda t: t + 1))),
    ("step-counted-twice", "7 and 9, expected 6 and 7", _adam(_at(lambda t: 2 * t - GIVEN))),
    ("step-counted-twice", "6 and 8, expected 6 and 7", _adam(_at(lambda t: 2 * t - GIVEN - 1))),
    ("power-forgotten", FORGOTTEN, _adam(_forgotten)),
    ("power-forgotten", f"for the first moment {FORGOTTEN}", _adam(_forgotten, _right)),
    ("power-forgotten", f"for the second moment {FORGOTTEN}", _adam(_right, _forgotten)),
]

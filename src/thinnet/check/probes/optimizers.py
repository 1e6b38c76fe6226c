"""The optimizers ``(w, dw, config) -> (next_w, config)``, over three consecutive steps."""

import copy
import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from thinnet import optim
from thinnet.check.compare import close
from thinnet.check.probes.optimizer_defaults import check_defaults
from thinnet.check.probes.optimizer_keys import Asked, renamed
from thinnet.check.probes.optimizer_rules import RULES, Lines, mistaken, path, told
from thinnet.check.subject import Subject
from thinnet.checks import kind_of
from thinnet.typing import FloatArray

STEPS = 3
GIVEN = 5  # Adam's t in the courses' notebooks
# With a decay_rate of 0.8, decay_rate in place of 1 - decay_rate would halve the step, as other mistakes do.
OPTIONS: dict[str, dict[str, Any]] = {
    "sgd": {"learning_rate": 0.1},
    "sgd_momentum": {"learning_rate": 0.1, "momentum": 0.7},
    "sgd_nesterov_momentum": {"learning_rate": 0.1, "momentum": 0.7},
    "rmsprop": {"learning_rate": 0.1, "decay_rate": 0.85, "epsilon": 1e-8},
    "adam": {"learning_rate": 0.1, "beta1": 0.6, "beta2": 0.8, "epsilon": 1e-8},
}
SMALL_BETAS = {"beta1": 0.25, "beta2": 0.3}  # with which 1 - beta * t stays positive for three steps
LARGE_EPSILON = 0.5
# What the courses' notebooks give of the state: the keys in config, each with its name in the rule, by course.
STATES: dict[str, list[dict[str, str]]] = {
    "sgd": [],
    "sgd_momentum": [{"velocity": "v"}],
    "sgd_nesterov_momentum": [{"velocity": "v"}],
    "rmsprop": [{"cache": "cache"}, {"a": "cache"}],
    "adam": [{"m": "m", "v": "v"}, {"v": "m", "a": "v"}],
}
# The verdict on Adam's use of a given t of 5 ("" if right), its evidence, and the lines that use t this way.
FORGOTTEN = "1 - beta in both, expected 1 - beta ** 6 and 1 - beta ** 7"
FIRST, SECOND = {"mt": "mt = m / (1 - beta1)"}, {"vt": "vt = v / (1 - beta2)"}
USES_OF_T: list[tuple[str, str, Lines]] = [
    ("", "", {}),
    ("step-counted-late", "5 and 6, expected 6 and 7", {"used": "used = t - 1"}),
    *(("step-not-counted", f"{t} in both, expected 6 and 7", {"used": f"used = {t}"}) for t in (GIVEN, GIVEN + 1)),
    ("bias-correction-wrong", "2 in both, expected 6 and 7", {"used": "used = 2"}),
    ("step-counted-twice", "7 and 8, expected 6 and 7", {"used": "used = t + 1"}),
    ("step-counted-twice", "7 and 9, expected 6 and 7", {"used": f"used = 2 * t - {GIVEN}"}),
    ("step-counted-twice", "6 and 8, expected 6 and 7", {"used": f"used = 2 * t - {GIVEN + 1}"}),
    ("power-forgotten", FORGOTTEN, FIRST | SECOND),
    ("power-forgotten", f"for the first moment {FORGOTTEN}", FIRST),
    ("power-forgotten", f"for the second moment {FORGOTTEN}", SECOND),
]


def check(subject: Subject) -> None:
    """Compare three steps from the same start with the rule and with its known mistakes."""
    name = subject.own
    w = subject.rng.normal(size=(3, 4))
    normal = functools.partial(subject.rng.normal, size=w.shape)
    grads: list[FloatArray] = [normal() + np.sign(normal()) for _ in range(STEPS)]
    lines = RULES[name]
    right = [*path(lines, w, grads, OPTIONS[name])]

    def is_right(config: Asked) -> bool:
        found, why = subject.attempt(_theirs, subject, w, grads, config)
        return not why and all(map(close, found[0], right))

    config = Asked(OPTIONS[name])
    path_and_configs, why = subject.attempt(_theirs, subject, w, grads, config)
    if (why or not all(map(close, path_and_configs[0], right))) and (told := renamed(config, is_right, OPTIONS[name])):
        raise subject.stop("wrong-update", told)
    got, configs = _theirs(subject, w, grads, dict(OPTIONS[name])) if why else path_and_configs
    if name == "adam":
        once = _counting(subject, w, grads, configs[0])
        if subject.has_fault:
            return
        if once and configs[0].get("t") == 2:  # some handouts start at 1, and still count before use
            lines = {**lines, "used": "used = t + 1"}
            right = [*path(lines, w, grads, OPTIONS[name])]
    wrong = [step for step in range(STEPS) if not close(got[step], right[step])]
    if wrong:
        step = wrong[0]
        evidence = f"in step {step + 1}, {_moves(got[step], right[step])}"
        if subject.has("input-mutated"):  # a given option is overwritten, which explains it
            return
        if odd := _odd_state(configs[0]):
            raise subject.stop("wrong-update", f"{odd}: {evidence}")
        _diagnose(subject, lines, got, w, grads, evidence)
    elif not all(map(close, got, _theirs(subject, w, grads, dict(OPTIONS[name]))[0])) and not subject.findings:
        message = "in the steps of a second parameter, with its own config, it continues from the state of the first"
        subject.report("state-not-kept", message)
    else:
        if not subject.findings:
            _given_state(subject, w, grads[0])
        if "epsilon" in OPTIONS[name]:
            _epsilon(subject, lines, w, grads[0])
        check_defaults(subject, functools.partial(_theirs, subject, w, grads), OPTIONS[name])


def _given_state(subject: Subject, w: FloatArray, dw: FloatArray) -> None:
    """Check that a step continues from the state that the courses' notebooks give."""
    name, evidence = subject.own, ""
    state = np.abs(subject.rng.normal(size=w.shape)) + 1
    for keys in STATES[name]:
        start = {own: state * (1 + i) for i, own in enumerate(keys.values())}
        right = next(path(RULES[name], w, [dw], OPTIONS[name], t=GIVEN, **start))
        given = {key: start[own].copy() for key, own in keys.items()} | ({"t": GIVEN} if name == "adam" else {})
        stepped, _ = subject.attempt(_theirs, subject, w, [dw], OPTIONS[name] | given)
        if not stepped or close(stepped[0][0], right):
            return
        there = " and ".join(f"config[{key!r}]" for key in keys)
        evidence = evidence or f"with {there} given, {_moves(stepped[0][0], right)}"
    if evidence:
        subject.report("state-kept-elsewhere", evidence)


def _diagnose(
    subject: Subject, lines: Lines, got: list[FloatArray], w: FloatArray, grads: list[FloatArray], evidence: str
) -> None:
    """Report the known mistakes that explain how the weights move, or else what is known."""
    name = subject.own
    options, finite = OPTIONS[name], bool(np.all(np.isfinite(got)))
    if name == "adam" and any(not np.any(np.isfinite(weights)) for weights in got):
        options = {**options, **SMALL_BETAS}
        got, _ = _theirs(subject, w, grads, dict(options))
    for mistakes, changed in itertools.chain(mistaken(name, lines), mistaken(name, RULES[name])):
        if all(map(_same, got, path(changed, w, grads, options))):
            for verdict in dict.fromkeys(mistake[0] for mistake in mistakes):
                how = " and ".join(told(mistake, lines) for mistake in mistakes if mistake[0] == verdict)
                subject.report(verdict, f"it moves {how}: {evidence}")
            return
    if finite:
        subject.report("wrong-update", evidence)
        return
    later, _ = subject.attempt(_theirs, subject, w, grads[:1], {**OPTIONS[name], "t": 1})
    if name == "adam" and later and np.all(np.isfinite(later[0])):
        subject.report("step-not-counted", f"the first step divides by zero, since 1 - beta ** 0 is 0: {evidence}")
    else:
        subject.report("wrong-update", f"w is not finite: {evidence}")


def _odd_state(config: Mapping[str, Any]) -> str:
    """What is wrong with the arrays that a step leaves in config, whatever their values."""
    arrays = {key: value for key, value in config.items() if isinstance(value, np.ndarray) and value.ndim}
    for key, value in arrays.items():
        if value.dtype.kind in "iu":
            return f"config[{key!r}] is an array of {value.dtype}, which cuts all values to whole numbers"
    for (one, first), (other, second) in itertools.combinations(arrays.items(), 2):
        if np.shares_memory(first, second):
            return f"config[{one!r}] and config[{other!r}] are the same array, so changing one changes the other"
    return ""


def _moves(got: FloatArray, right: FloatArray) -> str:
    """Where the weight that is farthest from right moves to; NaN counts as the farthest."""
    i, j = np.unravel_index(np.argmax(np.abs(got - right)), right.shape)
    return f"w[{i}, {j}] moves to {got[i, j]:.6g}, expected {right[i, j]:.6g}"


def _same(got: FloatArray, expected: FloatArray) -> bool:
    finite = np.isfinite(expected)
    return np.array_equal(np.isfinite(got), finite) and close(got[finite], expected[finite])


def _epsilon(subject: Subject, lines: Lines, w: FloatArray, dw: FloatArray) -> None:
    """Check that epsilon prevents a division by zero for a gradient of zero, and where it is added."""
    name = subject.own
    (after,), _ = _theirs(subject, w, [np.zeros_like(dw)], dict(OPTIONS[name]))
    if not np.all(np.isfinite(after)):
        subject.report("epsilon-missing", "where the gradient is zero from the first step on, w is not finite")
    options = {**OPTIONS[name], "epsilon": LARGE_EPSILON}
    inside = {**lines, "w": re.sub(r"\(sqrt\((\w+)\) \+ epsilon\)", r"sqrt(\1 + epsilon)", lines["w"])}
    twice = [dw, 0.5 * dw]
    theirs, _ = _theirs(subject, w, twice, dict(options))
    if all(map(close, theirs, path(inside, w, twice, options))):
        message = f"with epsilon = {LARGE_EPSILON}, it moves as with `{inside['w']}` in place of `{lines['w']}`"
        subject.report("epsilon-inside-root", message)


def _theirs(
    subject: Subject, w: FloatArray, grads: list[FloatArray], config: Any
) -> tuple[list[FloatArray], list[dict[str, Any]]]:
    """The weights and the config after each step."""
    name, path, configs, now = subject.own, [], [], w
    for dw in grads:
        next_w, config = subject.pair(name, now, dw, config, may_change=(0,))
        now = subject.array(name, next_w, "next_w").astype(float)
        if now.shape != w.shape:
            raise subject.stop("shape-changed", f"next_w has shape {now.shape}, expected {w.shape}")
        if not isinstance(config, dict):
            message = f"{name} must return next_w and the dict config, got {kind_of(config)}"
            raise subject.stop("wrong-return", message)
        path.append(now)
        configs.append(copy.deepcopy(config))
    return path, configs


def _counting(subject: Subject, w: FloatArray, grads: list[FloatArray], config: dict[str, Any]) -> bool:
    """Whether each step adds 1 to Adam's t; reports a use of t other than in the courses' notebooks, which give 5.

    The weights show which t two steps used, and config its value afterwards.  The moments are from one step before.
    """
    got, after = _theirs(subject, w, grads[1:], {**copy.deepcopy(config), "t": GIVEN})
    left = [config.get("t") for config in after]
    message = f"with t = {GIVEN} given, two steps leave t at {left[0]} and {left[1]}, and the bias correction uses"
    moments = optim.adam(w, grads[0], dict(OPTIONS["adam"]))[1]
    for verdict, use, changes in USES_OF_T:
        if not all(map(close, got, _given(GIVEN, w, grads, moments, changes))):
            continue
        if verdict == "power-forgotten" and left[0] not in (GIVEN, GIVEN + 1):
            verdict, use = "step-not-counted", f"t = {left[0]} each time: t is set in every call instead of counted"
        elif verdict == "step-counted-late" and left[0] != GIVEN + 1:
            verdict = "step-not-counted"
        if verdict:
            subject.report(verdict, f"{message} {use}")
        if verdict == "power-forgotten" and left[1] == GIVEN and "t" in config:
            subject.report("step-not-counted", message.partition(", and")[0])
        return left[0] == GIVEN + 1
    for used in range(12):  # steps counted outside of config; much later ones hardly differ from each other
        if all(map(close, got, _given(used, w, grads, moments, {}))):
            evidence = f"{used + 1} and {used + 2}, expected {GIVEN + 1} and {GIVEN + 2}"
            down = f"{message.partition(', and')[0]}: t goes down" if left[0] == GIVEN - 1 else ""
            subject.report("step-not-counted" if down else "step-kept-elsewhere", down or f"{message} {evidence}")
            break
    return left[0] == GIVEN + 1


def _given(
    t: int, w: FloatArray, grads: Sequence[FloatArray], moments: Mapping[str, Any], changes: Lines
) -> Iterator[FloatArray]:
    """The weights after the second and third step of Adam with changed lines, if this t is given."""
    lines = {**RULES["adam"], **changes}
    return path(lines, w, grads[1:], OPTIONS["adam"], m=moments["m"], v=moments["v"], t=t)

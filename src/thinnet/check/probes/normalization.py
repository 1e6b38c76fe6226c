"""Batch and layer normalization: both modes, the running statistics, and the terms of the gradient."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from thinnet.check.compare import Alternative, close
from thinnet.check.probes.layers import check_gradients, check_output, right_results, wrong_sums
from thinnet.check.subject import Subject
from thinnet.typing import AnyArray, FloatArray

Axes = tuple[int, ...]
Known = Sequence[Alternative]
EPS = 1e-5
ROWS, COLUMNS = 6, 5
OTHER, EVERYTHING = "along the other axis", "over everything"
# The terms of dx = (g - mean(g) - x_hat * mean(g * x_hat)) / std, g = dout * gamma, and the verdicts on their factors.
TERMS = ("term dout * gamma / std", "term through the mean", "term through the variance")
LACKING = {
    (1.0, 0.0, 1.0): ("missing-mean-term", "lacks the term through the mean"),
    (1.0, 1.0, 0.0): ("missing-variance-term", "lacks the term through the variance"),
    (1.0, 0.0, 0.0): ("missing-mean-and-variance-terms", "lacks the terms through mean and variance"),
}
SAME = 1e-3  # tolerance for factors
# The verdicts on the weights of old and new statistics, with a momentum of 0.8.
KNOWN_WEIGHTS = {(1.0, 0.0): "running-statistics-not-updated", (0.2, 0.8): "running-momentum-swapped"}


def _inputs(subject: Subject) -> tuple[FloatArray, FloatArray, FloatArray]:
    x = subject.rng.normal(size=(ROWS, COLUMNS)) * np.linspace(1, 3, COLUMNS) + np.linspace(-2, 4, COLUMNS)
    return x, np.linspace(0.5, 2, COLUMNS), np.linspace(-1, 1, COLUMNS)


def normalized(x: FloatArray, axis: int | Axes) -> FloatArray:
    """x minus its mean, divided by its standard deviation."""
    return np.asarray((x - x.mean(axis=axis, keepdims=True)) / np.sqrt(x.var(axis=axis, keepdims=True) + EPS))


def wrongly_normalized(x: FloatArray, mean: FloatArray, var: FloatArray, gamma: FloatArray, beta: FloatArray) -> Known:
    """Known wrong results of normalizing x by this mean and variance; all arrays broadcast."""
    std = np.sqrt(var + EPS)
    hat, scaled = np.asarray((x - mean) / std), np.asarray(gamma * (x - mean))
    wrong = (
        (scaled / (var + EPS) + beta, "is divided by the variance instead of its square root"),
        (scaled / np.sqrt(std) + beta, "is divided by the square root of the standard deviation"),
        (scaled + beta, "is not divided by the standard deviation"),
        (scaled * std + beta, "is multiplied by the standard deviation instead of divided by it"),
        (gamma * (x - mean + beta) / std, "also has beta divided by the standard deviation"),
        (gamma * x / std + beta, "is not centered"),
        (
            gamma * (x - mean / std) + beta,
            "has only the mean divided by the standard deviation: put x - mean in parentheses",
        ),
        (gamma * (x + mean) / std + beta, "has the mean added instead of subtracted"),
        (hat, "lacks gamma and beta"),
        (gamma * hat, "lacks beta"),
        (hat + beta, "lacks gamma"),
        (beta * hat + gamma, "has gamma and beta exchanged"),
        (gamma * (hat + beta), "has beta multiplied by gamma"),
        (gamma * hat - beta, "has beta subtracted"),
    )
    return tuple((value, "wrong-output", text) for value, text in wrong)


def known_outputs(
    x: FloatArray, scale: FloatArray, shift: FloatArray, axes: Axes, others: Mapping[Axes, str]
) -> list[Alternative]:
    """Known wrong results of normalizing x along these axes, such as with the statistics along `others`."""

    def along(axes: Axes) -> tuple[Any, Any]:
        return x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)

    def by(center: Any, square: Any) -> FloatArray:
        return np.asarray(scale * (x - center) / np.sqrt(square + EPS) + shift)

    (mean, var), name = along(axes), "wrong-output"
    found: list[Alternative] = []
    for (other_mean, other_var), over in zip(map(along, others), others.values(), strict=True):
        found.append((by(other_mean, other_var), "wrong-axis", f"is normalized {over}"))
        found.append((by(other_mean, var), "wrong-axis", f"uses the mean {over}"))
        found.append((by(mean, other_var), "wrong-axis", f"uses the variance {over}"))
    N = x.size // mean.size
    return [
        *found,
        *wrongly_normalized(x, mean, var, scale, shift),
        (by(N * mean, var), name, f"has the sum of {N} values as the mean"),
        (by(mean, N * var), name, f"has the sum of {N} squares as the variance instead of their mean"),
        (by(mean, var + mean**2), name, "has the mean of x squared as the variance"),
        (by(mean, var * N / (N - 1)), name, "has the variance divided by N - 1 instead of N"),
    ]


def known_dx(
    got: AnyArray, hat: FloatArray, deviation: FloatArray, dout: FloatArray, g: FloatArray, axis: int
) -> list[Alternative]:
    """Known wrong gradients dx of rows, such as with one term wrong; g is dout · gamma."""
    mean, through = g.mean(axis=axis, keepdims=True), hat * (g * hat).mean(axis=axis, keepdims=True)
    plain = dout - dout.mean(axis=axis, keepdims=True) - hat * (dout * hat).mean(axis=axis, keepdims=True)
    right, other = (g - mean - through) / deviation, 1 - axis
    crossed = g - g.mean(axis=other, keepdims=True) - hat * (g * hat).mean(axis=other, keepdims=True)
    return [
        (plain / deviation, "wrong-gradient", "lacks the factor gamma"),
        (right * deviation, "wrong-gradient", "is not divided by the standard deviation"),
        (right * deviation**2, "wrong-gradient", "is multiplied by the standard deviation instead of divided by it"),
        (right / deviation, "wrong-gradient", "is divided by the variance instead of its square root"),
        (crossed / deviation, "wrong-axis", "uses means along the other axis"),
        *_by_terms(got, [term / deviation for term in (g, -mean + 0 * g, -through)], axis),
    ]


def _by_terms(got: AnyArray, terms: Sequence[FloatArray], axis: int) -> list[Alternative]:
    """If a gradient is a sum of multiples of these terms, with factors for each row or column: which are wrong."""
    columns = [np.moveaxis(one, axis, -1) for one in (*terms, got)]
    times = np.array([np.linalg.lstsq(np.stack(one, 1), of, rcond=None)[0] for *one, of in zip(*columns, strict=True)])
    value = sum(np.expand_dims(part, axis) * term for part, term in zip(times.T, terms, strict=True))
    factors = np.where(np.ptp(times, axis=0) < SAME, times[0].round(3) + 0.0, np.nan)
    wrong = [(factor, name) for factor, name in zip(factors, TERMS, strict=True) if factor != 1]
    told = [f"a wrong {name}" if np.isnan(factor) else f"{factor:.4g} times the {name}" for factor, name in wrong]
    rest = "", f"has {' and '.join(told)}, and is otherwise right"
    return [(value, *LACKING.get(tuple(factors), rest))] if len(wrong) < len(TERMS) else []


def check_batchnorm_forward(subject: Subject) -> None:
    """Train mode, the running statistics, test mode."""
    x, gamma, beta = _inputs(subject)
    check_modes(subject, x, gamma, beta, known_outputs(x, gamma, beta, (0,), {(1,): OTHER, (0, 1): EVERYTHING}))
    param: dict[str, Any] = {"mode": "train"}  # the first step, with nothing else, as the nets call it
    subject.pair(subject.own, x, gamma, beta, param)
    missing = [key for key in ("running_mean", "running_var") if param.get(key) is None]
    if missing:
        message = f"after a step in train mode bn_param has no {' and no '.join(missing)}"
        subject.report("running-statistics-not-updated", message)
    elif not (subject.has_fault or subject.of_class):
        check_defaults(subject, x, gamma, beta)
    note_epsilon(subject, 0, x, gamma, beta, {"mode": "train"})


def known_gradients(dout: FloatArray, expected: dict[str, FloatArray], hat: FloatArray) -> dict[str, list[Alternative]]:
    """Known wrong gradients of gamma and beta."""
    places = (*range(2, dout.ndim),)
    rows = dout.reshape(-1, dout.shape[1]).sum(axis=0)
    return {
        "dgamma": [
            (expected["dbeta"], "wrong-gradient", "is the sum of dout instead of that of dout times x_hat"),
            *wrong_sums((dout * hat).sum(axis=places))[1:],
        ],
        "dbeta": [
            (rows, "channels-mixed-up", "is that of gradients reshaped to rows without a transpose"),
            *wrong_sums(dout.sum(axis=places)),
        ],
    }


def check_modes(subject: Subject, x: FloatArray, gamma: FloatArray, beta: FloatArray, known: Known) -> None:
    """Batch normalization of rows or of images: train mode, running statistics, and test mode if the rest is right."""
    axes, first = (0, *range(2, x.ndim)), dict[str, Any](mode="train")
    subject.attempt(subject.pair, subject.own, x, gamma, beta, first)
    shape = np.shape(first.get("running_mean", ()))  # as the code stores it, such as (1, C, 1, 1)
    own = shape if math.prod(shape) == len(gamma) else gamma.shape
    old_mean, old_var = np.linspace(1, 2, len(gamma)), np.linspace(2, 5, len(gamma))

    def param_of(mean: FloatArray, var: FloatArray, **more: Any) -> dict[str, Any]:
        return {"running_mean": mean.reshape(own).copy(), "running_var": var.reshape(own).copy(), **more}

    def along(value: FloatArray) -> FloatArray:
        return value.reshape(-1, *[1] * (x.ndim - 2))

    def by(mean: FloatArray, var: FloatArray) -> FloatArray:
        return np.asarray((x - along(mean)) / np.sqrt(along(var) + EPS))

    scale, shift = along(gamma), along(beta)
    param = param_of(old_mean, old_var, mode="train", momentum=0.8)
    trained, _ = subject.pair(subject.own, x, gamma, beta, param)
    by_running = scale * by(old_mean, old_var) + shift
    running = (by_running, "running-statistics-in-training", "is normalized by the running statistics")
    right = scale * normalized(x, axes) + shift
    check_output(subject, trained, right, (running, *known))
    if not (subject.has("wrong-axis") or subject.has("dtype-changed") or subject.has("channels-mixed-up")):
        check_running(subject, param, np.moveaxis(x, 1, -1).reshape(-1, len(gamma)), old_mean, old_var)
    mean, var = np.linspace(0, 1, len(gamma)), np.linspace(0.5, 4, len(gamma))
    param = param_of(mean, var, mode="test")
    out, _ = subject.pair(subject.own, x, gamma, beta, param)
    known = (
        (right, "batch-statistics-at-test", "is normalized by the batch's own statistics"),
        (scale * by(x.mean(axis=axes), var) + shift, "batch-statistics-at-test", "has the mean of the batch"),
        (scale * by(mean, x.var(axis=axes)) + shift, "batch-statistics-at-test", "has the variance of the batch"),
        *wrongly_normalized(x, along(mean), along(var), scale, shift),
    )
    if x.ndim == 2 or not subject.has_fault:
        check_output(subject, out, scale * by(mean, var) + shift, known, "in test mode the output")
    for key, old in (("running_mean", mean), ("running_var", var)):
        if not np.array_equal(np.asarray(param.get(key)).ravel(), old):
            subject.report("running-statistics-updated-at-test", f"a call in test mode changed bn_param[{key!r}]")
    constant, still = x.copy(), param_of(mean, 0 * var, mode="test")
    constant[:, 0] = 1.5
    check_epsilon(subject, "a feature of equal values", trained, subject.own, constant, gamma, beta, {"mode": "train"})
    check_epsilon(subject, "a running_var of 0 at test", out, subject.own, x, gamma, beta, still)


def check_running(subject: Subject, param: dict[str, Any], x: FloatArray, mean: FloatArray, var: FloatArray) -> None:
    """The running statistics in `param` after a step in training with momentum 0.8 on the rows x."""
    of_mean, of_var = x.mean(axis=0), x.var(axis=0)
    for key, old, batch in (("running_mean", mean, of_mean), ("running_var", var, of_var)):
        value = np.asarray(param.get(key))
        value = value.reshape(old.shape) if value.size == old.size else value
        if value.dtype.kind != "f" or value.shape != old.shape:
            message = f"bn_param[{key!r}] has shape {value.shape}, expected {old.shape}"
            subject.report("running-statistics-wrong", message)
            continue
        right = 0.8 * old + 0.2 * batch
        unbiased = 0.8 * old + 0.2 * batch * len(x) / (len(x) - 1)
        if close(value, right) or (key == "running_var" and close(value, unbiased)):
            continue
        verdict, why = "running-statistics-wrong", ""
        others = {
            "mean of everything": 0 * of_mean + x.mean(),
            "batch's deviation": np.sqrt(of_var),
            "batch's variance": of_var,
            "batch's mean": of_mean,
        }
        for what, new in {"batch": batch, **others}.items():
            parts = np.stack([old, new], axis=1)
            weights = np.linalg.lstsq(parts, value)[0]
            if close(value, parts @ weights):
                of_old, of_new = (float(weight) for weight in weights.round(3) + 0.0)
                if what == "batch":
                    verdict = KNOWN_WEIGHTS.get((of_old, of_new), verdict)
                why = f": it is {of_old:g} * running + {of_new:g} * {what}, expected 0.8 * running + 0.2 * batch"
                break
        i = int(np.argmax(np.abs(value - right)))
        before, after = f"{old[i]:.4g}", f"{value[i]:.4g}"
        moved = f"stayed at {after}" if before == after else f"went from {before} to {after}"
        message = f"with momentum 0.8, bn_param[{key!r}][{i}] {moved}, expected {right[i]:.4g}{why}"
        subject.report(verdict, message)


def check_defaults(subject: Subject, *args: Any) -> None:
    """Check what stands for a momentum and for running statistics that bn_param does not have, as in the nets."""
    param, steps = {"mode": "train"}, list[list[FloatArray]]()
    for _ in range(3):
        subject.pair(subject.own, *args, param)
        steps.append([np.array(param[key], dtype=float).ravel() for key in ("running_mean", "running_var")])
    first, second = steps[1][0] - steps[0][0], steps[2][0] - steps[1][0]  # the second is the first times the momentum
    momentum = float(first @ second / (first @ first or 1))
    if not close(second, momentum * first) or not np.any(first):
        return
    if not 0.5 <= momentum < 1:
        now, expected = f"{momentum:.3g} * running + {1 - momentum:.3g} * batch", "0.9 * running + 0.1 * batch"
        message = f"where bn_param has no momentum, running_mean becomes {now}, expected {expected}"
        subject.report("running-statistics-wrong", message)
        return
    for key, one, two, usual in zip(("mean", "var"), steps[0], steps[1], (0, 1), strict=True):
        start = one - (two - one) / momentum
        at_first_batch = close(two, one)
        if not at_first_batch and not any(close(start, 0 * start + other) for other in (0, usual)):
            message = f"where bn_param has no running_{key}, it starts at {start[0]:.4g}, expected 0"
            subject.report("running-statistics-wrong", message)


def check_epsilon(subject: Subject, how: str, usual: Any, name: str, *args: Any) -> None:
    """Check that an output that is usually finite stays finite if there is no variance."""
    out = subject.pair(name, *args)[0]
    if np.all(np.isfinite(np.asarray(usual, dtype=float))) and not np.all(np.isfinite(np.asarray(out, dtype=float))):
        subject.report("epsilon-missing", f"with {how} the output is not finite")


def note_epsilon(subject: Subject, axis: int, x: FloatArray, gamma: FloatArray, beta: FloatArray, param: Any) -> None:
    """Note an epsilon that is added to the standard deviation, which hardly shows if it is small, or is not taken."""
    x = x * np.sqrt(EPS)
    outside = gamma * (x - x.mean(axis=axis, keepdims=True)) / (x.std(axis=axis, keepdims=True) + EPS) + beta
    found, _ = subject.attempt(subject.pair, subject.own, x, gamma, beta, param)
    if found and np.shape(found[0]) == outside.shape and close(found[0], outside):
        message = "for x with a variance as small as epsilon, it divides by np.sqrt(var) + eps"
        subject.report("epsilon-outside-root", message)
    given, _ = subject.attempt(subject.pair, subject.own, x, gamma, beta, {**param, "eps": 0.5})
    if found and given and not subject.of_class and np.array_equal(found[0], given[0]):
        which = "bn_param" if axis == 0 else "ln_param"
        subject.report("epsilon-ignored", f"{which}['eps'] = 0.5 gives the same output as none")


def check_epsilon_back(subject: Subject, how: str, *args: Any) -> None:
    """Check that the gradients are finite if there is no variance, as long as the output is."""
    if subject.findings:
        return
    out, cache = subject.pair(subject.forward, *args)
    values = subject.call(subject.own, subject.rng.normal(size=np.shape(out)), cache)
    if np.all(np.isfinite(out)) and not all(np.all(np.isfinite(value)) for value in values):
        subject.report("epsilon-missing", f"with {how} the output is finite and its gradient is not")


def check_layernorm_forward(subject: Subject) -> None:
    """Each row is normalized by its own statistics."""
    x, gamma, beta = _inputs(subject)
    out, _ = subject.pair("layernorm_forward", x, gamma, beta, {})
    known = known_outputs(x, gamma, beta, (1,), {(0,): OTHER, (0, 1): EVERYTHING})
    check_output(subject, out, gamma * normalized(x, 1) + beta, known)
    note_epsilon(subject, 1, x, gamma, beta, {})
    x[0] = 1.5
    check_epsilon(subject, "an example of equal values", out, "layernorm_forward", x, gamma, beta, {})


def check_backward(subject: Subject) -> None:
    """dx with its three terms, dgamma and dbeta, for either normalization."""
    axis, param = (0, {"mode": "train"}) if subject.own.startswith("batchnorm") else (1, {})
    x, gamma, beta = _inputs(subject)
    arguments = {"x": x, "gamma": gamma, "beta": beta, "param": param}
    out, dout, expected = right_results(subject, arguments)
    hat, deviation = normalized(x, axis), np.sqrt(x.var(axis=axis, keepdims=True) + EPS)
    known: dict[str, Any] = known_gradients(dout, expected, hat)
    known["dx"] = lambda got: known_dx(got, hat, deviation, dout, dout * gamma, axis)
    centered = x - x.mean(axis=axis, keepdims=True)
    for value, name in ((x, "x"), (centered, "x - mean")):
        known["dgamma"].append(((dout * value).sum(axis=0), "wrong-gradient", f"has {name} instead of x_hat"))
    check_gradients(subject, arguments, out, dout, expected, known)
    x[np.s_[:, 0] if axis == 0 else 0] = 1.5
    check_epsilon_back(subject, "a row or column of equal values", x, gamma, beta, dict(param))

"""A net with normalization: its effect, its parameters and gradients, its running statistics, and test mode."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from thinnet.check.call_recorder import Call
from thinnet.check.classes import EPS
from thinnet.check.compare import close
from thinnet.check.probes.net_calls import forwards, shared_param
from thinnet.check.probes.net_gradients import check_gradients
from thinnet.check.probes.net_harness import C, NetHarness, Options
from thinnet.check.probes.net_mistakes import scores_of
from thinnet.check.probes.net_plain import check_examples_alone
from thinnet.check.probes.normalization import normalized
from thinnet.layers import softmax_loss
from thinnet.typing import FloatArray

ROWS, UNITS = 40, (8, 8)  # equal sizes, so that layers that share statistics do not crash
STEPS = (60, 340)  # momentum 0.9 has forgotten its start after the first of them, momentum 0.99 after both
SAME = 1e-6  # of the loss
BY_FORMULA = 1e-3  # of the loss: wide enough for any usual epsilon
# How far a step moves running mean and variance if the usual momentum is the weight of the new ones, for some of them.
SWAPPED, NEARLY = ((0.9, 0.9), (0.9, 0.1), (0.1, 0.9)), 0.01
NEAR = 0.05  # of the loss: more than the effect of the variance's bias correction


def check_normalization(harness: NetHarness, options: Options) -> bool:
    """Check gradients, test mode and running statistics of a net with normalization; return whether it works."""
    net = harness.build(**options)
    X, y = harness.data()
    trained, _ = harness.subject.attempt(harness.loss, net, X, y)
    loss = trained[0] if trained else None
    without = softmax_loss(harness.plain_scores(net, X), y)[0] if harness.scores_right else np.nan
    by_example = "layernorm" in options.values()
    if loss is not None and abs(loss - without) <= SAME * abs(without):
        message = f"the loss in training is {loss:.6g}, the same as without normalization"
        layer, ones = "layernorm_forward" if by_example else "batchnorm_forward", np.ones(X.shape[1])
        harness.find_unused("normalization-ignored", message, layer, ones, 0 * ones, {"mode": "train"})
        return False
    if loss is not None and not _parameters(harness, net):
        return False
    known = len(harness.subject.findings)
    if not harness.scores_right:  # the rest would only follow from that
        return False
    if loss is not None and not (_of_its_kind(harness, net, by_example) and _in_order(harness, net, loss, by_example)):
        return False
    check_gradients(harness, options)
    if check_examples_alone(harness, net) and len(harness.subject.findings) == known and not by_example:
        _running(harness, options)
    return len(harness.subject.findings) == known


def _of_its_kind(harness: NetHarness, net: Any, by_example: bool) -> bool:
    """Whether the normalization is of the right kind: only by example is a batch's loss the mean of its halves'."""
    X, y = harness.data()
    half = len(X) // 2
    X[half:] = 4 * X[half:] + 2  # so that the statistics of the halves differ
    parts = (slice(None), slice(half), slice(half, None))
    whole, first, second = (harness.loss(net, X[rows], y[rows])[0] for rows in parts)
    mean = (first + second) / 2
    if (abs(mean - whole) <= SAME * abs(whole)) == by_example:
        return True
    modes = {(call.param_before or {}).get("mode") for call in forwards(harness.recorder.calls, "batchnorm")}
    if not by_example and modes == {"test"}:
        message = "batchnorm_forward is called with mode 'test' in training"
        harness.subject.report("running-statistics-in-training", message)
        return False
    message = f"the loss of a batch is {whole:.6g}, the mean of its halves' losses {mean:.6g}"
    why = "the examples depend on one another" if by_example else "the examples do not depend on one another"
    harness.subject.report("another-normalization", f"{message}: {why}")
    return False


def _in_order(harness: NetHarness, net: Any, loss: float, by_example: bool) -> bool:
    """Whether the training loss is that of affine, normalization, ReLU, as far as the parameters' names tell."""
    X, y = harness.data()
    known = _scales_and_shifts(harness, net)
    if not known:
        return True

    def of_order(relu_first: bool) -> float:
        def activate(h: FloatArray, i: int) -> FloatArray:
            h = np.maximum(h, 0) if relu_first else h
            gamma, beta = known[i - 1]
            h = gamma * normalized(h, 1 if by_example else 0) + beta
            return h if relu_first else np.maximum(h, 0)

        return softmax_loss(scores_of(X, harness.layers_of(net), activate), y)[0]

    right, other = of_order(False), of_order(True)
    if abs(loss - right) <= BY_FORMULA * right:
        return True
    message = f"the loss in training is {loss:.6g}, expected {right:.6g}"
    as_other = ": the normalization follows the ReLU" if abs(loss - other) <= BY_FORMULA * other else ""
    if any("norm_forward" in call.name and call.input.shape[-1:] == (C,) for call in harness.recorder.calls):
        as_other = ": the scores are normalized too"
    harness.subject.report("wrong-output", message + as_other)
    return False


def _scales_and_shifts(harness: NetHarness, net: Any) -> list[tuple[FloatArray, FloatArray]]:
    """Gamma and beta of each hidden layer; none if their names do not tell."""
    found = [[harness.parameter(net, kind, i) for kind in ("gamma", "beta")] for i in (1, 2)]
    pairs = [(gamma.ravel(), beta.ravel()) for gamma, beta in found if gamma is not None and beta is not None]
    return pairs if len(pairs) == len(found) else []


def _parameters(harness: NetHarness, net: Any) -> bool:
    """Whether each hidden layer has a scale and a shift among the parameters, by whatever names."""
    others = [key for key in net.params if harness.role(key)[0] not in ("W", "b")]
    missing = [f"{name}{i}" for name in ("gamma", "beta") for i in (1, 2) if harness.parameter(net, name, i) is None]
    if len(others) < 4 and missing:
        harness.subject.report("gamma-and-beta-not-learned", f"params has no {', '.join(missing)}")
    return not missing or len(others) >= 4


def _running(harness: NetHarness, options: Options) -> None:
    """After many steps with one batch, its loss at test must be that in training."""
    net = harness.build(UNITS, **options)
    X, y = harness.data(ROWS)
    passes: list[list[Call]] = []
    for count in STEPS:
        for left in reversed(range(count)):
            told = left == 0 or len(passes) < 2  # record the first two passes and the last
            trained, _ = harness.loss(net, X, y, recorded=told)
            passes = [*passes[:2], harness.recorder.calls]
        test = softmax_loss(np.asarray(harness.scores(net, X), dtype=float), y)[0]
        if abs(test - trained) <= NEAR * abs(trained):
            _check_momentum(harness, net, X)
            return
        message = f"after {count} steps with one batch, its loss is {trained:.4g} in training but {test:.4g} at test"
        shared = shared_param(passes[0])
        lost = _lost(passes[0], passes[1], "in the second step") or _lost(passes[-1], harness.recorder.calls, "at test")
        if shared:
            harness.subject.report(shared[0], f"{message}; {shared[1]}")
        if lost:
            harness.subject.report("running-statistics-reset", f"{message}; {lost}")
        if shared or lost:
            return
    harness.subject.report("running-statistics-wrong", message)


def _check_momentum(harness: NetHarness, net: Any, X: FloatArray) -> None:
    """A step with another batch must move the running statistics of this one by a tenth, not by nine tenths."""
    known, layers, other = _scales_and_shifts(harness, net), harness.layers_of(net), 4 * X + 2
    if not known:
        return
    batches: list[list[tuple[FloatArray, FloatArray]]] = []  # for each batch, mean and variance of each layer

    def training(h: FloatArray, i: int) -> FloatArray:
        batches[-1].append((h.mean(axis=0), h.var(axis=0)))
        return np.asarray(np.maximum(known[i - 1][0] * normalized(h, 0) + known[i - 1][1], 0))

    def moved(of_mean: float, of_var: float) -> FloatArray:
        def activate(h: FloatArray, i: int) -> FloatArray:
            (old_mean, old_var), (new_mean, new_var) = (stats[i - 1] for stats in batches)
            mean, var = old_mean + of_mean * (new_mean - old_mean), old_var + of_var * (new_var - old_var)
            return np.asarray(np.maximum(known[i - 1][0] * (h - mean) / np.sqrt(var + EPS) + known[i - 1][1], 0))

        return scores_of(X, layers, activate)

    for rows in (X, other):
        batches.append([])
        scores_of(rows, layers, training)
    harness.loss(net, other, harness.data(len(X))[1])
    scores = np.asarray(harness.scores(net, X), dtype=float)
    for shares in SWAPPED:
        if close(scores, moved(*shares), NEARLY):
            how = f"running mean and variance by {shares[0]} and {shares[1]} of the difference, expected 0.1 for both"
            harness.subject.report("running-momentum-swapped", f"a step with another batch moves the {how}")


def _lost(first: Sequence[Call], second: Sequence[Call], when: str) -> str:
    """How the second pass began without what the first had stored in bn_param, or ""."""
    before, now = forwards(first, "batchnorm"), forwards(second, "batchnorm")
    for i, (old, new) in enumerate(zip(before, now, strict=False), 1):
        for key in ("running_mean", "running_var"):
            begin = new.param_before.get(key)
            if begin is None:
                return f"{when} bn_param of layer {i} has no {key}"
            ends = [call.param_after.get(key) for call in (old, before[-1])]
            if not any(np.array_equal(begin, end) for end in ends if end is not None):
                return f"{when} the {key} of layer {i} is not the one that the previous step left"
    return ""

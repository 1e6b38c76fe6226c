"""Whether a net calls dropout, where, with which mask, and in the backward pass too."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from thinnet.check.call_recorder import Call
from thinnet.check.compare import close
from thinnet.check.probes.dropout_calls import check_ratios
from thinnet.check.probes.net_calls import backwards, dropout_results, forwards, mode_at_test
from thinnet.check.probes.net_gradients import check_gradients
from thinnet.check.probes.net_harness import C, NetHarness, Options, P
from thinnet.check.probes.net_mistakes import scores_of
from thinnet.check.probes.net_plain import check_examples_alone
from thinnet.layers import softmax_loss
from thinnet.typing import AnyArray, FloatArray, IntArray

ROWS, UNITS, STEPS = 20, (60, 50), 3
OWN_STEPS, ALIKE = 20, 8
SAME = 1e-6  # of the loss, which may be computed in float32
LOST = "dropout-never-called", "dropout-result-unused", "dropout-backward-never-called", "active-at-test", "wrong-rate"


def check_dropout(harness: NetHarness) -> None:
    """Check whether dropout is called, where, with which mask, and in the backward pass too."""
    if harness.dropout is None:
        return
    net = harness.build(UNITS, **{harness.dropout: P})
    X, y = harness.data(ROWS)
    first, second = harness.scores(net, X), harness.scores(net, X)
    if not np.array_equal(first, second) and not harness.scores_right:
        return  # without dropout they may differ, too
    if not np.array_equal(first, second):
        message = "two calls of loss(X) gave different scores"
        harness.subject.report("active-at-test", message + mode_at_test(harness.recorder.calls, "dropout"))
        return
    at_test = list(harness.recorder.calls)
    losses = [harness.loss(net, X, y)[0] for _ in range(STEPS)]
    calls = list(harness.recorder.calls)
    if _has_another_rate(harness, calls):
        return
    without = softmax_loss(harness.plain_scores(net, X), y)[0]
    message = f"three losses in training are all {losses[0]:.6g}"
    if np.ptp(losses) == 0 and abs(losses[0] - without) <= SAME * abs(without):
        message += ", the same as without dropout"
        used = dropout_results(calls)
        if used and not any(used[0]):
            message += f"; dropout_forward is called {len(used[0])} times a step, but no layer uses what it returns"
            harness.subject.report("dropout-result-unused", message)
        else:
            harness.find_unused("dropout-never-called", message, "dropout_forward", {"mode": "train", "p": P})
        return
    if np.ptp(losses) == 0 and harness.loss_right:
        harness.subject.report("same-mask-every-step", f"{message}, with no seed")
    _placement(harness, calls, X)
    if all(np.array_equal(call.input, np.asarray(call.output)) for call in forwards(at_test, "dropout")) and calls:
        _check_scores_at_test(harness, net, X, forwards(calls, "dropout"))
    if np.ptp(losses) and not forwards(calls, "dropout") and not harness.subject.has_fault:
        _check_own_masks(harness, net)
    if "seed" in harness.arguments:
        harness.loss(harness.build(UNITS, **{harness.dropout: P, "seed": 7}), X, y)
        given = [call.param_before for call in forwards(harness.recorder.calls, "dropout")]
        if given and not any("seed" in param for param in given):
            harness.subject.report("seed-ignored", "dropout_forward is given no seed")


def _check_scores_at_test(harness: NetHarness, net: Any, X: FloatArray, dropouts: Sequence[Call]) -> None:
    """If dropout scales in training and returns its input at test, the net must not scale at test."""
    scores = harness.scores(net, X)
    for factor in (P, 1 - P, 1 / P, 1 / (1 - P)) if any(map(_scales, dropouts)) and harness.scores_right else ():
        if close(scores, _scaled_scores(harness, net, X, factor)):
            message = f"loss(X) multiplies each hidden layer by {factor:.4g}, but dropout_forward scales already"
            harness.subject.report("scaled-at-test", message)


def _scales(dropout: Call) -> bool:
    """Whether a call of dropout multiplied what it kept by more than 1."""
    kept = np.zeros(0, bool) if dropout.output is None else dropout.output != 0
    return bool(kept.any()) and float(np.median(np.asarray(dropout.output)[kept] / dropout.input[kept])) > 1 + SAME


def _scaled_scores(harness: NetHarness, net: Any, X: FloatArray, factor: float) -> FloatArray:
    return scores_of(X, harness.layers_of(net), lambda h, _: factor * np.maximum(h, 0))


def usable_dropout(harness: NetHarness) -> list[Options]:
    """Dropout as an option, if there is an argument for it that works."""
    return [] if harness.dropout is None or any(map(harness.subject.has, LOST)) else [{harness.dropout: P}]


def check_combined(harness: NetHarness, dropout: Options, options: Options) -> None:
    """Check effect and gradients of dropout, alone or with a normalization; many nets have separate code for this."""
    if options:
        X, y = harness.data(ROWS)
        without = harness.loss(harness.build(UNITS, **options), X, y)[0]
        net = harness.build(UNITS, **dropout, **options)
        losses = [harness.loss(net, X, y)[0] for _ in range(STEPS)]
        if np.ptp(losses) == 0 and abs(losses[0] - without) <= SAME * abs(without):
            message = f"{STEPS} losses in training are all {losses[0]:.6g}, the same as without dropout"
            harness.subject.report("dropout-never-called", message)
        check_examples_alone(harness, net)
        if _normalization_is_lost(harness, dropout, options):
            return
    check_gradients(harness, {**dropout, **options})


def _normalization_is_lost(harness: NetHarness, dropout: Options, options: Options) -> bool:
    """Whether a normalization that works alone has no effect together with dropout, which is reported."""
    X, y = harness.data()
    net = harness.build(**dropout, **options)
    others = [key for key in net.params if harness.role(key)[0] not in ("W", "b")]
    before, held = harness.held_loss(net, X, y)[0], harness.held_loss(net, X, y)[0]
    for key in others:
        net.params[key] = 2 * net.params[key] + 1
    if before != held or harness.held_loss(net, X, y)[0] != before:
        return False
    effect = f"the loss does not depend on {', '.join(map(str, others))}" if others else "params has no gamma and beta"
    harness.subject.report("normalization-ignored", f"{effect}; without dropout, normalization works")
    return True


def _placement(harness: NetHarness, calls: Sequence[Call], X: AnyArray) -> None:
    """Report what the recorded calls of one step show."""
    forward, subject = forwards(calls, "dropout"), harness.subject
    scores = [call.input for call in calls if call.name == "softmax_loss"][:1]
    zeros = sum(int((given == 0).sum()) for given in scores if given.shape == (ROWS, C))
    if any(call.input.shape[-1:] == (C,) for call in forward):
        subject.report("dropout-on-output-layer", "dropout_forward is called on the scores")
    elif zeros:
        subject.report("dropout-on-output-layer", f"{zeros} of {ROWS * C} scores are zero in training")
    on_input = [call for call in forward if np.array_equal(call.input, X)]
    if on_input:
        subject.report("dropout-on-input", "dropout_forward is called on X itself")
    hidden = [call for call in forward if call.input.shape[-1:] != (C,) and call not in on_input]
    if any((call.input < 0).any() for call in hidden):
        share = float(np.mean([(call.input < 0).mean() for call in hidden]))
        subject.report("dropout-before-relu-or-norm", f"{share:.0%} of what dropout_forward was given is negative")
    if hidden and "dropout_backward" in harness.recorder.found and not backwards(calls, "dropout"):
        message = f"dropout_forward is called {len(hidden)} times a step, dropout_backward never"
        subject.report("dropout-backward-never-called", message)
    twice = sum(np.array_equal(one.input, np.asarray(other.output)) for other, one in itertools.pairwise(forward))
    if twice:
        message = f"dropout_forward is given its own output {twice} times a step, so fewer units are kept"
        subject.report("dropout-called-twice", message)
    if 0 < len(hidden) < len(UNITS):
        message = f"dropout_forward is called for {len(hidden)} of {len(UNITS)} hidden layers"
        subject.report("dropout-in-some-layers", message)


def _check_own_masks(harness: NetHarness, net: Any) -> None:
    """Check dropout that a net computes itself: its place, masks, rate and scale, as the gradients show them."""
    subject, first = harness.subject, harness.first
    of_hidden = {key for key in net.params if harness.role(key)[1] < first + len(UNITS)}
    net.params = {key: np.abs(value) if key in of_hidden else value for key, value in net.params.items()}
    X = np.abs(harness.data(1)[0])  # so that no ReLU zeroes a unit
    y = harness.plain_scores(net, X).argmin(axis=1)
    steps = [_kept(harness, net, X, y) for _ in range(OWN_STEPS)]
    of_input, *layers = ([step[i] for step in steps if len(step) > i] for i in range(1 + len(UNITS)))
    if any(not _is_mask(ratio) for ratios in (of_input, *layers) for ratio in ratios) or subject.has_fault:
        return  # it is computed in another way
    if not all(close(ratio, 1) for ratio in of_input):
        subject.report("dropout-on-input", "elements of X are dropped in training")
    dropped = [ratios for ratios in layers if not all(close(ratio, 1) for ratio in ratios)]
    if len(dropped) == 1:
        subject.report("dropout-in-some-layers", f"units of only one of {len(UNITS)} hidden layers are dropped")
    if dropped and all(close(ratio, ratio[0]) for ratios in dropped for ratio in ratios):
        raise subject.stop("mask-shared-across-batch", "all units of an example are kept or dropped together")
    alike = [_kept(harness, net, X.repeat(ALIKE, axis=0), y.repeat(ALIKE))[1:2] for _ in range(OWN_STEPS)]
    if layers[0] in dropped and all(_is_mask(ratio) for step in alike for ratio in step):
        raise subject.stop("mask-shared-across-batch", f"{ALIKE} equal examples always lose the same units")
    convention, ratio = subject.convention, np.concatenate([*map(np.concatenate, dropped), np.zeros(0)])
    if not dropped or not _is_mask(ratio):
        return
    means = convention.means if convention.given or subject.name in convention.source else ""
    rates = [P, 1 - P] if means == "keep" else [1 - P, P]
    right, swapped = (rates[:1], rates[1:]) if means else (rates, [])
    classic = not close(harness.scores(net, X), harness.plain_scores(net, X))
    check_ratios(subject, "in training", ratio, right, swapped, classic)
    kept = float(np.median(ratio[ratio != 0]))
    rate = min((*right, *swapped), key=lambda rate: abs(rate - np.mean(ratio != 0)))
    if classic and abs(kept - 1) > SAME:
        message = f"in training what is kept is multiplied by {kept:.4g}, but the scores of loss(X) differ from those"
        subject.report("scaled-at-test", f"{message} without dropout")
    elif classic and not close(harness.scores(net, X), _scaled_scores(harness, net, X, rate)):
        message = "in training what is kept is multiplied by 1, but loss(X) does not multiply each hidden layer by"
        subject.report("scaled-by-wrong-probability", f"{message} {rate:g}, the fraction that is kept")


def _is_mask(ratio: FloatArray) -> bool:
    """Whether these ratios are zeros and one other value."""
    kept = ratio[ratio != 0]
    return bool(np.all(np.isfinite(ratio))) and close(kept, kept[:1])


def _kept(harness: NetHarness, net: Any, X: FloatArray, y: IntArray) -> list[FloatArray]:
    """What X and each hidden layer are multiplied by in a step, as far as it shows; the mean over equal examples.

    For one example, the gradient of the next weights is the product of the units below and that of the next biases.
    """
    trained, _ = harness.subject.attempt(harness.loss, net, X, y)
    found, plain = list[FloatArray](), X[0]
    grads = {harness.role(key): value for key, value in trained[1].items()} if trained else {}
    for layer in range(1 + len(UNITS)) if grads else ():
        dW, db = grads["W", layer + harness.first], grads["b", layer + harness.first].reshape(-1)
        largest = int(np.argmax(np.abs(db)))
        if not db[largest]:
            break
        below = dW[:, largest] / db[largest]
        found.append(below / plain)
        W, b = (np.asarray(harness.parameter(net, kind, layer + 1)) for kind in "Wb")
        plain = below @ W + b.reshape(-1)
        if layer == len(UNITS) and not np.all(db):
            message = f"the gradients of {int((db == 0).sum())} of {C} scores are zero in training"
            harness.subject.report("dropout-on-output-layer", message)
    return found


def _has_another_rate(harness: NetHarness, calls: Sequence[Call]) -> bool:
    """Whether dropout is called with a p that differs from the constructor's, which is reported."""
    rates = [call.param_before.get("p") for call in forwards(calls, "dropout")]
    others = [p for p in rates if isinstance(p, (int, float)) and abs(p - P) > 1e-9]
    if not others:
        return False
    message = f"dropout_forward is called with p = {others[0]:g}"
    harness.subject.report("keep-and-drop-swapped" if abs(others[0] - (1 - P)) < 1e-9 else "wrong-rate", message)
    return True

"""The gradients of a net under check, against finite differences of its loss."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from thinnet.check.call_recorder import Call
from thinnet.check.classes import role
from thinnet.check.compare import close, difference
from thinnet.check.probes.net_calls import diagnose
from thinnet.check.probes.net_harness import Gradients, N, NetHarness, Options
from thinnet.check.probes.net_mistakes import mistaken_gradients
from thinnet.slopes import around, moved

SAMPLES = 6  # elements of each parameter whose gradient is checked numerically
# If all parameters move together: the steps to try until the slopes agree, and a bound for rounding errors.
AT_ONCE, AT_ONCE_IN_FLOAT32 = ((1e-6,), 1e-8), ((1e-3, 1e-4), 5e-4)


def check_gradients(harness: NetHarness, options: Options) -> None:
    """Check the gradients of a net with these options, if its masks can be held fixed."""
    net, batch = harness.build(**options), harness.data()
    _, grads = harness.held_loss(net, *batch)
    calls = list(harness.recorder.calls)
    if harness.held_loss(net, *batch)[0] == harness.held_loss(net, *batch)[0]:
        compare_gradients(harness, net, grads, calls)


def compare_gradients(harness: NetHarness, net: Any, grads: Gradients, calls: Sequence[Call]) -> None:
    """Compare the gradients with finite differences of the loss."""
    missing = [str(key) for key in net.params if key not in grads]
    if more := [str(key) for key in grads if key not in net.params and not harness.subject.has("parameter-names")]:
        harness.subject.report("parameter-names", f"loss(X, y) also returns gradients of {', '.join(more)}")
    if not harness.scores_right:
        return
    if missing:
        depth = sum(harness.role(key)[0] == "W" for key in net.params)
        of_scores = [(kind, depth - 1 + harness.first) for kind in ("gamma", "beta")]
        needless = [key for key in missing if role(key) in of_scores]
        why_not = f"; params need not have {' and '.join(needless)}, since the scores are not normalized"
        message = f"the gradients of {', '.join(missing)} are missing{why_not if needless else ''}"
        harness.subject.report("wrong-gradient", message)
        return
    keys = sorted(net.params, key=lambda name: (str(name)[-1], str(name)))
    if _agree_at_once(harness, net, keys, grads):
        return
    why = diagnose(calls)
    for key in keys:
        if harness.subject.has(why[0]) if why else key in harness.wrong:
            continue  # already reported with other options
        found = None if _agree_at_once(harness, net, [key], grads) else _compare(harness, net, key, grads)
        if found:
            harness.wrong.add(key)
            harness.subject.report(*((why[0], f"{why[1]}; {found[1]}") if why else found))


def _agree_at_once(harness: NetHarness, net: Any, keys: Sequence[Any], grads: Gradients) -> bool:
    """Whether some gradients together give the slope in one random direction: then none is wrong.

    The direction is normally distributed, so that errors cancel with a probability of about `same` over their size.
    """
    params = {key: net.params[key] for key in keys}
    if any(grads[key].shape != value.shape for key, value in params.items()):
        return False
    batch = harness.data()
    steps, same = AT_ONCE_IN_FLOAT32 if harness.single else AT_ONCE
    for step in steps:  # there may be kinks within the first
        losses = []
        for size in (step, -step):
            with moved(params, size, 0) as direction:
                losses.append(harness.held_loss(net, *batch, recorded=False)[0])
        claimed = sum(float(np.sum(grads[key] * way)) for key, way in direction.items())
        if abs((losses[0] - losses[1]) / (2 * step) - claimed) <= same:
            return True
    return False


def _compare(harness: NetHarness, net: Any, key: Any, grads: Gradients) -> tuple[str, str] | None:
    """The verdict on the gradient of one parameter that has been found to disagree, and the evidence.

    If a sample of its elements agrees, all of them are compared.
    """
    value, batch, gradient = net.params[key], harness.data(), grads[key]
    same = gradient.squeeze().shape == value.squeeze().shape
    if same and np.broadcast(gradient, value).size == value.size:  # broadcasting adds no elements
        gradient = gradient.reshape(value.shape)
    if not gradient.shape and not gradient:  # the number 0, for an unused parameter: it broadcasts
        gradient = np.zeros(value.shape)
    if gradient.shape != value.shape:
        return "shape-changed", f"the gradient of {key} has shape {gradient.shape}, expected {value.shape}"
    (step, *closer), tolerance = ((1e-2, 1e-3, 1e-4, 1e-5), 1e-2) if harness.single else ((1e-5, 1e-7), 1e-3)

    def slope(position: tuple[int, ...], step: float) -> float:
        above, below = around(lambda _: harness.held_loss(net, *batch, recorded=False)[0], value, position, step)
        return float(above - below) / (2 * step)

    (kind, layer), depth = harness.role(key), sum(harness.role(name)[0] == "W" for name in net.params)
    plain = kind in ("W", "b") and not (harness.subject.when or harness.turned) and layer - harness.first < depth
    mistaken = mistaken_gradients(*batch, harness.layers_of(net), kind, layer - harness.first) if plain else []
    order = np.random.default_rng(3).permutation(value.size)
    for picks in (order[:SAMPLES],) if harness.single else (order[:SAMPLES], order):
        positions = [tuple(int(i) for i in np.unravel_index(int(pick), value.shape)) for pick in picks]
        got = np.array([gradient[position] for position in positions])
        numerical = np.array([slope(position, step) for position in positions])
        largest = max(float(np.abs(numerical).max()), 1e-3)
        for smaller in closer:  # there may be a kink nearby
            for i in np.flatnonzero(np.abs(got - numerical) > 0.1 * tolerance * largest):
                numerical[i] = min(numerical[i], slope(positions[i], smaller), key=lambda near: abs(got[i] - near))
        known = [(np.array([one[i] for i in positions]), "wrong-gradient", how) for one, how in mistaken]
        wrong = difference(f"the gradient of {key}", got, numerical, known, batch=N)
        if wrong and np.any(np.abs(got - numerical) > tolerance * largest):
            at = re.search(r"at \[(\d+)\]", wrong.message)
            message = wrong.message.replace(at[0], f"at {list(positions[int(at[1])])}") if at else wrong.message
            for name, other in grads.items():
                if other.shape == value.shape and close([other[i] for i in positions], numerical, tolerance):
                    message += f"; the right one is returned under {name}"
            return wrong.of_gradient, message.replace(f" of {SAMPLES} elements", f" of {SAMPLES} sampled elements")
    return None

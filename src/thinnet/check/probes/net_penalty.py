"""The L2 penalty of a net, as the difference that reg makes."""

from typing import Any

import numpy as np

from thinnet.check.compare import close
from thinnet.check.probes.net_harness import NetHarness, Options
from thinnet.typing import AnyArray, FloatArray

REG = 0.7
Arrays = dict[Any, AnyArray]
EXACT = 1e-9  # of the penalty: this close, it is right, whatever its parts


def check_penalty(harness: NetHarness, options: Options) -> None:
    """Check what reg adds to the loss and to the gradients of a net with these options."""
    if "reg" not in harness.arguments and "reg" not in dir(harness.build()):
        return
    if not harness.loss_right or any(found.verdict.startswith("regulariz") for found in harness.subject.findings):
        return  # it would follow from that, or has been reported with other options
    plain, net = harness.build(**options, reg=0.0), harness.build(**options, reg=REG)
    batch = harness.data()
    base, base_grads = harness.held_loss(plain, *batch)
    loss, grads = harness.held_loss(net, *batch)
    if options and harness.held_loss(harness.build(**options, reg=0.0), *batch)[0] != base:
        return  # its masks cannot be held fixed, or differ between two nets
    params = {key: np.array(value, dtype=float) for key, value in net.params.items()}
    right = sum(_half(value) for key, value in params.items() if harness.role(key)[0] == "W")
    if not abs(loss - base - right) <= EXACT * right:
        counts = {key: _counted(harness, plain, net, key, loss - base) / _half(value) for key, value in params.items()}
        _of_loss(harness, loss - base, right, counts, params)
    added = {key: grads[key] - base_grads[key] for key in params if key in grads and key in base_grads}
    _of_gradients(harness, added, params)


def _half(value: FloatArray) -> float:
    """0.5 · reg · Σ value²."""
    return 0.5 * REG * float(np.sum(value**2))


def _counted(harness: NetHarness, plain: Any, net: Any, key: Any, penalty: float) -> float:
    """What one parameter adds to the penalty: if it is squared, doubling it adds three times that."""
    for changed in (plain, net):
        changed.params[key] = changed.params[key] * 2
    more, less = (harness.held_loss(changed, *harness.data())[0] for changed in (net, plain))
    for changed in (plain, net):
        changed.params[key] = changed.params[key] / 2
    return (more - less - penalty) / 3


def _of_loss(harness: NetHarness, penalty: float, right: float, counts: dict[Any, float], params: Arrays) -> None:
    """Check the penalty by `counts`, how often it includes each parameter's share: 1 for weights, 0 for others."""
    weights = {key: counts[key] for key in params if harness.role(key)[0] == "W"}
    others = [str(key) for key in params if key not in weights and abs(counts[key]) > 1e-4]
    message = f"reg = {REG} adds {penalty:.6g} to the loss, expected {right:.6g}"
    report = harness.subject.report
    # Counts that are not multiples of a quarter.
    odd = [count for count in counts.values() if abs(4 * count - round(4 * count)) > 1e-3]
    alone = abs(penalty - sum(counts[key] * _half(value) for key, value in params.items())) > 1e-4 * right
    if alone or (len(odd) > 1 and np.ptp(odd) > 1e-3):
        multiple = "this is not a multiple of the sum of the squares of the weights"
        report("regularization-of-another-form", f"{message}; {multiple}")
        return
    if others:
        report("regularization-of-biases", f"{message}; it includes {', '.join(others)}")
    missing = [str(key) for key, count in weights.items() if abs(count) <= 1e-4]
    scaled = [key for key, count in weights.items() if abs(count - 1) > 1e-4 and str(key) not in missing]
    listed = ", ".join(f"{key} {round(count, 4) + 0.0:g} times" for key, count in weights.items())
    if missing:
        more = f"; it has {listed}" if scaled else ""
        report("regularization-missing", f"{message}: it lacks {', '.join(missing)}{more}")
    elif scaled and np.ptp(list(weights.values())) <= 1e-4:
        report("regularization-scaled", f"{message}: {next(iter(weights.values())):.4g} times as much")
    elif scaled:
        report("regularization-scaled", f"{message}: it has {listed}")


def _of_gradients(harness: NetHarness, added: Arrays, params: Arrays) -> None:
    for key, value in added.items():
        if value.size != params[key].size:
            continue
        value = value.reshape(params[key].shape)
        if not np.all(np.isfinite(value)):
            continue  # not a matter of the penalty
        if harness.role(key)[0] != "W":
            if np.abs(value).max() > 1e-6 * REG:
                message = f"reg = {REG} adds to the gradient of {key}, expected nothing"
                harness.subject.report("regularization-of-biases", message)
            continue
        right = REG * params[key]
        if close(value, right):
            continue
        factor = float(np.sum(value * right) / np.sum(right * right))
        if not close(value, factor * right):
            same = close(value, value.flat[0])
            form = "the same number everywhere, as from np.sum" if same else f"not a multiple of {key}"
            message = f"what reg = {REG} adds to the gradient of {key} is {form}, expected reg * {key}"
            harness.subject.report("regularization-of-another-form", message)
        else:
            message = f"reg = {REG} adds {factor:.4g} * reg * {key} to the gradient of {key}, expected reg * {key}"
            verdict = "regularization-missing" if abs(factor) < 1e-6 else "regularization-scaled"
            harness.subject.report(verdict, message)

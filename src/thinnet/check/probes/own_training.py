"""The training loop of a net that trains itself: whether its loss falls, and on which examples."""

import contextlib
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from thinnet.check.compare import close
from thinnet.check.probes.net_harness import C, D, NetHarness
from thinnet.check.subject import parameters, signature
from thinnet.typing import AnyArray, FloatArray, IntArray

ROWS, BATCH, RATE, STEPS = 40, 20, 0.1, 200
OPTIONS = {"learning_rate": RATE, "learning_rate_decay": 1.0, "reg": 0.0, "num_iters": STEPS, "batch_size": BATCH}


def _wrong_batches(batches: list[tuple[FloatArray, AnyArray]], X: FloatArray, y: IntArray) -> str:
    """What is wrong with the rows and labels that train gives to loss, or nothing; only rows of X are judged."""
    places = {row.tobytes(): i for i, row in enumerate(X)}
    seen = [[places.get(row.tobytes(), -1) for row in rows] for rows, _ in batches]
    labels = [given for _, given in batches]
    others = any(
        min(rows, default=-1) < 0 or np.shape(of) != (len(rows),) for rows, of in zip(seen, labels, strict=True)
    )
    if others or len(seen) < STEPS // 2:
        return ""
    mislabeled = sum(int(np.sum(y[rows] != of)) for rows, of in zip(seen, labels, strict=True))
    if mislabeled:
        return f"{mislabeled} of {sum(map(len, seen))} rows that train gives to loss come with the label of another row"
    sizes = {len(rows) for rows in seen}
    if len(sizes) == 1 and not BATCH <= min(sizes) <= len(X):  # some take all rows that they do not hold out
        return f"with batch_size={BATCH}, train gives {len(seen[0])} rows to loss in each step"
    first = {*seen[0]}
    if len(first) < len(X) and all({*rows} == first for rows in seen):
        return f"in all {len(seen)} steps, train gives the same {len(first)} of {len(X)} rows to loss"
    return ""  # some keep a few rows for validation


def _changed(before: Mapping[Any, AnyArray], after: Mapping[Any, AnyArray]) -> set[Any]:
    return {key for key, value in before.items() if not np.array_equal(value, after.get(key, ()))}


def _wrong_step(before: Mapping[Any, AnyArray], after: Mapping[Any, AnyArray], grads: Mapping[Any, AnyArray]) -> str:
    """What is wrong with the first step, if it is one of gradient descent in part, or lacks the learning rate."""
    factors = dict[Any, float | None]()  # the multiple of its gradient by which each parameter changes, if any
    for key in before:
        if key in grads and key in after and grads[key].size == before[key].size == after[key].size:
            g, moved = np.ravel(grads[key]), np.ravel(after[key]) - np.ravel(before[key])
            if g.any():
                factor = float(moved @ g / (g @ g))
                factors[key] = round(factor, 6) if close(moved, factor * g) else None
    wrong = {key: factor for key, factor in factors.items() if factor != -RATE}
    by_another_rule = len(wrong) == len(factors) and len({*wrong.values()}) == 1
    if not wrong or (by_another_rule and -1 not in wrong.values()):
        return ""
    times = {key: "no multiple of" if factor is None else f"{factor:g} times" for key, factor in wrong.items()}
    told = " and ".join(f"{key} by {factor} its gradient" for key, factor in times.items())
    return f"in the first step, train changes {told}, expected {-RATE:g} times"


def check_training(harness: NetHarness, train_name: str) -> None:
    """Training on easily separable data must lower the loss."""
    net, (X, y) = harness.fresh((), {}), harness.data(ROWS)
    X = X + 3 * np.eye(C, D)[y]

    def values() -> dict[Any, AnyArray]:
        return {key: np.array(value) for key, value in net.params.items()}

    before, start, loss = values(), harness.loss(net, X, y)[0], net.loss
    batches = list[tuple[FloatArray, AnyArray]]()
    with_reg = list[bool]()
    passed = list[dict[Any, AnyArray]]()  # the parameters in each call of loss, and at the end
    first: dict[Any, AnyArray] = {}  # the gradients of the first call

    def noted(X: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        if y is not None:  # not for predictions
            with_reg.append(bool(args) or "reg" in kwargs)
            with contextlib.suppress(Exception):  # what is not a batch of numbers is not judged
                batches.append((np.array(X, np.float64), np.array(y)))
                passed.append(values())
        result = loss(X, *(() if y is None else (y,)), *args, **kwargs)
        if len(passed) == 1 and not first and isinstance(result, tuple):
            with contextlib.suppress(Exception):
                first.update({key: np.array(value, np.float64) for key, value in result[1].items()})
        return result

    net.loss = noted
    harness.subject.call(train_name, net, X, y)
    net.loss = loss
    end = harness.loss(net, X, y)[0]
    passed.append(values())
    message = f"{STEPS} steps of train with learning_rate={RATE} change the loss from {start:.4g} to {end:.4g}"
    kept = [str(key) for key in before if key not in _changed(before, passed[-1])]
    if told := _wrong_batches(batches, X, y):
        harness.subject.report("wrong-batches", f"{told}; {message}")
    elif len(kept) == len(before):
        harness.subject.report("wrong-update", f"{message}: no parameter changes")
    elif kept:
        harness.subject.report("wrong-update", f"{message}, but leave {' and '.join(kept)} as before")
    elif first and (told := _wrong_step(passed[0], passed[1], first)):  # some compute gradients without loss
        harness.subject.report("wrong-update", told)
    elif {*with_reg} == {False} and "reg" in parameters(net.train) and signature(net.loss)["reg"].default is not None:
        harness.subject.report("regularization-missing", "train takes reg, but does not give it to loss")
    elif not end < 0.9 * start:
        moves = sum(bool(_changed(*pair)) for pair in itertools.pairwise(passed))
        seldom = f": the parameters change in only {moves} of them" if 0 < moves < STEPS // 2 else ""
        harness.subject.report("update-uphill" if end > start else "wrong-update", message + seldom)

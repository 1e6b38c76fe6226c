"""The losses: value, gradient, and what large scores do."""

from collections.abc import Sequence

import numpy as np

from thinnet.check.compare import Alternative, close, difference
from thinnet.check.probes.layers import agrees
from thinnet.check.subject import Subject
from thinnet.gradient_check import eval_numerical_gradient
from thinnet.layers import softmax_loss, svm_loss
from thinnet.typing import FloatArray, IntArray

N = 7
Known = Sequence[Alternative]
Right = tuple[float, FloatArray]  # loss and gradient
ADDED = (1, 0.1, 0.01, 1e-3, 1e-4)  # to a probability, to keep its logarithm finite
ALL_ROWS = "the right classes of all rows in every row: it takes [:, y] in place of [np.arange(N), y]"


def _scores(subject: Subject) -> tuple[FloatArray, IntArray]:
    return subject.rng.normal(size=(N, 5)), subject.rng.integers(0, 5, size=N)


def check_softmax_loss(subject: Subject) -> None:
    """Value, gradient and stability of the softmax cross-entropy."""
    x, y = _scores(subject)
    loss, dx = softmax_loss(x, y)
    probabilities = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    logs, every = -np.log(probabilities), np.isin(np.arange(x.shape[1]), y)
    right = probabilities[np.arange(N), y]
    gradients: list[Alternative] = [
        (probabilities / N, "wrong-gradient", "lacks the -1 at the right class"),
        (dx * N / x.shape[1], "gradient-scaled", f"is divided by the {x.shape[1]} classes instead of the {N} rows"),
        (2 * probabilities / N - dx, "wrong-gradient", "has 1 added at the right class instead of subtracted"),
        ((probabilities - (every > 0)) / N, "wrong-gradient", f"has {ALL_ROWS}"),
    ]
    values: list[Alternative] = [
        (logs[:, y].sum() / N, "wrong-output", f"is summed over {ALL_ROWS}"),
        (logs[:, y].mean(), "wrong-output", f"is the mean over {ALL_ROWS}"),
        (logs.sum() / N, "wrong-output", "is summed over all classes instead of the right ones"),
        (-right.mean(), "wrong-output", "lacks the logarithm"),
        *((loss / np.log(base), "wrong-output", f"has the logarithm to base {base}") for base in (2, 10)),
        *((-np.log(right + c).mean(), "wrong-output", f"has {c:g} added inside the logarithm") for c in ADDED),
    ]
    less = x - x.max(axis=1, keepdims=True)  # since most code subtracts the maximum
    axes = (
        (*_summed_over(axis, scores, y), f"sums the exponentials over {over} instead of the classes")
        for axis, over in ((0, "the rows"), (None, "everything"))
        for scores in (x, less)
    )
    columns = "is that of scores less each column's maximum instead of each row's"
    for value, gradient, told in (*axes, (*softmax_loss(x - x.max(axis=0), y), columns)):
        values.append((value, "wrong-axis", told))
        gradients.append((gradient, "wrong-axis", told))
    if not _is_right(subject, x, y, (loss, dx), gradients, values):
        return
    in_turn = np.where(np.arange(N) % 2, 1000.0, -1000.0)[:, None]
    for shift, added in ((1000.0, "1000"), (-1000.0, "-1000"), (in_turn, "-1000 and 1000, row by row,")):
        value, gradient = subject.pair("softmax_loss", x + shift, y)
        # In float32, a score of 1000 is rounded by less than 1e-3.
        number = float(np.squeeze(value))
        if not np.isfinite(number) or not np.all(np.isfinite(gradient)) or abs(number - loss) > 1e-3:
            message = f"with {added} added to all scores the loss is {number:g}, expected {loss:.6g}"
            subject.report("unstable", message, severity="note" if shift is in_turn else None)
            return
    far = np.array([[0.0, 2000.0, 0.0]])
    (below, _), (above, gradient) = (subject.pair("softmax_loss", far, np.array([y])) for y in (0, 1))
    below, above = float(np.squeeze(below)), float(np.squeeze(above))
    if not np.isfinite(above):
        message = f"where the right class is 2000 above the others, the loss is {above:g}, expected 0"
        of_zero = np.isnan(above) and np.all(np.isfinite(gradient))  # the wrong classes' logarithms, times zero
        subject.report("log-of-zero" if of_zero else "unstable", message)
    elif not np.isfinite(below):
        message = f"where the right class is 2000 below the largest, the loss is {below:g}, expected 2000"
        subject.report("log-of-zero", message)


def _summed_over(axis: int | None, x: FloatArray, y: IntArray) -> tuple[float, FloatArray]:
    """Loss and gradient if the shares sum to 1 along this axis or, for None, overall."""
    shares, right = np.exp(x) / np.exp(x).sum(axis=axis), (np.arange(len(y)), y)
    loss = -float(np.log(shares[right]).mean())
    shares[right] -= 1
    return loss, shares / len(y)


def check_svm_loss(subject: Subject) -> None:
    """Value and gradient of the multi-class hinge loss."""
    x, y = _scores(subject)
    loss, dx = svm_loss(x, y)
    right = np.arange(x.shape[1]) == y[:, None]
    others, margins = np.where(right, 0, dx), np.where(right, 0, x - x[np.arange(N), y][:, None])
    over = np.where(right, 0, np.maximum(margins + 1, 0)) / N
    sums = over.sum(axis=1, keepdims=True)
    counted = np.where(right, 1 - x.shape[1], 1) / N
    known = (
        (others, "wrong-gradient", "is zero for the right class's score"),
        (np.where(right, -1 / N, dx), "wrong-gradient", "has -1 at the right class instead of the number of margins"),
        (np.abs(dx), "wrong-gradient", "is positive at the right class too"),
        (counted, "wrong-gradient", "counts margins of zero too, which are no part of the loss: write > 0, not >= 0"),
        (np.where(right, -2 * sums, 2 * over), "wrong-gradient", "is that of the squares of the margins"),
        (np.where(right, -sums, dx), "wrong-gradient", "has the margins at the right class instead of their number"),
    )
    values = [
        (np.where(right, 0, np.maximum(margins + delta, 0)).sum() / N, "wrong-output", f"has {delta:g} as the margin")
        for delta in (0.0, 0.5, -1.0, 10.0)
    ]
    values.append((N * np.sum(over**2), "wrong-output", "has the squares of the margins"))
    below = "includes margins below zero: replace these with 0, as np.maximum(0, ...) does"
    values.append((np.where(right, 0, margins + 1).sum() / N, "wrong-output", below))
    _is_right(subject, x, y, (loss, dx), known, values)


def _is_right(subject: Subject, x: FloatArray, y: IntArray, right: Right, known: Known, known_values: Known) -> bool:
    """Check value and gradient; return whether both are right."""
    name, (loss, dx), classes = subject.own, right, x.shape[1]
    one_hot, why = subject.attempt(subject.pair, name, x, np.eye(classes)[y])  # classes are given what they take
    only_one_hot = not why and not subject.of_class and agrees(one_hot[0], np.array(loss))
    if only_one_hot and subject.attempt(subject.pair, name, x, y)[1]:
        message = f"{name} takes one-hot rows, but that of these courses takes class numbers"
        raise subject.stop("not-checked", message)
    value, gradient = subject.pair(name, x, y)
    if gradient is None:
        raise subject.stop("unimplemented", "dx is None")
    number = subject.array(name, value, "the loss")
    if number.size != 1:
        raise subject.stop("shape-changed", f"the loss has shape {number.shape}, expected one number")
    number = number.reshape(())
    values = (
        (loss * N, "wrong-output", f"is summed over the {N} rows instead of averaged"),
        (loss + 1, "wrong-output", "is too large by 1: the right class is counted among the others"),
        (loss / N, "wrong-output", f"is divided by the {N} rows twice"),
        (loss / classes, "wrong-output", f"is divided by the {classes} classes as well as by the {N} rows"),
        (loss * N / classes, "wrong-output", f"is divided by the {classes} classes instead of the {N} rows"),
        *known_values,
    )
    wrong = difference("the loss", number, loss, values)
    if wrong and subject.is_half_precision("the loss", number, loss):
        return False
    array, _ = subject.attempt(subject.plain_array, name, gradient, "dx")
    if wrong:
        alike = loss and array is not None and array.shape == x.shape and close(array, dx * float(number) / loss)
        message = wrong.message.replace("the loss is", "the loss and dx are", 1) if alike else wrong.message
        summed = subject.of_class and alike and close(number, loss * N)  # whether to average is up to a class
        subject.report(wrong.of_output, message, severity="note" if summed else None)
    array = subject.plain_array(name, gradient, "dx")
    averaged = (dx / classes, "gradient-scaled", f"is divided by the {classes} classes as well as by the {N} rows")
    bad = difference("dx", array, dx, (averaged, *known), batch=N)
    if bad and wrong and array.shape == x.shape:
        own = eval_numerical_gradient(lambda x: float(np.reshape(subject.pair(name, x, y)[0], ())), x, verbose=False)
        same = bad.verdict and bad.verdict == wrong.verdict
        bad = bad if not same and difference("dx", array, own) else None
    if bad:
        undivided = (
            subject.of_class and array.shape == x.shape and close(array, dx * N)
        )  # of a class, the other layers may divide
        subject.report(bad.of_gradient, bad.message, severity="note" if undivided else None)
    return not (wrong or bad)
